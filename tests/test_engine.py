"""A sync from end to end: real PostgreSQL, real HTTP to the simulated Spotify."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services import spotify_client_for
from sync import engine, playlists
from sync.job import Job
from sync.models import Mirror, MirrorVolume, SavedTrack, SyncRequest
from syncify.simulator.server import Simulator

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playlists, "SETTLE", 0)


def sync(user: User, trigger: str = "manual") -> SyncRequest:
    """Queue, claim and run a sync to its end; returns the row."""
    SyncRequest.objects.enqueue(user=user, trigger=trigger)
    request = SyncRequest.objects.claim(worker="test")
    assert request is not None
    client = spotify_client_for(user, reserve=trigger != "scheduled", sleep=lambda _: None)
    engine.run_sync(Job(request, client))
    request.refresh_from_db()
    return request


def mirrored(simulator: Simulator, user: User) -> list[str | None]:
    """What all volumes hold in Spotify, one after the other."""
    volumes = MirrorVolume.objects.filter(mirror__user=user)
    return [uri for volume in volumes for uri in simulator.playlist_uris(volume.spotify_id)]


def yesterday() -> None:
    """Let every playlist have been looked at a day ago."""
    MirrorVolume.objects.update(checked_at=timezone.now() - timedelta(days=1))


def test_first_sync_makes_a_playlist_that_equals_the_liked_songs(
    ada: User, simulator: Simulator
) -> None:
    request = sync(ada)

    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert request.state == "succeeded"
    assert (request.song_count, request.added, request.progress) == (180, 180, 1)
    assert request.api_requests == simulator.count() == 4 + 2 + 1


def test_second_sync_of_the_day_asks_once(ada: User, simulator: Simulator) -> None:
    sync(ada)
    simulator.forget_requests()

    request = sync(ada)

    assert simulator.count() == 1
    assert (request.added, request.removed, request.moved) == (0, 0, 0)


def test_listener_without_songs_gets_an_empty_playlist(db: None, simulator: Simulator) -> None:
    from tests.builders import connect

    dora = connect(simulator, "dora")

    request = sync(dora)

    assert request.state == "succeeded"
    [volume] = MirrorVolume.objects.filter(mirror__user=dora)
    assert simulator.playlist_uris(volume.spotify_id) == []
