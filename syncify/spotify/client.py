"""SpotifyClient: the calls that Syncify makes, over spotipy, with our names, types and errors."""

import html
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from syncify.spotify.answers import Meaning, NotOk, Pause, Renew, Stop, Trouble
from syncify.spotify.errors import (
    BadRequest,
    Blocked,
    OutcomeUnknown,
    SpotifyError,
    Unavailable,
)
from syncify.spotify.types import (
    Playlist,
    PlaylistItemsPage,
    Profile,
    SavedTrackItem,
    SavedTracksPage,
    Song,
)

logger = logging.getLogger(__name__)

PAGE = 50
#: Seconds to connect, and between two bytes of the answer.
TIMEOUT = (5.0, 20.0)
READ_TRIES = 3
PAUSES = 5
RESTARTS = 2

# Asked for under the new names and the old: which of them Spotify sends is not settled.
_PLAYLIST_FIELDS = "id,name,description,public,snapshot_id,owner(id),items(total),tracks(total)"
_ITEMS_FIELDS = "total,items(item(uri),track(uri))"

# Parallel calls bring on the burst limit, and half of parallel writes fail.
_one_call_at_a_time = threading.Lock()


class Tokens(Protocol):
    def current(self) -> str:
        """An access token that is worth trying."""

    def renewed(self, used: str) -> str:
        """Another one, after Spotify refused ``used``; callers at once make one token request."""


class Gate(Protocol):
    def admit(self) -> None:
        """Count one call, or raise Blocked or BudgetSpent."""

    def block(self, *, for_: timedelta, because: str) -> datetime:
        """Let nobody call for so long; returns until when."""


