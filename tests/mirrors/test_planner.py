"""The planner against a playlist that keeps dates: where the edits lead, and what they cost."""

from collections import Counter
from collections.abc import Sequence
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.mirrors.planner import (
    WRITE_LIMIT,
    Edit,
    Insert,
    MirrorPlan,
    Move,
    Plan,
    Remove,
    Replace,
    apply,
    is_addressable,
    plan_mirror,
    plan_playlist,
)

Row = tuple[str | None, int]  # a song and its date: the number of the edit that put it in


def rows(items: Sequence[str | None]) -> list[Row]:
    return [(item, 0) for item in items]


def songs(playlist: Sequence[Row]) -> list[str | None]:
    return [song for song, _ in playlist]


def write(edit: Edit, playlist: list[Row], date: int) -> list[Row]:
    """What Spotify does, in its own terms; refuses what it would refuse."""
    match edit:
        case Remove(uris):
            assert 1 <= len(set(uris)) == len(uris) <= WRITE_LIMIT
            assert not any(uri.startswith("spotify:local:") for uri in uris)
            return [row for row in playlist if row[0] not in uris]
        case Move(start, length, before):
            assert length >= 1
            assert 0 <= start <= start + length <= len(playlist)
            assert 0 <= before < start or start + length < before <= len(playlist)
            moved, rest = playlist[start : start + length], playlist[:]
            del rest[start : start + length]
            place = before if before <= start else before - length
            rest[place:place] = moved
            return rest
        case Insert(position, uris):
            assert 1 <= len(uris) <= WRITE_LIMIT
            assert 0 <= position <= len(playlist)
            added: list[Row] = [(uri, date) for uri in uris]
            return playlist[:position] + added + playlist[position:]
        case Replace(uris):
            assert len(uris) <= WRITE_LIMIT
            return [(uri, date) for uri in uris]


def write_all(plan: Plan, present: Sequence[str | None]) -> list[list[Row]]:
    """The playlist before, between and after the edits."""
    states = [rows(present)]
    for number, edit in enumerate(plan.edits, start=1):
        states.append(write(edit, states[-1], date=number))
    return states


def rewrite_cost(wanted: Sequence[str]) -> int:
    return max(1, ceil(len(wanted) / WRITE_LIMIT))


def numbered(*numbers: int) -> list[str]:
    return [f"song{number}" for number in numbers]


S = numbered(*range(10))
LOCAL = "spotify:local:artist:album:title:200"


def test_an_edit_moves_as_spotify_does() -> None:
    assert apply(Move(start=1, length=2, before=5), S[:6]) == numbered(0, 3, 4, 1, 2, 5)
    assert apply(Move(start=3, length=2, before=0), S[:6]) == numbered(3, 4, 0, 1, 2, 5)
    assert apply(Move(start=0, length=2, before=6), S[:6]) == numbered(2, 3, 4, 5, 0, 1)


PLAYLISTS = [
    pytest.param([], [], "nothing", (), id="both empty"),
    pytest.param(S, S, "nothing", (), id="equal"),
    pytest.param(S[:2], [], "fill", (Insert(0, ("song0", "song1")),), id="first fill"),
    pytest.param(S, S[1:], "edits", (Insert(0, ("song0",)),), id="a new song"),
    pytest.param(S[1:], S, "edits", (Remove(("song0",)),), id="a song gone"),
    pytest.param(
        S,
        [*S[1:4], *S[5:7], *S[8:]],
        "edits",
        (Insert(5, ("song7",)), Insert(3, ("song4",)), Insert(0, ("song0",))),
        id="new songs, the lowest first",
    ),
    pytest.param(
        S,
        [*S[:4], *S[6:]],
        "edits",
        (Insert(4, ("song4", "song5")),),
        id="neighbours in one insert",
    ),
    pytest.param(
        S,
        [*S[3:], *S[:3]],
        "edits",
        (Move(start=7, length=3, before=0),),
        id="neighbours in one move",
    ),
    pytest.param(
        numbered(7, 0, 1, 2),
        numbered(0, 1, 2, 7),
        "edits",
        (Move(start=3, length=1, before=0),),
        id="a song liked again",
    ),
    pytest.param(
        numbered(1, 2, 0),
        numbered(0, 1, 2),
        "edits",
        (Move(start=0, length=1, before=3),),
        id="a move to the end",
    ),
    pytest.param(
        S[:3],
        [*S[:2], "song0", "song2"],
        "edits",
        (Remove(("song0",)), Insert(0, ("song0",))),
        id="a song doubled",
    ),
    pytest.param(
        S[:3],
        ["foreign", *S[:2], "foreign", "song2", "spotify:episode:e"],
        "edits",
        (Remove(("foreign", "spotify:episode:e")),),
        id="foreign rows",
    ),
    pytest.param(
        S[:2], S[2:4], "rewrite", (Replace(("song0", "song1")),), id="no song that could stay"
    ),
    pytest.param(
        S[:1], ["song0", "song0"], "rewrite", (Replace(("song0",)),), id="only a song doubled"
    ),
    pytest.param([], S, "rewrite", (Replace(()),), id="all gone"),
]


