"""The reader against a library that stands in for Spotify: what it finds, in how many pages."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.library.believing import Changes, changes
from sync.library.likes import PAGE_SIZE, Found, Like, LikesPage, ReadPage, Restart
from sync.library.reader import SECOND_LOOKS, Reading, resumable

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def like(track: str, minute: int = 0) -> Like:
    return Like(track, LONG_AGO + timedelta(minutes=minute))


def library_of(size: int) -> list[Like]:
    """That many songs, newest first, each a minute older than the one above."""
    return [like(f"song{number}", number) for number in reversed(range(size))]


def new_likes(count: int) -> list[Like]:
    return [like(f"new{number}", 1_000_000 + number) for number in reversed(range(count))]


def page_of(library: Sequence[Like], offset: int, size: int = PAGE_SIZE) -> LikesPage:
    likes = tuple(library[offset : offset + size])
    return LikesPage(offset, len(library), likes, has_next=offset + len(likes) < len(library))


def found(rows: Sequence[Like], *, complete: bool) -> Found:
    return Found(tuple(rows), complete)


def pages_in(library: Sequence[Like]) -> int:
    return max(1, ceil(len(library) / PAGE_SIZE))


def read(
    reading: Reading, library: list[Like], meanwhile: Callable[[int], None] = lambda _: None
) -> tuple[Found | Restart, list[int]]:
    """Read to the end; ``meanwhile`` may change the library after each page."""
    offsets: list[int] = []
    while isinstance(step := reading.next_step(), ReadPage):
        assert offsets.count(step.offset) < 2, "a page is read a third time"
        reading.feed(page_of(library, step.offset))
        offsets.append(step.offset)
        meanwhile(len(offsets))
    return step, offsets


def without(library: Sequence[Like], *positions: int) -> list[Like]:
    return [entry for position, entry in enumerate(library) if position not in positions]


# What a reading costs, and that it finds the library whatever it costs.

K10 = library_of(10_000)
LIKED_AGAIN = [Like(K10[7_000].track_id, K10[0].added_at + timedelta(days=1))]

COSTS = [
    pytest.param(K10, K10, 1, id="nothing changed"),
    pytest.param(K10, [*new_likes(1), *K10], 1, id="1 new"),
    pytest.param(K10, [*new_likes(49), *K10], 1, id="49 new"),
    pytest.param(K10, [*new_likes(50), *K10], 2, id="50 new"),
    pytest.param(K10, [*new_likes(120), *K10], 3, id="120 new"),
    pytest.param(K10, [*LIKED_AGAIN, *without(K10, 7_000)], 1, id="an old one liked again"),
    pytest.param(
        K10, [*new_likes(2), *LIKED_AGAIN, *without(K10, 7_000)], 1, id="2 new, 1 liked again"
    ),
    pytest.param(K10, K10[1:], 1, id="the first gone"),
    pytest.param(K10, K10[:-1], 1 + 7, id="the last gone"),
    pytest.param(K10, K10[:-5_000], 1 + 6, id="the older half gone"),
    pytest.param(K10, [like("", 2_000_000), *K10], 1, id="an entry without a track at the top"),
    pytest.param([], [], 1, id="empty"),
    pytest.param([], library_of(50), 1, id="first copy of 50"),
    pytest.param([], library_of(51), 2, id="first copy of 51"),
    pytest.param([], K10, 200, id="first copy of 10,000"),
    pytest.param(library_of(50), [], 1, id="all gone"),
    pytest.param(library_of(120), new_likes(120), 3, id="all replaced"),
]


@pytest.mark.parametrize(("known", "library", "cost"), COSTS)
def test_a_reading_costs_exactly_so_many_pages(
    known: list[Like], library: list[Like], cost: int
) -> None:
    step, offsets = read(Reading(known), library)

    assert isinstance(step, Found)
    assert step.likes == tuple(entry for entry in library if entry.track_id)
    assert step.complete == (cost == pages_in(library))
    assert len(offsets) == cost


@pytest.mark.parametrize("new", [0, 3])
@pytest.mark.parametrize("size", [1_250, 10_000])
def test_one_song_gone_anywhere_is_found_by_bisection(size: int, new: int) -> None:
    known = library_of(size)
    pages = ceil((size - 1 + new) / PAGE_SIZE)
    bound = 1 + (pages - 1).bit_length()

    costs = []
    for position in {0, 1, 46, 49, 50, 99, size // 2, size - 1, *range(7, size, size // 25)}:
        library = [*new_likes(new), *without(known, position)]
        step, offsets = read(Reading(known), library)
        assert step == found(tuple(library), complete=False)
        costs.append(len(offsets))

    assert max(costs) == bound == (9 if size == 10_000 else 6)


@pytest.mark.parametrize("size", [0, 1, 50, 51, 500])
@pytest.mark.parametrize("full", [True, False])
def test_a_full_read_takes_every_page_once_from_the_top_down(size: int, full: bool) -> None:
    library = library_of(size)
    known = library if full else []

    step, offsets = read(Reading(known, full=full), library)

    assert step == found(tuple(library), complete=True)
    assert offsets == list(range(0, max(1, size), PAGE_SIZE))


K500 = library_of(500)

ODD_LIBRARIES = [
    pytest.param(
        [*K500[:30], like("old", 3), *K500[30:]], id="an old-dated like on the first page"
    ),
    pytest.param([*K500[:30], like("old", 3), *K500[31:]], id="… that balances an unlike"),
    pytest.param([*K500[:20], K500[21], K500[20], *K500[22:]], id="another order of equal dates"),
    pytest.param([*K500[:49], K500[50], K500[49], *K500[51:]], id="… across two pages"),
    pytest.param([*K500[:10], K500[9], *K500[11:]], id="an entry repeated on its page"),
    pytest.param([*K500[:300], like("old", 3), *K500[300:]], id="an old-dated like further down"),
    pytest.param([*K500[:9], Like(K500[9].track_id, LONG_AGO), *K500[10:]], id="another date"),
    pytest.param([*K500[:9], like("", 9), *K500[9:]], id="an entry without a track"),
    pytest.param([*K500[:9], *[like("", 9)] * 80, *K500[9:]], id="many entries without a track"),
    pytest.param([like("song5", 9_999), *K500], id="a track liked twice"),
]


@pytest.mark.parametrize("library", ODD_LIBRARIES)
def test_what_does_not_fit_the_first_page_ends_in_a_full_read(library: list[Like]) -> None:
    step, offsets = read(Reading(K500), library)

    assert isinstance(step, Found)
    assert step.complete
    assert len(offsets) == pages_in(library)
    tracks = list(dict.fromkeys(entry.track_id for entry in library if entry.track_id))
    assert [entry.track_id for entry in step.likes] == tracks


def test_a_page_found_by_bisection_that_does_not_fit_is_used_by_the_full_read() -> None:
    library = [*K500[:240], like("old", 3), *K500[243:]]

    step, offsets = read(Reading(K500), library)

    assert step == found(tuple(library), complete=True)
    assert offsets[:2] == [0, 250]
    assert sorted(offsets) == list(range(0, 500, PAGE_SIZE))


def test_a_track_liked_twice_keeps_its_newer_date() -> None:
    library = [like("song5", 9_999), *K500]

    step, _ = read(Reading([]), library)

    assert isinstance(step, Found)
    assert step.likes[0] == like("song5", 9_999)
    assert len(step.likes) == 500


# Pages that are not as they should be.


class Odd:
    """A library whose pages ``spoil`` changes, by their offset and how often they were read."""

    def __init__(
        self, library: Sequence[Like], spoil: Callable[[LikesPage, int], LikesPage]
    ) -> None:
        self.library = library
        self.reads: list[int] = []
        self._spoil = spoil

    def read(self, known: Sequence[Like] = (), hidden: int = 0) -> Found:
        """What a reading finds that nothing interrupts."""
        self.reads = []
        reading = Reading(known, hidden=hidden)
        while isinstance(step := reading.next_step(), ReadPage):
            page = page_of(self.library, step.offset)
            self.reads.append(step.offset)
            reading.feed(self._spoil(page, self.reads.count(step.offset)))
            assert len(self.reads) < 100
        assert isinstance(step, Found)
        return step


def once(spoil: Callable[[LikesPage], LikesPage]) -> Callable[[LikesPage, int], LikesPage]:
    return lambda page, reads: spoil(page) if reads == 1 else page


def always(spoil: Callable[[LikesPage], LikesPage]) -> Callable[[LikesPage, int], LikesPage]:
    return lambda page, _: spoil(page)


def first_page(spoil: Callable[[LikesPage], LikesPage]) -> Callable[[LikesPage], LikesPage]:
    return lambda page: page if page.offset else spoil(page)


def shorter(rows: int) -> Callable[[LikesPage], LikesPage]:
    return lambda page: replace(
        page, likes=page.likes[:rows], has_next=page.has_next or len(page.likes) > rows
    )


def with_total(total: int | None) -> Callable[[LikesPage], LikesPage]:
    return lambda page: replace(page, total=total)


def empty_at(offset: int) -> Callable[[LikesPage], LikesPage]:
    return lambda page: replace(page, likes=()) if page.offset == offset else page


K130 = K500[:130]
K200 = K500[:200]

SPOILT = [
    pytest.param(K130, always(shorter(20)), 0, 0, id="20 rows a page"),
    pytest.param(K130, always(shorter(30)), 0, 0, id="30 rows a page"),
    pytest.param(K130, always(with_total(90)), 2, -40, id="a total that is too low"),
    pytest.param(K200, always(with_total(260)), 1, 60, id="a total that is too high"),
    pytest.param(K200, once(first_page(with_total(260))), 2, 0, id="a total that is too high once"),
    pytest.param(K130, always(with_total(None)), 2, 0, id="no total"),
    pytest.param(K130, once(with_total(None)), 2, 0, id="no total at first"),
    pytest.param(K200, once(empty_at(100)), 1, 0, id="an empty page"),
    pytest.param(K200, once(empty_at(0)), 1, 0, id="an empty first page"),
    pytest.param(
        K200,
        once(first_page(lambda page: replace(page, likes=page.likes[:9], has_next=False))),
        1,
        0,
        id="an early end",
    ),
]


@pytest.mark.parametrize(("library", "spoil", "extra", "hidden"), SPOILT)
def test_an_odd_page_costs_two_calls_at_most_and_hides_no_song(
    library: list[Like], spoil: Callable[[LikesPage, int], LikesPage], extra: int, hidden: int
) -> None:
    odd = Odd(library, spoil)

    step = odd.read()

    assert (step.rows, step.complete, step.hidden) == (tuple(library), True, hidden)
    size = min(PAGE_SIZE, len(spoil(page_of(library, 0), 2).likes))
    assert len(odd.reads) <= ceil(len(library) / size) + extra


@pytest.mark.parametrize(("library", "spoil", "extra", "hidden"), SPOILT)
def test_a_contradiction_that_lasts_costs_nothing_later(
    library: list[Like], spoil: Callable[[LikesPage, int], LikesPage], extra: int, hidden: int
) -> None:
    odd = Odd(library, lambda page, _: spoil(page, 2))  # what lasts

    step = odd.read(library, hidden)

    assert step.rows == tuple(library)
    assert odd.reads == ([0] if spoil(page_of(library, 0), 2).total is not None else [0, 0])


def test_rows_that_a_page_never_shows_hold_their_places() -> None:
    odd = Odd(K200, always(empty_at(100)))

    step = odd.read()

    assert odd.reads == [0, 50, 100, 100, 150]
    assert step.rows == (*K200[:100], *[Like("", None)] * 50, *K200[150:])
    assert step.hidden == 0
    assert step.contradicted
    assert odd.read(step.rows) == replace(step, complete=False, contradicted=False)
    assert odd.reads == [0]


def test_a_page_that_is_shown_again_and_again_is_the_last() -> None:
    odd = Odd(K200, lambda page, _: page_of(K200, 0) if page.offset else page)

    reading = Reading([], lenient=True)
    for offset in (0, 50):
        assert reading.next_step() == ReadPage(offset)
        reading.feed(replace(page_of(K200, 0), offset=offset))

    assert odd.library == K200
    step = reading.next_step()
    assert isinstance(step, Found)
    assert (step.rows, step.hidden, step.settled) == (tuple(K200[:50]), 150, False)


UNREADABLE = Like("", None)
NAMED = Like("", LONG_AGO, "Withdrawn")

WITH_HOLES = [
    pytest.param([UNREADABLE, *K500], id="at the top"),
    pytest.param([*K500[:20], UNREADABLE, *K500[20:]], id="on the first page"),
    pytest.param([*K500[:49], UNREADABLE, *K500[49:]], id="at the end of a page"),
    pytest.param([*K500[:50], UNREADABLE, *K500[50:]], id="at the head of a page"),
    pytest.param([*K500[:49], UNREADABLE, NAMED, NAMED, *K500[49:]], id="across two pages"),
    pytest.param([*K500[:77], *[NAMED] * 60, *K500[77:]], id="more than a page"),
    pytest.param([*K500, UNREADABLE], id="at the end"),
]


@pytest.mark.parametrize("library", WITH_HOLES)
def test_rows_that_cannot_be_read_cost_nothing_later(library: list[Like]) -> None:
    step, _ = read(Reading([]), library)
    assert step == found(library, complete=True)

    assert read(Reading(library), library) == (found(library, complete=False), [0])
    fresh = [*new_likes(3), *library]
    assert read(Reading(library), fresh) == (found(fresh, complete=False), [0])
    gone = [row for row in library if row.track_id != "song3"]
    step, offsets = read(Reading(library), gone)
    assert step == found(gone, complete=False)
    assert len(offsets) <= 1 + 4


# Likes of one date have no order that lasts.


def one_second(size: int) -> list[Like]:
    return [Like(f"album{number}", LONG_AGO) for number in range(size)]


@pytest.mark.parametrize("size", [2, 12, 49, 60, 130])
@pytest.mark.parametrize("above", [0, 45, 120])
@given(data=st.data())
def test_likes_of_one_date_in_another_order_are_the_same(
    size: int, above: int, data: st.DataObject
) -> None:
    run = one_second(size)
    top = [like(f"song{number}", 10_000 - number) for number in range(above)]
    low = [like(f"low{number}", -1 - number) for number in range(40)]
    known = [*top, *run, *low]
    shuffled = [*top, *data.draw(st.permutations(run)), *low]

    step, offsets = read(Reading(known), shuffled)

    assert isinstance(step, Found)
    assert set(step.likes) == set(known)
    assert len(offsets) == 1


def test_one_of_many_likes_of_one_date_that_is_gone_is_found() -> None:
    known = [*library_of(300), *one_second(15), *(like(f"low{n}", -1 - n) for n in range(300))]
    for place in range(298, 318):
        library = without(known, place)
        step, offsets = read(Reading(known), library)
        assert isinstance(step, Found)
        assert step.likes == tuple(library)
        assert len(offsets) <= 1 + 4 + 2


def test_a_first_copy_of_one_date_in_another_order_at_each_page_is_unsettled() -> None:
    run = one_second(130)
    dice = Random(1)

    reading = Reading([])
    while isinstance(step := reading.next_step(), ReadPage):
        reading.feed(page_of(dice.sample(run, 130), step.offset))

    assert isinstance(step, Found)
    assert step.complete
    assert not step.settled
    assert step.hidden == 130 - len(step.likes) > 0


# A library that changes meanwhile.


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("change", [1, -1])
def test_a_total_that_moves_asks_to_restart(full: bool, change: int) -> None:
    library = library_of(500)
    known = without(library, 250) if full else [*library[:250], like("gone", 3), *library[250:]]

    def meanwhile(reads: int) -> None:
        if reads == 2:
            library[:] = [*new_likes(1), *library] if change > 0 else library[1:]

    step, offsets = read(Reading(known, full=full), library, meanwhile)

    assert isinstance(step, Restart)
    assert len(offsets) == 4


def test_a_song_seen_on_two_pages_asks_to_restart() -> None:
    library = library_of(500)

    def meanwhile(reads: int) -> None:
        if reads == 1:  # the total stays the same
            library[:] = [*new_likes(1), *library[:-1]]

    step, offsets = read(Reading([]), library, meanwhile)

    assert isinstance(step, Restart)
    assert offsets == [0, 50]


@pytest.mark.parametrize("order", [1, -1])
def test_stored_pages_are_not_read_again(order: int) -> None:
    known = library_of(10_000)
    library = without(known, 4_321)
    interrupted = Reading(known)
    _, offsets = read(interrupted, library)
    stored = [page_of(library, offset) for offset in offsets[:5]][::order]

    resumed = Reading(known)
    for page in stored:
        resumed.feed(page)
    step, rest = read(resumed, library)

    assert step == found(tuple(library), complete=False)
    assert rest == offsets[5:]


@pytest.mark.parametrize(
    ("fresh", "expected"),
    [
        pytest.param(page_of(K500, 0), True, id="the same"),
        pytest.param(page_of(K500[:-1], 0), False, id="another total"),
        pytest.param(page_of([*new_likes(1), *K500[:-1]], 0), False, id="another first entry"),
        pytest.param(page_of([*K500[:9], *K500[10:], K500[9]], 0), False, id="another entry"),
    ],
)
def test_reading_resumes_only_where_the_first_page_is_the_same(
    fresh: LikesPage, expected: bool
) -> None:
    stored = [page_of(K500, offset) for offset in (0, 250, 100)]

    assert resumable(stored, fresh) is expected


def test_reading_does_not_resume_without_a_stored_first_page_or_on_mixed_totals() -> None:
    fresh = page_of(K500, 0)

    assert not resumable([], fresh)
    assert not resumable([page_of(K500, 50)], fresh)
    assert not resumable([fresh, page_of(K500[1:], 50)], fresh)


def test_changes_name_what_is_new_gone_and_liked_again() -> None:
    known = [like("a", 4), like("b", 3), like("c", 2), like("d", 1)]
    likes = (like("c", 9), like("n", 8), like("a", 4), like("d", 1))

    assert changes(known, likes) == Changes(
        new=(like("n", 8),), gone=(like("b", 3),), reliked=(like("c", 9),)
    )


# Properties.

sizes = st.integers(0, 700)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Like], list[Like]]:
    """A library, several songs a minute, and the same after unlikes, new likes and re-likes."""
    size = draw(sizes)
    a_minute = draw(st.sampled_from([1, 3, 60]))
    known = [like(f"song{number}", -number // a_minute) for number in range(size)]
    positions = st.integers(0, max(0, size - 1))
    gone = draw(st.sets(positions, max_size=12))
    for start, length in draw(st.lists(st.tuples(positions, st.integers(1, 200)), max_size=2)):
        gone |= set(range(start, start + length))
    again = draw(st.sets(positions, max_size=3)) if size else set()
    top = [like(f"song{position}", 10_000 + position) for position in again]
    top += [like(f"new{number}", 20_000 + number) for number in range(draw(st.integers(0, 120)))]
    top.sort(key=lambda entry: entry.added_at, reverse=True)
    return known, [*top, *without(known, *gone, *again)]


@given(histories())
def test_likes_and_unlikes_are_found_without_reading_more_than_all(
    history: tuple[list[Like], list[Like]],
) -> None:
    known, library = history

    step, offsets = read(Reading(known), library)

    assert isinstance(step, Found)
    assert step.likes == tuple(library)
    assert len(offsets) <= pages_in(library)
    assert step.complete == (len(offsets) == pages_in(library))


@given(histories(), st.lists(st.tuples(sizes, st.sampled_from(["old like", "hole", "swap"]))))
def test_any_library_is_read_to_an_end_and_exactly_when_every_page_was(
    history: tuple[list[Like], list[Like]], oddities: list[tuple[int, str]]
) -> None:
    known, library = history
    for number, (position, oddity) in enumerate(oddities):
        if oddity == "swap":
            library[position : position + 2] = library[position : position + 2][::-1]
        else:
            library.insert(position, like("" if oddity == "hole" else f"old{number}", -position))

    step, offsets = read(Reading(known), library)

    assert isinstance(step, Found)
    assert len(offsets) <= pages_in(library)
    if step.complete:
        assert step.likes == tuple(entry for entry in library if entry.track_id)
    else:
        seen = {entry for offset in offsets for entry in page_of(library, offset).likes}
        assert {entry for entry in seen if entry.track_id} <= set(step.likes)
        assert read(Reading(known, full=True), library)[0].complete


@given(histories(), st.data())
def test_a_library_that_changes_meanwhile_ends_the_reading_within_its_bounds(
    history: tuple[list[Like], list[Like]], data: st.DataObject
) -> None:
    known, library = history
    full = data.draw(st.booleans())
    before = pages_in(library)

    def meanwhile(reads: int) -> None:
        change = data.draw(st.sampled_from(["nothing", "nothing", "like", "unlike", "both"]))
        if change in {"unlike", "both"} and library:
            del library[data.draw(st.integers(0, len(library) - 1))]
        if change in {"like", "both"}:
            library.insert(0, like(f"meanwhile{reads}", 30_000 + reads))

    step, offsets = read(Reading(known, full=full), library, meanwhile)

    assert len(offsets) <= before + SECOND_LOOKS
    if isinstance(step, Found):
        tracks = [entry.track_id for entry in step.likes]
        assert len(tracks) == len(set(tracks))
