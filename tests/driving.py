"""Drives whole syncs, from the queue to the simulated Spotify, and shows what they leave."""

import html
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.models import User
from accounts.tokens import ConnectionTokens
from sync.mirrors.engine import run_sync
from sync.mirrors.services import change_settings
from sync.models import Library, Mirror, MirrorTrack, Playlist, SyncRequest
from sync.queue import store as queue
from sync.queue.errors import SyncError
from sync.queue.job import Job
from sync.queue.store import LeaseLost
from sync.queue.worker import Worker
from syncify.simulator.server import Simulator
from syncify.spotify.client import SpotifyClient
from syncify.spotify.errors import SpotifyError
from tests.builders import at_playlist


def run(user: User, trigger: str = "manual") -> SyncRequest:
    """Queue a sync and let a worker take it once; returns the row as it was left."""
    queue.enqueue(user.pk, trigger=trigger)
    return run_again(user)


def run_again(user: User) -> SyncRequest:
    """Let a worker that has just started take the listener's open request, waiting or not."""
    end_waits(user)
    [request] = SyncRequest.objects.filter(user=user, completed=None)
    assert worker().run_one()
    request.refresh_from_db()
    return request


def worker(**options: Any) -> Worker:
    """A worker that knows how to run a sync."""
    return Worker(runners={SyncRequest.Kind.SPOTIFY: run_sync}, **options)


def end_waits(user: User) -> None:
    """Let the time pass that the listener's request waits for."""
    SyncRequest.objects.filter(user=user, state=SyncRequest.State.QUEUED).update(run_at=Now())


def wait_of(request: SyncRequest) -> timedelta:
    return request.run_at - timezone.now()


def outcome(request: SyncRequest) -> tuple[str, str, int]:
    return request.state, request.error_code, request.failures


def set_details(user: User, **wishes: object) -> None:
    """Change the listener's settings, as their page does."""
    change_settings(mirror=Mirror.objects.get(user=user, is_main=True), **wishes)


def mirrored(simulator: Simulator, user: User) -> list[str | None]:
    """What all volumes hold in Spotify, one after the other."""
    volumes = Playlist.objects.filter(mirror__user=user, spotify_id__isnull=False)
    return [uri for volume in volumes for uri in simulator.playlist_uris(volume.spotify_id or "")]


def songs_in(simulator: Simulator, user: User) -> list[str]:
    """What all volumes hold, without the rows that nobody can remove one by one."""
    return [uri for uri in mirrored(simulator, user) if uri is not None]


def time_for_a_second_look() -> None:
    """Let whatever has to be seen twice have waited long enough."""
    now = timezone.now()
    Library.objects.exclude(confirm_after=None).update(confirm_after=now)
    Mirror.objects.exclude(confirm_after=None).update(confirm_after=now)
    long_ago = now - timedelta(hours=2)
    Playlist.objects.exclude(missing_since=None).update(missing_since=long_ago)


def run_confirmed(user: User, trigger: str = "manual") -> SyncRequest:
    """A sync, and what follows when it wants to see something twice."""
    request = run(user, trigger)
    while request.error_code in {"confirming_removal", "confirming_gone"} and request.is_open:
        time_for_a_second_look()
        request = run_again(user)
    return request


def a_day_later() -> None:
    """Let every playlist have been looked at yesterday."""
    Playlist.objects.update(checked_at=timezone.now() - timedelta(days=1))


def a_week_later() -> None:
    """Let the last full read, and any refusal, be more than a week ago."""
    long_ago = timezone.now() - timedelta(days=8)
    Library.objects.update(full_read_at=long_ago)
    MirrorTrack.objects.exclude(refused_at=None).update(refused_at=long_ago)


def card(client: Client, user: User) -> str:
    """The words of the listener's live region, without its markup."""
    client.force_login(user)
    response: Any = client.get(at_playlist(user, "card/"))
    assert response.status_code == 200
    return " ".join(html.unescape(strip_tags(response.content.decode())).split())


class _Stopped(Exception):
    pass


class _GateFor:
    """Lets so many calls through, then ends the sync."""

    developer = ""

    def __init__(self, calls: int, end: Callable[[], object]) -> None:
        self._left = calls
        self._end = end

    def admit(self) -> None:
        if not self._left:
            self._end()
            raise _Stopped
        self._left -= 1

    def block(self, *, for_: timedelta, because: str) -> datetime:
        raise AssertionError(f"blocked for {for_}: {because}")


def run_for(user: User, calls: int, *, killed: bool = False) -> bool:
    """Let the listener's open request make so many calls; False if it has come to an end.

    After that it is queued again, as if the worker had been stopped, or killed on the spot: then
    it stores nothing more.
    """
    end_waits(user)
    request = queue.claim(worker="test")
    assert request is not None
    release = partial(queue.release, request)
    client = SpotifyClient(
        api_url=settings.SPOTIFY_API_URL,
        tokens=ConnectionTokens(user.pk),
        gate=_GateFor(calls, release if killed else lambda: None),
        sleep=lambda _: None,
    )
    job = Job(request)
    job.client = client
    try:
        run_sync(job)
    except (_Stopped, LeaseLost, SyncError, SpotifyError):
        with suppress(LeaseLost):  # as when it was killed
            release(api_requests=job.calls)
        return True
    finally:
        client.close()
    return False
