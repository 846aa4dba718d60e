"""What a look at a playlist tells the inbox."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from sync.mirrors.inbox import MOST, additions
from sync.models import InboxItem, Mirror, Playlist
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from syncify.simulator.state import bare, local_file
from syncify.spotify.types import PlaylistRow
from tests.driving import a_day_later, mirrored, outcome, run, run_for

DONE = ("succeeded", "", 0)

# --- The decision ----------------------------------------------------------------


def row(uri: str | None) -> PlaylistRow:
    if uri is None:
        return PlaylistRow(None, "none")
    kind: Any = {"spotify:local": "local", "spotify:episode": "episode"}.get(
        uri.rpartition(":")[0], "track"
    )
    return PlaylistRow(uri, kind, name=uri)


def rows(*uris: str | None) -> list[PlaylistRow]:
    return [row(uri) for uri in uris]


CASES = [
    pytest.param(["a", "b"], ["a", "b"], [], [], id="nothing"),
    pytest.param(["a", "b"], ["x", "a", "b"], ["x"], [], id="added"),
    pytest.param(["a", "b"], ["x", "a", "x", "b"], ["x"], [], id="added twice"),
    pytest.param(["a", "b", "c"], ["a", "c"], [], ["b"], id="taken out"),
    pytest.param(["a", "b", "c"], ["x", "a", "c"], ["x"], ["b"], id="both"),
    pytest.param(["a", "b", "old"], ["a", "b"], [], [], id="what was to leave has left"),
    pytest.param(["a", "b"], [None, "spotify:local:f", "a", "b"], [], [], id="local and empty"),
    pytest.param(["a", "b"], ["spotify:episode:e", "a", "b"], [], [], id="an episode"),
    pytest.param(["a", "b"], ["refused", "own", "a", "b"], [], [], id="refused, and our own"),
    pytest.param(["a"], ["c", "a"], [], [], id="a song that is wanted anyway"),
    pytest.param(None, ["x", "a"], [], [], id="a playlist never seen before"),
]


@pytest.mark.parametrize(("base", "now", "added", "taken_out"), CASES)
def test_what_somebody_did_is_told_from_base_and_now(
    base: list[str | None] | None, now: list[str | None], added: list[str], taken_out: list[str]
) -> None:
    found = additions(
        base,
        rows(*now),
        {"a", "b", "c"},
        own={"own"},
        refused={"refused"},
        verified={"a", "b", "c"},
    )

    assert [one.uri for one in found.added] == added
    assert list(found.taken_out) == taken_out
    assert not found.is_much


@pytest.mark.parametrize(
    ("base", "now"),
    [
        (["a", "b"], [f"x{n}" for n in range(MOST + 1)] + ["a", "b"]),
        (["a", "b", "c"], ["a"]),
        (["a", "b"], []),
    ],
)
def test_much_at_once_offers_no_single_song(base: list[str | None], now: list[str | None]) -> None:
    found = additions(base, rows(*now), {"a", "b", "c"}, verified={"a", "b", "c"})

    assert found.is_much
    assert (found.added, found.taken_out) == ((), ())


def test_a_song_that_no_look_has_seen_was_taken_out_by_nobody() -> None:
    assert additions(["a", "b", "c"], rows("a", "c"), {"a", "b", "c"}).taken_out == ()


songs = st.lists(st.sampled_from([f"s{n}" for n in range(12)] + [None]), max_size=14)


@given(songs, songs, st.sets(st.sampled_from([f"s{n}" for n in range(12)])))
def test_a_song_is_offered_only_if_it_is_there_and_was_not(
    base: list[str | None], now: list[str | None], wanted: set[str]
) -> None:
    found = additions(base, rows(*now), wanted, verified=wanted)

    added = [one.uri for one in found.added]
    assert len(added) == len(set(added))
    assert set(added) <= set(now) - set(base) - wanted - {None}
    assert set(found.taken_out) <= (set(base) & wanted) - set(now)
    again = additions(now, rows(*now), wanted, verified=wanted)
    assert (again.added, again.taken_out) == ((), ())


# --- Whole syncs -------------------------------------------------------------------


@pytest.fixture
def playlist_id(ada: User, bystander: object, simulator: Simulator) -> str:
    assert outcome(run(ada, "first")) == DONE
    [found] = simulator.playlists("ada")
    return found


def items(kind: str = "added") -> list[InboxItem]:
    return list(InboxItem.objects.filter(kind=kind).order_by("id"))


def put_in(simulator: Simulator, playlist_id: str, song: str = "", by: str = "bea") -> str:
    song = song or f"spotify:track:{simulator.new_track()}"
    simulator.insert(playlist_id, song, position=2)
    rows = simulator.playlist(playlist_id).rows
    rows[2] = replace(rows[2], added_by=by)
    return song


def test_a_song_that_a_friend_added_is_listed_and_taken_out(
    ada: User, playlist_id: str, simulator: Simulator
) -> None:
    song = put_in(simulator, playlist_id)

    assert outcome(run(ada, "manual")) == DONE

    [item] = items()
    known = simulator.known_song(song)
    assert (item.user, item.mirror.user, item.track_id) == (ada, ada, bare(song))
    assert (item.name, item.artists) == (known.name, [name for _, name in known.artists])
    assert (item.added_by, item.state, item.is_present) == ("bea", "waiting", False)
    assert item.added_at is not None
    assert mirrored(simulator, ada) == simulator.liked("ada")
    run(ada, "manual")
    assert items() == [item]


@pytest.mark.parametrize("state", ["waiting", "dismissed", "liked"])
def test_a_song_is_listed_again_only_when_it_is_added_again(
    ada: User, playlist_id: str, simulator: Simulator, state: str
) -> None:
    Mirror.objects.filter(user=ada).update(keeps_additions=True)
    song = put_in(simulator, playlist_id)
    run(ada, "manual")
    InboxItem.objects.update(state=state)

    for _ in range(2):
        simulator.move(playlist_id, 10, 20)
        run(ada, "manual")
    assert len(items()) == 1

    simulator.take_out(playlist_id, song)
    run(ada, "manual")
    put_in(simulator, playlist_id, song)
    run(ada, "manual")

    assert [item.state for item in items()][-1] == "waiting"
    assert len(items()) == (1 if state == "waiting" else 2)


@pytest.mark.parametrize("state", ["dismissed", "liked"])
def test_a_decision_counts_for_an_addition_that_no_sync_had_seen(
    ada: User, playlist_id: str, simulator: Simulator, state: str
) -> None:
    song = put_in(simulator, playlist_id)
    run(ada, "manual")
    put_in(simulator, playlist_id, song)
    InboxItem.objects.update(state=state, decided_at=simulator.now)

    run(ada, "manual")

    assert [item.state for item in items()] == [state]
    simulator.advance(timedelta(seconds=2))
    put_in(simulator, playlist_id, song)
    run(ada, "manual")
    assert [item.state for item in items()] == [state, "waiting"]


def test_a_mirror_that_keeps_additions_has_them_below_its_songs(
    ada: User, playlist_id: str, simulator: Simulator
) -> None:
    Mirror.objects.filter(user=ada).update(keeps_additions=True)
    first = put_in(simulator, playlist_id)
    run(ada, "manual")
    second = put_in(simulator, playlist_id)
    once = simulator.liked("ada")[20]

    request = run(ada, "manual")

    assert mirrored(simulator, ada) == [*simulator.liked("ada"), second, first]
    assert "(1 added there)" in request.note
    assert "set right" not in request.note
    assert len(items()) == 2
    # A song that is no longer liked is no addition.
    simulator.unlike("ada", once)
    run(ada, "scheduled")
    assert mirrored(simulator, ada) == [*simulator.liked("ada"), second, first]
    # One that is liked is the mirror's own from then on.
    simulator.like("ada", first)
    run(ada, "scheduled")
    assert mirrored(simulator, ada) == [*simulator.liked("ada"), second]
    Mirror.objects.filter(user=ada).update(keeps_additions=False)
    run(ada, "manual")
    assert mirrored(simulator, ada) == simulator.liked("ada")


NOT_OFFERED: list[tuple[str, Callable[[Simulator], str | None]]] = [
    ("an episode", lambda simulator: simulator.new_episode()),
    ("a local file", lambda _: local_file("A", "B", "C", timedelta(minutes=3))),
    ("an empty row", lambda _: None),
    ("a liked song", lambda simulator: simulator.liked("ada")[7]),
]


@pytest.mark.parametrize(("name", "make"), NOT_OFFERED)
def test_what_cannot_be_liked_or_is_liked_is_not_offered(
    ada: User,
    playlist_id: str,
    simulator: Simulator,
    name: str,
    make: Callable[[Simulator], str | None],
) -> None:
    simulator.insert(playlist_id, make(simulator), position=2)

    assert outcome(run(ada, "manual")) == DONE

    assert items() == []


def test_hundreds_of_songs_put_in_by_hand_give_one_sentence(
    ada: User, playlist_id: str, simulator: Simulator
) -> None:
    simulator.insert(
        playlist_id, *(f"spotify:track:{simulator.new_track()}" for _ in range(300)), position=0
    )

    request = run(ada, "manual")

    assert request.error_code == "confirming_removal"
    assert "300 added there" in request.note
    assert "the inbox lists none of it" in request.note
    assert items() == []


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_half_finished_writes_of_ours_never_appear(
    ada: User, playlist_id: str, simulator: Simulator, killed: bool
) -> None:
    foreign = put_in(simulator, playlist_id)
    for _ in range(130):
        simulator.like("ada", simulator.new_track())
    simulator.unlike("ada", *simulator.liked("ada")[200:210])
    a_day_later()
    queue.enqueue(ada.pk, trigger="scheduled")

    for calls in range(1, 30):
        if not run_for(ada, calls, killed=killed):
            break

    assert {item.track_id for item in items()} <= {bare(foreign)}
    assert items("taken_out") == []
    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_an_adopted_playlist_brings_no_additions(
    ada: User, bystander: object, simulator: Simulator
) -> None:
    strange = [f"spotify:track:{simulator.new_track()}" for _ in range(5)]
    link = simulator.create_playlist("ada", "Syncify 1/1", [*strange, *simulator.liked("ada")])
    Mirror.objects.filter(user=ada).update(adopts_syncify2=True)

    assert outcome(run(ada, "first")) == DONE

    assert Playlist.objects.get(mirror__user=ada).spotify_id == link
    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert items() == []
