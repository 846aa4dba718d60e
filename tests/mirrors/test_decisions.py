"""What is decided in the inbox, from end to end: what Spotify is told, and what cannot be lost."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.mirrors import decisions
from sync.models import InboxItem, Library, Playlist, SyncRequest
from syncify.simulator.server import Simulator
from tests.builders import main_mirror
from tests.driving import end_waits, mirrored, run, run_again, run_confirmed, run_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]

SONGS = 100
#: An addition in the second of a look would count as a song that Spotify failed to remove.
LATER = timedelta(seconds=2)


@pytest.fixture
def shared(simulator: Simulator, ada: User) -> str:
    """The id of Ada's mirrored playlist, which holds SONGS songs."""
    simulator.set_liked("ada", *[simulator.new_track() for _ in range(SONGS)])
    assert run(ada, "first").state == "succeeded"
    return Playlist.objects.get(mirror__user=ada).spotify_id or ""


def add(simulator: Simulator, playlist: str, *, by: str = "bea", count: int = 1) -> list[str]:
    """Songs that a friend adds at the top; returns their ids."""
    simulator.advance(LATER)
    tracks = [simulator.new_track() for _ in range(count)]
    simulator.insert(playlist, *(f"spotify:track:{track}" for track in tracks), position=0, by=by)
    return tracks


def items(user: User, **fields: Any) -> Any:
    return InboxItem.objects.filter(user=user, **fields)


def ids(uris: list[str]) -> set[str]:
    return {uri.removeprefix("spotify:track:") for uri in uris}


def library_calls(simulator: Simulator) -> list[str]:
    return [one.method for one in simulator.requests if one.path.endswith("/me/library")]


def test_like_reaches_spotify_with_the_next_sync_which_puts_the_song_back(
    simulator: Simulator, ada: User, shared: str
) -> None:
    [track] = add(simulator, shared)
    run(ada)
    simulator.forget_requests()

    assert decisions.like(ada, items(ada)) == 1
    assert library_calls(simulator) == []
    request = run_again(ada)

    assert request.state == "succeeded"
    assert library_calls(simulator) == ["PUT"]
    assert track in ids(simulator.liked("ada"))
    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert items(ada).get().delivery == "done"


def test_sync_that_a_like_asks_for_leaves_time_to_undo(
    simulator: Simulator, ada: User, shared: str
) -> None:
    add(simulator, shared)
    run(ada)

    decisions.like(ada, items(ada))

    [request] = SyncRequest.objects.filter(user=ada, completed=None)
    wait = request.run_at - timezone.now()
    assert timedelta(seconds=10) < wait <= decisions.GRACE
    assert decisions.undo(ada, items(ada)) == 1
    run_again(ada)
    assert items(ada).get().state == "waiting"
    assert simulator.liked("ada") == mirrored(simulator, ada)
    assert len(simulator.liked("ada")) == SONGS


def test_like_that_spotify_was_told_of_cannot_be_undone(
    simulator: Simulator, ada: User, shared: str
) -> None:
    add(simulator, shared)
    run(ada)
    decisions.like(ada, items(ada))
    run_again(ada)

    assert decisions.undo(ada, items(ada)) == 0
    assert len(simulator.liked("ada")) == SONGS + 1


def test_ninety_likes_take_three_calls(simulator: Simulator, ada: User, shared: str) -> None:
    add(simulator, shared, count=90)
    run(ada)
    simulator.forget_requests()

    assert decisions.like(ada, items(ada)) == 90
    run_again(ada)

    assert library_calls(simulator) == ["PUT"] * 3
    assert len(simulator.liked("ada")) == SONGS + 90


