"""The Liked Songs as a reading sees them: likes, pages, and what to do next; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Like:
    """A saved track. A row that cannot be read has the id "": it holds a position, no more."""

    track_id: str
    #: None only where the row cannot be read.
    added_at: datetime | None
    #: What Spotify calls the song of a row that cannot be read; "" where it does not say.
    name: str = ""


@dataclass(frozen=True, slots=True)
class LikesPage:
    """The rows from ``offset`` on, how many Spotify says there are, whether more follow."""

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
    """The pages contradict each other: the library changed meanwhile. Begin again without them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a reading found, newest first.

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
        """One like a track, the first; rows that cannot be read left out."""
        by_track: dict[str, Like] = {}
        for like in self.rows:
            if like.track_id:
                by_track.setdefault(like.track_id, like)
        return tuple(by_track.values())
