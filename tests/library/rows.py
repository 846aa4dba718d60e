"""Rows of a library for tests, benchmarks and pictures: songs with albums and artists, likes."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from accounts.models import User
from sync.library.catalogue import first_day
from sync.models import Album, Artist, Library, SavedTrack, SyncRequest, Track, TrackArtist
from syncify.simulator.songs import invent
from syncify.text import folded
from tests.builders import make_user


def add_song(
    key: str,
    *,
    name: str = "Looped",
    artists: Sequence[str] = ("Kiasmos",),
    album: str = "Kiasmos",
    **fields: Any,
) -> Track:
    """A song with its ``search`` and ``released`` as the store writes them."""
    released = fields.setdefault("release_date", "2014-10-27")
    return Track.objects.create(
        id=key,
        name=name,
        artists=list(artists),
        album_name=album,
        released=first_day(released),
        search="\n".join(map(folded, [name, ", ".join(artists), album])),
        **{"duration_ms": 215_000, **fields},
    )


def like(user: User, track: Track | str, added_at: datetime, **fields: Any) -> SavedTrack:
    key = track if isinstance(track, str) else track.pk
    return SavedTrack.objects.create(user=user, track_id=key, added_at=added_at, **fields)


def at(text: str) -> datetime:
    """ "2025-05-01" or "2025-05-01 23:30", in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def big_library(spotify_id: str, *, songs: int, syncs: int, covers: str = "") -> User:
    """A new listener with what ``fill_library`` gives them."""
    user = make_user(spotify_id)
    fill_library(user, songs=songs, syncs=syncs, covers=covers)
    return user


def fill_library(user: User, *, songs: int, syncs: int, covers: str = "") -> None:
    """Give ``user`` ``songs`` likes of ten years, and some more that have ended.

    Every fourth of the ``syncs`` changed something. With ``covers``, the address of a host,
    every album has a picture there.
    """
    random = Random(user.spotify_id)
    now = datetime.now(UTC)
    User.objects.filter(pk=user.pk).update(date_joined=now - timedelta(days=400))
    Library.objects.update_or_create(
        user=user, defaults={"song_count": songs, "time_zone": "Europe/Berlin"}
    )
    requests = _syncs(user, syncs, songs, now)
    invented = {song.id: song for song in (invent(random) for _ in range(songs + songs // 20))}
    catalogue = list(invented.values())
    Album.objects.bulk_create(
        [
            Album(
                id=song.album_id,
                name=song.album,
                album_type="album",
                cover_url=f"{covers}/image/{song.album_id}" if covers else "",
            )
            for song in {song.album_id: song for song in catalogue}.values()
        ],
        ignore_conflicts=True,
    )
    names = dict(artist for song in catalogue for artist in song.artists)
    Artist.objects.bulk_create(
        [Artist(id=key, name=name, search=folded(name)) for key, name in names.items()],
        ignore_conflicts=True,
    )
    Track.objects.bulk_create(
        [
            Track(
                id=song.id,
                name=song.name,
                artists=[name for _, name in song.artists],
                album_name=song.album,
                album_id=song.album_id,
                duration_ms=song.duration_ms,
                explicit=song.explicit,
                isrc=song.isrc,
                release_date=song.release_date,
                released=first_day(song.release_date),
                track_number=song.track_number,
                disc_number=1,
                search="\n".join(
                    map(
                        folded,
                        [song.name, ", ".join(name for _, name in song.artists), song.album],
                    )
                ),
            )
            for song in catalogue
        ],
        ignore_conflicts=True,
    )
    TrackArtist.objects.bulk_create(
        [
            TrackArtist(track_id=song.id, artist_id=artist, position=position)
            for song in catalogue
            for position, (artist, _) in enumerate(song.artists)
        ],
        ignore_conflicts=True,
    )
    SavedTrack.objects.bulk_create(
        _likes(user, [song.id for song in catalogue], requests, now, random)
    )


def _syncs(user: User, count: int, songs: int, now: datetime) -> list[SyncRequest]:
    """Oldest first."""
    return SyncRequest.objects.bulk_create(
        [
            SyncRequest(
                user=user,
                trigger="first" if number == 0 else "scheduled",
                state="succeeded",
                completed=now - timedelta(hours=7 * (count - number)),
                started=now - timedelta(hours=7 * (count - number), seconds=20),
                song_count=songs,
                added=songs if number == 0 else 3 * (number % 4 == 0),
                removed=(number % 12 == 0) * (number > 0),
                api_requests=3,
            )
            for number in range(count)
        ]
    )


def _likes(
    user: User,
    tracks: Sequence[str],
    requests: Sequence[SyncRequest],
    now: datetime,
    random: Random,
) -> Iterable[SavedTrack]:
    first, *rest = requests or [None]
    loud = [request for request in rest if request and request.added]
    losing = [request for request in rest if request and request.removed]
    moments = sorted(
        now - timedelta(days=3600 * random.random() ** 1.4, minutes=random.randrange(60))
        for _ in tracks
    )
    recent = moments[-3 * len(loud) :] if loud else []
    for number, (track, added_at) in enumerate(zip(tracks, moments, strict=True)):
        is_gone = number % 21 == 7 and number < len(tracks) - len(recent)
        newer = len(tracks) - number
        added_in = loud[-1 - (newer - 1) // 3] if loud and newer <= len(recent) else first
        yield SavedTrack(
            user=user,
            track_id=track,
            added_at=added_at,
            added_in=added_in,
            removed_at=now - timedelta(days=random.randrange(1, 399)) if is_gone else None,
            removed_in=random.choice(losing) if is_gone and losing else None,
        )
