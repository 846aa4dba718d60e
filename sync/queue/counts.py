"""The numbers of open requests, for the operator's page and the metrics."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q
from django.db.models.functions import Now

from sync.models import SyncRequest

_State = SyncRequest.State


@dataclass(frozen=True, slots=True)
class OpenRequests:
    ready: int
    #: Queued for a later time.
    waiting: int
    running: int
    #: Since when the oldest ready request waits; None without one.
    oldest: datetime | None


def open_requests() -> OpenRequests:
    """One statement, over the index of open requests."""
    is_ready = Q(state=_State.QUEUED, run_at__lte=Now())
    counts = SyncRequest.objects.filter(completed=None).aggregate(
        ready=Count("pk", filter=is_ready),
        waiting=Count("pk", filter=Q(state=_State.QUEUED, run_at__gt=Now())),
        running=Count("pk", filter=Q(state=_State.RUNNING)),
        oldest=Min("run_at", filter=is_ready),
    )
    return OpenRequests(**counts)
