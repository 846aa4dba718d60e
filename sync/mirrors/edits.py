"""Finds the changes to a playlist since the last write; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sync.mirrors.planner import is_addressable
from syncify.text import counted

if TYPE_CHECKING:
    from datetime import datetime

    from syncify.spotify.types import PlaylistRow

#: The number of local files that a sentence names.
NAMED = 3


def missing(base: Sequence[str | None], now: Sequence[str | None]) -> list[str]:
    """The songs of ``base`` that are not there."""
    present = set(now)
    return [uri for uri in dict.fromkeys(base) if uri and uri not in present]


def surplus(base: Sequence[str | None], now: Sequence[str | None]) -> set[str]:
    """The songs that are there more often than in ``base``."""
    over = Counter(now) - Counter(base)
    return {uri for uri in over if uri is not None and is_addressable(uri)}


def stuck(
    base: Sequence[str | None],
    rows: Sequence[PlaylistRow],
    unliked_at: Mapping[str, datetime],
    looked_at: datetime | None,
) -> set[str]:
    """Songs that were removed without effect: they have more rows than in ``base``.

    These rows are older than the removal. A song that was added again has a new date.
    """
    left, found = Counter(base), set()
    for uri in surplus(base, [row.uri for row in rows]):
        since = unliked_at.get(uri, looked_at)
        if since is None:
            continue
        # Spotify's dates are whole seconds.
        since = since.replace(microsecond=0)
        dates = [row.added_at for row in rows if row.uri == uri]
        old = sum(1 for at in dates if at is not None and at < since)
        if old > left[uri]:
            found.add(uri)
    return found


def sentence(
    base: Sequence[str | None],
    now: Sequence[str | None],
    *,
    stuck: Collection[str],
    doubtful: Collection[str],
    put_right: bool,
) -> str:
    """The changes of other people, for the history; "" without changes.

    Songs that are ``stuck`` were left by Spotify, and ``doubtful`` ones may never have got in. What
    was added is removed if it is ``put_right``.
    """
    theirs = [uri for uri in now if uri not in stuck]
    ours = [uri for uri in base if uri not in doubtful and uri not in stuck]
    said = []
    if theirs != ours:
        added = len(set(theirs).difference(base))
        removed = len(set(ours).difference(now))
        parts = [f"{added:,} added there"] if added else []
        parts += [f"{removed:,} removed there"] if removed else []
        is_moved = not parts and [uri for uri in theirs if uri in set(ours)] != ours
        if parts or is_moved:
            what = ", ".join(parts) or "the order changed"
            end = ": set right" if put_right or removed or not added else ""
            said.append(f"Somebody had edited the playlist in Spotify ({what}){end}.")
    if doubtful:
        songs = "1 song was" if len(doubtful) == 1 else f"{len(doubtful):,} songs were"
        said.append(f"{songs} missing from the playlist, and put in again.")
    return " ".join(said)


def odd_rows(rows: Sequence[PlaylistRow]) -> str:
    """The rows that Spotify's API cannot change, for the history."""
    local = [row for row in rows if row.kind == "local"]
    empty = sum(1 for row in rows if row.uri is None)
    parts = []
    if local:
        names = ", ".join(f"“{row.name}”" for row in local[:NAMED] if row.name)
        files = counted(len(local), "local file")
        parts.append(f"{files} ({names})" if names else files)
    if empty:
        parts.append(counted(empty, "empty row"))
    if not parts:
        return ""
    return (
        f"The playlist holds {' and '.join(parts)}, which Spotify lets nobody remove one by one. "
        "They go when the playlist is written anew."
    )
