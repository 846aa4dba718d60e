"""Rows that share links are about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import User
from sync.models import (
    Album,
    Library,
    Mirror,
    Playlist,
    PlaylistItems,
    SavedTrack,
    ShareLink,
    Track,
)
from sync.sharing.links import create_link
from syncify.text import folded
from tests.builders import make_user

NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)


def make_songs(
    user: User, *names: str, cover: str = "https://i.scdn.co/image/{}", **fields: Any
) -> list[SavedTrack]:
    """Likes an hour apart, the first the newest, each with an album that has a picture."""
    likes = []
    for at, name in enumerate(names):
        key = f"{user.pk}x{at}"
        album = Album.objects.create(
            id=f"album {key}", name=f"Album of {name}", cover_url=cover.format(at)
        )
        values = {
            "name": name,
            "artists": ["Kiasmos"],
            "album_name": album.name,
            "album": album,
            "search": "\n".join(map(folded, [name, "Kiasmos", album.name])),
            **fields,
        }
        track = Track.objects.create(id=key, **values)
        added_at = NOON - timedelta(hours=at)
        likes.append(SavedTrack.objects.create(user=user, track=track, added_at=added_at))
    return likes


def make_playlist(mirror: Mirror, likes: list[SavedTrack], *, number: int = 1) -> Playlist:
    """A volume of the mirror that holds these songs."""
    playlist = Playlist.objects.create(
        mirror=mirror, number=number, spotify_id=f"list{mirror.pk}v{number}"
    )
    uris: list[str | None] = [f"spotify:track:{like.track_id}" for like in likes]
    PlaylistItems.objects.create(playlist=playlist, uris=uris)
    return playlist


def make_mirror(user: User, name: str) -> Mirror:
    """A further mirror, kept by a rule."""
    return Mirror.objects.create(user=user, name=name, is_main=False, rule={"source": "likes"})


def share(
    user: User, mirror: Mirror | None, kind: str = "page", **wishes: bool
) -> tuple[ShareLink, str]:
    """A link and the path that it opens at."""
    link, token = create_link(user=user, kind=kind, mirror=mirror, **wishes)
    return link, f"/s/{token}/"


def make_large(spotify_id: str, size: int) -> User:
    """A listener whose main mirror holds ``size`` songs."""
    user = make_user(spotify_id)
    tracks = [
        Track(
            id=f"{number:022}",
            name=f"Song number {number} of a long list",
            artists=["Ólafur Arnalds", "Nils Frahm"],
            album_name=f"Album {number % 900}",
            album_id=f"album{number % 900}",
            search=f"song number {number} of a long list\nolafur arnalds\nalbum {number % 900}",
        )
        for number in range(size)
    ]
    Track.objects.bulk_create(tracks)
    Album.objects.bulk_create(
        Album(
            id=f"album{number}",
            name=f"Album {number}",
            cover_url=f"https://i.scdn.co/image/ab67616d00001e02{number:024}",
        )
        for number in range(900)
    )
    SavedTrack.objects.bulk_create(
        SavedTrack(user=user, track=track, added_at=NOON - timedelta(minutes=at))
        for at, track in enumerate(tracks)
    )
    playlist = Playlist.objects.create(
        mirror=Mirror.objects.get(user=user, is_main=True), number=1, spotify_id="large"
    )
    uris: list[str | None] = [f"spotify:track:{track.id}" for track in tracks]
    PlaylistItems.objects.create(playlist=playlist, uris=uris)
    Library.objects.filter(user=user).update(song_count=size)
    return user
