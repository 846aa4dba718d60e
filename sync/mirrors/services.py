"""Actions on mirrors for pages and other rooms."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts import access
from accounts.models import User
from sync.mirrors import decisions
from sync.models import Library, Mirror, Playlist, PlaylistItems, SyncRequest
from sync.queue import store as queue
from sync.queue.changes import tell_pages
from sync.queue.locks import lock_listener
from sync.queue.scheduler import plan_next

__all__ = [
    "block_listener",
    "bring_back",
    "cancel_sync",
    "change_rule",
    "change_settings",
    "connected",
    "make_new_playlist",
    "pause_mirror",
    "request_sync",
    "resume_mirror",
    "retry_dead",
    "rewrite_playlist",
]


def request_sync(*, user: User, trigger: str = SyncRequest.Trigger.MANUAL) -> SyncRequest:
    """Queue a sync for ``user``, or return the one that is already open.

    Safe under double clicks: ``sync_requests_one_open_per_kind`` lets one caller insert, and the
    others are given that request.
    """
    request, _ = queue.enqueue(user.pk, trigger=trigger)
    return request


def cancel_sync(request: SyncRequest) -> None:
    """Stop a queued request at once, a running one at its next safe point; others stay."""
    queue.ask_cancel(request)


def retry_dead(request: SyncRequest) -> SyncRequest:
    """Queue a new request of the kind of a dead one, which stays as it is."""
    again, _ = queue.enqueue(request.user_id, request.kind, trigger=SyncRequest.Trigger.MANUAL)
    return again


def pause_mirror(user: User, mirror: Mirror | None = None) -> None:
    """Pause a mirror, the main one by default.

    Where no mirror is left to sync, the scheduled sync that is queued goes; what a person asked
    for stays.
    """
    with transaction.atomic():
        lock_listener(user.pk)
        if _move(user, mirror, Mirror.State.ACTIVE, Mirror.State.PAUSED):
            tell_pages(user_id=user.pk)
        if Mirror.objects.filter(user=user, state=Mirror.State.ACTIVE).exists():
            return
        scheduled = SyncRequest.objects.filter(
            user=user,
            kind=SyncRequest.Kind.SPOTIFY,
            completed=None,
            trigger=SyncRequest.Trigger.SCHEDULED,
        )
        for request in scheduled:
            queue.ask_cancel(request)


def resume_mirror(user: User, mirror: Mirror | None = None) -> None:
    """End a pause, of the main mirror by default, with a sync to catch up."""
    with transaction.atomic():
        lock_listener(user.pk)
        if _move(user, mirror, Mirror.State.PAUSED, Mirror.State.ACTIVE):
            request_sync(user=user)


def bring_back(mirror: Mirror) -> None:
    """Put a playlist that left the listener's library back into it, and keep it up to date again.

    One that no longer exists at Spotify stays away: see ``make_new_playlist``.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        if _move(mirror.user, mirror, Mirror.State.REMOVED, Mirror.State.ACTIVE):
            request_sync(user=mirror.user)


def make_new_playlist(mirror: Mirror) -> None:
    """Give up playlists that are gone from Spotify, with their links, and have new ones made.

    Those of which Spotify says that they are gone; all of them, where it says so of none.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        Mirror.objects.select_for_update(no_key=True).filter(pk=mirror.pk).first()
        playlists = Playlist.objects.filter(mirror=mirror)
        gone = playlists.filter(missing_since__isnull=False)
        given_up = list((gone if gone.exists() else playlists).values_list("pk", flat=True))
        PlaylistItems.objects.filter(playlist__in=given_up).update(uris=[])
        playlists.filter(pk__in=given_up).update(
            spotify_id=None,
            snapshot_id="",
            items_known=True,
            checked_at=None,
            missing_since=None,
            details_written_at=None,
            reminds=False,
            written_name="",
        )
        Mirror.objects.filter(pk=mirror.pk).update(
            state=Mirror.State.ACTIVE,
            confirm_after=None,
            confirm_gone=None,
            cover_written_at=None,
        )
        tell_pages(user_id=mirror.user_id)
        request_sync(user=mirror.user)


def rewrite_playlist(mirror: Mirror) -> None:
    """Request a rewrite of the playlist, without its empty rows and local files.

    All its songs get a new date, so only the listener may request it.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        Mirror.objects.filter(pk=mirror.pk).update(rewrite_asked=True)
        request_sync(user=mirror.user)


