"""Reads a listener's Liked Songs from Spotify with few calls, and stores them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.library.believing import (
    Believed,
    Memory,
    believe,
    changes,
    must_be_seen_twice,
    recall,
)
from sync.library.likes import Found, Like, ReadPage, Restart
from sync.library.meanwhile import Meanwhile
from sync.library.pages import fetch_page, forget_pages, keep_page, stored_pages
from sync.library.reader import Reading, resumable
from sync.library.store import known_likes, store_likes
from sync.models import Library, Track
from sync.queue.errors import RetryLater, SnoozeUntil
from syncify.text import counted

if TYPE_CHECKING:
    from sync.library.record import Record
    from sync.queue.job import Job

#: The number of restarts of one attempt because the library changed.
RESTARTS = 2
#: After this many failures, contradicting pages are believed in the rows that they show.
LENIENT_AFTER = 2
#: The time between full reads, which find changes that page 0 and ``total`` do not show.
FULL_READ_EVERY = timedelta(days=7)
#: The time between two readings that must agree on a mass removal.
CONFIRM_AFTER = timedelta(minutes=10)
CONFIRM_EMPTY_AFTER = timedelta(hours=1)
#: The number of songs that a sentence names.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of reading the library. ``changed``: likes were added or removed."""

    songs: int
    pages: int
    complete: bool
    changed: bool


def read_library(
    job: Job,
    record: Record,
    library: Library,
    *,
    full: bool,
    since: datetime | None,
    on_page: Callable[[int, int], None],
) -> Outcome:
    """Update the stored likes from Spotify.

    Everything is read if ``full``, and pages from before ``since`` are not used. ``on_page`` hears
    how many pages have been read and how many songs there are. Raises SnoozeUntil when many likes
    seem to be gone, RetryLater when the library goes on changing while it is read, or LeaseLost.
    """
    known = known_likes(job.user)
    memory = recall(known, library.unreadable)
    now = job.now()
    if library.confirm_after is not None and now < library.confirm_after:
        raise _wait(library)
    since = max(filter(None, [since, library.confirm_after]), default=None)
    full = (
        full
        or library.full_read_at is None
        or since is not None
        or now - library.full_read_at >= FULL_READ_EVERY
    )
    found, pages, are_kept = _read(job, known, memory, full=full, since=since, on_page=on_page)
    believed = believe(known, memory, found)
    _guard(job, record, library, known, believed)
    with record.fenced():
        different = store_likes(job, known, believed.likes)
        _remember(job, record, library, memory=memory, believed=believed, found=found)
        if are_kept:
            forget_pages(job.request.user_id)
    changed = bool(different.new or different.gone or different.reliked)
    return Outcome(len(believed.likes), pages, found.complete, changed)


# --- Reading ----------------------------------------------------------------------------------


def _read(
    job: Job,
    known: Sequence[Like],
    memory: Memory,
    *,
    full: bool,
    since: datetime | None,
    on_page: Callable[[int, int], None],
) -> tuple[Found, int, bool]:
    """The reading, its number of pages, and whether pages are stored.

    The pages of an interrupted read are used again if the newest page has not changed.
    """
    user = job.request.user_id
    dates = {like.track_id: like.added_at for like in known if like.added_at}
    is_patient = job.request.failures >= LENIENT_AFTER
    with Meanwhile() as meanwhile:
        for restart in range(RESTARTS + 1):
            lenient = is_patient and restart == RESTARTS
            reading = Reading(memory.rows, hidden=memory.hidden, full=full, lenient=lenient)
            first = fetch_page(job, 0, dates, keep=False)
            stored = stored_pages(user, since=since)
            pages = [first]
            if resumable(stored, first):
                pages += [page for page in stored if page.offset != 0]
            elif stored:
                forget_pages(user)
            for page in pages:
                reading.feed(page)
            count = len(pages)
            on_page(count, _expected(first.total, first.end, known))
            is_kept = bool(stored)
            while isinstance(step := reading.next_step(), ReadPage):
                if not is_kept:
                    keep_page(job, first)
                    is_kept = True
                page = fetch_page(job, step.offset, dates, keep=True, store=meanwhile)
                reading.feed(page)
                count += 1
                on_page(count, _expected(first.total, page.end, known))
            if not isinstance(step, Restart):
                return step, count, is_kept
            meanwhile.wait()
            forget_pages(user)
    raise RetryLater(
        "library_changing",
        "Your Liked Songs kept changing while Syncify was reading them. It tries again soon.",
    )


