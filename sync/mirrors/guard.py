"""Delays the removal of many songs from a mirror until two syncs agree on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sync.library.believing import must_be_seen_twice
from sync.library.read import CONFIRM_AFTER, CONFIRM_EMPTY_AFTER
from sync.mirrors.tracks import ever_liked
from sync.queue.errors import SnoozeUntil

if TYPE_CHECKING:
    from sync.models import Mirror


def leaving_unexplained(
    user_id: int, removed: Sequence[str], ours: Collection[str | None]
) -> list[str]:
    """The songs to remove that are neither from Syncify nor from the listener's likes.

    All others leave because the likes, or a rule over them, say so: a mass removal there was seen
    twice when the likes were read.
    """
    foreign = [uri for uri in removed if uri not in ours]
    liked = ever_liked(user_id, foreign)
    return sorted(uri for uri in foreign if uri not in liked)


def is_confirmed(
    mirror: Mirror, leaving: Sequence[str], now: datetime, *, held: int, left: int
) -> bool:
    """Whether these songs of ``held`` may be removed; otherwise stores that the mirror waits."""
    if not must_be_seen_twice(len(leaving), held, left=left):
        return True
    if mirror.confirm_after is not None and mirror.confirm_gone == list(leaving):
        return now >= mirror.confirm_after
    wait = CONFIRM_AFTER if left else CONFIRM_EMPTY_AFTER
    mirror.confirm_after, mirror.confirm_gone = now + wait, list(leaving)
    return False


def waits(mirror: Mirror, now: datetime) -> bool:
    return mirror.confirm_after is not None and now < mirror.confirm_after


def wait_of(mirror: Mirror) -> SnoozeUntil:
    assert mirror.confirm_after is not None  # noqa: S101 - by its callers
    return SnoozeUntil(
        "confirming_removal",
        f"{len(mirror.confirm_gone or ()):,} songs that you do not like would leave the playlist. "
        "To be safe, nothing is removed before a second look has seen the same.",
        until=mirror.confirm_after,
    )