@pytest.mark.parametrize(("wanted", "present", "kind", "edits"), PLAYLISTS)
def test_a_playlist_is_set_right_by_few_edits(
    wanted: list[str], present: list[str | None], kind: str, edits: tuple[Edit, ...]
) -> None:
    plan = plan_playlist(wanted, present)

    assert (plan.kind, plan.edits) == (kind, edits)


def test_a_fill_goes_in_oldest_first_so_that_dates_agree_with_the_order() -> None:
    wanted = numbered(*range(250))

    plan = plan_playlist(wanted, [])

    assert plan.kind == "fill"
    assert [len(edit.uris) for edit in plan.edits if isinstance(edit, Insert)] == [100, 100, 50]
    after = write_all(plan, [])[-1]
    assert songs(after) == wanted
    dates = [date for _, date in after]
    assert dates == sorted(dates, reverse=True)


def test_a_rewrite_replaces_the_oldest_and_puts_the_rest_on_top() -> None:
    wanted = numbered(*range(250))

    plan = plan_playlist(wanted, wanted, anew=True)

    assert plan.kind == "rewrite"
    assert [type(edit) for edit in plan.edits] == [Replace, Insert, Insert]
    after = write_all(plan, wanted)[-1]
    assert songs(after) == wanted
    dates = [date for _, date in after]
    assert dates == sorted(dates, reverse=True)


def test_a_run_of_new_songs_longer_than_a_request_stands_in_order() -> None:
    wanted = numbered(*range(400))

    plan = plan_playlist(wanted, [*wanted[:20], *wanted[370:]])

    assert [type(edit) for edit in plan.edits] == [Insert] * 4
    assert songs(write_all(plan, [*wanted[:20], *wanted[370:]])[-1]) == wanted


@pytest.mark.parametrize(
    ("strays", "kind"),
    [pytest.param(21, "edits", id="at the bound"), pytest.param(22, "rewrite", id="beyond it")],
)
def test_dates_are_worth_twenty_requests_and_no_more(strays: int, kind: str) -> None:
    wanted = numbered(*range(100))
    apart = wanted[1 : 2 * strays : 2]  # no two of them neighbours
    present = [*(song for song in wanted if song not in apart), *reversed(apart)]

    plan = plan_playlist(wanted, present)

    assert plan.kind == kind
    assert len(plan.edits) == (strays if kind == "edits" else 1)


def test_ten_thousand_scattered_changes_are_bounded_by_the_rewrite() -> None:
    wanted = numbered(*range(10_000))
    present = [song for number, song in enumerate(wanted) if number % 2]

    assert len(plan_playlist(wanted, present).edits) == 100


def longest_increasing(numbers: Sequence[int]) -> int:
    """By the definition, in quadratic time."""
    lengths: list[int] = []
    for i, number in enumerate(numbers):
        lengths.append(1 + max((lengths[j] for j in range(i) if numbers[j] < number), default=0))
    return max(lengths, default=0)


@given(st.permutations(range(15)))
def test_as_few_songs_as_can_be_are_moved(order: list[int]) -> None:
    plan = plan_playlist(numbered(*range(15)), numbered(*order))

    moved = sum(edit.length for edit in plan.edits if isinstance(edit, Move))
    assert all(isinstance(edit, Move) for edit in plan.edits)
    assert moved == 15 - longest_increasing(order)


library = st.lists(st.integers(0, 25), unique=True, max_size=18).map(lambda n: numbered(*n))
row = st.one_of(st.integers(0, 25).map("song{}".format), st.sampled_from(["foreign", "episode"]))
odd_row = st.one_of(row, st.sampled_from([None, LOCAL]))
playlist_rows = st.lists(row, max_size=18)


