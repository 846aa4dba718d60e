"""Decides which pages of a listener's saved tracks must be read; pure.

Saved tracks come newest first, so the first page begins with all new likes since the last read,
and its ``total`` gives the number of removed ones. If there are some, a page further down shows how
many are missing above it: a bisection finds them (``sync/library/explaining.py``). Pages that
contradict the known likes cause a full read.

What a page shows counts, not what was asked for: the next page begins after the rows received, the
end is where Spotify says that there is no more, and ``total`` is a hint. A page that contradicts
itself, or the pages before it, is read once more and then believed in what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.library.explaining import Explanation
from sync.library.likes import PAGE_SIZE, Found, Like, LikesPage, ReadPage, Restart

#: The number of contradicting pages of one reading that are read again.
SECOND_LOOKS = 2


class Reading:
    """One reading of a library: get the next step, feed its page, and repeat.

    ``known`` is what the last reading found, with the rows that it could not read in their places,
    and ``hidden`` what it said besides. With ``full`` every page is read. With
    ``lenient``, contradicting pages are believed in the rows that they show. Stored pages of an
    interrupted reading can be fed first, in any order.
    """

    def __init__(
        self,
        known: Sequence[Like],
        *,
        hidden: int = 0,
        full: bool = False,
        lenient: bool = False,
    ) -> None:
        self._known = known
        self._hidden = hidden
        self._lenient = lenient
        self._total: int | None = None
        self._seen_again: set[int] = set()
        self._again: int | None = None
        self._contradiction: str | None = None
        self._contradicted = False
        self._begin_walk()
        # None once the pages contradict the known likes:
        self._explanation = None if full or not known else Explanation(known)

    def feed(self, page: LikesPage) -> None:
        """Store a page with any content; the next step depends on it."""
        if self._total is None or not self._pages:
            self._total = page.total
        self._again = None
        if self._is_odd(page):
            if self._may_look_again(page.offset):
                self._look_again(page.offset)
                return
            self._contradicted = True
            if page.offset:
                self._explanation = None
        if not self._lenient and page.total not in {None, self._total}:
            if set(self._pages) != {0} or not self._may_look_again(0):
                self._contradiction = f"the total went from {self._total} to {page.total}"
                return
            # The first page may be the wrong one: start with this page instead.
            self._begin_walk()
            self._total = page.total
            self._look_again(0)
        self._pages[page.offset] = page
        self._walk()

    def next_step(self) -> ReadPage | Restart | Found:
        """The page to read next, or the result of the reading."""
        if self._contradiction is not None:
            return Restart(self._contradiction)
        if self._again is not None:
            return ReadPage(self._again)
        if self._ended:
            hidden = 0 if self._total is None else self._total - len(self._rows)
            is_odd = self._contradicted or hidden != self._hidden
            return Found(tuple(self._rows), True, hidden, self._settled, is_odd)
        if self._explanation is not None and self._pages:
            step = self._explain()
            if step is not None:
                return step
            self._explanation = None
        return ReadPage(self._at)

    def _explain(self) -> ReadPage | Found | None:
        if self._explanation is None:
            return None
        if self._explanation.meet(self._rows) is None:
            return ReadPage(self._at)
        end = None if self._total is None else self._total - self._hidden
        step = self._explanation.explain(self._pages, end)
        if step is None or isinstance(step, ReadPage):
            return step
        return Found(step, False, self._hidden)

    def _is_odd(self, page: LikesPage) -> bool:
        """Whether a page contradicts itself or the first one."""
        if page.total is None or page.total != self._total:
            return True
        ends = {page.total, page.total - self._hidden}
        if page.has_next:
            return not page.likes or all(page.end >= end for end in ends)
        return page.end not in ends

    def _may_look_again(self, offset: int) -> bool:
        return offset not in self._seen_again and len(self._seen_again) < SECOND_LOOKS

    def _look_again(self, offset: int) -> None:
        self._seen_again.add(offset)
        self._again = offset

    # --- The walk -----------------------------------------------------------------------------

    def _begin_walk(self) -> None:
        """The rows of the known pages from the top to the first missing page."""
        self._pages: dict[int, LikesPage] = {}
        self._rows: list[Like] = []
        self._walked: set[Like] = set()
        self._at = 0
        self._last: LikesPage | None = None
        self._ended = False
        self._settled = True

    def _walk(self) -> None:
        while not self._ended and (page := self._pages.get(self._at)) is not None:
            self._take(page)
            self._at = page.end if page.likes else page.offset + PAGE_SIZE
            self._last = page

    def _take(self, page: LikesPage) -> None:
        repeated = [like for like in page.likes if like.track_id and like in self._walked]
        if repeated and not self._is_explicable(page, repeated):
            self._contradiction = f"the page at {page.offset} repeats a saved track"
        fresh = [like for like in page.likes if not like.track_id or like not in self._walked]
        self._rows += fresh
        self._walked.update(like for like in fresh if like.track_id)
        if page.likes:
            is_stuck = not fresh  # Spotify repeats the same page
        else:
            # A page without rows, but with later pages: its rows keep their positions.
            left = (page.total or 0) - page.offset
            is_stuck = left <= 0
            if page.has_next and not is_stuck:
                self._rows += [Like("", None)] * min(PAGE_SIZE, left)
        self._ended = not page.has_next or is_stuck

    def _is_explicable(self, page: LikesPage, repeated: Sequence[Like]) -> bool:
        """Whether a page may repeat these rows although nothing changed while it was read.

        A page that was too short may lack rows. Likes of one date have no stable order, so a
        page can repeat some of them and lack others.
        """
        if self._lenient:
            self._settled = False
            return True
        above = self._last
        if above is None or not above.likes:
            return False
        date = above.likes[-1].added_at
        is_run = len({like for like in (*above.likes, *page.likes) if like.added_at == date}) > 1
        if is_run and all(like.added_at == date for like in repeated):
            self._settled = False
            return True
        return len(above.likes) < PAGE_SIZE


def resumable(stored: Sequence[LikesPage], fresh: LikesPage) -> bool:
    """Whether the reading can continue with stored pages, judged by a fresh first page.

    The fresh page replaces the stored one.
    """
    return fresh in stored and all(page.total == fresh.total for page in stored)
