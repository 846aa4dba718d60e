"""The details of playlists: name, description, and visibility on the profile."""

from collections.abc import Callable, Sequence
from datetime import datetime

from accounts.models import SpotifyConnection
from sync.models import Mirror, Playlist
from sync.queue.job import Job
from syncify.spotify import types
from syncify.spotify.errors import BadRequest
from syncify.text import plain

#: The most characters of Spotify.
LONGEST = 300
#: Characters of a name that a mirror keeps.
LONGEST_NAME = 100
#: Without an address, which Spotify may refuse.
REMINDER = (
    "Its owner is asked to sign in to Syncify again: otherwise this playlist soon stops being kept "
    "up to date."
)
#: Replaces REMINDER if the listener set no description: Spotify cannot clear one.
PLAIN = "My Liked Songs, newest first."


def with_reminder(description: str) -> str:
    """REMINDER, and as much of ``description`` as there is room for."""
    text = f"{REMINDER} {description}".strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"


class Details:
    """The listener's wishes for the playlists of one sync; ``say`` tells the history."""

    def __init__(
        self, job: Job, mirror: Mirror, now: datetime, *, say: Callable[[str], None]
    ) -> None:
        self._job = job
        self._mirror = mirror
        self._say = say
        held = SpotifyConnection.objects.defer("access_token", "refresh_token").get(user=job.user)
        is_main = mirror.is_main
        self._reminds = is_main and mirror.remind_in_spotify and held.consent(now).ends_soon

    def name_of(self, volume: Playlist) -> str:
        return f"{self._mirror.name}{_suffix(volume)}"

    def is_stale(self, volume: Playlist) -> bool:
        """Whether the details of this playlist must be written."""
        return bool(volume.spotify_id) and (
            self._has_new_wish(volume) or volume.reminds != self._shall_remind(volume)
        )

    def adopt(self, volume: Playlist, playlist: types.Playlist) -> None:
        """Store details that were changed in Spotify, unless they were changed here later.

        Call it in a fenced transaction.
        """
        has_new_wish = self._has_new_wish(volume)
        adopted = {}
        if playlist.name != volume.written_name and not (has_new_wish and self._is_renamed(volume)):
            volume.written_name = playlist.name
            if playlist.name:
                adopted["name"] = playlist.name[:LONGEST_NAME]
        # Only where the reminder would otherwise write over it.
        shown, begins = playlist.description, self._shall_remind(volume) and not volume.reminds
        is_theirs = shown not in {"", PLAIN} and REMINDER not in shown
        if begins and is_theirs and not has_new_wish:
            adopted["description"] = shown[:LONGEST]
        if "name" in adopted and volume.number == 1 and adopted["name"] != self._mirror.name:
            self._say(f"Renamed to “{plain(adopted['name'])}” in Spotify.")
        if adopted and volume.number == 1:
            for field, value in adopted.items():
                setattr(self._mirror, field, value)
            unchanged = Mirror.objects.filter(details_changed_at=self._mirror.details_changed_at)
            unchanged.filter(pk=self._mirror.pk).update(**adopted)

    def create(self, volume: Playlist) -> types.Playlist:
        """A new playlist under ``volume.written_name``."""
        create, public = self._job.client.create_playlist, self._mirror.public
        playlist = self._described(
            lambda text: create(name=volume.written_name, public=public, description=text or ""),
            self._texts(volume),
        )
        self._note(volume)
        return playlist

    def write(self, volume: Playlist) -> None:
        """Write changed details, and store Spotify's result."""
        client, playlist_id = self._job.client, volume.spotify_id or ""
        name = public = None
        if self._has_new_wish(volume):
            # A name that was not changed here is left as it is in Spotify.
            name = self.name_of(volume) if self._is_renamed(volume) else None
            public = self._mirror.public

        def change(text: str | None) -> None:
            if (name, text, public) != (None, None, None):
                client.change_details(playlist_id, name=name, description=text, public=public)

        self._described(change, self._texts(volume))
        playlist = client.playlist(playlist_id)  # its version is another now
        volume.snapshot_id, volume.seen_public = playlist.snapshot_id, playlist.public
        volume.written_name = playlist.name
        if volume.number == 1 and volume.details_written_at and self._has_new_wish(volume):
            self._say_what_was_written(name)
        self._note(volume)

    def _say_what_was_written(self, name: str | None) -> None:
        if name:
            self._say(f"Renamed to “{plain(name)}”.")
        else:
            self._say("Description and visibility were written as you set them.")

    def _has_new_wish(self, volume: Playlist) -> bool:
        written_at = volume.details_written_at
        return written_at is None or written_at < self._mirror.details_changed_at

    def _is_renamed(self, volume: Playlist) -> bool:
        """Whether the mirror's name differs from the last known name of the playlist."""
        seen = volume.written_name
        is_named = seen == self.name_of(volume)
        is_cut = volume.number == 1 and seen[:LONGEST_NAME] == self._mirror.name
        return not (is_named or is_cut)

    def _shall_remind(self, volume: Playlist) -> bool:
        return self._reminds and volume.number == 1

    def _texts(self, volume: Playlist) -> list[str | None]:
        """Descriptions to try, best first; None leaves the playlist's as it is."""
        own = self._mirror.description
        if self._shall_remind(volume):
            return [with_reminder(own), REMINDER, None]
        if volume.reminds:
            return [own or PLAIN, PLAIN, None]
        return [own, None]

    def _described[T](self, send: Callable[[str | None], T], texts: Sequence[str | None]) -> T:
        """Send with the first of ``texts`` that Spotify accepts."""
        *refusable, last = texts
        for text in refusable:
            try:
                return send(text)
            except BadRequest:
                if self._mirror.description:
                    self._say("Spotify did not accept the description; try one without a link.")
        return send(last)

    def _note(self, volume: Playlist) -> None:
        """Count as written, even if Spotify changed it: the same text is not sent again."""
        volume.details_written_at = self._mirror.details_changed_at
        volume.reminds = self._shall_remind(volume)


def _suffix(volume: Playlist) -> str:
    return f" ({volume.number})" if volume.number > 1 else ""