@st.composite
def large_changes(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """A library of hundreds beside a playlist in whole blocks of it, and some odd rows."""
    size = draw(st.integers(0, 450))
    wanted = numbered(*range(size))
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=12)))
    blocks = [
        wanted[start:end]
        for start, end in zip([0, *cuts], [*cuts, size], strict=True)
        if start < end
    ]
    present: list[str] = []
    for block in draw(st.permutations(blocks)):
        present += draw(st.sampled_from([block, block, block[::-1], block[::2], []]))
    present += numbered(*range(1_000, 1_000 + draw(st.sampled_from([0, 1, 150]))))
    present += draw(st.lists(row, max_size=2))
    return wanted, present


@given(st.one_of(st.tuples(library, playlist_rows), large_changes()))
@example((S, S))
def test_a_plan_leads_to_what_is_wanted_and_keeps_its_promises(
    case: tuple[list[str], list[str]],
) -> None:
    wanted, present = case

    plan = plan_playlist(wanted, present)

    states = write_all(plan, present)
    assert songs(states[-1]) == wanted
    assert len(plan.edits) <= rewrite_cost(wanted) + 20
    assert (plan.kind == "nothing") == (not plan.edits) == (wanted == present)
    assert (plan.kind == "rewrite") == any(isinstance(edit, Replace) for edit in plan.edits)
    if wanted:
        assert all(states[1:])
    assert max(map(len, states)) <= max(len(wanted), len(present))
    if plan.kind != "rewrite":
        dates = dict(states[-1])
        assert all(dates[song] == 0 for song in wanted if present.count(song) == 1)
    replayed: list[str | None] = list(present)
    for edit, state in zip(plan.edits, states[1:], strict=True):
        replayed = apply(edit, replayed)
        assert replayed == songs(state)


# Volumes. Ten songs a playlist, handed down by three.


def plan_small(wanted: Sequence[str], present: Sequence[Sequence[str | None]]) -> MirrorPlan:
    return plan_mirror(wanted, present, capacity=10, hand_down=3)


def sizes(plan: MirrorPlan) -> list[int]:
    return [len(content) for content in plan.contents]


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, [0]), (10, [10]), (11, [8, 3]), (13, [10, 3]), (20, [8, 9, 3]), (30, [9, 9, 9, 3])],
)
def test_a_first_copy_fills_as_many_volumes_as_it_takes(size: int, expected: list[int]) -> None:
    plan = plan_small(numbered(*range(size)), [])

    assert sizes(plan) == expected
    assert plan.added == tuple(numbered(*range(size)))


#: Present, wanted, the steps as (volume, edit), and the sizes after them.
VOLUMES = [
    pytest.param(
        [numbered(*range(8)), numbered(*range(8, 18)), numbered(*range(18, 28))],
        ["new", *numbered(*range(28))],
        [(0, Insert(0, ("new",)))],
        [9, 10, 10],
        id="a like is written to the first volume alone",
    ),
    pytest.param(
        [numbered(*range(10)), numbered(*range(10, 15))],
        ["new", *numbered(*range(15))],
        [
            (1, Insert(0, tuple(numbered(7, 8, 9)))),
            (0, Remove(tuple(numbered(7, 8, 9)))),
            (0, Insert(0, ("new",))),
        ],
        [8, 8],
        id="a full volume hands its oldest down, below before above",
    ),
    pytest.param(
        [numbered(*range(10)), numbered(*range(10, 20))],
        ["new", *numbered(*range(20))],
        [
            (2, Insert(0, tuple(numbered(17, 18, 19)))),
            (1, Remove(tuple(numbered(17, 18, 19)))),
            (1, Insert(0, tuple(numbered(7, 8, 9)))),
            (0, Remove(tuple(numbered(7, 8, 9)))),
            (0, Insert(0, ("new",))),
        ],
        [8, 10, 3],
        id="full volumes hand down to a new one, the last first",
    ),
    pytest.param(
        [numbered(*range(8)), numbered(*range(8, 18))],
        numbered(12, *range(12), *range(13, 18)),
        [(0, Insert(0, ("song12",))), (1, Remove(("song12",)))],
        [9, 9],
        id="a song liked again stands above before it leaves below",
    ),
    pytest.param(
        [numbered(*range(8)), numbered(*range(8, 18))],
        [*numbered(12, *range(12), *range(13, 17)), "old", "song17"],
        [(1, Remove(("song12",))), (1, Insert(8, ("old",))), (0, Insert(0, ("song12",)))],
        [9, 10],
        id="a song liked again leaves at once where there is no room to keep it",
    ),
    pytest.param(
        [numbered(*range(8)), numbered(8, 9, 12, 10, 11, 12)],
        numbered(12, *range(12)),
        [(1, Remove(("song12",))), (0, Insert(0, ("song12",)))],
        [9, 4],
        id="a song liked again that stands below twice leaves at once",
    ),
    pytest.param(
        [numbered(*range(10)), numbered(*range(10, 20))],
        numbered(*range(3), *range(5, 20)),
        [(0, Remove(("song3", "song4")))],
        [8, 10],
        id="a song that left the first volume pulls none up",
    ),
    pytest.param(
        [numbered(*range(5)), numbered(*range(10, 13))],
        numbered(*range(4), *range(10, 13)),
        [
            (0, Remove(("song4",))),
            (0, Insert(4, tuple(numbered(10, 11, 12)))),
            (1, Remove(tuple(numbered(10, 11, 12)))),
        ],
        [7, 0],
        id="a library that fits one playlist again comes up into the first",
    ),
]


