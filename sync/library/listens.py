"""Plays that ListenBrainz tells of a listener, under the public name that they gave: asked hourly.

The last play and the number of plays of liked songs are counted, and nothing else is kept.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from sync.library.gate import GateClosed
from sync.library.history import count_plays, lock_history
from sync.library.listenbrainz import (
    NAME_MAX,
    PAGE,
    Listen,
    ListenBrainz,
    NoSuchUser,
    NotPublic,
    Unavailable,
)
from sync.library.plays import Find, History, finder
from sync.library.songs import load_songs
from sync.models import ListeningHistory, SyncRequest
from sync.queue import store as queue
from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from sync.queue.locks import lock_listener

if TYPE_CHECKING:
    from sync.queue.job import Job

logger = logging.getLogger(__name__)

#: How often a listener's listens are asked for, and how soon again after a refusal.
APART = timedelta(hours=1)
APART_AFTER_REFUSAL = timedelta(days=1)
#: Pages that one turn of a job reads; then other jobs have theirs.
TURN = 20
PAUSE = timedelta(seconds=5)
#: Listeners that one turn of a scheduler queues.
LISTENERS_A_TURN = 50


def set_listenbrainz_user(user_id: int, name: str) -> SyncRequest | None:
    """Ask ListenBrainz for the plays of ``name`` from now on, or nobody's if it is "".

    Begins where the known plays end. Returns the request that is queued; plays that were counted
    stay.
    """
    with transaction.atomic():
        lock_listener(user_id)
        request = None
        if name:
            request, _ = queue.enqueue(user_id, SyncRequest.Kind.LISTENS, trigger="manual")
        stored = lock_history(user_id)
        if stored.listenbrainz_user != name:
            stored.listenbrainz_user = name[:NAME_MAX]
            stored.listened_until = max((last for _, last in stored.known), default=0)
            stored.save(update_fields=["listenbrainz_user", "listened_until"])
    return request


def queue_listens() -> int:
    """Queue a look at ListenBrainz for every listener with a name there, hourly at most.

    Returns how many are queued. Calls nobody, and is safe to run twice at once.
    """
    dead = SyncRequest.State.DEAD
    lately = SyncRequest.objects.filter(
        Q(completed=None)
        | Q(completed__gt=Now() - APART)
        | Q(state=dead, completed__gt=Now() - APART_AFTER_REFUSAL),
        user=OuterRef("user"),
        kind=SyncRequest.Kind.LISTENS,
    )
    due = ListeningHistory.objects.filter(~Exists(lately), user__is_active=True).exclude(
        listenbrainz_user=""
    )
    found = list(due.order_by("user_id").values_list("user_id", flat=True)[:LISTENERS_A_TURN])
    for user_id in found:
        queue.enqueue_scheduled(user_id, SyncRequest.Kind.LISTENS)
    return len(found)


def run_listens(job: Job) -> None:
    """Count the listens since the last look, and end the request.

    Raises what the worker knows: a SyncError, Cancelled, Released or LeaseLost. What was counted
    stays.
    """
    stored = ListeningHistory.objects.filter(user=job.request.user_id).first()
    name = stored.listenbrainz_user if stored else ""
    read = found = 0
    try:
        if stored is not None and name:
            read, found = _read(job, name, stored.listened_until)
    except NoSuchUser as error:
        raise GiveUp(
            "listens_no_user", f"ListenBrainz knows no user “{name}”. Check the name."
        ) from error
    except NotPublic as error:
        raise GiveUp(
            "listens_not_public", f"ListenBrainz does not show the listens of “{name}” to everyone."
        ) from error
    except GateClosed as closed:
        raise SnoozeUntil(
            "listenbrainz_busy", "ListenBrainz asked for a pause.", until=closed.until
        ) from closed
    except Unavailable as error:
        logger.warning("listenbrainz unavailable request=%d error=%s", job.request.pk, error)
        raise RetryLater("listenbrainz", "ListenBrainz did not answer.") from error
    queue.succeed(job.request, note=f"{read:,} listens read, {found:,} of liked songs.")


def _read(job: Job, name: str, after: int) -> tuple[int, int]:
    """How many listens there were since ``after``, and how many of them of likes."""
    find = finder(load_songs(job.request.user_id))
    read = found = 0
    with ListenBrainz(sleep=job.sleep) as client:
        for page in range(TURN):
            listens = client.listens(name, after=after)
            if not listens:
                return read, found
            history = history_of(listens, find, after=after)
            until = listens[-1].began
            with transaction.atomic():
                lock_listener(job.request.user_id)
                queue.record_progress(job.request, progress=page / TURN)  # the fence too
                stored = lock_history(job.request.user_id)
                if (stored.listenbrainz_user, stored.listened_until) != (name, after):
                    return read, found  # another name was given meanwhile
                count_plays(stored, history)
                stored.listened_until = after = until
                stored.save(update_fields=["known", "listened_until"])
            read += len(listens)
            found += sum(map(len, history.tracks.values()))
            job.safe_point()
            if len(listens) < PAGE:
                return read, found
    raise SnoozeUntil("listens_more", "More listens are to be read.", until=job.now() + PAUSE)


def history_of(listens: list[Listen], find: Find, *, after: int) -> History:
    """``listens``, in order, as a history that covers the time since ``after``.

    Spotify's history counts a play when it ends, so a listen does too.
    """
    history = History()
    for listen in listens:
        names = listen.artists or ("",)
        tracks = (find(listen.track_id, listen.title, artist) for artist in names)
        history.add(listen.began + listen.lasted, next(filter(None, tracks), None))
    if after and history.first is not None:
        history.first = min(history.first, after + 1)
    return history
