"""Decides which pages of a listener's saved tracks must be read, given what is known of them.

Saved tracks come newest first, so the first page shows at its top all that was liked since the
last read, and its ``total`` tells how many have left. Where some have, a page further down shows
how many of them are missing above it: a bisection finds them. Pages that cannot be explained this
way turn the reading into a full one. No page is ever read twice, so the dearest reading costs what
a full one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise, takewhile

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Like:
    """A saved track. An entry without a track has the id "": it holds a position, no more."""

    track_id: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """The saved tracks from position ``offset`` (a multiple of 50) on, and how many there are."""

    offset: int
    total: int
    likes: tuple[Like, ...]


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Read the page at this offset next."""

    offset: int


@dataclass(frozen=True, slots=True)
class Restart:
    """The pages contradict each other: the library changed meanwhile. Begin again without them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Library:
    """All saved tracks, newest first, each once; ``complete`` when every page was read."""

    likes: tuple[Like, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reading found. ``reliked`` are known tracks with another date, the new one."""

    new: tuple[Like, ...]
    gone: tuple[Like, ...]
    reliked: tuple[Like, ...]


class Reading:
    """One reading of a library: ask for the next step, feed the page it names, ask again.

    ``known`` is what the last reading found; with ``full`` every page is read all the same. Pages
    kept from an interrupted reading may be fed first, in any order.
    """

    def __init__(self, known: Sequence[Like], *, full: bool = False) -> None:
        self._known = known
        self._pages: dict[int, tuple[Like, ...]] = {}
        self._total: int | None = None
        self._page_of: dict[Like, int] = {}
        self._contradiction: str | None = None
        self._unread = 0  # no page above this offset is missing
        # While the pages can be explained by what is known:
        self._fits = not full
        self._top: list[Like] = []  # what stands above the first known like
        self._rest: Sequence[Like] | None = None  # the known likes below it, once found
        self._places: dict[Like, int] = {like: place for place, like in enumerate(known)}
        self._spans: dict[int, tuple[int, int]] = {}

    def feed(self, page: Page) -> None:
        """Take in a page, whatever its contents: the next step tells what follows from it."""
        if self._total is None:
            self._total = page.total
        promised = min(PAGE_SIZE, page.total - page.offset)
        if page.total != self._total:
            self._contradiction = f"the total went from {self._total} to {page.total}"
        elif promised > 0 and not page.likes:
            self._contradiction = f"the page at {page.offset} of {page.total} is empty"
        for like in page.likes:
            # Pages that slid on under the reader show a like twice. Two likes of one track
            # (their dates differ) are an oddity of the library instead.
            if like.track_id and self._page_of.setdefault(like, page.offset) != page.offset:
                self._contradiction = f"the page at {page.offset} repeats a saved track"
        if len(page.likes) != promised:
            self._fits = False
        self._pages[page.offset] = page.likes

    def next_step(self) -> ReadPage | Restart | Library:
        """The page to read next, or how the reading ended."""
        if self._contradiction is not None:
            return Restart(self._contradiction)
        if self._total is None:
            return ReadPage(0)
        if len(self._pages) * PAGE_SIZE >= self._total:
            pages = (self._pages[offset] for offset in sorted(self._pages))
            return Library(_distinct(like for page in pages for like in page), complete=True)
        if self._fits:
            step = self._explain(self._total)
            if step is not None:
                return step
            self._fits = False
        while self._unread in self._pages:
            self._unread += PAGE_SIZE
        return ReadPage(self._unread)

    def _explain(self, total: int) -> ReadPage | Library | None:
        """Tell the library from the pages and from what is known; None where they do not fit.

        Below the top nothing is new, so the known likes there can only have grown fewer. Between
        two pages they are numbered by place and by position: as many places as positions means
        that all are still there, no position that all have left, and anything else that a page
        in between must be read.
        """
        rest = self._find_top()
        if rest is None:
            return ReadPage(self._unread)
        likes = list(self._top)
        position, place = len(likes), 0
        for offset in [*sorted(self._pages), total]:
            page = self._pages.get(offset, ())[max(0, len(self._top) - offset) :]
            if offset == total:
                first = last = len(rest)
            elif not page:
                continue  # nothing but top
            elif (span := self._span(offset, page)) is not None:
                first, last = span
            else:
                return None
            start = max(offset, len(self._top))
            positions, places = start - position, first - place
            if places < positions:
                return None
            if places == positions:
                likes += rest[place:first]
            elif positions:
                return ReadPage((position + start + PAGE_SIZE - 1) // PAGE_SIZE // 2 * PAGE_SIZE)
            likes += page
            position, place = start + len(page), last + 1
        return Library(_distinct(likes), complete=False)

    def _find_top(self) -> Sequence[Like] | None:
        """The known likes below the top, from the first one that is met; None before it is read."""
        while self._rest is None and self._unread in self._pages:
            page = self._pages[self._unread]
            fresh = list(takewhile(lambda like: like not in self._places, page))
            self._top += fresh
            self._unread += PAGE_SIZE
            if len(fresh) < len(page):
                # A known track at the top was liked again: its old place is empty.
                moved = {like.track_id for like in self._top}
                self._rest = [like for like in self._known if like.track_id not in moved]
                self._places = {like: place for place, like in enumerate(self._rest)}
        return self._rest

    def _span(self, offset: int, page: Sequence[Like]) -> tuple[int, int] | None:
        """The places of a page's first and last like; None unless all are known and in order."""
        if offset not in self._spans:
            places = [self._places.get(like, -1) for like in page]
            if places[0] < 0 or any(b <= a for a, b in pairwise(places)):
                return None
            self._spans[offset] = places[0], places[-1]
        return self._spans[offset]


def resumable(stored: Sequence[Page], fresh: Page) -> bool:
    """Whether reading may go on with stored pages, by the first page read again.

    The fresh page takes the place of the stored one.
    """
    return fresh in stored and all(page.total == fresh.total for page in stored)


def changes(known: Sequence[Like], library: Library) -> Changes:
    """What is different in ``library``; each part in the order of the list it is taken from."""
    before = {like.track_id: like.added_at for like in known}
    after = {like.track_id for like in library.likes}
    return Changes(
        new=tuple(like for like in library.likes if like.track_id not in before),
        gone=tuple(like for like in known if like.track_id not in after),
        reliked=tuple(
            like
            for like in library.likes
            if before.get(like.track_id, like.added_at) != like.added_at
        ),
    )


def _distinct(likes: Iterable[Like]) -> tuple[Like, ...]:
    """One like a track, the first; entries without a track left out."""
    by_track: dict[str, Like] = {}
    for like in likes:
        if like.track_id:
            by_track.setdefault(like.track_id, like)
    return tuple(by_track.values())