@pytest.mark.parametrize(("present", "wanted", "steps", "after"), VOLUMES)
def test_volumes_are_set_right_by_few_edits(
    present: list[list[str]], wanted: list[str], steps: list[tuple[int, Edit]], after: list[int]
) -> None:
    plan = plan_small(wanted, present)

    assert [(step.volume, step.edit) for step in plan.steps] == steps
    assert sizes(plan) == after
    before = {song for volume in present for song in volume}
    assert set(plan.added) == set(wanted) - before
    assert set(plan.removed) == before - set(wanted)


def test_the_first_volume_is_not_left_empty_above_others() -> None:
    present = [numbered(*range(2)), numbered(*range(10, 20))]

    plan = plan_small(numbered(*range(10, 20)), present)

    assert sizes(plan) == [1, 9]


ODD_ROWS = [
    pytest.param([None, *S[:4]], S[:4], (), id="an empty row"),
    pytest.param([*S[:2], LOCAL, *S[2:4]], S[:4], (), id="a local file"),
    pytest.param([*S[:2], LOCAL, LOCAL, None, *S[2:4]], S[:4], (), id="several"),
    pytest.param([*S[1:3], None, "song3"], S[:4], (Insert(0, ("song0",)),), id="a song above"),
    pytest.param(
        [*S[:2], None, "song3"], S[:4], (Insert(3, ("song2",)),), id="a song below its place"
    ),
    pytest.param([*S[:3], None], S[1:3], (Remove(("song0",)),), id="a song gone"),
    pytest.param([None, *S[:2]], [], (Remove(("song0", "song1")),), id="all songs gone"),
    pytest.param([*S[:2], "stuck"], S[:2], (), id="a song that cannot be removed"),
    pytest.param(["stuck", *S[:2], "stuck"], ["stuck", *S[:2]], (), id="a copy that stays"),
]


@pytest.mark.parametrize(("present", "wanted", "edits"), ODD_ROWS)
def test_rows_that_cannot_be_addressed_hold_their_places(
    present: list[str | None], wanted: list[str], edits: tuple[Edit, ...]
) -> None:
    plan = plan_mirror(wanted, [present], stuck={"stuck"}, capacity=10, hand_down=3)

    assert tuple(step.edit for step in plan.steps) == edits
    assert plan.contents == (tuple(wanted),)
    assert not plan.rewritten


def test_rows_that_cannot_be_addressed_count_against_the_capacity() -> None:
    present = [[*numbered(*range(7)), None, None, LOCAL]]

    plan = plan_small(numbered(10, *range(7)), present)

    assert sizes(plan) == [5, 3]


def test_a_volume_written_anew_is_named_and_loses_what_cannot_be_addressed() -> None:
    present = [[*numbered(*range(8)), None], numbered(*range(10, 20))]
    wanted = numbered(*range(8), *range(10, 20))

    plan = plan_mirror(wanted, present, anew=True, capacity=10, hand_down=3)

    assert plan.rewritten == {0}
    assert [step.edit for step in plan.steps] == [Replace(tuple(numbered(*range(8))))]


CAPACITY = 6

