"""Makes the playlists of a mirror, and finds one whose creation got no response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sync.models import Playlist
from sync.queue.errors import GiveUp
from syncify.spotify.errors import AccessRefused, BadRequest

if TYPE_CHECKING:
    from sync.mirrors.details import Details
    from sync.queue.job import Job
    from syncify.spotify import types


def create(details: Details, playlist: Playlist) -> types.Playlist:
    """A new playlist under ``playlist.written_name``.

    Raises GiveUp when Spotify refuses to make one.
    """
    try:
        return details.create(playlist)
    except (AccessRefused, BadRequest) as error:
        if isinstance(error, AccessRefused) and error.reason != "forbidden":
            raise
        raise GiveUp(
            "creation_refused",
            "Spotify does not make a new playlist in your account. You may have as many as it "
            "allows: delete some in Spotify, then sync again.",
        ) from error


def find_created(job: Job, name: str) -> types.Playlist | None:
    """The playlist that an attempt without a response created under ``name``, if any.

    Only an empty playlist is used: another one may be the listener's own.
    """
    for listed in unused_playlists(job):
        if listed.name == name and listed.total == 0:
            playlist = job.client.playlist(listed.id)
            if playlist.total == 0 and playlist.name == name:
                return playlist
    return None


def unused_playlists(job: Job) -> Iterator[types.Playlist]:
    """The listener's own playlists that are no volume of any mirror."""
    for playlist in job.client.own_playlists():
        is_own = playlist.owner_id == job.user.spotify_id
        if is_own and not Playlist.objects.filter(spotify_id=playlist.id).exists():
            yield playlist
