"""A listener's Liked Songs as we know them: read from Spotify, stored, and kept as history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.db.models.functions import Now

from sync.library.reader import Changes, Library, Like, Page, Reading, Restart, changes, resumable
from sync.models import SavedTrack, StoredPage, Track
from sync.queue.connected import enqueue_connected
from sync.queue.errors import RetryLater
from syncify.text import folded

if TYPE_CHECKING:
    from accounts.models import User
    from sync.queue.job import Job
    from syncify.spotify.types import Song

#: How often one attempt begins again because the library changed under it.
RESTARTS = 2

_TRACK_FIELDS = [
    field.name
    for field in Track._meta.concrete_fields
    if not field.primary_key and field.name not in {"album", "disc_number", "track_number"}
]


def known_likes(user: User) -> list[Like]:
    """The likes that the last read found, newest first."""
    rows = SavedTrack.objects.filter(user=user, removed_at=None).order_by("-added_at", "rank")
    return [Like(*row) for row in rows.values_list("track_id", "added_at").iterator()]


def read_library(
    job: Job, known: Sequence[Like], *, full: bool, on_page: Callable[[int, int], None]
) -> Library:
    """Read what Spotify has to show, in as few pages as that takes.

    ``on_page`` hears how many pages have been read and how many songs there are. The pages of a
    read that stopped half-way are used again, as long as the newest page is what it was. Raises
    RetryLater when the library goes on changing while it is read.
    """
    for _ in range(RESTARTS + 1):
        reading = Reading(known, full=full)
        first = _fetch(job, 0)
        stored = _stored_pages(job.user)
        pages = [first]
        if resumable(stored, first):
            pages += [page for page in stored if page.offset != 0]
        elif stored:
            StoredPage.objects.filter(user=job.user).delete()
        for page in pages:
            reading.feed(page)
        on_page(len(pages), first.total)

        while not isinstance(step := reading.next_step(), Library | Restart):
            if len(pages) == 1:
                _store_page(job.user, first)
            page = _fetch(job, step.offset)
            _store_page(job.user, page)
            reading.feed(page)
            pages.append(page)
            on_page(len(pages), first.total)

        if isinstance(step, Library):
            # Spotify orders by date. Should it once not, our order at least stays the same.
            likes = sorted(step.likes, key=lambda like: like.added_at, reverse=True)
            return Library(tuple(likes), step.complete)
        StoredPage.objects.filter(user=job.user).delete()
    raise RetryLater(
        "library_changing",
        "Your Liked Songs kept changing while Syncify was reading them. It tries again soon.",
    )


def store_library(job: Job, known: Sequence[Like], library: Library) -> Changes:
    """Make ``library`` what is known, and say what is different; likes that ended become history.

    To be called in the transaction that also checks that the job is still ours.
    """
    found = changes(known, library)
    likes = SavedTrack.objects.filter(user=job.user, removed_at=None)
    ended = [like.track_id for like in (*found.gone, *found.reliked)]
    likes.filter(track__in=ended).update(removed_at=Now(), removed_in=job.request)
    SavedTrack.objects.bulk_create(
        SavedTrack(
            user=job.user, track_id=like.track_id, added_at=like.added_at, added_in=job.request
        )
        for like in (*found.new, *found.reliked)
    )
    if found.new or found.gone or found.reliked:
        enqueue_connected(job.user.pk)
    if library.complete or found.new or found.reliked:
        _rank(likes, library.likes)
    StoredPage.objects.filter(user=job.user).delete()
    return found


def _rank(rows: QuerySet[SavedTrack], likes: Sequence[Like]) -> None:
    """Number likes of one date in the order of ``likes``, so that it lasts."""
    ranks = {
        like.track_id: rank
        for _, same_date in groupby(likes, key=lambda like: like.added_at)
        if len(group := list(same_date)) > 1
        for rank, like in enumerate(group)
    }
    changed = []
    for row in rows.filter(track__in=list(ranks)).only("rank", "track"):
        if row.rank != ranks[row.track_id]:
            row.rank = ranks[row.track_id]
            changed.append(row)
    SavedTrack.objects.bulk_update(changed, ["rank"], batch_size=1_000)


def _fetch(job: Job, offset: int) -> Page:
    """Read one page from Spotify, and keep what it says of the songs."""
    answer = job.client.saved_tracks(offset)
    _store_tracks([item.song for item in answer.items if item.song])
    likes = (Like(item.song.id if item.song else "", item.added_at) for item in answer.items)
    return Page(answer.offset, answer.total, tuple(likes))


def _store_tracks(songs: Iterable[Song]) -> None:
    tracks = {
        song.id: Track(
            id=song.id,
            name=song.name,
            artists=list(song.artists),
            album_name=song.album,
            duration_ms=song.duration_ms,
            explicit=song.explicit,
            isrc=song.isrc,
            release_date=song.release_date,
            released=first_day(song.release_date),
            search="\n".join(map(folded, [song.name, ", ".join(song.artists), song.album])),
        )
        for song in songs
    }
    stored = Track.objects.in_bulk(tracks)
    fresh = [track for key, track in tracks.items() if not _same(track, stored.get(key))]
    # In order of the key, so that two workers that store the same songs cannot deadlock.
    Track.objects.bulk_create(
        sorted(fresh, key=lambda track: track.id),
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=_TRACK_FIELDS,
    )


def first_day(release_date: str) -> date | None:
    """The first day that a year, a month or a day as Spotify writes it may mean."""
    year, *rest = release_date.split("-")
    try:
        return date(int(year), *map(int, [*rest, "1", "1"][:2]))
    except ValueError:
        return None


def _same(track: Track, stored: Track | None) -> bool:
    return stored is not None and all(
        getattr(track, name) == getattr(stored, name) for name in _TRACK_FIELDS
    )


def _stored_pages(user: User) -> list[Page]:
    return [
        Page(
            row.offset,
            row.total,
            tuple(Like(track, datetime.fromisoformat(added_at)) for track, added_at in row.items),
        )
        for row in StoredPage.objects.filter(user=user).order_by("offset")
    ]


def _store_page(user: User, page: Page) -> None:
    items = [[like.track_id, like.added_at.isoformat()] for like in page.likes]
    StoredPage.objects.update_or_create(
        user=user, offset=page.offset, defaults={"total": page.total, "items": items}
    )
