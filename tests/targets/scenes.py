"""A listener with likes, a connected service, and runs of it by a real worker."""

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import User
from sync.models import Connection, Mirror, SavedTrack, SyncRequest, TargetPlaylist, Track
from sync.queue import store as queue
from sync.queue.worker import Worker
from sync.targets.listenbrainz.sync import run_listenbrainz
from sync.targets.subsonic.sync import run_subsonic
from syncify.simulator.listenbrainz import ListenBrainz
from syncify.simulator.subsonic import MusicServer, Song

RUNNERS = {"subsonic": run_subsonic, "listenbrainz": run_listenbrainz}
_NEWEST = datetime(2026, 10, 1, tzinfo=UTC)


def like(user: User, number: int, **fields: Any) -> Track:
    """Song ``number`` by Kiasmos; the higher the number, the older the like."""
    values = {
        "name": f"Song {number}",
        "artists": ["Kiasmos"],
        "album_name": f"Album {number // 10}",
        "duration_ms": 200_000 + number * 1_000,
        **fields,
    }
    track, _ = Track.objects.update_or_create(id=f"t{number}", defaults=values)
    SavedTrack.objects.create(user=user, track=track, added_at=_NEWEST - timedelta(days=number))
    return track


def unlike(user: User, number: int) -> None:
    SavedTrack.objects.filter(user=user, track=f"t{number}").update(removed_at=_NEWEST)


def song(number: int, **fields: Any) -> Song:
    """The same song at a music server."""
    values = {
        "id": f"s{number}",
        "title": f"Song {number}",
        "artist": "Kiasmos",
        "album": f"Album {number // 10}",
        "seconds": 200 + number,
        **fields,
    }
    return Song(**values)


def connect(user: User, service: str, **fields: Any) -> Connection:
    """A connection whose main mirror is chosen."""
    connection = Connection.objects.create(user=user, service=service, **fields)
    TargetPlaylist.objects.create(
        connection=connection, mirror=Mirror.objects.get(user=user, is_main=True)
    )
    return connection


def connect_server(user: User, server: MusicServer, **fields: Any) -> Connection:
    """A connection to the stand-in of a music server."""
    return connect(user, "subsonic", address=server.url, username="demo", secret="demo", **fields)


def mbids(service: ListenBrainz, *numbers: int) -> list[str]:
    """The recordings of these songs."""
    return [service.recordings[f"Song {number}", "Kiasmos"].mbid for number in numbers]


def run(user: User, service: str = "subsonic") -> SyncRequest:
    """Queue a run, or take the open one, and have a worker run it once."""
    request, _ = queue.enqueue(user.pk, service, trigger="manual")
    Worker(runners=RUNNERS).run_one()
    request.refresh_from_db()
    return request


def wait_over(request: SyncRequest) -> None:
    """The wait after a failure has passed."""
    SyncRequest.objects.filter(pk=request.pk).update(run_at=_NEWEST)