def change_settings(
    *,
    mirror: Mirror,
    name: str | None = None,
    description: str | None = None,
    public: bool | None = None,
    remind_in_spotify: bool | None = None,
    interval: str | None = None,
) -> None:
    """Store the given settings; a sync writes them to Spotify.

    A mirror that rests gets them when it wakes.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        stored = Mirror.objects.select_for_update(no_key=True).get(pk=mirror.pk)
        library = Library.objects.filter(user=mirror.user_id)
        if interval is not None and library.exclude(interval=interval).update(interval=interval):
            plan_next(mirror.user)
            tell_pages(user_id=mirror.user_id)
        given: dict[str, Any] = {
            "name": name,
            "description": description,
            "public": public,
            "remind_in_spotify": remind_in_spotify,
        }
        changed = {
            field: value
            for field, value in given.items()
            if value is not None and getattr(stored, field) != value
        }
        if changed:
            Mirror.objects.filter(pk=mirror.pk).update(**changed, details_changed_at=Now())
            if stored.state == Mirror.State.ACTIVE:
                request_sync(user=mirror.user)


def change_rule(mirror: Mirror, rule: dict[str, Any]) -> None:
    """Let a mirror other than the main one follow ``rule`` from the next sync on."""
    with transaction.atomic():
        lock_listener(mirror.user_id)
        stored = Mirror.objects.select_for_update(no_key=True).get(pk=mirror.pk, is_main=False)
        Mirror.objects.filter(pk=mirror.pk).update(
            rule=rule, broken="", refreshed_at=None, rotation=None
        )
        if stored.state == Mirror.State.ACTIVE:
            request_sync(user=mirror.user)


def _move(user: User, mirror: Mirror | None, before: str, after: str) -> bool:
    which = Q(is_main=True) if mirror is None else Q(pk=mirror.pk)
    return bool(Mirror.objects.filter(which, user=user, state=before).update(state=after))


@transaction.atomic
def block_listener(user: User) -> None:
    """Block a listener, and stop their queued and running requests."""
    access.block_listener(user)
    for request in SyncRequest.objects.filter(user=user, completed=None):
        queue.ask_cancel(request)


def connected(*, user: User, first: bool, **signal: object) -> None:  # noqa: ARG001
    """A listener has signed in: make their mirror, or wake it after the consent had ended.

    One that rests is left alone. Receives ``accounts.signals.spotify_connected``, inside its
    transaction.
    """
    mirror, is_new = Mirror.objects.get_or_create(
        user=user, is_main=True, defaults={"name": f"Liked Songs of {user}"[:100]}
    )
    Library.objects.get_or_create(user=user)
    if is_new:
        plan_next(user)
    if is_new or first:
        request_sync(user=user, trigger=SyncRequest.Trigger.FIRST)
        return
    tell_pages(user_id=user.pk)
    is_active = mirror.state == Mirror.State.ACTIVE
    if is_active and (_has_waited_for_consent(user) or decisions.await_sync(user)):
        request_sync(user=user)


def _has_waited_for_consent(user: User) -> bool:
    """Whether anything is to be done at once: a sync that failed or waits, a reminder to erase."""
    latest = SyncRequest.objects.filter(user=user, kind=SyncRequest.Kind.SPOTIFY).order_by("-id")
    request = latest.first()
    return (
        request is None
        or request.state in {SyncRequest.State.DEAD, SyncRequest.State.QUEUED}
        or Playlist.objects.filter(mirror__user=user, reminds=True).exists()
    )
