"""Queues runs for connected services."""

from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from sync.models import Connection, SyncRequest
from sync.queue import store as queue
from sync.queue.portions import a_portion

#: A service is checked this often even without new likes: it may have new songs.
EVERY = timedelta(days=1)
#: Services that one turn of the scheduler checks; with more, each is checked within hours.
_MOST = 200
_WORKING = [Connection.State.ACTIVE, Connection.State.FAILING]


def enqueue_connected(user_id: int) -> None:
    """Queue a run for each service of this listener.

    Call it in the transaction that changed the likes, or the songs of a mirror.
    """
    services = Connection.objects.filter(user=user_id, state__in=_WORKING)
    for service in services.order_by("service").values_list("service", flat=True):
        queue.enqueue(user_id, service, trigger=SyncRequest.Trigger.SCHEDULED)


def enqueue_due_services() -> None:
    """Queue a run for each service that had none for a day; the scheduler calls this each turn.

    With many services, it checks a portion.
    """
    lately = SyncRequest.objects.filter(
        user=OuterRef("user"), kind=OuterRef("service"), created__gt=Now() - EVERY
    )
    is_open = SyncRequest.objects.filter(
        user=OuterRef("user"), kind=OuterRef("service"), completed=None
    )
    due = Connection.objects.filter(
        ~Exists(lately),
        ~Exists(is_open),
        pk__in=a_portion(Connection.objects.all(), _MOST),
        state__in=_WORKING,
        user__is_active=True,
    )
    for user_id, service in due.order_by("pk").values_list("user_id", "service"):
        queue.enqueue_scheduled(user_id, service)
