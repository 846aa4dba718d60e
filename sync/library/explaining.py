"""Reconstructs a library from a few pages and the known likes; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from sync.library.likes import PAGE_SIZE, Like, LikesPage, ReadPage


class Explanation:
    """``known`` are the rows of the last reading, with unreadable rows in their positions.

    Below the top nothing is new, so the known likes there can only have grown fewer. Between two
    pages they are numbered by place and by position: as many places as positions means that all
    are still there, no position that all have left, and anything else that a page in between must
    be read. Rows that cannot be read have no name to know them by, and are counted.
    """

    def __init__(self, known: Sequence[Like]) -> None:
        self._known = known
        self._top: list[Like] = []  # the rows above the first known like
        self._rest: Sequence[Like] | None = None  # the known likes below it, once found
        self._places = _places(known)
        self._runs: dict[object, list[int]] = {}  # the positions of each date

    def meet(self, rows: Sequence[Like]) -> Sequence[Like] | None:
        """The known likes below the top of ``rows``, which begin with the newest; None before."""
        if self._rest is None:
            for at in range(len(self._top), len(rows)):
                if rows[at] in self._places:
                    self._begin(rows[:at])
                    break
            else:
                self._top = list(rows)
        return self._rest

    def _begin(self, top: Sequence[Like]) -> None:
        self._top = list(top)
        # A known track at the top was liked again: its old position is empty.
        moved = {like.track_id for like in top if like.track_id}
        self._rest = [like for like in self._known if like.track_id not in moved]
        self._places = _places(self._rest)
        for place, like in enumerate(self._rest):
            if like.track_id:
                self._runs.setdefault(like.added_at, []).append(place)

    def explain(
        self, pages: Mapping[int, LikesPage], end: int | None
    ) -> ReadPage | tuple[Like, ...] | None:
        """All ``end`` rows, or the page that must be read; None if the pages contradict ``known``.

        If Spotify gives no total, the number of known likes counts.
        """
        if end is None:
            end = len(self._top) + len(self._rest or ())
        step = self._compare(pages, end)
        if isinstance(step, tuple):
            step = self._proven(step, pages)
        return step if step is not None else self._compare_unordered(pages, end)

    def _compare(
        self, pages: Mapping[int, LikesPage], end: int
    ) -> ReadPage | tuple[Like, ...] | None:
        rest = self._rest or ()
        rows = list(self._top)
        position, place = len(rows), 0
        for offset in [*sorted(pages), None]:
            page: Sequence[Like] = ()
            start = end
            if offset is None:
                first = last = len(rest)
            else:
                page = pages[offset].likes[max(0, position - offset) :]
                if not page and pages[offset].likes:
                    continue  # all rows are explained
                if (span := self._span(page, place)) is None:
                    return None
                first, last = span
                start = max(offset, position)
            positions, places = start - position, first - place
            if positions < 0 or places < positions:
                return None
            if places == positions:
                rows += rest[place:first]
            elif positions:
                return ReadPage(_between(position, start))
            rows += page
            position, place = start + len(page), last + 1
        return tuple(rows)

    def _span(self, page: Sequence[Like], place: int) -> tuple[int, int] | None:
        """The positions of a page's first and last row; None unless all are known and in order."""
        rest = self._rest or ()
        known = [(at, self._places.get(like, -1)) for at, like in enumerate(page) if like.track_id]
        if not known:
            below = rest[place : place + len(page)]
            is_known = page and len(below) == len(page) and not any(one.track_id for one in below)
            return (place, place + len(page) - 1) if is_known else None
        if known[0][1] < 0:
            return None
        for (at, a), (later, b) in pairwise(known):
            if b <= a or later - at - 1 > b - a - 1:
                return None
            if later - at > 1 and later - at - 1 > sum(not one.track_id for one in rest[a:b]):
                return None
        (lead, first), (tail, last) = known[0], known[-1]
        while lead and first and not rest[first - 1].track_id:
            first, lead = first - 1, lead - 1
        while tail < len(page) - 1 and last + 1 < len(rest) and not rest[last + 1].track_id:
            last, tail = last + 1, tail + 1
        return None if lead or tail < len(page) - 1 else (first, last)

    # --- Likes of one date --------------------------------------------------------------------

    def _proven(
        self, rows: tuple[Like, ...], pages: Mapping[int, LikesPage]
    ) -> ReadPage | tuple[Like, ...] | None:
        """``rows``, unless one of the missing likes may be on an unread page.

        Likes of one date have no stable order: one that is missing from a page that ends among them
        may be on the next page.
        """
        left = set(rows)
        dates = {like.added_at for like in self._rest or () if like.track_id and like not in left}
        doubtful = {date for date in dates if len(self._runs[date]) > 1}
        if not doubtful:
            return rows
        seen: set[Like] = set()
        for page in pages.values():
            here = {like for like in page.likes if like.track_id and like.added_at in doubtful}
            if here & seen and not _overlaps(pages, page):
                return None
            seen |= here
            if not page.likes:
                continue
            goes_on = page.has_next and not _covers(pages, page.end)
            if goes_on and page.likes[-1].added_at in doubtful:
                return ReadPage(page.end)
            begins_above = page.offset and not _covers(pages, page.offset - 1)
            if begins_above and page.likes[0].added_at in doubtful:
                return ReadPage(max(0, page.offset - PAGE_SIZE))
        return rows

    def _compare_unordered(
        self, pages: Mapping[int, LikesPage], end: int
    ) -> ReadPage | tuple[Like, ...] | None:
        """The pages with likes of one date in the known order."""
        ordered = {}
        dates: set[object] = set()
        for offset, page in pages.items():
            likes = self._in_known_order(page, dates)
            if likes is None:
                return None
            ordered[offset] = replace(page, likes=tuple(likes))
        step = self._compare(ordered, end)
        if not isinstance(step, tuple):
            return step
        found = set(step)
        seen = {like for page in pages.values() for like in page.likes if like.track_id}
        mixed = {like for like in self._rest or () if like.track_id and like.added_at in dates}
        return step if seen <= found and mixed <= found else None

    def _in_known_order(self, page: LikesPage, dates: set[object]) -> list[Like] | None:
        """The rows of a page, those of one date in the known order; adds to ``dates``."""
        rest = self._rest or ()
        likes: list[Like] = []
        for date, group in groupby(
            page.likes, key=lambda like: (like.track_id != "", like.added_at)
        ):
            rows = list(group)
            run = self._runs.get(date[1], []) if date[0] else []
            places = sorted(self._places.get(like, -1) for like in rows)
            if len(run) < 2 or places[0] < 0:
                likes += rows
                continue
            begins_above = page.offset > len(self._top) and not likes
            goes_on = page.has_next and len(likes) + len(rows) == len(page.likes)
            if len(rows) == len(run):
                chosen = run
            elif not begins_above and not goes_on:
                chosen = places
            elif begins_above and goes_on:
                return None
            else:
                chosen = run[-len(rows) :] if begins_above else run[: len(rows)]
            dates.add(date[1])
            likes += [rest[place] for place in chosen]
        return likes


def _places(likes: Sequence[Like]) -> dict[Like, int]:
    return {like: place for place, like in enumerate(likes) if like.track_id}


def _between(position: int, start: int) -> int:
    """The offset of a page in the middle of the unread positions, preferably a multiple of 50."""
    middle = (position + start + PAGE_SIZE - 1) // PAGE_SIZE // 2 * PAGE_SIZE
    return middle if position <= middle < start else position


def _covers(pages: Mapping[int, LikesPage], position: int) -> bool:
    return any(page.offset <= position < page.end for page in pages.values())


def _overlaps(pages: Mapping[int, LikesPage], page: LikesPage) -> bool:
    """Whether this page overlaps another page that was read."""
    return any(
        one.offset < page.end and page.offset < one.end
        for one in pages.values()
        if one.offset != page.offset
    )
