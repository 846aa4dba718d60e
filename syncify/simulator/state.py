"""The simulated Spotify itself: listeners, their songs and playlists, its clock and its moods.

No routes and no sockets are here. Methods without an underscore may be called from any thread.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from random import Random, SystemRandom
from threading import RLock
from typing import Any, cast
from urllib.parse import quote_plus

from syncify.simulator import faults, songs
from syncify.simulator.behaviour import CAST, QUOTA_WINDOW, RATE_WINDOW, Behaviour
from syncify.simulator.grants import SCOPES, Client, Consent, Grants
from syncify.simulator.playlists import Playlist, Row
from syncify.simulator.songs import Saved, Song
from syncify.simulator.wire import ApiError, Request, Response


@dataclass
class Listener:
    """``library`` holds playlist ids, newest first; ``others`` uris of anything else they saved."""

    id: str
    display_name: str
    size: int
    saved: list[Saved] | None = None  # made at first use
    library: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    @property
    def account_id(self) -> str:
        return songs.base62(Random(f"account of {self.id}"), 10)  # noqa: S311 - the same each time


@dataclass(frozen=True)
class Recorded:
    """One request to either host. ``status`` 0: the connection ended without an answer."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    size: int
    status: int
    outcome: str  # "ok", the error's text, or "fault: …"
    listener: str | None
    at: datetime