def _expected(total: int | None, seen: int, known: Sequence[Like]) -> int:
    return max(seen, total if total is not None else len(known))


# --- A mass removal must be seen twice ----------------------------------------------------------


def _guard(
    job: Job, record: Record, library: Library, known: Sequence[Like], believed: Believed
) -> None:
    """Delay a mass removal until a second full read agrees on the songs. Raises SnoozeUntil."""
    gone = sorted(like.track_id for like in changes(known, believed.likes).gone)
    if not must_be_seen_twice(len(gone), len(known), left=len(believed.likes)):
        return
    if library.confirm_after is not None and library.confirm_gone == gone:
        return
    wait = CONFIRM_AFTER if believed.likes else CONFIRM_EMPTY_AFTER
    library.confirm_after, library.confirm_gone = job.now() + wait, gone
    with record.fenced():
        library.save(update_fields=["confirm_after", "confirm_gone"])
        forget_pages(job.request.user_id)
    raise _wait(library)


def _wait(library: Library) -> SnoozeUntil:
    assert library.confirm_after is not None  # noqa: S101 - by its callers
    before, gone = library.song_count, len(library.confirm_gone or ())
    return SnoozeUntil(
        "confirming_removal",
        f"Spotify shows {max(0, before - gone):,} Liked Songs where there were {before:,}. To be "
        "safe, nothing is removed before a second look has seen the same.",
        until=library.confirm_after,
    )


# --- Remembering --------------------------------------------------------------------------------


def _remember(
    job: Job,
    record: Record,
    library: Library,
    *,
    memory: Memory,
    believed: Believed,
    found: Found,
) -> None:
    entries = _named(believed.entries)
    before = [getattr(library, name) for name in _REMEMBERED]
    if entries != library.unreadable:
        if sentence := _what_cannot_be_read(entries):
            record.say(sentence)
        library.unreadable = entries
    library.song_count = len(believed.likes)
    library.confirm_after = library.confirm_gone = None
    if found.complete:
        # A contradiction is read once more by the next sync, and then accepted.
        is_doubtful = found.contradicted and not _is_as_before(memory, found)
        is_whole = not is_doubtful if found.settled else not believed.hidden
        library.full_read_at = job.now() if is_whole else None
    if believed.is_ambiguous:
        library.full_read_at = None
    if [getattr(library, name) for name in _REMEMBERED] != before:
        library.save(update_fields=_REMEMBERED)


_REMEMBERED = ["full_read_at", "confirm_after", "confirm_gone", "song_count", "unreadable"]


def _is_as_before(memory: Memory, found: Found) -> bool:
    """Whether the last reading had the same contradiction."""
    holes = [sum(not row.track_id for row in rows) for rows in (memory.rows, found.rows)]
    return memory.hidden == found.hidden and holes[0] == holes[1]


def _named(entries: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Add the names of the likes that are kept although they are not shown."""
    tracks = [entry["track"] for entry in entries if "track" in entry]
    names = dict(Track.objects.filter(pk__in=tracks).values_list("pk", "name")) if tracks else {}
    return [
        {**entry, "name": names.get(str(entry["track"]), "")} if "track" in entry else dict(entry)
        for entry in entries
    ]


def _what_cannot_be_read(entries: Sequence[dict[str, object]]) -> str:
    rows = [entry for entry in entries if not {"track", "hidden", "repeats"} & set(entry)]
    hidden = sum(max(0, int(str(entry["hidden"]))) for entry in entries if "hidden" in entry)
    names = list(dict.fromkeys(str(entry["name"]) for entry in entries if entry["name"]))
    if not (count := len(rows) + hidden):
        return ""
    what = f"Spotify counts {counted(count, 'Liked Song')} that it does not show properly"
    if not names:
        return f"{what}."
    more = len(names) - NAMED
    shown = ", ".join(names[:NAMED])
    return f"{what}: {shown} and {more:,} more." if more > 0 else f"{what}: {shown}."
