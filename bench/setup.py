"""Shared by the benchmarks: Django over a separate PostgreSQL, and tables of figures."""

import math
import os
from pathlib import Path

import django
import psutil


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
