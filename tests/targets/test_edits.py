"""The edits of a ListenBrainz playlist: applied, they give what is wanted."""

from hypothesis import given
from hypothesis import strategies as st

from sync.targets.listenbrainz.edits import Delete, Edit, Insert, plan

WANTED = st.lists(st.sampled_from("abcdefghij"), unique=True)
PRESENT = st.lists(st.sampled_from(["", *"abcdefghijxyz"]), max_size=15)


def apply(present: list[str], edits: list[Edit]) -> list[list[str]]:
    """The playlist after each edit."""
    states, now = [], list(present)
    for edit in edits:
        if isinstance(edit, Insert):
            assert 0 <= edit.at <= len(now)
            now[edit.at : edit.at] = edit.songs
        else:
            assert 0 <= edit.at < edit.at + edit.count <= len(now)
            del now[edit.at : edit.at + edit.count]
        states.append(list(now))
    return states


@given(PRESENT, WANTED, st.integers(1, 4))
def test_edits_lead_from_what_is_present_to_what_is_wanted(
    present: list[str], wanted: list[str], most: int
) -> None:
    edits = plan(present, wanted, most=most)

    states = apply(present, edits)

    assert (states[-1] if states else present) == wanted
    assert all(len(edit.songs) <= most for edit in edits if isinstance(edit, Insert))
    if present and wanted:
        assert all(states)


@given(WANTED)
def test_nothing_is_edited_where_nothing_differs(wanted: list[str]) -> None:
    assert plan(wanted, wanted, most=100) == []


@given(WANTED, st.data())
def test_songs_that_stay_are_not_touched(wanted: list[str], data: st.DataObject) -> None:
    present = [each for each in wanted if data.draw(st.booleans())]

    edits = plan(present, wanted, most=100)

    assert not any(isinstance(edit, Delete) for edit in edits)
    inserted = sum(len(edit.songs) for edit in edits if isinstance(edit, Insert))
    assert inserted == len(wanted) - len(present)


def test_one_new_like_is_one_edit() -> None:
    songs = [f"s{number}" for number in range(1_000)]

    assert plan(songs, ["new", *songs], most=100) == [Insert(0, ("new",))]
    assert plan(songs, songs[1:], most=100) == [Delete(0, 1)]
