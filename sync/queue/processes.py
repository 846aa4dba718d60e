"""Which workers and schedulers are alive: each says so in its row of ``processes``."""

import os
import secrets
import socket
from datetime import timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from sync.models import Process

WORKER = "worker"
SCHEDULER = "scheduler"


@cache
def own_name() -> str:
    """Unlike any other's: containers may share a host name, and all begin with the same pid."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"


def seen(kind: str) -> None:
    """This process is alive, as a ``kind``; its health check may ask a file of that name."""
    Process.objects.update_or_create(kind=kind, name=own_name(), defaults={"last_seen": Now()})
    if settings.ALIVE_DIR:
        Path(settings.ALIVE_DIR, kind).touch()


def gone(kind: str) -> None:
    """This process ends."""
    Process.objects.filter(kind=kind, name=own_name()).delete()


def prune(*, age: timedelta) -> int:
    deleted, _ = Process.objects.filter(last_seen__lt=Now() - age).delete()
    return deleted
