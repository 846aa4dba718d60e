"""Shared by the benchmarks: Django over a separate PostgreSQL, and tables of figures."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import django
import psutil

if TYPE_CHECKING:
    from accounts.models import User


def set_up(name: str, **environment: str) -> Path:
    """Django over an embedded PostgreSQL under ``.data/bench/name``, which is returned.

    Ignores the developer's environment, so that no other database is emptied.
    """
    data_dir = Path(__file__).resolve().parent.parent / ".data" / "bench" / name
    for known in [name for name in os.environ if name.startswith(("DATABASE_", "SYNCIFY_"))]:
        del os.environ[known]
    ours = {
        "DJANGO_SETTINGS_MODULE": "syncify.settings",
        "SYNCIFY_DATA_DIR": str(data_dir),
        "SPOTIFY_CLIENT_ID": "bench",
        "SPOTIFY_DAILY_QUOTA": "0",
    }
    os.environ.update(ours | environment)
    django.setup()
    return data_dir


def cookie_of(user: "User") -> str:
    """The cookie of a browser in which ``user`` has signed in."""
    from django.contrib import auth  # noqa: PLC0415 - after ``set_up``

    from syncify.sessions import SessionStore  # noqa: PLC0415

    session = SessionStore()
    session[auth.SESSION_KEY] = str(user.pk)
    session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return f"sessionid={session.session_key}"


def pss(pid: int) -> float:
    """The memory of a process and its children in MB; shared memory counts once."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return float(sum(each.memory_full_info().pss for each in family)) / 2**20


def head(*cells: str) -> None:
    print()
    line(*cells)
    line(*["---"] * len(cells))


def line(name: str, *cells: str) -> None:
    print(f"| {name:<50} |", " | ".join(f"{cell:<14}" for cell in cells), "|", flush=True)


def percentiles(seconds: list[float]) -> list[str]:
    """The p50, the p99 and the longest."""
    ordered = sorted(seconds)
    places = [math.ceil(len(ordered) * share) - 1 for share in (0.5, 0.99, 1)]
    return [f"{ordered[place] * 1000:.2f} ms" for place in places]
