"""The values of a reading of the Liked Songs: likes, pages and next steps; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Like:
    """A saved track. An unreadable row has the id "" and only a position."""

    track_id: str
    #: None only for an unreadable row.
    added_at: datetime | None
    #: The name of the song of an unreadable row; "" if missing.
    name: str = ""


@dataclass(frozen=True, slots=True)
class LikesPage:
    """The rows from ``offset`` on, Spotify's total, and whether more follow."""

    offset: int
    total: int | None
    likes: tuple[Like, ...]
    has_next: bool

    @property
    def end(self) -> int:
        return self.offset + len(self.likes)


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Read the page at this offset next; it may have been read before."""

    offset: int


@dataclass(frozen=True, slots=True)
class Restart:
    """The pages contradict each other: the library changed meanwhile. Start again without them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a reading, newest first.

    ``complete`` when every page was read. ``hidden``: so many more rows than were shown has the
    ``total`` (fewer, where it is negative). Not ``settled``: rows may have slipped through between
    two pages. ``contradicted``: a page was believed although it contradicted itself or others.
    """

    rows: tuple[Like, ...]
    complete: bool
    hidden: int = 0
    settled: bool = True
    contradicted: bool = False

    @property
    def likes(self) -> tuple[Like, ...]:
        """One like for each track, the first; without unreadable rows."""
        by_track: dict[str, Like] = {}
        for like in self.rows:
            if like.track_id:
                by_track.setdefault(like.track_id, like)
        return tuple(by_track.values())
