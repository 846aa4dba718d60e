"""The reader against a library that stands in for Spotify: what it finds, in how many pages."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.library.reader import (
    PAGE_SIZE,
    Changes,
    Library,
    Like,
    Page,
    Reading,
    ReadPage,
    Restart,
    changes,
    resumable,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def like(track: str, minute: int = 0) -> Like:
    return Like(track, LONG_AGO + timedelta(minutes=minute))


def library_of(size: int) -> list[Like]:
    """That many songs, newest first, each a minute older than the one above."""
    return [like(f"song{number}", number) for number in reversed(range(size))]


def new_likes(count: int) -> list[Like]:
    return [like(f"new{number}", 1_000_000 + number) for number in reversed(range(count))]


def page_of(library: Sequence[Like], offset: int) -> Page:
    return Page(offset, len(library), tuple(library[offset : offset + PAGE_SIZE]))


def pages_in(library: Sequence[Like]) -> int:
    return max(1, ceil(len(library) / PAGE_SIZE))


def read(
    reading: Reading, library: list[Like], meanwhile: Callable[[int], None] = lambda _: None
) -> tuple[Library | Restart, list[int]]:
    """Read to the end; ``meanwhile`` may change the library after each page."""
    offsets: list[int] = []
    while isinstance(step := reading.next_step(), ReadPage):
        assert step.offset not in offsets, "a page is read twice"
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
    found, offsets = read(Reading(known), library)

    assert isinstance(found, Library)
    assert found.likes == tuple(entry for entry in library if entry.track_id)
    assert found.complete == (cost == pages_in(library))
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
        found, offsets = read(Reading(known), library)
        assert found == Library(tuple(library), complete=False)
        costs.append(len(offsets))

    assert max(costs) == bound == (9 if size == 10_000 else 6)


@pytest.mark.parametrize("size", [0, 1, 50, 51, 500])
@pytest.mark.parametrize("full", [True, False])
def test_a_full_read_takes_every_page_once_from_the_top_down(size: int, full: bool) -> None:
    library = library_of(size)
    known = library if full else []

    found, offsets = read(Reading(known, full=full), library)

    assert found == Library(tuple(library), complete=True)
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
    found, offsets = read(Reading(K500), library)

    assert isinstance(found, Library)
    assert found.complete
    assert len(offsets) == pages_in(library)
    tracks = list(dict.fromkeys(entry.track_id for entry in library if entry.track_id))
    assert [entry.track_id for entry in found.likes] == tracks


def test_a_page_found_by_bisection_that_does_not_fit_is_used_by_the_full_read() -> None:
    library = [*K500[:240], like("old", 3), *K500[243:]]

    found, offsets = read(Reading(K500), library)

    assert found == Library(tuple(library), complete=True)
    assert offsets[:2] == [0, 250]
    assert sorted(offsets) == list(range(0, 500, PAGE_SIZE))


def test_a_track_liked_twice_keeps_its_newer_date() -> None:
    library = [like("song5", 9_999), *K500]

    found, _ = read(Reading([]), library)

    assert isinstance(found, Library)
    assert found.likes[0] == like("song5", 9_999)
    assert len(found.likes) == 500


def test_a_page_shorter_than_promised_is_taken_as_it_is() -> None:
    reading = Reading(K500[:100])

    reading.feed(Page(0, 100, tuple(K500[:47])))
    assert reading.next_step() == ReadPage(50)
    reading.feed(Page(50, 100, tuple(K500[50:100])))

    assert reading.next_step() == Library((*K500[:47], *K500[50:100]), complete=True)


def test_an_empty_page_where_songs_are_promised_asks_to_restart() -> None:
    reading = Reading([])
    reading.feed(page_of(K500, 0))

    reading.feed(Page(50, 500, ()))

    assert isinstance(reading.next_step(), Restart)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("change", [1, -1])
def test_a_total_that_moves_asks_to_restart(full: bool, change: int) -> None:
    library = library_of(500)
    known = without(library, 250) if full else [*library[:250], like("gone", 3), *library[250:]]

    def meanwhile(reads: int) -> None:
        if reads == 2:
            library[:] = [*new_likes(1), *library] if change > 0 else library[1:]

    found, offsets = read(Reading(known, full=full), library, meanwhile)

    assert isinstance(found, Restart)
    assert len(offsets) == 3


def test_a_song_seen_on_two_pages_asks_to_restart() -> None:
    library = library_of(500)

    def meanwhile(reads: int) -> None:
        if reads == 1:  # the total stays the same
            library[:] = [*new_likes(1), *library[:-1]]

    found, offsets = read(Reading([]), library, meanwhile)

    assert isinstance(found, Restart)
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
    found, rest = read(resumed, library)

    assert found == Library(tuple(library), complete=False)
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
def test_reading_resumes_only_where_the_first_page_is_the_same(fresh: Page, expected: bool) -> None:
    stored = [page_of(K500, offset) for offset in (0, 250, 100)]

    assert resumable(stored, fresh) is expected


def test_reading_does_not_resume_without_a_stored_first_page_or_on_mixed_totals() -> None:
    fresh = page_of(K500, 0)

    assert not resumable([], fresh)
    assert not resumable([page_of(K500, 50)], fresh)
    assert not resumable([fresh, page_of(K500[1:], 50)], fresh)


def test_changes_name_what_is_new_gone_and_liked_again() -> None:
    known = [like("a", 4), like("b", 3), like("c", 2), like("d", 1)]
    library = Library((like("c", 9), like("n", 8), like("a", 4), like("d", 1)), complete=False)

    assert changes(known, library) == Changes(
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

    found, offsets = read(Reading(known), library)

    assert isinstance(found, Library)
    assert found.likes == tuple(library)
    assert len(offsets) <= pages_in(library)
    assert found.complete == (len(offsets) == pages_in(library))


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

    found, offsets = read(Reading(known), library)

    assert isinstance(found, Library)
    assert len(offsets) <= pages_in(library)
    if found.complete:
        assert found.likes == tuple(entry for entry in library if entry.track_id)
    else:
        seen = {entry for offset in offsets for entry in page_of(library, offset).likes}
        assert {entry for entry in seen if entry.track_id} <= set(found.likes)
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

    found, offsets = read(Reading(known, full=full), library, meanwhile)

    assert len(offsets) <= before
    if isinstance(found, Library):
        tracks = [entry.track_id for entry in found.likes]
        assert len(tracks) == len(set(tracks))
