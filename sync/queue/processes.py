"""Which workers and schedulers are alive: each updates its row of ``processes``."""

import os
import secrets
import socket
from datetime import timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from sync.models import Process
from sync.models.operations import ALIVE_FOR

WORKER = "worker"
SCHEDULER = "scheduler"

#: How long a scheduler that cron starts counts as alive.
ALIVE_BETWEEN_RUNS = timedelta(hours=1)


@cache
def own_name() -> str:
    """A unique name: containers may share a host name, and all start with the same pid."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"


def alive(*kinds: str) -> QuerySet[Process]:
    """The live processes of these kinds, for pages, alerts, metrics and doctor."""
    return Process.objects.filter(kind__in=kinds, alive_until__gt=Now())


def seen(kind: str, *, name: str = "", alive_for: timedelta = ALIVE_FOR) -> None:
    """Record that this process is alive, in its row and in the file of its health check."""
    Process.objects.update_or_create(
        kind=kind,
        name=name or own_name(),
        defaults={"last_seen": Now(), "alive_until": Now() + alive_for},
    )
    if settings.ALIVE_DIR:
        Path(settings.ALIVE_DIR, kind).touch()


def gone(kind: str) -> None:
    """Delete the row of this process."""
    Process.objects.filter(kind=kind, name=own_name()).delete()


def prune(*, age: timedelta) -> int:
    deleted, _ = Process.objects.filter(last_seen__lt=Now() - age).delete()
    return deleted