def locked[F: Callable[..., Any]](method: F) -> F:
    @wraps(method)
    def inner(self: "World", *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return method(self, *args, **kwargs)

    return cast("F", inner)


class World:
    """Everything that one simulated Spotify knows. Songs are named by bare id or by uri."""

    def __init__(self, *, client: Client | None = None, behaviour: Behaviour | None = None) -> None:
        self.lock = RLock()
        self._client = client or Client()
        self._first_behaviour = behaviour or Behaviour()
        self.reset()

    def reset(self) -> None:
        """Back to the seeded start: nothing written, recorded, injected or switched remains."""
        with self.lock:
            self.behaviour = replace(self._first_behaviour)
            # From the system: what another run made up must never be valid here for someone else.
            self.random = SystemRandom()
            self.grants = Grants(self._client, self.random)
            self.listeners = {name: Listener(name, name.title(), size) for name, size in CAST}
            self.all_playlists: dict[str, Playlist] = {}
            self.requests: list[Recorded] = []
            self._recorded = 0
            self.mended = 0
            self._made_up: dict[str, Song] = {}
            self._faults: list[faults.Fault] = []
            self._chaos: faults.Chaos | None = None
            self._hooks: list[tuple[Callable[[Recorded], bool], Callable[[], object]]] = []
            self._calls: deque[datetime] = deque()
            self._offset = timedelta()

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
        """Without making a library that nobody has opened yet."""
        owner = self.listeners[listener]
        return owner.size if owner.saved is None else len(owner.saved)

    @locked
    def liked(self, listener: str) -> list[str]:
        """Uris, newest first."""
        return [f"spotify:track:{song_id}" for song_id, _ in self.saved(listener)]

    @locked
    def like(self, listener: str, *tracks: str, at: datetime | None = None) -> None:
        """All with one date, the first of them on top. A song liked again takes the new date."""
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
        """Exactly these, newest first; the newest with date ``at``, the others ``apart``."""
        newest = (at or self.now).replace(microsecond=0)
        self.listeners[listener].saved = [
            Saved(self.known_song(track).id, newest - number * apart)
            for number, track in enumerate(tracks)
        ]

    # Playlists, as seen and edited by hand in Spotify's own application

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
    def insert(self, playlist_id: str, *uris: str | None, position: int | None = None) -> None:
        """Any kind of row: tracks, episodes, ``local_file(…)``, or None for a null entry."""
        playlist = self.all_playlists[playlist_id]
        playlist.insert(self.rows(uris, playlist.owner), position)
        playlist.touch(self.now)

    @locked
    def remove_positions(self, playlist_id: str, *positions: int) -> None:
        playlist = self.all_playlists[playlist_id]
        playlist.rows = [row for i, row in enumerate(playlist.rows) if i not in positions]
        playlist.touch(self.now)

    @locked
    def move(self, playlist_id: str, start: int, before: int, length: int = 1) -> None:
        """As the API's reorder: positions are those before the move."""
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
        """What Spotify calls deleting: it leaves the library and stays readable by its id."""
        library = self.listeners[listener].library
        if playlist_id in library:
            library.remove(playlist_id)

    @locked
    def destroy_playlist(self, playlist_id: str) -> None:
        """Gone altogether: 404 from now on."""
        del self.all_playlists[playlist_id]
        for listener in self.listeners.values():
            self.unfollow(listener.id, playlist_id)

    # Listeners and their permission

    @locked
    def add_listener(self, listener: str, *, size: int = 0, allowed: bool = True) -> None:
        """One more than the cast; ``allowed`` puts them on the allow-list."""
        self.listeners[listener] = Listener(listener, listener.title(), size)
        if allowed:
            self.behaviour.allow_list |= {listener}

    @locked
    def authorize(
        self, listener: str, scopes: Sequence[str] | frozenset[str] = SCOPES, *, pkce: bool = False
    ) -> dict[str, Any]:
        """The token endpoint's answer after a full sign-in: tokens, ``expires_in``, ``scope``."""
        challenge = "set" if pkce else ""
        consent = Consent(listener, frozenset(scopes), self.now, challenge=challenge)
        return self.grants.issue(consent, self.now, refresh_token=True)

    @locked
    def expire_access_tokens(self, listener: str) -> None:
        self.grants.expire_access(listener, self.now)

    @locked
    def revoke(self, listener: str) -> None:
        """Refresh tokens die at once; access tokens already issued go on until they end."""
        self.grants.revoke(listener)

    # The record, and what happens to requests

    @locked
    def count(self, method: str | None = None, path_prefix: str = "/v1/") -> int:
        return sum(
            one.path.startswith(path_prefix) and method in (None, one.method)
            for one in self.requests
        )

    @locked
    def forget_requests(self) -> None:
        self.requests.clear()

    @locked
    def after_request(
        self, which: int | Callable[[Recorded], bool], call: Callable[[], object]
    ) -> None:
        """Call once, after the n-th API request from now or the first that fits.

        The request has had its effect by then, and its answer has not been sent.
        """
        if isinstance(which, int):
            left = iter(range(which - 1, -1, -1))
            self._hooks.append((lambda one: one.path.startswith("/v1/") and not next(left), call))
        else:
            self._hooks.append((which, call))

    @locked
    def fault(self, name: str, **keys: Any) -> faults.Fault:
        """Inject a fault by name and keys, or as written on the command line: see ``faults``."""
        made = faults.make(name, **keys) if keys else faults.parse(name)
        self._faults.append(made)
        return made

    @locked
    def chaos(self, seed: int, share: float, **options: Any) -> None:
        self._chaos = faults.Chaos(seed, share, **options)

    @locked
    def clear_faults(self) -> None:
        self._faults.clear()
        self._chaos = None

    def meet_fault(self, request: Request, listener: str | None) -> faults.Fault | None:
        """The first that takes this request; each counts what it was asked."""
        now = self.now
        met = [one for one in self._faults if one.takes(request, listener, now)]
        if met or self._chaos is None:
            return met[0] if met else None
        return self._chaos.pick(request)

    def spend_call(self) -> None:
        """Count a call against the rolling window and the daily quota; raises when one is full."""
        behaviour, now, calls = self.behaviour, self.now, self._calls
        while calls and calls[0] <= now - QUOTA_WINDOW:
            calls.popleft()
        if behaviour.daily_quota is not None and len(calls) >= behaviour.daily_quota:
            raise faults.quota_exceeded(calls[0] + QUOTA_WINDOW - now if calls else QUOTA_WINDOW)
        if (limit := behaviour.window_limit) is not None:
            recent = [at for at in reversed(calls) if at > now - RATE_WINDOW] if limit else [now]
            if len(recent) >= limit:
                wait = recent[-1] + RATE_WINDOW - now
                seconds = int(wait.total_seconds()) + 1
                raise ApiError(429, "API rate limit exceeded", retry_after=seconds)
        calls.append(now)

    def record(
        self, request: Request, response: Response, listener: str | None
    ) -> list[Callable[[], object]]:
        """Returns the hooks that are due, for the caller to call without the lock."""
        self._recorded += 1
        one = Recorded(
            self._recorded,
            request.method,
            request.path,
            request.query,
            len(request.body),
            response.status if response.end != "drop" else 0,
            response.outcome,
            listener,
            self.now,
        )
        self.requests.append(one)
        due = [hook for hook in self._hooks if hook[0](one)]
        self._hooks = [hook for hook in self._hooks if hook not in due]
        return [call for _, call in due]


def bare(track: str) -> str:
    return track.removeprefix("spotify:track:")


def local_file(artist: str, album: str, title: str, duration: timedelta) -> str:
    """The uri of a file on somebody's own disk."""
    names = (quote_plus(name) for name in (artist, album, title))
    return f"spotify:local:{':'.join(names)}:{int(duration.total_seconds())}"
