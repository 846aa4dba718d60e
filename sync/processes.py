"""Which workers and schedulers are alive: each says so in its row of ``processes``."""

import os
import socket
from datetime import timedelta

from django.db.models.functions import Now

from sync.models import Process

WORKER = "worker"
SCHEDULER = "scheduler"


def own_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def seen(kind: str) -> None:
    """This process is alive, as a ``kind``."""
    Process.objects.update_or_create(kind=kind, name=own_name(), defaults={"last_seen": Now()})


def gone(kind: str) -> None:
    """This process ends."""
    Process.objects.filter(kind=kind, name=own_name()).delete()


def prune(*, age: timedelta) -> int:
    deleted, _ = Process.objects.filter(last_seen__lt=Now() - age).delete()
    return deleted
