"""Genres of artists: from MusicBrainz for all listeners, or set by one listener."""

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from sync.library.gate import GateClosed
from sync.library.genre_tree import usual
from sync.library.musicbrainz import (
    MusicBrainz,
    MusicBrainzUnavailable,
    batches,
    is_configured,
)
from sync.models import Artist, ArtistGenre, Library, SavedTrack, SyncRequest, TrackArtist
from sync.queue import store as queue
from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from sync.queue.job import Job
from sync.queue.portions import a_portion

logger = logging.getLogger(__name__)

#: When an artist is looked up again.
FOUND_AGAIN = timedelta(days=365)
NOT_FOUND_AGAIN = timedelta(days=90)
#: The time between two lookups for a listener, also after a failed one.
LOOKUPS_APART = timedelta(days=1)
#: Artists of one turn of a job, about two minutes; then other jobs run.
TURN = 100
PAUSE = timedelta(seconds=5)
#: Listeners that one turn of a scheduler checks.
LISTENERS_A_TURN = 50


class Coverage(NamedTuple):
    """The numbers of a listener's likes: with a known genre, and all."""

    known: int
    likes: int


def run_genres(job: Job) -> None:
    """Look up the artists of a listener's likes, the most liked first, and end the request.

    Raises a SyncError, Cancelled, Released or LeaseLost. Genres that were found stay.
    """
    if not is_configured():
        raise GiveUp("genres_off", "Genres are disabled on this Syncify.")
    user_id = job.request.user_id
    due = due_artists(user_id)
    artists = list(due[:TURN])
    left = due.count()
    try:
        with MusicBrainz(sleep=job.sleep) as client:
            _look_up(job, client, artists, left)
    except GateClosed as closed:
        raise SnoozeUntil(
            "musicbrainz_busy", "MusicBrainz asked for a pause.", until=closed.until
        ) from closed
    except MusicBrainzUnavailable as error:
        logger.warning("musicbrainz unavailable request=%d error=%s", job.request.pk, error)
        raise RetryLater("musicbrainz", "MusicBrainz did not answer.") from error
    if left > len(artists):
        raise SnoozeUntil(
            "genres_more", "There are more artists to look up.", until=job.now() + PAUSE
        )
    known, likes = coverage(user_id)
    queue.succeed(job.request, note=f"The genre of {known} of {likes} songs is known.")


def due_artists(user_id: int) -> QuerySet[Artist]:
    """The artists of the likes whose genres are unknown or old, the most liked first."""
    liked = Q(
        track_artists__track__savedtrack__user=user_id,
        track_artists__track__savedtrack__removed_at=None,
    )
    artists = Artist.objects.filter(_is_old()).annotate(likes=Count("track_artists", filter=liked))
    return artists.filter(likes__gt=0).order_by("-likes", "id")


def queue_lookups() -> int:
    """Queue a lookup for every listener whose artists are due, once a day at most.

    With many listeners, it checks a portion. Returns the number of queued lookups. Makes no calls,
    and is safe to run twice at once.
    """
    if not is_configured():
        return 0
    lately = SyncRequest.objects.filter(
        Q(completed=None) | Q(completed__gt=Now() - LOOKUPS_APART),
        user=OuterRef("user"),
        kind=SyncRequest.Kind.GENRES,
    )
    due_likes = SavedTrack.objects.filter(
        _is_old("track__track_artists__artist__"), user=OuterRef("user"), removed_at=None
    )
    listeners = Library.objects.filter(
        ~Exists(lately),
        Exists(due_likes),
        pk__in=a_portion(Library.objects.all(), LISTENERS_A_TURN),
        user__is_active=True,
    )
    due = list(listeners.values_list("user_id", flat=True))
    for user_id in due:
        queue.enqueue_scheduled(user_id, SyncRequest.Kind.GENRES)
    return len(due)


def _is_old(prefix: str = "") -> Q:
    """Artists, to which ``prefix`` leads, whose genres are not known or were looked up long ago."""

    def artists(**conditions: object) -> Q:
        return Q(**{f"{prefix}{name}": value for name, value in conditions.items()})

    old = artists(genres_checked_at__lt=Now() - FOUND_AGAIN)
    old |= artists(mbid="", genres_checked_at__lt=Now() - NOT_FOUND_AGAIN)
    # Below a prefix, null may also mean that there is no artist.
    return old | artists(id__isnull=False, genres_checked_at=None)


def coverage(user_id: int) -> Coverage:
    likes = SavedTrack.objects.filter(user=user_id, removed_at=None)
    own = ArtistGenre.objects.filter(user=user_id)
    shared = ArtistGenre.objects.filter(user=None).exclude(artist__in=own.values("artist_id"))
    known = Q(artist__in=own.exclude(genre="").values("artist_id"))
    known |= Q(artist__in=shared.values("artist_id"))
    tracks = TrackArtist.objects.filter(known).values("track_id")
    both = [_count(likes.filter(track__in=tracks)), _count(likes)]
    return Coverage(*Library.objects.filter(user=user_id).values_list(*both).get())


def _count(likes: QuerySet[SavedTrack]) -> Coalesce:
    """How many likes of one listener there are, as a part of a statement."""
    counted = likes.order_by().values("user").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


def set_genres(user_id: int, artist_id: str, names: Iterable[str]) -> None:
    """Set the genres of an artist for this listener, in place of those found.

    No names: the artist has no genre. ``clear_genres`` restores those found.
    """
    genres = [name for name in dict.fromkeys(usual(name)[:100] for name in names) if name]
    with transaction.atomic():
        clear_genres(user_id, artist_id)
        ArtistGenre.objects.bulk_create(
            ArtistGenre(artist_id=artist_id, genre=genre, user_id=user_id)
            for genre in genres or [""]
        )


def clear_genres(user_id: int, artist_id: str) -> None:
    ArtistGenre.objects.filter(user=user_id, artist=artist_id).delete()


def _look_up(job: Job, client: MusicBrainz, artists: list[Artist], left: int) -> None:
    done = 0
    for ids in batches(artist.pk for artist in artists):
        found = client.artists(ids)
        _store_unknown(set(ids) - set(found))
        done += len(ids) - len(found)
        for spotify_id, mbid in found.items():
            _store(spotify_id, mbid, client.genres(mbid))
            done += 1
            job.safe_point(progress=done / max(left, 1))


def _store_unknown(ids: Collection[str]) -> None:
    """Genres that were found earlier stay."""
    Artist.objects.filter(pk__in=ids).update(mbid="", genres_checked_at=Now())


def _store(artist_id: str, mbid: str, genres: list[str]) -> None:
    with transaction.atomic():
        # Two jobs that look up the same artist wait for each other.
        if not Artist.objects.select_for_update(no_key=True).filter(pk=artist_id).exists():
            return
        Artist.objects.filter(pk=artist_id).update(mbid=mbid[:36], genres_checked_at=Now())
        ArtistGenre.objects.filter(artist=artist_id, user=None).delete()
        ArtistGenre.objects.bulk_create(
            ArtistGenre(artist_id=artist_id, genre=genre) for genre in genres
        )
