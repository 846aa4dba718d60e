"""Periods of selections, and the songs of a long list that a period shows."""

from collections.abc import Sequence
from datetime import date
from typing import TypedDict

from sync.mirrors.rules import Refresh


class Rotation(TypedDict):
    """The position of "rediscover", stored between two selections."""

    period: str
    #: The key after which this period began.
    after: str
    #: The key of the song that this period reached.
    reached: str


def period_of(refresh: Refresh, today: date) -> str:
    """The name of the period that ``today`` is in; for "sync" there is only one."""
    match refresh:
        case "daily":
            return today.isoformat()
        case "weekly":
            year, week, _ = today.isocalendar()
            return f"{year}-W{week:02}"
        case "monthly":
            return f"{today.year}-{today.month:02}"
        case _:
            return ""


def rotate(
    keys: Sequence[str], count: int, *, period: str, last: Rotation | None
) -> tuple[list[int], Rotation]:
    """The positions of the ``count`` keys that ``period`` shows, and the next start.

    ``keys`` are in ascending order, and stand in a ring: each period goes on where the one before
    it stopped, so that every song is shown once before any is shown twice. Within a period the
    choice stays, but for songs that left ``keys`` or are new in them.
    """
    if last is None:
        after = ""
    elif last["period"] == period:
        after = last["after"]
    else:
        after = last["reached"]
    start = next((place for place, key in enumerate(keys) if key > after), 0)
    shown = [(start + step) % len(keys) for step in range(min(count, len(keys)))]
    reached = keys[shown[-1]] if shown else after
    # A song that a newer one replaced within this period counts as shown.
    if last is not None and last["period"] == period:
        reached = max(reached, last["reached"], key=lambda key: _way(after, key))
    return shown, Rotation(period=period, after=after, reached=reached)


def _way(after: str, key: str) -> tuple[bool, str]:
    """How far along the ring ``key`` is when one goes on from ``after``."""
    return (key <= after, key)
