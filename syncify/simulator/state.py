"""The state of the simulated Spotify: listeners, songs, playlists, clock and behaviour.

It has no routes and no sockets. Methods without an underscore may be called from any thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random, SystemRandom
from threading import RLock
from typing import Any
from urllib.parse import quote_plus

from syncify.simulator import songs
from syncify.simulator.behaviour import CAST, SEATS, Behaviour
from syncify.simulator.grants import SCOPES, Client, Consent, Grants
from syncify.simulator.playlists import Playlist, Row
from syncify.simulator.songs import Saved, Song
from syncify.simulator.traffic import Recorded, Traffic, locked

__all__ = ["Listener", "Recorded", "World", "bare", "local_file"]


@dataclass
class Listener:
    """``library`` holds playlist ids, newest first; ``others`` holds other saved uris."""

    id: str
    display_name: str
    size: int
    saved: list[Saved] | None = None  # made at first use
    library: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    @property
    def account_id(self) -> str:
        return songs.base62(Random(f"account of {self.id}"), 10)  # noqa: S311 - the same each time


class World(Traffic):
    """All data of one simulated Spotify. Songs are named by id or uri."""

    def __init__(
        self,
        *,
        client: Client | None = None,
        more_clients: Sequence[Client] = (),
        behaviour: Behaviour | None = None,
    ) -> None:
        self.lock = RLock()
        self._client = client or Client()
        self._more_clients = more_clients
        self._first_behaviour = behaviour or Behaviour()
        self.reset()

    def reset(self) -> None:
        """Return to the seeded state, without writes, records, faults or switches."""
        with self.lock:
            self.behaviour = replace(self._first_behaviour)
            # Random from the system: ids of an earlier run must not be valid here.
            self.random = SystemRandom()
            self.grants = Grants(self._client, self.random)
            for more in self._more_clients:
                self.add_app(more)
            self.listeners = {name: Listener(name, name.title(), size) for name, size in CAST}
            self.all_playlists: dict[str, Playlist] = {}
            self.forget_traffic()
            self.mended = 0
            self._made_up: dict[str, Song] = {}
            self._offset = timedelta()
            self._registered = self.behaviour.allow_list
            self._withdrawn: dict[str, list[str]] = {}
            self._relinked: dict[str, str] = {}

    # Time

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    @locked
    def advance(self, by: timedelta) -> None:
        self._offset += by

    # Songs

    def song(self, song_id: str) -> Song | None:
        found = self._made_up.get(song_id) or songs.SEEDED.get(song_id)
        if found is None:
            for listener in self.listeners.values():
                songs.seeded(listener.id, listener.size)
        return found or songs.SEEDED.get(song_id)

    def known_song(self, track: str) -> Song:
        found = self.song(bare(track))
        if found is None:
            raise LookupError(f"there is no song {track}; make one with new_track()")
        return found

    @locked
    def new_track(self, **fields: Any) -> str:
        """A song that nobody has liked yet; ``fields`` are those of ``Song``. Returns its id."""
        song = replace(songs.invent(self.random), **fields)
        self._made_up[song.id] = song
        return song.id

    def new_episode(self, **fields: Any) -> str:
        """Returns the uri of a podcast's episode."""
        return f"spotify:episode:{self.new_track(type='episode', **fields)}"

    # Liked Songs

    @locked
    def saved(self, listener: str) -> list[Saved]:
        owner = self.listeners[listener]
        if owner.saved is None:
            owner.saved = list(songs.seeded(owner.id, owner.size))
        return owner.saved

    def saved_count(self, listener: str) -> int:
        """Does not create the library if nothing has read it yet."""
        owner = self.listeners[listener]
        return owner.size if owner.saved is None else len(owner.saved)

    @locked
    def liked(self, listener: str) -> list[str]:
        """Uris, newest first."""
        return [f"spotify:track:{song_id}" for song_id, _ in self.saved(listener)]

    @locked
    def like(self, listener: str, *tracks: str, at: datetime | None = None) -> None:
        """Like with one date, the first song on top. A song liked again gets the new date."""
        ids = [self.known_song(track).id for track in tracks]
        self.unlike(listener, *ids)
        saved = self.saved(listener)
        added_at = (at or self.now).replace(microsecond=0)
        place = next((i for i, one in enumerate(saved) if one.added_at <= added_at), len(saved))
        saved[place:place] = [Saved(song_id, added_at) for song_id in ids]

    @locked
    def unlike(self, listener: str, *tracks: str) -> None:
        gone = {bare(track) for track in tracks}
        saved = self.saved(listener)
        saved[:] = [one for one in saved if one.id not in gone]

    @locked
    def set_liked(
        self,
        listener: str,
        *tracks: str,
        at: datetime | None = None,
        apart: timedelta = timedelta(minutes=1),
    ) -> None:
        """Set exactly these likes, newest first; the newest at ``at``, the others ``apart``."""
        newest = (at or self.now).replace(microsecond=0)
        self.listeners[listener].saved = [
            Saved(self.known_song(track).id, newest - number * apart)
            for number, track in enumerate(tracks)
        ]

    # Playlists, as people see and edit them in Spotify's app

    def playlists(self, listener: str) -> list[str]:
        """Ids of the playlists in their library, newest first."""
        return list(self.listeners[listener].library)

    def playlist(self, playlist_id: str) -> Playlist:
        """The live object: read it, and change it by the methods below."""
        return self.all_playlists[playlist_id]

    def playlist_uris(self, playlist_id: str) -> list[str | None]:
        return self.all_playlists[playlist_id].uris

    @locked
    def create_playlist(
        self, owner: str, name: str, uris: Sequence[str | None] = (), **details: Any
    ) -> str:
        """``details``: description, public, collaborative. Returns the id."""
        playlist = Playlist(songs.base62(self.random), owner, name, **details)
        self.all_playlists[playlist.id] = playlist
        playlist.insert(self.rows(uris, owner))
        playlist.touch(self.now)
        self.follow(owner, playlist.id)
        return playlist.id

    def rows(self, uris: Sequence[str | None], added_by: str) -> list[Row]:
        now = self.now.replace(microsecond=0)
        return [Row(uri, now, added_by) for uri in uris]

    @locked
    def insert(
        self, playlist_id: str, *uris: str | None, position: int | None = None, by: str = ""
    ) -> None:
        """Insert rows of any kind: tracks, episodes, ``local_file(…)``, or None for a null entry.

        ``by`` is the listener who adds them; the owner, if it is left out.
        """
        playlist = self.all_playlists[playlist_id]
        playlist.insert(self.rows(uris, by or playlist.owner), position)
        playlist.touch(self.now)

    @locked
    def remove_positions(self, playlist_id: str, *positions: int) -> None:
        playlist = self.all_playlists[playlist_id]
        playlist.rows = [row for i, row in enumerate(playlist.rows) if i not in positions]
        playlist.touch(self.now)

    @locked
    def take_out(self, playlist_id: str, *uris: str) -> None:
        """Remove these songs as a person does in Spotify."""
        playlist = self.all_playlists[playlist_id]
        playlist.remove(uris)
        playlist.touch(self.now)

    @locked
    def withdraw_song(self, track: str) -> None:
        """All playlists show null in place of this song from now on."""
        uri = self.known_song(track).uri
        for playlist in self.all_playlists.values():
            if uri in playlist.uris:
                rows = playlist.rows
                playlist.rows = [replace(r, uri=None) if r.uri == uri else r for r in rows]
                playlist.touch(self.now)

    @locked
    def relink(self, track: str, shown_as: str | None = None) -> str:
        """Playlists show this song as another one, which cannot be removed under its own id.

        Without ``shown_as``, it is another version with the same recording code. Returns its uri.
        """
        song = self.known_song(track)
        if shown_as is None:
            shown_as = self.new_track(
                **{
                    name: getattr(song, name)
                    for name in ("name", "artists", "album", "duration_ms", "isrc", "explicit")
                }
            )
        self._relinked[song.uri] = self.known_song(shown_as).uri
        return self._relinked[song.uri]

    def shown_uri(self, uri: str | None) -> str | None:
        """The uri under which a playlist's entry is shown."""
        return None if uri is None else self._relinked.get(uri, uri)

    def removed_by(self, uris: Sequence[Any]) -> set[str]:
        """The entries that a removal of these uris removes."""
        gone = set(uris)
        if self.behaviour.relinked_removable:
            gone |= {uri for uri, shown in self._relinked.items() if shown in gone}
        return gone

    @locked
    def move(self, playlist_id: str, start: int, before: int, length: int = 1) -> None:
        """Move as the API does: positions are those before the move."""
        self.all_playlists[playlist_id].move(start, before, length)
        self.all_playlists[playlist_id].touch(self.now)

    @locked
    def change(self, playlist_id: str, **details: Any) -> None:
        """``name``, ``description``, ``public``, ``collaborative``."""
        playlist = self.all_playlists[playlist_id]
        for key, value in details.items():
            setattr(playlist, key, value)
        playlist.touch(self.now)

    def rename(self, playlist_id: str, name: str) -> None:
        self.change(playlist_id, name=name)

    @locked
    def follow(self, listener: str, playlist_id: str) -> None:
        library = self.listeners[listener].library
        if playlist_id not in library:
            library.insert(0, playlist_id)

    @locked
    def unfollow(self, listener: str, playlist_id: str) -> None:
        """Delete as Spotify does: the playlist leaves the library and stays readable by its id."""
        library = self.listeners[listener].library
        if playlist_id in library:
            library.remove(playlist_id)

    @locked
    def destroy_playlist(self, playlist_id: str) -> None:
        """Destroy the playlist: 404 from now on."""
        del self.all_playlists[playlist_id]
        for listener in self.listeners.values():
            self.unfollow(listener.id, playlist_id)

    # Listeners and their permission

    @locked
    def add_listener(self, listener: str, *, size: int = 0, allowed: bool = True) -> None:
        """Add a listener to the cast; ``allowed`` adds them to the allow-list."""
        self.listeners[listener] = Listener(listener, listener.title(), size)
        if allowed:
            self.behaviour.allow_list |= {listener}
            self._registered |= {listener}

    @locked
    def withdraw_playlists(self, listener: str) -> None:
        """Remove all playlists from the library; ``be_well`` restores them."""
        self._withdrawn[listener] = self.playlists(listener)
        for playlist_id in self._withdrawn[listener]:
            self.unfollow(listener, playlist_id)

    @locked
    def be_well(self) -> None:
        """End all trouble: faults, refusals, withdrawn consents, and spent quotas."""
        self.mended += 1
        self.clear_faults()
        self.behaviour = replace(self._first_behaviour, allow_list=self._registered)
        self.grants.restore()
        self.forget_calls()
        self._relinked.clear()
        for listener, playlist_ids in self._withdrawn.items():
            for playlist_id in reversed(playlist_ids):
                if playlist_id in self.all_playlists:
                    self.follow(listener, playlist_id)
        self._withdrawn.clear()

    @locked
    def add_app(self, client: Client) -> None:
        """Register another app, of any developer, with at most five seats."""
        if client.allow_list is not None and len(client.allow_list) > SEATS:
            raise ValueError(f"an app has {SEATS} seats")
        self.grants.clients[client.id] = client

    @locked
    def authorize(
        self,
        listener: str,
        scopes: Sequence[str] | frozenset[str] = SCOPES,
        *,
        pkce: bool = False,
        client_id: str = "",
    ) -> dict[str, Any]:
        """The token endpoint's response after a sign-in: tokens, ``expires_in``, ``scope``.

        ``client_id`` is that of the app; the first, if it is left out.
        """
        challenge = "set" if pkce else ""
        consent = Consent(
            listener, frozenset(scopes), self.now, challenge=challenge, client_id=client_id
        )
        return self.grants.issue(consent, self.now, refresh_token=True)

    @locked
    def expire_access_tokens(self, listener: str) -> None:
        self.grants.expire_access(listener, self.now)

    @locked
    def revoke(self, listener: str) -> None:
        """Revoke refresh tokens at once; issued access tokens stay valid until they expire."""
        self.grants.revoke(listener)


def bare(track: str) -> str:
    return track.removeprefix("spotify:track:")


def local_file(artist: str, album: str, title: str, duration: timedelta) -> str:
    """The uri of a local file."""
    names = (quote_plus(name) for name in (artist, album, title))
    return f"spotify:local:{':'.join(names)}:{int(duration.total_seconds())}"