def test_unlike_is_done_only_for_a_song_that_was_taken_out_and_is_liked(
    simulator: Simulator, ada: User, shared: str
) -> None:
    gone, kept = simulator.liked("ada")[2:4]
    simulator.take_out(shared, gone, kept)
    run(ada)
    assert items(ada, kind="taken_out").count() == 2
    assert mirrored(simulator, ada) == simulator.liked("ada")
    simulator.forget_requests()

    assert decisions.unlike(ada, items(ada, track_id__in=ids([gone]))) == 1
    assert decisions.dismiss(ada, items(ada, track_id__in=ids([kept]))) == 1
    run_again(ada)

    assert library_calls(simulator) == ["DELETE"]
    assert gone not in simulator.liked("ada")
    assert kept in simulator.liked("ada")
    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_added_song_cannot_be_unliked_nor_a_taken_out_one_liked(
    simulator: Simulator, ada: User, shared: str
) -> None:
    add(simulator, shared)
    simulator.take_out(shared, simulator.liked("ada")[0])
    run(ada)

    assert decisions.unlike(ada, items(ada, kind="added")) == 0
    assert decisions.like(ada, items(ada, kind="taken_out")) == 0


def test_like_without_the_permission_waits_for_it_and_keeps_nothing_else(
    simulator: Simulator, ada: User, shared: str
) -> None:
    add(simulator, shared)
    run(ada)
    scopes = SpotifyConnection.objects.get(user=ada).scopes
    SpotifyConnection.objects.filter(user=ada).update(
        scopes=scopes.replace("user-library-modify", "")
    )
    assert decisions.like(ada, items(ada)) == 1
    assert not SyncRequest.objects.filter(user=ada, completed=None).exists()

    request = run(ada)
    assert request.state == "succeeded"
    assert "until you allow" in request.note
    assert len(simulator.liked("ada")) == SONGS

    SpotifyConnection.objects.filter(user=ada).update(scopes=scopes)
    run(ada)
    assert len(simulator.liked("ada")) == SONGS + 1


def test_song_that_is_liked_already_costs_no_call_and_keeps_its_date(
    simulator: Simulator, ada: User, shared: str
) -> None:
    [track] = add(simulator, shared)
    run(ada)
    simulator.like("ada", track)
    run(ada)
    before = simulator.saved("ada")
    simulator.forget_requests()

    decisions.like(ada, items(ada))
    run_again(ada)

    assert library_calls(simulator) == []
    assert simulator.saved("ada") == before


def test_own_additions_are_liked_only_if_wanted_and_fifty_a_day(
    simulator: Simulator, ada: User, shared: str
) -> None:
    add(simulator, shared, by="ada", count=60)
    add(simulator, shared, by="bea", count=2)
    run_confirmed(ada)
    assert items(ada, state="waiting").count() == 62

    Library.objects.filter(user=ada).update(likes_own_additions=True)
    run(ada)
    run_again(ada)  # asked for by the one before

    assert items(ada, state="liked", added_by="ada", delivery="done").count() == 50
    assert items(ada, state="waiting", added_by="bea").count() == 2
    assert len(simulator.liked("ada")) == SONGS + 50
    run(ada)
    assert len(simulator.liked("ada")) == SONGS + 50

    items(ada, state="liked").update(decided_at=timezone.now() - timedelta(days=2))
    run(ada)
    run_again(ada)
    assert items(ada, state="waiting", added_by="ada").count() == 0


@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_like_survives_a_sync_that_ends_early(
    simulator: Simulator, ada: User, shared: str, *, calls: int, killed: bool
) -> None:
    [track] = add(simulator, shared)
    run(ada)
    decisions.like(ada, items(ada))
    end_waits(ada)

    run_for(ada, calls, killed=killed)
    if SyncRequest.objects.filter(user=ada, completed=None).exists():
        run_again(ada)

    assert ids(simulator.liked("ada")[:1]) == {track}
    assert len(simulator.liked("ada")) == SONGS + 1
    assert items(ada).get().delivery == "done"


def test_keep_leaves_the_songs_below_the_mirrored_ones(
    simulator: Simulator, ada: User, shared: str
) -> None:
    decisions.set_options(ada, likes_own=False, keeps=[main_mirror(ada).pk])
    run_again(ada)
    [track] = add(simulator, shared)

    run(ada)

    assert mirrored(simulator, ada) == [*simulator.liked("ada"), f"spotify:track:{track}"]
    assert items(ada).get().state == "waiting"