volumes = st.lists(st.lists(row, max_size=CAPACITY), max_size=4)
odd_volumes = st.lists(st.lists(odd_row, max_size=CAPACITY), max_size=4)


@st.composite
def volume_histories(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Volumes as a plan left them, and the library after unlikes, likes and re-likes."""
    before = draw(library)
    present = [
        list(uris) for uris in plan_mirror(before, [], capacity=CAPACITY, hand_down=2).contents
    ]
    some = st.lists(st.sampled_from(before), unique=True, max_size=6) if before else st.just([])
    again, gone = draw(some), draw(some)
    new = [f"new{number}" for number in range(draw(st.integers(0, 4)))]
    wanted = [*new, *again, *(song for song in before if song not in {*again, *gone})]
    return wanted, present


@given(
    st.one_of(volume_histories(), st.tuples(library, volumes), st.tuples(library, odd_volumes)),
    st.integers(1, CAPACITY - 1),
)
def test_a_mirror_plan_leads_to_the_library_and_no_song_is_away_in_between(
    case: tuple[list[str], list[list[str | None]]], hand_down: int
) -> None:
    wanted, present = case

    plan = plan_mirror(wanted, present, capacity=CAPACITY, hand_down=hand_down)

    volumes_now = [rows(items) for items in present]
    volumes_now += [[] for _ in plan.contents[len(present) :]]
    everywhere = [item for items in present for item in items]
    steady = {song for song in wanted if everywhere.count(song) >= 1} - away_by_right(plan, present)
    for date, step in enumerate(plan.steps, start=1):
        volumes_now[step.volume] = write(step.edit, volumes_now[step.volume], date)
        assert len(volumes_now[step.volume]) <= CAPACITY
        assert volumes_now[step.volume] or not plan.contents[step.volume]
        assert steady <= {song for volume in volumes_now for song in songs(volume)}
    for number, volume in enumerate(volumes_now):
        odd = [song for song in songs(volume) if not is_addressable(song)]
        there = present[number] if number < len(present) and number not in plan.rewritten else []
        assert Counter(odd) == Counter(song for song in there if not is_addressable(song))
        assert [song for song in songs(volume) if is_addressable(song)] == list(
            plan.contents[number]
        )
    assert [song for uris in plan.contents for song in uris] == wanted
    if all(is_addressable(song) for song in everywhere):
        assert all(plan.contents[: sum(map(bool, plan.contents))]), "an empty volume above others"
    for number, items in enumerate(present):
        if number not in plan.rewritten:
            kept = {song for song in plan.contents[number] if items.count(song) == 1}
            assert all(date == 0 for song, date in volumes_now[number] if song in kept)
    assert set(plan.added) == set(wanted) - set(everywhere)
    assert set(plan.removed) == set(filter(is_addressable, everywhere)) - set(wanted)
    held = [songs(volume) for volume in volumes_now]
    again = plan_mirror(wanted, held, capacity=CAPACITY, hand_down=hand_down)
    assert not again.steps


def away_by_right(plan: MirrorPlan, present: Sequence[Sequence[str | None]]) -> set[str | None]:
    """Songs whose volume is written anew, holds them twice, or has no room to keep them longer."""
    volume_of = {song: number for number, uris in enumerate(plan.contents) for song in uris}
    away: set[str | None] = set()
    for number, items in enumerate(present):
        rising = {song for song in items if volume_of.get(song, number) < number}
        if number in plan.rewritten:
            away |= set(items)
        if len(plan.contents[number]) + len(rising) > CAPACITY:
            away |= rising
        away |= {song for song in items if items.count(song) > 1}
    return away


@given(volume_histories(), st.integers(0, 40))
def test_a_plan_cut_short_is_taken_up_by_the_next(
    case: tuple[list[str], list[list[str | None]]], sent: int
) -> None:
    wanted, present = case
    plan = plan_mirror(wanted, present, capacity=CAPACITY, hand_down=2)
    halfway = [*map(list, present), *([] for _ in plan.contents[len(present) :])]
    for step in plan.steps[:sent]:
        halfway[step.volume] = apply(step.edit, halfway[step.volume])

    rest = plan_mirror(wanted, halfway, capacity=CAPACITY, hand_down=2)

    halfway += [[] for _ in rest.contents[len(halfway) :]]
    for step in rest.steps:
        halfway[step.volume] = apply(step.edit, halfway[step.volume])
    assert [song for items in halfway for song in items] == wanted
