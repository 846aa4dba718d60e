"""Decisions of a listener about inbox items, and their delivery to Spotify.

A press only stores the decision. The next sync sends it to Spotify before it reads the Liked Songs:
so a like waits for quota and is retried as other calls are, and the same sync adds the song to the
playlist. Until then the decision can be undone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from accounts import scopes
from accounts.models import User
from sync.mirrors.tracks import liked_now, track_id, track_uri
from sync.models import InboxItem, Library, Mirror, SyncRequest
from sync.queue import store as queue
from sync.queue.changes import tell_pages
from sync.queue.locks import lock_listener
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    NotFound,
    OutcomeUnknown,
    Unavailable,
)

if TYPE_CHECKING:
    from sync.library.record import Record
    from sync.queue.job import Job

logger = logging.getLogger(__name__)

SCOPE = "user-library-modify"
#: Songs that one call likes.
MOST_A_CALL = 40
#: Songs that are liked in a day because their listener added them.
MOST_A_DAY = 50
#: How long a decision can be undone before the sync that it asks for begins.
GRACE = timedelta(seconds=20)

Kind, State, Delivery = InboxItem.Kind, InboxItem.State, InboxItem.Delivery


def waiting(user: User) -> QuerySet[InboxItem]:
    """The items without a decision, newest first."""
    items = InboxItem.objects.filter(user=user, state=State.WAITING)
    return items.select_related("mirror").order_by("-id")


def await_sync(user: User) -> bool:
    """Whether there are decisions that were not sent to Spotify."""
    told = [Delivery.ASKED, Delivery.SENDING]
    return InboxItem.objects.filter(user=user, delivery__in=told).exists()


def can_undo() -> QuerySet[InboxItem]:
    """Decisions that were not sent to Spotify, and that no newer item replaces."""
    newer = InboxItem.objects.filter(
        mirror=OuterRef("mirror"),
        track_id=OuterRef("track_id"),
        kind=OuterRef("kind"),
        state=State.WAITING,
    )
    decided = InboxItem.objects.exclude(state=State.WAITING)
    return decided.filter(~Exists(newer), delivery__in=[Delivery.NONE, Delivery.ASKED])


def like(user: User, items: QuerySet[InboxItem]) -> int:
    """Like those of ``items`` that wait, with the next sync; returns how many.

    Without the permission they wait for the sign-in that gives it.
    """
    return _decide(user, items.filter(kind=Kind.ADDED), State.LIKED, Delivery.ASKED)


def unlike(user: User, items: QuerySet[InboxItem]) -> int:
    """Unlike songs that someone removed from a playlist, with the next sync."""
    return _decide(user, items.filter(kind=Kind.TAKEN_OUT), State.UNLIKED, Delivery.ASKED)


def dismiss(user: User, items: QuerySet[InboxItem]) -> int:
    """Dismiss the items: added songs stay out of the playlist, removed ones stay in it."""
    return _decide(user, items, State.DISMISSED, Delivery.NONE)


def undo(user: User, items: QuerySet[InboxItem]) -> int:
    """Let decided songs wait again, where that is still possible."""
    with transaction.atomic():
        lock_listener(user.pk)
        wanted = items.filter(user=user).values("pk")
        keys = list(can_undo().filter(pk__in=wanted).values_list("pk", flat=True))
        changed = InboxItem.objects.filter(pk__in=keys).update(
            state=State.WAITING, delivery=Delivery.NONE, decided_at=None
        )
        tell_pages(user_id=user.pk)
    return changed


def _decide(user: User, items: QuerySet[InboxItem], state: str, delivery: str) -> int:
    with transaction.atomic():
        lock_listener(user.pk)
        changed = items.filter(user=user, state=State.WAITING).update(
            state=state, delivery=delivery, decided_at=Now()
        )
        if changed:
            tell_pages(user_id=user.pk)
            if delivery == Delivery.ASKED and scopes.has(user, SCOPE):
                queue.enqueue(user.pk, trigger=SyncRequest.Trigger.MANUAL, wait=GRACE)
    return changed


def set_options(user: User, *, likes_own: bool, keeps: Sequence[int]) -> None:
    """Store whether own additions are liked, and the mirrors (by id) that keep additions."""
    with transaction.atomic():
        lock_listener(user.pk)
        Library.objects.filter(user=user).update(likes_own_additions=likes_own)
        mirrors = Mirror.objects.filter(user=user)
        turned = mirrors.filter(pk__in=keeps, keeps_additions=False).update(keeps_additions=True)
        turned += (
            mirrors.filter(keeps_additions=True).exclude(pk__in=keeps).update(keeps_additions=False)
        )
        if turned:
            queue.enqueue(user.pk, trigger=SyncRequest.Trigger.MANUAL)


# --- What a sync does ---------------------------------------------------------------------------


def like_own_additions(job: Job, record: Record, library: Library) -> bool:
    """Decide for songs that the listener added, if they want that: at most MOST_A_DAY.

    Returns whether there are decisions to send.
    """
    user = job.user
    if not library.likes_own_additions or not scopes.has(user, SCOPE):
        return False
    own = InboxItem.objects.filter(user=user, kind=Kind.ADDED, added_by=user.spotify_id)
    today = own.filter(state=State.LIKED, decided_at__gt=Now() - timedelta(days=1)).count()
    chosen = list(
        own.filter(state=State.WAITING, delivery=Delivery.NONE)
        .order_by("id")
        .values_list("pk", flat=True)[: max(0, MOST_A_DAY - today)]
    )
    if not chosen:
        return False
    with record.fenced():
        return bool(like(user, InboxItem.objects.filter(pk__in=chosen)))


def send(job: Job, record: Record) -> None:
    """Send decisions to Spotify, MOST_A_CALL songs in a call.

    If Spotify does not respond, or the permission is missing, decisions wait for a later sync, and
    this sync continues.
    """
    decided = InboxItem.objects.filter(
        user=job.user, delivery__in=[Delivery.ASKED, Delivery.SENDING]
    )
    if not decided.exists():
        return
    if not scopes.has(job.user, SCOPE):
        record.say("Likes from the inbox wait until you allow Syncify to like songs.")
        return
    with record.fenced():
        decided.update(delivery=Delivery.SENDING)
    try:
        for state, tell in (
            (State.LIKED, job.client.save_tracks),
            (State.UNLIKED, job.client.remove_tracks),
        ):
            _send(job, record, decided.filter(state=state, delivery=Delivery.SENDING), state, tell)
    except AccessRefused as refused:
        if refused.reason != "scope_missing":
            raise
        record.say("Likes from the inbox wait until you allow Syncify to like songs.")
    except (Unavailable, OutcomeUnknown) as error:
        logger.warning("decisions not sent request=%s error=%s", job.request.pk, error)
        record.say("Spotify did not take the likes from the inbox. They wait for the next sync.")


def _send(
    job: Job,
    record: Record,
    items: QuerySet[InboxItem],
    state: str,
    tell: Callable[[Sequence[str]], None],
) -> None:
    ids = items.order_by("-id").values_list("track_id", flat=True)
    uris = list(dict.fromkeys(track_uri(track) for track in ids))
    # A song that was liked or unliked in the meantime keeps its date, and costs no call.
    liked = liked_now(job.user.pk, uris)
    due = [uri for uri in uris if (uri in liked) == (state == State.UNLIKED)]
    _settle(record, items, [uri for uri in uris if uri not in set(due)], Delivery.DONE)
    for start in range(0, len(due), MOST_A_CALL):
        _tell(job, record, items, due[start : start + MOST_A_CALL], tell)


def _tell(
    job: Job,
    record: Record,
    items: QuerySet[InboxItem],
    uris: Sequence[str],
    tell: Callable[[Sequence[str]], None],
) -> None:
    """Send ``uris`` to Spotify, in halves if one of them fails the call."""
    job.before_write()
    try:
        tell(uris)
    except (BadRequest, NotFound):
        if len(uris) == 1:
            _settle(record, items, uris, Delivery.REFUSED)
            return
        middle = len(uris) // 2
        _tell(job, record, items, uris[:middle], tell)
        _tell(job, record, items, uris[middle:], tell)
    else:
        _settle(record, items, uris, Delivery.DONE)


def _settle(record: Record, items: QuerySet[InboxItem], uris: Sequence[str], delivery: str) -> None:
    if uris:
        with record.fenced():
            items.filter(track_id__in=[track_id(uri) for uri in uris]).update(delivery=delivery)
