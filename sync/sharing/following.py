"""Finds the mirrors of a pair or household, and queues their syncs after a change of members."""

from collections.abc import Iterable

from django.db.models import QuerySet

from sync.mirrors.rules import SharedSongs
from sync.mirrors.shared import key_of
from sync.models import Mirror, SyncRequest
from sync.queue import store as queue
from sync.queue.changes import tell_pages


def mirrors_over(user_id: int, kind: type[SharedSongs], pk: int) -> QuerySet[Mirror]:
    """The mirrors of a listener with songs of this pair or household, oldest first."""
    source = {f"rule__source__{key_of(kind)}": pk}
    return Mirror.objects.filter(user=user_id, **source).order_by("pk")


def queue_syncs(user_ids: Iterable[int], kind: type[SharedSongs], pk: int) -> None:
    """Update open pages of these listeners, and queue syncs of their mirrors with songs of it.

    Call it in the transaction that changes who shares, after the listeners are locked.
    """
    for user_id in user_ids:
        tell_pages(user_id=user_id)
        if mirrors_over(user_id, kind, pk).filter(state=Mirror.State.ACTIVE).exists():
            queue.enqueue(user_id, trigger=SyncRequest.Trigger.MANUAL)