class SpotifyClient:
    """Spotify as one listener; for one thread at a time.

    Reads are tried a few times. A write is sent again only after an answer that says it had no
    effect (401, 429); one that was not answered raises OutcomeUnknown. Positions and uris are
    Spotify's own. ``sleep`` gets seconds, and may raise to give the call up: it is called only
    between two requests.
    """

    def __init__(
        self,
        *,
        api_url: str,
        tokens: Tokens,
        gate: Gate,
        sleep: Callable[[float], None] = time.sleep,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:
        #: Requests sent to the API host, repeated ones too.
        self.calls = 0
        self._tokens = tokens
        self._gate = gate
        self._sleep = sleep
        # They bring requests and a client of Redis: 10 MB, only for a process that gets so far.
        import spotipy  # noqa: PLC0415

        from syncify.spotify.session import Session  # noqa: PLC0415

        self._session = Session()
        self._refusal = spotipy.SpotifyException
        self._spotify = spotipy.Spotify(requests_session=self._session, requests_timeout=timeout)
        self._spotify.prefix = api_url

    def close(self) -> None:
        self._session.close()

    # --- Reading ------------------------------------------------------------------------------

    def me(self) -> Profile:
        return self._read(self._spotify.me, _profile)

    def saved_tracks(self, offset: int) -> SavedTracksPage:
        """Up to 50, newest first."""

        def parse(answer: Any) -> SavedTracksPage:
            items = tuple(_saved_track(item) for item in answer["items"])
            return SavedTracksPage(offset, answer["total"], items)

        # No market: with one, Spotify may answer with the ids of other songs.
        return self._read(
            lambda: self._spotify.current_user_saved_tracks(limit=PAGE, offset=offset), parse
        )

    def playlist(self, playlist_id: str) -> Playlist:
        return self._read(
            lambda: self._spotify.playlist(playlist_id, fields=_PLAYLIST_FIELDS), _playlist
        )

    def playlist_items(self, playlist_id: str, offset: int) -> PlaylistItemsPage:
        """Up to 50 entries in order."""

        def page(fields: str | None) -> Any:
            return self._read(
                lambda: self._spotify.playlist_items(
                    playlist_id, fields=fields, limit=PAGE, offset=offset
                ),
                lambda answer: {"total": answer["total"], "items": list(answer["items"])},
            )

        answer = page(_ITEMS_FIELDS)
        if answer["items"] and not any({"item", "track"} & set(row) for row in answer["items"]):
            # A filter that Spotify does not understand must not look like an empty row.
            answer = page(None)
        uris = tuple(
            (row.get("item") or row.get("track") or {}).get("uri") for row in answer["items"]
        )
        return PlaylistItemsPage(offset, answer["total"], uris)

    def playlist_uris(self, playlist_id: str) -> list[str | None]:
        """Every entry in order, begun again when the playlist changes on the way.

        Raises Unavailable when it never holds still.
        """
        for _ in range(1 + RESTARTS):
            page = self.playlist_items(playlist_id, 0)
            total, uris = page.total, list(page.uris)
            while page.total == total and page.uris and len(uris) < total:
                page = self.playlist_items(playlist_id, len(uris))
                uris += page.uris
            if page.total == total == len(uris):
                return uris
        raise Unavailable

    def own_playlists(self) -> Iterator[Playlist]:
        """What is in the listener's library: playlists of their own and ones that they follow."""
        offset, more = 0, True
        while more:
            playlists, more = self._playlists(offset)
            yield from playlists
            offset += PAGE

    def _playlists(self, offset: int) -> tuple[list[Playlist], bool]:
        """Up to 50, and whether there are more."""

        def parse(answer: Any) -> tuple[list[Playlist], bool]:
            items = answer["items"]
            return [_playlist(item) for item in items if item], bool(items and answer["next"])

        return self._read(
            lambda: self._spotify.current_user_playlists(limit=PAGE, offset=offset), parse
        )

    def in_library(self, uris: Sequence[str]) -> list[bool]:
        """Whether each of at most 40 uris is in the listener's library."""

        def parse(answer: Any) -> list[bool]:
            if len(answer) != len(uris):
                raise ValueError("not one answer for each uri")
            return [bool(held) for held in answer]

        return self._read(
            lambda: self._spotify._get("me/library/contains", uris=",".join(uris)), parse
        )

    # --- Writing ------------------------------------------------------------------------------

    def create_playlist(self, *, name: str, description: str, public: bool) -> Playlist:
        return self._write(
            lambda: self._spotify.current_user_playlist_create(
                name, public=public, description=description
            ),
            _playlist,
        )

    def change_details(
        self,
        playlist_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        public: bool | None = None,
    ) -> None:
        """Those that are given."""
        self._write(
            lambda: self._spotify.playlist_change_details(
                playlist_id, name=name, description=description, public=public
            ),
            _nothing,
        )

    def add_items(self, playlist_id: str, uris: Sequence[str], position: int) -> str:
        """At most 100, the first of them at ``position``; returns the snapshot id, as all below."""
        body = {"uris": list(uris), "position": position}
        return self._write(
            lambda: self._spotify._post(f"playlists/{playlist_id}/items", payload=body),
            _snapshot_id,
        )

    def remove_items(self, playlist_id: str, uris: Sequence[str]) -> str:
        """Every occurrence of at most 100 uris."""
        body = {"items": [{"uri": uri} for uri in uris]}
        return self._write(
            lambda: self._spotify._delete(f"playlists/{playlist_id}/items", payload=body),
            _snapshot_id,
        )

    def move_items(self, playlist_id: str, *, start: int, length: int, before: int) -> str:
        """All positions are those before the move."""
        return self._write(
            lambda: self._spotify.playlist_reorder_items(
                playlist_id, range_start=start, insert_before=before, range_length=length
            ),
            _snapshot_id,
        )

    def replace_items(self, playlist_id: str, uris: Sequence[str]) -> str:
        """By at most 100; none empties the playlist."""
        body = {"uris": list(uris)}
        return self._write(
            lambda: self._spotify._put(f"playlists/{playlist_id}/items", payload=body), _snapshot_id
        )

    def save_to_library(self, uri: str) -> None:
        """Restores a playlist that the listener took out of their library."""
        self._write(lambda: self._spotify._put("me/library", uris=uri), _nothing)

    # --- One call, and what comes of it -------------------------------------------------------

    def _read[T](self, send: Callable[[], Any], parse: Callable[[Any], T]) -> T:
        return self._call(send, parse, write=False)

    def _write[T](self, send: Callable[[], Any], parse: Callable[[Any], T]) -> T:
        return self._call(send, parse, write=True)

    def _call[T](self, send: Callable[[], Any], parse: Callable[[Any], T], *, write: bool) -> T:
        tries, renewals, pauses = 1 if write else READ_TRIES, 1, PAUSES
        while True:
            token = self._tokens.current()
            self._gate.admit()
            try:
                return parse(self._send(token, send))
            except NotOk as error:
                heard: Meaning = error.meaning
            except (KeyError, TypeError, ValueError, AttributeError):
                heard = Trouble()  # an answer of another shape than was asked for
            logger.info("call failed write=%s meaning=%r calls=%d", write, heard, self.calls)
            match heard:
                case Renew() if renewals:
                    renewals -= 1
                    self._tokens.renewed(token)
                case Pause(wait) if pauses:
                    pauses -= 1
                    self._sleep(wait.total_seconds())
                case Trouble() if tries > 1:
                    tries -= 1
                    self._sleep(_jitter(READ_TRIES - tries))
                case _:
                    raise self._error(heard, write=write)

    def _send(self, token: str, send: Callable[[], Any]) -> Any:
        with _one_call_at_a_time:
            self.calls += 1
            self._spotify.set_auth(token)
            try:
                return send()
            except self._refusal as error:
                # Spotify's own errors end in NotOk: this is spotipy, which sent nothing.
                raise BadRequest(str(error.msg)) from error

    def _error(self, heard: Meaning, *, write: bool) -> SpotifyError:
        match heard:
            case SpotifyError():
                return heard
            case Stop(wait, because):
                return Blocked(self._gate.block(for_=wait, because=because), because)
            case Pause():
                # A limit that five waits did not cure is everybody's.
                until = self._gate.block(for_=timedelta(minutes=1), because="quota")
                return Blocked(until, "quota")
            case Trouble(status, sent) if write and sent:
                return OutcomeUnknown(status)
            case Trouble(status):
                return Unavailable(status)
            case Renew():
                return Unavailable(401)


def _jitter(number: int) -> float:
    """Seconds before the next try: about half a second, then a second."""
    return 0.5 * number * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing


# --- From Spotify's JSON to our types: any error here is an answer that cannot be read ----------


def _profile(answer: Any) -> Profile:
    return Profile(
        str(answer["id"]), answer.get("account_id") or None, _text(answer.get("display_name"))
    )


def _saved_track(item: Any) -> SavedTrackItem:
    track = item.get("track")
    song = _song(track) if track and track.get("id") else None
    return SavedTrackItem(datetime.fromisoformat(item["added_at"]), song)


def _song(track: Any) -> Song:
    album = track.get("album") or {}
    return Song(
        id=track["id"],
        uri=track["uri"],
        name=_text(track.get("name")),
        artists=tuple(_text(artist.get("name")) for artist in track.get("artists") or ()),
        album=_text(album.get("name")),
        duration_ms=track.get("duration_ms") or 0,
        explicit=bool(track.get("explicit")),
        isrc=(track.get("external_ids") or {}).get("isrc") or "",
        release_date=album.get("release_date") or "",
    )


def _text(value: str | None) -> str:
    """As people wrote it, but for what JSON can say and PostgreSQL cannot store."""
    return (value or "").replace("\0", "").encode(errors="replace").decode()


def _playlist(answer: Any) -> Playlist:
    return Playlist(
        id=answer["id"],
        name=_text(answer.get("name")),
        description=_text(html.unescape(answer.get("description") or "")),
        public=answer.get("public"),
        snapshot_id=answer.get("snapshot_id") or "",
        total=(answer.get("items") or answer.get("tracks") or {}).get("total", 0),
        owner_id=(answer.get("owner") or {}).get("id") or "",
    )


def _snapshot_id(answer: Any) -> str:
    return str(answer["snapshot_id"])


def _nothing(answer: Any) -> None:
    """For a write whose answer has no body."""
