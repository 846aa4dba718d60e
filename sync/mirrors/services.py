"""What people and other parts of the program can ask of a mirror."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts import access
from accounts.models import User
from sync.models import Library, Mirror, Playlist, SyncRequest
from sync.queue import store as queue
from sync.queue.changes import tell_pages
from sync.queue.scheduler import plan_next

__all__ = [
    "block_listener",
    "cancel_sync",
    "change_settings",
    "connected",
    "pause_mirror",
    "request_sync",
    "resume_mirror",
    "retry_dead",
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
    """Queue a new request for the listener of a dead one, which stays as it is."""
    return request_sync(user=request.user)


def pause_mirror(user: User, mirror: Mirror | None = None) -> None:
    """Let syncs leave a mirror alone, the main one by default.

    Where no mirror is left to sync, the scheduled sync that is queued goes; what a person asked
    for stays.
    """
    with transaction.atomic():
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
        if _move(user, mirror, Mirror.State.PAUSED, Mirror.State.ACTIVE):
            request_sync(user=user)


def change_settings(
    *,
    mirror: Mirror,
    name: str,
    description: str,
    public: bool,
    remind_in_spotify: bool,
    interval: str,
) -> None:
    """Store the listener's wishes; what concerns the playlist gets there with a sync."""
    with transaction.atomic():
        stored = Mirror.objects.select_for_update().get(pk=mirror.pk)
        library = Library.objects.filter(user=mirror.user_id)
        if library.exclude(interval=interval).update(interval=interval):
            plan_next(mirror.user)
            tell_pages(user_id=mirror.user_id)
        details: dict[str, Any] = {
            "name": name,
            "description": description,
            "public": public,
            "remind_in_spotify": remind_in_spotify,
        }
        if any(getattr(stored, field) != value for field, value in details.items()):
            Mirror.objects.filter(pk=mirror.pk).update(**details, details_changed_at=Now())
            request_sync(user=mirror.user)


def _move(user: User, mirror: Mirror | None, before: str, after: str) -> bool:
    which = Q(is_main=True) if mirror is None else Q(pk=mirror.pk)
    return bool(Mirror.objects.filter(which, user=user, state=before).update(state=after))


@transaction.atomic
def block_listener(user: User) -> None:
    """Keep a listener out, and stop what is queued or running for them."""
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
    if mirror.state == Mirror.State.ACTIVE and _has_waited_for_consent(user):
        request_sync(user=user)


def _has_waited_for_consent(user: User) -> bool:
    """Whether anything is to be done at once: a sync that failed or waits, a reminder to erase."""
    latest = SyncRequest.objects.filter(user=user).order_by("-id").first()
    return (
        latest is None
        or latest.state in {SyncRequest.State.DEAD, SyncRequest.State.QUEUED}
        or Playlist.objects.filter(mirror__user=user, reminds=True).exists()
    )
