"""Decides from a reading of the Liked Songs which likes are new, gone, or not shown; pure.

A like that is not shown counts as gone only if every row that Spotify counts could be read. Rows
that cannot be read are stored with their positions, so that they do not make the next reading
longer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sync.library.likes import Found, Like

#: An entry of ``Library.unreadable``: "name" and "added_at", and one of
#: "after": the id of the track above the row, "" at the top; with "repeats", it shows that track;
#: "track": the id of a like that is kept although no row shows it, as long as more rows cannot be
#: read than "base";
#: "hidden": this many more rows are counted than shown (fewer, if negative).
type Entry = dict[str, Any]

#: A removal of more songs than this, and of more than a tenth, needs a second reading.
FEW = 20
SHARE = 10


@dataclass(frozen=True, slots=True)
class Memory:
    """The result of the last reading, in the form that the next one needs.

    ``rows`` are the rows that Spotify showed. ``kept`` are the ids of likes that it did not show,
    each with the number of other unreadable rows.
    """

    rows: tuple[Like, ...]
    hidden: int
    kept: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Believed:
    """The new likes, newest first, and the entries to store about unreadable rows."""

    likes: tuple[Like, ...]
    entries: tuple[Entry, ...]
    #: The number of counted likes that were neither shown nor known before.
    hidden: int
    #: More likes are missing than unreadable rows: the lost ones are unknown.
    is_ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences. ``reliked`` are known tracks with a new date."""

    new: tuple[Like, ...]
    gone: tuple[Like, ...]
    reliked: tuple[Like, ...]


def recall(likes: Sequence[Like], entries: Iterable[Entry]) -> Memory:
    """The rows that ``believe`` remembered as ``entries``, between the likes in their order."""
    hidden, kept = 0, dict[str, int]()
    below: defaultdict[str, list[Like]] = defaultdict(list)
    for entry in entries:
        if "hidden" in entry:
            hidden = int(entry["hidden"])
        elif "track" in entry:
            kept[entry["track"]] = int(entry["base"])
        else:
            at = entry["added_at"]
            date = datetime.fromisoformat(at) if at else None
            below[entry.get("after", "")].append(
                Like(entry.get("repeats", ""), date, entry["name"])
            )
    rows = below.pop("", [])
    for like in likes:
        if like.track_id not in kept:
            rows.append(like)
            rows += below.pop(like.track_id, [])
    rows += [row for left in below.values() for row in left]
    return Memory(tuple(rows), hidden, kept)


def believe(known: Sequence[Like], memory: Memory, found: Found) -> Believed:
    """Derive the likes from a reading. ``known`` are the likes so far."""
    shown = {like.track_id for like in found.rows if like.track_id}
    before, unread = _unread(memory.rows, memory.hidden), _unread(found.rows, found.hidden)
    kept: dict[Like, int] = {}
    for like in known:
        if like.track_id in shown:
            continue
        base = memory.kept.get(like.track_id)
        if base is None and _may_be_hidden(like, memory, found):
            base = before
        if base is not None and (unread > base or not found.settled):
            kept[like] = base
    likes = _in_order(known, found.likes, list(kept))
    fresh = [like for like in kept if like.track_id not in memory.kept]
    is_ambiguous = found.settled and len(fresh) > max(0, unread - before)
    if not found.settled:
        # These were not shown because other rows were repeated: they are not unreadable rows.
        found = replace(found, hidden=found.hidden - len(kept))
        kept = {}
    return Believed(likes, tuple(_entries(found, kept)), found.hidden, is_ambiguous)


def _unread(rows: Iterable[Like], hidden: int) -> int:
    """The number of counted rows that could not be read."""
    return sum(not row.track_id for row in rows) + max(0, hidden)


def _may_be_hidden(like: Like, memory: Memory, found: Found) -> bool:
    """Whether a known like that is not shown may be one of the unreadable rows."""
    if not found.settled or max(0, found.hidden) > max(0, memory.hidden):
        return True
    fresh = Counter(row for row in found.rows if not row.track_id)
    fresh -= Counter(row for row in memory.rows if not row.track_id)
    return any(row.added_at in {None, like.added_at} for row in fresh)


def _in_order(
    known: Sequence[Like], shown: Sequence[Like], kept: Sequence[Like]
) -> tuple[Like, ...]:
    """By date, newest first; likes of one date in their old order, new ones as Spotify lists."""
    dated = sorted([*shown, *kept], key=_date, reverse=True)
    place = {like: at for at, like in enumerate(known)}
    likes: list[Like] = []
    for _, group in groupby(dated, key=_date):
        likes += _settled(list(group), place)
    return tuple(likes)


def _settled(group: list[Like], place: Mapping[Like, int]) -> list[Like]:
    """Likes of one date: known ones in their order, new ones as Spotify lists them."""
    if len(group) < 2 or not any(like in place for like in group):
        return group
    above: defaultdict[Like | None, list[Like]] = defaultdict(list)
    waiting: list[Like] = []
    for like in group:
        if like in place:
            above[like] += waiting
            waiting = []
        else:
            waiting.append(like)
    ordered = sorted((like for like in group if like in place), key=place.__getitem__)
    return [*(one for like in ordered for one in (*above[like], like)), *waiting]


def _date(like: Like) -> datetime:
    if like.added_at is None:
        raise ValueError("only rows that cannot be read have no date")
    return like.added_at


def _entries(found: Found, kept: Mapping[Like, int]) -> Iterable[Entry]:
    after, seen = "", set[str]()
    for row in found.rows:
        at = row.added_at.isoformat() if row.added_at else None
        if not row.track_id:
            yield {"name": row.name, "added_at": at, "after": after}
        elif row.track_id in seen:
            yield {"name": row.name, "added_at": at, "after": after, "repeats": row.track_id}
        else:
            after = row.track_id
            seen.add(after)
    for like, base in kept.items():
        at = _date(like).isoformat()
        yield {"name": "", "added_at": at, "track": like.track_id, "base": base}
    if found.hidden:
        yield {"name": "", "added_at": None, "hidden": found.hidden}


def changes(known: Sequence[Like], likes: Sequence[Like]) -> Changes:
    """The differences in ``likes``; each part in the order of its list."""
    before = {like.track_id: like.added_at for like in known}
    after = {like.track_id for like in likes}
    return Changes(
        new=tuple(like for like in likes if like.track_id not in before),
        gone=tuple(like for like in known if like.track_id not in after),
        reliked=tuple(
            like for like in likes if before.get(like.track_id, like.added_at) != like.added_at
        ),
    )


def must_be_seen_twice(leaving: int, of: int, *, left: int) -> bool:
    """Whether the removal is so large that one reading must not decide it."""
    return leaving > 0 and (left == 0 or (leaving > FEW and leaving * SHARE > of))
