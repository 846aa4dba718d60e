"""One odd answer of Spotify's decides nothing that lasts: what each kind does to a sync."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from sync.mirrors import services
from sync.models import (
    InboxItem,
    Library,
    Mirror,
    MirrorTrack,
    Playlist,
    SavedTrack,
    StoredPage,
    SyncRequest,
)
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from syncify.simulator.state import bare, local_file
from tests.builders import connect
from tests.driving import (
    a_day_later,
    a_week_later,
    mirrored,
    outcome,
    run,
    run_again,
    run_for,
    time_for_a_second_look,
    wait_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]

DONE = ("succeeded", "", 0)
LIKES = {"path": "/me/tracks"}


@pytest.fixture
def nora(db: None, simulator: Simulator) -> User:
    """Likes 130 songs, some of which the bystander likes too."""
    simulator.add_listener("nora")
    shared = simulator.liked("iris")[:20]
    simulator.set_liked("nora", *(simulator.new_track() for _ in range(110)), *shared)
    return connect(simulator, "nora")


@pytest.fixture
def playlist_id(nora: User, simulator: Simulator) -> str:
    """Of the playlist that a first sync has made; nothing is recorded of that."""
    assert outcome(run(nora, "first")) == DONE
    simulator.forget_requests()
    [found] = simulator.playlists("nora")
    playlist = simulator.playlist(found)
    a_day = timedelta(days=1)
    playlist.rows = [replace(row, added_at=row.added_at - a_day) for row in playlist.rows]
    return found


def like_one(simulator: Simulator) -> str:
    track = simulator.new_track()
    simulator.like("nora", track)
    return f"spotify:track:{track}"


def row_of(nora: User) -> Playlist:
    return Playlist.objects.get(mirror__user=nora)


def mirror_of(nora: User) -> Mirror:
    return Mirror.objects.get(user=nora)


def dates(simulator: Simulator, playlist_id: str) -> dict[str | None, object]:
    return {row.uri: row.added_at for row in simulator.playlist(playlist_id).rows}


# --- The Liked Songs: rows that cannot be read, pages that contradict themselves -----------------

PATCHES = [
    ("items.3.track", "null", 1),
    ("items.3", "null", 1),
    ("items.3.track.id", '"a\\u0000b"', 1),
    ("items.3.track.id", "null", 1),
    ("items.3.track.artists.0", "null", 0),
    ("items.3.track.artists", "null", 0),
    ("items.3.added_at", "null", 0),
    ("items.3.added_at", '"yesterday"', 0),
    ("items.3.track.duration_ms", "-1", 0),
    ("items.3.track.duration_ms", "999999999999", 0),
    ("items.3.track.duration_ms", "{}", 0),
    ("items.3.track.external_ids.isrc", f'"{"X" * 44}"', 0),
    ("items.3.track.external_ids.isrc", '"US\\u0000"', 0),
    ("items.3.track.album.release_date", '"Spring of 1967"', 0),
    ("items.3.track.name", '"a\\u0000b"', 0),
]


@pytest.mark.parametrize(
    ("at", "value", "lost"), PATCHES, ids=[f"{a}={v[:9]}" for a, v, _ in PATCHES]
)
def test_an_odd_row_of_the_liked_songs_spoils_only_itself(
    nora: User, simulator: Simulator, at: str, value: str, lost: int
) -> None:
    simulator.fault("patch", at=at, value=value, offset=50, times=0, **LIKES)
    odd = simulator.liked("nora")[53]

    request = run(nora, "first")

    assert outcome(request) == DONE
    assert request.api_requests == simulator.count() == 3 + 1 + 2
    left = [uri for uri in simulator.liked("nora") if not lost or uri != odd]
    assert mirrored(simulator, nora) == left
    assert len(Library.objects.get(user=nora).unreadable) == lost
    assert ("does not show properly" in request.note) == bool(lost)

    # It costs nothing later, and hides no other change.
    assert run(nora, "scheduled").api_requests == 1
    simulator.unlike("nora", simulator.liked("nora")[20])
    fresh = like_one(simulator)
    assert outcome(run(nora, "scheduled")) == DONE
    left = [uri for uri in simulator.liked("nora") if not lost or uri != odd]
    assert mirrored(simulator, nora)[:2] == [fresh, left[1]]
    assert set(mirrored(simulator, nora)) == set(left)


@pytest.mark.parametrize("offset", [0, 50, 100])
def test_a_known_song_whose_row_cannot_be_read_stays(
    nora: User, playlist_id: str, simulator: Simulator, offset: int
) -> None:
    liked = simulator.liked("nora")
    simulator.fault("patch", at="items.3.track", offset=offset, times=0, **LIKES)
    simulator.like("nora", liked[129])  # so that more than the first page is read
    a_week_later()

    request = run(nora, "scheduled")

    assert outcome(request) == DONE
    assert (request.removed, simulator.count("DELETE")) == (0, 0)
    assert set(mirrored(simulator, nora)) == set(liked)
    assert run(nora, "scheduled").api_requests == 1
    [row, kept] = Library.objects.get(user=nora).unreadable
    assert (row["name"], bool(kept["name"])) == ("", True)
    assert kept["name"] in request.note

    # Unliked behind the row that cannot be read, it goes once all can be read again.
    simulator.unlike("nora", f"spotify:track:{kept['track']}")
    simulator.clear_faults()
    a_week_later()
    run(nora, "scheduled")
    assert mirrored(simulator, nora) == simulator.liked("nora")
    assert Library.objects.get(user=nora).unreadable == []


CONTRADICTIONS: list[tuple[str, dict[str, Any], int]] = [
    ("shortpage", {"rows": 20}, 4),
    ("shortpage", {"rows": 30}, 2),
    ("total", {"by": -40}, 0),
    ("total", {"by": 60}, 0),
    ("emptypage", {"offset": 50}, 0),
    ("hide", {"keep": 60, "total": False}, 0),
    ("patch", {"at": "total", "value": "null"}, 0),
    ("patch", {"at": "total", "value": "{}"}, 0),
]
OF_FAULT = pytest.mark.parametrize(
    ("name", "keys", "more"), CONTRADICTIONS, ids=[f"{n} {k}" for n, k, _ in CONTRADICTIONS]
)


@OF_FAULT
@pytest.mark.parametrize("times", [1, 0], ids=["once", "lasting"])
def test_a_first_copy_from_pages_that_contradict_themselves(
    nora: User, simulator: Simulator, name: str, keys: dict[str, Any], more: int, times: int
) -> None:
    simulator.fault(name, **LIKES, **keys, times=times)

    request = run(nora, "first")

    assert outcome(request) == DONE
    assert request.api_requests <= 3 + 1 + 2 + 2 + more
    assert set(mirrored(simulator, nora)) <= set(simulator.liked("nora"))
    for _ in range(2):
        assert outcome(run(nora, "scheduled")) == DONE
    assert run(nora, "scheduled").api_requests <= 2  # a total that is never told is asked for twice
    if times or name not in {"emptypage", "hide"}:
        assert mirrored(simulator, nora) == simulator.liked("nora")

    simulator.clear_faults()
    if not times:
        a_week_later()
    for _ in range(2):
        assert outcome(run(nora, "scheduled")) == DONE
    assert mirrored(simulator, nora) == simulator.liked("nora")


@OF_FAULT
@pytest.mark.parametrize("times", [1, 0], ids=["once", "lasting"])
def test_pages_that_contradict_themselves_remove_nothing_that_is_still_liked(
    nora: User,
    playlist_id: str,
    simulator: Simulator,
    name: str,
    keys: dict[str, Any],
    more: int,
    times: int,
) -> None:
    simulator.fault(name, **LIKES, **keys, times=times)
    fresh = like_one(simulator)
    simulator.unlike("nora", simulator.liked("nora")[70])

    for _ in range(3):
        assert outcome(run(nora, "scheduled")) == DONE
        assert set(simulator.liked("nora")) - set(mirrored(simulator, nora)) <= {fresh}
    assert run(nora, "scheduled").api_requests <= 2

    simulator.clear_faults()
    if not times:
        a_week_later()
    for _ in range(2):
        assert outcome(run(nora, "scheduled")) == DONE
    assert mirrored(simulator, nora) == simulator.liked("nora")


# --- Most likes seem to be gone ---

ZEROED = [
    (49, 0, timedelta(hours=1)),
    (130, 66, timedelta(minutes=10)),
    (130, 0, timedelta(hours=1)),
    (130, 105, timedelta(minutes=10)),
]


@pytest.mark.parametrize(("size", "shown", "wait"), ZEROED)
def test_a_reading_that_shows_too_few_likes_removes_nothing(
    nora: User, simulator: Simulator, size: int, shown: int, wait: timedelta
) -> None:
    simulator.set_liked("nora", *simulator.liked("nora")[:size])
    run(nora, "first")
    liked = simulator.liked("nora")
    simulator.fault("hide", keep=shown, times=0, **LIKES)

    request = run(nora, "scheduled")

    assert outcome(request) == ("queued", "confirming_removal", 0)
    assert abs(wait_of(request) - wait) < timedelta(minutes=1)
    assert mirrored(simulator, nora) == liked
    # Nothing is read before the second look is due.
    simulator.forget_requests()
    assert outcome(run(nora, "manual")) == ("queued", "confirming_removal", 0)
    assert simulator.count() == 0

    # Spotify is well again before it is due: the second look reads everything anew.
    simulator.clear_faults()
    time_for_a_second_look()
    assert outcome(run_again(nora)) == DONE
    assert simulator.count("GET", "/v1/me/tracks") == -(-size // 50)
    assert mirrored(simulator, nora) == liked
    assert not SavedTrack.objects.filter(user=nora, removed_at__isnull=False)


def test_a_second_look_that_misses_other_songs_waits_again(
    nora: User, playlist_id: str, simulator: Simulator
) -> None:
    liked = simulator.liked("nora")
    simulator.set_liked("nora", *liked[:66])
    assert run(nora, "scheduled").error_code == "confirming_removal"
    simulator.set_liked("nora", *liked[:50], *liked[80:])
    time_for_a_second_look()

    assert run_again(nora).error_code == "confirming_removal"

    assert mirrored(simulator, nora) == liked
    time_for_a_second_look()
    assert outcome(run_again(nora)) == DONE
    assert mirrored(simulator, nora) == simulator.liked("nora")


def test_pages_of_a_stopped_reading_are_not_used_after_an_hour(
    nora: User, simulator: Simulator
) -> None:
    queue.enqueue(nora.pk, trigger="first")
    assert run_for(nora, 2)
    assert StoredPage.objects.filter(user=nora).count() == 2
    StoredPage.objects.update(read_at=timezone.now() - timedelta(minutes=61))
    simulator.forget_requests()

    assert outcome(run_again(nora)) == DONE

    assert simulator.count("GET", "/v1/me/tracks") == 3


# --- Many likes of one date ---


@pytest.mark.parametrize("size", [12, 60, 130])
def test_likes_of_one_date_in_another_order_at_each_read_move_nothing(
    nora: User, simulator: Simulator, size: int
) -> None:
    tracks = [simulator.new_track() for _ in range(size)]
    simulator.set_liked("nora", *tracks, apart=timedelta())
    simulator.behaviour.shuffle_ties = True

    for _ in range(8):
        assert outcome(run(nora, "scheduled")) == DONE
        if set(mirrored(simulator, nora)) == set(simulator.liked("nora")):
            break
    assert set(mirrored(simulator, nora)) == set(simulator.liked("nora"))

    before = mirrored(simulator, nora)
    run(nora, "scheduled")
    simulator.forget_requests()
    for _ in range(3):
        assert run(nora, "scheduled").api_requests == 1
    a_week_later()
    assert outcome(run(nora, "scheduled")) == DONE
    assert mirrored(simulator, nora) == before
    assert simulator.count() == simulator.count("GET")


# --- The playlist ---

UNREADABLE_LOOKS = [
    {"at": "items", "drop": True},
    {"at": "items", "value": "null"},
    {"at": "items", "value": "{}"},
    {"at": "total", "value": "null"},
    {"at": "total", "value": "{}"},
]


@pytest.mark.parametrize("keys", UNREADABLE_LOOKS)
def test_a_look_that_cannot_be_read_is_no_look(
    nora: User, playlist_id: str, simulator: Simulator, keys: dict[str, Any]
) -> None:
    simulator.insert(playlist_id, simulator.new_track() and local_uri(), position=0)
    simulator.fault("patch", path=f"/playlists/{playlist_id}/items", times=0, **keys)
    before = simulator.playlist_uris(playlist_id)

    request = run(nora, "manual")

    assert outcome(request) == ("queued", "unavailable", 1)
    assert simulator.playlist_uris(playlist_id) == before
    assert simulator.count() == simulator.count("GET")
    assert "edited" not in request.note
    simulator.clear_faults()
    assert outcome(run_again(nora)) == ("succeeded", "", 1)
    assert [uri for uri in mirrored(simulator, nora) if uri != local_uri()] == simulator.liked(
        "nora"
    )


@pytest.mark.parametrize("value", ["null", "{}", '"130"'])
def test_a_playlist_without_its_total_is_as_it_was_if_its_version_is(
    nora: User, playlist_id: str, simulator: Simulator, value: str
) -> None:
    keys = {"method": "GET", "end": playlist_id, "times": 0}
    simulator.fault("patch", at="items.total", value=value, **keys)

    assert outcome(run(nora, "manual")) == DONE

    assert simulator.count() == 3
    assert mirrored(simulator, nora) == simulator.liked("nora")


def local_uri() -> str:
    return local_file("Nobody", "Nothing", "Never", timedelta(minutes=3))


@pytest.mark.parametrize("removable", [False, True])
def test_a_song_that_is_shown_as_another_is_left_alone(
    nora: User, playlist_id: str, simulator: Simulator, removable: bool
) -> None:
    simulator.behaviour.relinked_removable = removable
    song = simulator.liked("nora")[40]
    simulator.relink(song)
    before = dates(simulator, playlist_id)
    simulator.move(playlist_id, 100, 90)  # an edit, so that the rows are read

    request = run(nora, "manual")

    assert outcome(request) == DONE
    assert dates(simulator, playlist_id) == before
    assert mirrored(simulator, nora) == simulator.liked("nora")
    assert (request.added, request.removed, simulator.count("DELETE")) == (0, 0, 0)
    assert "added there" not in request.note
    assert not InboxItem.objects.filter(user=nora)
    for _ in range(3):
        a_day_later()
        simulator.move(playlist_id, 100, 90)
        assert outcome(run(nora, "manual")) == DONE
    assert mirrored(simulator, nora) == simulator.liked("nora")

    # Unliked, it goes if Spotify lets it go; if not, that is noticed, and not tried for ever.
    simulator.unlike("nora", song)
    for _ in range(3):
        assert outcome(run(nora, "manual")) == DONE
    assert set(mirrored(simulator, nora)) - set(simulator.liked("nora")) <= {song}
    simulator.forget_requests()
    request = run(nora, "manual")
    assert simulator.count() == simulator.count("GET")
    assert request.note == ""


def test_a_removal_without_effect_is_not_repeated(
    nora: User, playlist_id: str, simulator: Simulator
) -> None:
    song = simulator.liked("nora")[40]
    simulator.unlike("nora", song)
    at = simulator.playlist_uris(playlist_id).index(song)
    row = simulator.playlist(playlist_id).rows[at]

    def put_back() -> None:
        rows = simulator.playlist(playlist_id).rows
        rows.insert(at, row)

    def is_removal(one: Any) -> bool:
        return one.method == "DELETE"

    simulator.after_request(is_removal, put_back)
    run(nora, "scheduled")
    assert song in mirrored(simulator, nora)
    a_day_later()

    request = run(nora, "scheduled")

    assert outcome(request) == DONE
    assert "edited" not in request.note
    assert simulator.count("DELETE") == 1
    [fact] = MirrorTrack.objects.filter(mirror__user=nora).exclude(refused_at=None)
    assert (fact.track_id, fact.refused_reason) == (
        bare(song),
        "Spotify does not remove it from the playlist",
    )
    assert mirrored(simulator, nora).count(song) == 1
    # A week later it is tried once more.
    a_week_later()
    run(nora, "scheduled")
    assert mirrored(simulator, nora) == simulator.liked("nora")


ODD_ROWS: list[tuple[str, Callable[[], str | None]]] = [
    ("1 empty row", lambda: None),
    ("1 local file (“Never”)", local_uri),
]


@pytest.mark.parametrize(("told", "uri"), ODD_ROWS)
def test_a_row_that_cannot_be_addressed_is_planned_around_until_a_rewrite(
    nora: User,
    playlist_id: str,
    simulator: Simulator,
    told: str,
    uri: Callable[[], str | None],
) -> None:
    simulator.insert(playlist_id, uri(), position=3)
    before = dates(simulator, playlist_id)
    fresh = like_one(simulator)
    simulator.unlike("nora", simulator.liked("nora")[60])

    request = run(nora, "manual")

    assert outcome(request) == DONE
    assert told in request.note
    assert "written anew, so" not in request.note
    after = dates(simulator, playlist_id)
    assert {song: at for song, at in after.items() if song != fresh} == {
        song: at for song, at in before.items() if song in after
    }
    rows = simulator.playlist_uris(playlist_id)
    assert rows.index(uri()) == 4
    assert [song for song in rows if song != uri()] == simulator.liked("nora")
    simulator.forget_requests()
    assert run(nora, "manual").note == ""
    assert simulator.count() == 3

    services.rewrite_playlist(mirror_of(nora))
    request = run_again(nora)
    assert mirrored(simulator, nora) == simulator.liked("nora")
    assert "written anew, so its dates are today's" in request.note
    assert not mirror_of(nora).rewrite_asked


def test_a_song_that_is_withdrawn_keeps_its_place(
    nora: User, playlist_id: str, simulator: Simulator
) -> None:
    song = simulator.liked("nora")[40]
    before = dates(simulator, playlist_id)
    simulator.withdraw_song(song)
    a_week_later()

    for _ in range(2):
        assert outcome(run(nora, "manual")) == DONE

    after = dates(simulator, playlist_id)
    assert {uri: after.get(uri) for uri in before if uri != song} == {
        uri: at for uri, at in before.items() if uri != song
    }
    assert simulator.count("DELETE") == 0


def test_a_song_that_a_write_left_out_is_noticed_and_nobody_is_accused(
    nora: User, simulator: Simulator
) -> None:
    song = simulator.liked("nora")[40]
    simulator.fault("leaveout", uri=song, times=1)
    run(nora, "first")
    assert song not in mirrored(simulator, nora)

    request = run(nora, "manual")

    assert outcome(request) == DONE
    assert mirrored(simulator, nora) == simulator.liked("nora")
    assert request.note == "1 song was missing from the playlist, and put in again."
    assert not InboxItem.objects.filter(user=nora)


def test_a_song_that_is_left_out_three_times_is_shown(nora: User, simulator: Simulator) -> None:
    song = simulator.liked("nora")[40]
    simulator.fault("leaveout", uri=song, times=0)

    for _ in range(4):
        request = run(nora, "manual")
        while not request.completed:
            request = run_again(nora)
        assert request.state == "succeeded"

    assert song not in mirrored(simulator, nora)
    [fact] = MirrorTrack.objects.filter(mirror__user=nora).exclude(refused_at=None)
    assert fact.track_id == bare(song)
    simulator.forget_requests()
    run(nora, "manual")
    assert simulator.count() == simulator.count("GET")


@pytest.mark.parametrize("code", [403, 404, 500, 503])
def test_a_song_that_fails_its_chunk_is_found_whatever_the_status(
    nora: User, simulator: Simulator, code: int
) -> None:
    song = simulator.liked("nora")[40]
    simulator.fault("poison", uri=song, code=code, times=0)

    request = run(nora, "first")
    while not request.completed:
        request = run_again(nora)

    assert request.state == "succeeded"
    assert request.failures <= 1
    assert request.skipped == 1
    assert mirrored(simulator, nora) == [uri for uri in simulator.liked("nora") if uri != song]


@pytest.mark.parametrize("code", [400, 403, 404])
def test_a_sync_goes_on_where_spotify_does_not_tell_what_is_in_the_library(
    nora: User, playlist_id: str, simulator: Simulator, code: int
) -> None:
    simulator.fault("status", path="/me/library/contains", code=code, times=0)
    like_one(simulator)

    assert outcome(run(nora, "manual")) == DONE

    assert mirrored(simulator, nora) == simulator.liked("nora")


def test_a_404_where_the_library_does_not_tell_decides_nothing(
    nora: User, playlist_id: str, simulator: Simulator
) -> None:
    simulator.behaviour.contains = False
    simulator.fault("status", method="GET", end=playlist_id, code=404, times=0)

    assert outcome(run(nora, "manual")) == ("queued", "not_found", 1)
    time_for_a_second_look()
    assert outcome(run_again(nora)) == ("queued", "not_found", 2)

    simulator.clear_faults()
    assert outcome(run_again(nora)) == ("succeeded", "", 2)
    assert simulator.playlists("nora") == [playlist_id]


# --- Limits and refusals ---


def test_a_playlist_that_spotify_does_not_make_is_told_truly(
    nora: User, simulator: Simulator
) -> None:
    simulator.fault("status", method="POST", end="/me/playlists", code=403, times=0)

    request = run(nora, "first")

    assert outcome(request) == ("dead", "creation_refused", 1)
    assert "does not make a new playlist in your account" in request.error_message
    assert nora.connection.state == "connected"
    simulator.clear_faults()
    assert outcome(run(nora, "manual")) == DONE


def test_a_library_that_does_not_take_the_playlist_back_names_the_way_by_hand(
    nora: User, playlist_id: str, simulator: Simulator
) -> None:
    simulator.unfollow("nora", playlist_id)
    simulator.fault("status", method="PUT", end="/me/library", code=403, times=0)

    request = run(nora, "manual")

    assert outcome(request) == ("dead", "library_refused", 1)
    assert "add it to your library there, then sync again" in request.error_message
    assert nora.connection.state == "connected"
    simulator.follow("nora", playlist_id)
    services.bring_back(mirror_of(nora))
    assert SyncRequest.objects.filter(user=nora, completed=None).exists() or run(nora, "manual")
    if SyncRequest.objects.filter(user=nora, completed=None).exists():
        run_again(nora)
    assert mirrored(simulator, nora) == simulator.liked("nora")


# --- A manual sync always looks ---

BY_HAND: list[tuple[str, Callable[[Simulator, str], None]]] = [
    ("edited", lambda simulator, one: simulator.remove_positions(one, 5, 17)),
    ("emptied", lambda simulator, one: simulator.remove_positions(one, *range(130))),
    ("unfollowed", lambda simulator, one: simulator.unfollow("nora", one)),
]


@pytest.mark.parametrize(("name", "change"), BY_HAND)
def test_a_manual_sync_always_looks(
    nora: User,
    playlist_id: str,
    simulator: Simulator,
    name: str,
    change: Callable[[Simulator, str], None],
) -> None:
    assert run(nora, "manual").api_requests == 3
    change(simulator, playlist_id)
    assert run(nora, "scheduled").api_requests == 1

    assert outcome(run(nora, "manual")) == DONE

    assert simulator.playlists("nora") == [playlist_id]
    assert mirrored(simulator, nora) == simulator.liked("nora")


# --- A creation without an answer ---


@pytest.mark.parametrize("counts", ["right", "missing", "zero"])
def test_a_playlist_of_the_same_name_is_never_taken_over(
    nora: User, simulator: Simulator, counts: str
) -> None:
    simulator.fault("drop", method="POST", end="/me/playlists", times=1)
    assert outcome(run(nora, "first")) == ("queued", "outcome_unknown", 1)
    name = mirror_of(nora).name
    own = simulator.create_playlist("nora", name, [simulator.new_track() and local_uri()])
    own_song = f"spotify:track:{simulator.new_track()}"
    simulator.insert(own, own_song)
    if counts == "missing":
        simulator.fault(
            "patch", method="GET", end="/me/playlists", at="items.*.items", value="{}", times=0
        )
    elif counts == "zero":
        simulator.fault(
            "patch", method="GET", end="/me/playlists", at="items.*.items.total", value="0", times=0
        )

    assert outcome(run_again(nora)) == ("succeeded", "", 1)

    assert simulator.playlist_uris(own) == [local_uri(), own_song]
    assert row_of(nora).spotify_id != own
    assert mirrored(simulator, nora) == simulator.liked("nora")
