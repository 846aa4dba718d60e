"""The calls of the Subsonic API that Syncify uses, in forms that all tested servers support."""

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sync.targets.protocol import (
    Check,
    NotFound,
    NotKept,
    NotUnderstood,
    RateLimited,
    Refused,
    RemoteSong,
    TargetError,
    Unavailable,
)
from sync.targets.safety import Answer, Channel
from sync.targets.subsonic.errors import OtherSignIn, meaning
from sync.targets.waits import wait_of
from syncify.text import plain

API_VERSION = "1.13.0"
CLIENT_NAME = "Syncify"
#: Albums on a page; the maximum of the API.
ALBUMS = 500
#: Albums at most: a server that ignores the offset would list the same ones for ever.
MOST_ALBUMS = 200_000
#: Songs in one request, if a server does not accept all at once.
SONGS = 300
SEARCH_RESULTS = 20
#: A longer length is an error of the server.
MOST_SECONDS = 10**6

TOKEN, PASSWORD = "token", "password"
_TOO_MUCH = {400, 413, 414, 431}


class SubsonicClient:
    """One user of one server. Implements ``sync.targets.protocol.Target``.

    ``sign_in`` is the kind of sign-in that worked before, "" if unknown; afterwards it is the kind
    that works. Calls ``before_write`` before each call that changes something; an exception from
    it ends the attempt.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        username: str,
        password: str,
        sign_in: str = "",
        before_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._channel = channel
        self._before_write = before_write
        self._username = username
        self._password = password
        self.sign_in = sign_in

    # --- What works ---------------------------------------------------------------------------

    def check(self) -> list[Check]:
        self._ask("ping")
        found = [Check("Sign-in", works=True, note=self._sign_in_note())]
        extensions = self._extensions()
        kind = "Subsonic" if extensions is None else "OpenSubsonic"
        found.append(Check("Kind of server", works=True, note=kind))
        found.append(self._try("List of albums", self._count_albums))
        found.append(self._try("Playlists", lambda: f"{len(self._playlists()):,} there"))
        found.append(self._try("Stars", lambda: f"{len(self.loved()):,} songs starred"))
        return found

    def _sign_in_note(self) -> str:
        return "" if self.sign_in == TOKEN else "with the password, as this server requires"

    @staticmethod
    def _try(what: str, call: Any) -> Check:
        try:
            return Check(what, works=True, note=call())
        except TargetError as error:
            return Check(what, works=False, note=str(error))

    def _extensions(self) -> list[str] | None:
        """Names of OpenSubsonic's extensions; None for a plain Subsonic server."""
        try:
            listed = self._ask("getOpenSubsonicExtensions").get("openSubsonicExtensions", [])
        except (Refused, NotFound, NotUnderstood):
            return None
        return [str(each.get("name")) for each in _rows(listed)]

    def _count_albums(self) -> str:
        albums = self._albums(offset=0)
        more = " or more" if len(albums) == ALBUMS else ""
        return f"{len(albums):,}{more} albums"

    # --- Songs --------------------------------------------------------------------------------

    def albums(self) -> Iterator[dict[str, Any]]:
        """All albums, as the server lists them; each once."""
        seen: set[str] = set()
        for offset in range(0, MOST_ALBUMS, ALBUMS):
            page = self._albums(offset)
            new = [each for each in page if each.get("id") and str(each["id"]) not in seen]
            seen.update(str(each["id"]) for each in new)
            yield from new
            if len(page) < ALBUMS or not new:
                return

    def songs_of(self, album_id: str) -> list[RemoteSong]:
        """The songs of an album; none if it was deleted since it was listed."""
        try:
            album = _part(self._ask("getAlbum", id=album_id), "album")
        except NotFound:
            return []
        return _songs(album.get("song"))

    def search(self, words: str) -> list[RemoteSong]:
        """Songs that the server finds for ``words``.

        Some servers search for all words in one field, so that title and artist together find
        nothing. Then each word is searched, and only songs with all words count.
        """
        if found := self._search(words, SEARCH_RESULTS):
            return found
        parts = words.casefold().split()
        if len(parts) < 2:
            return []
        together: dict[str, RemoteSong] = {}
        for part in parts:
            for song in self._search(part, SEARCH_RESULTS * 10):
                text = f"{song.title} {song.artist} {song.album}".casefold()
                if all(each in text for each in parts):
                    together[song.id] = song
        return list(together.values())[:SEARCH_RESULTS]

    def song(self, song_id: str) -> RemoteSong | None:
        try:
            found = _songs([self._ask("getSong", id=song_id).get("song")])
        except NotFound:
            return None
        return found[0] if found else None

    def unknown(self, songs: Collection[str]) -> set[str]:
        return {each for each in songs if self._is_unknown(each)}

    def _is_unknown(self, song_id: str) -> bool:
        try:
            return self.song(song_id) is None
        except Refused:
            # Ids of another format, such as letters at a server with numbers.
            return True

    def _albums(self, offset: int) -> list[dict[str, Any]]:
        page = self._ask("getAlbumList2", type="alphabeticalByName", size=ALBUMS, offset=offset)
        return _rows(_part(page, "albumList2").get("album"))

    def _search(self, words: str, most: int) -> list[RemoteSong]:
        found = self._ask("search3", query=words, songCount=most, albumCount=0, artistCount=0)
        return _songs(_part(found, "searchResult3").get("song"))

    # --- Playlists ----------------------------------------------------------------------------

    def find_playlist(self, name: str) -> str | None:
        ours = [
            str(each["id"])
            for each in self._playlists()
            if each.get("name") == name and each.get("id") is not None and self._is_ours(each)
        ]
        return ours[0] if ours else None

    def read_playlist(self, playlist_id: str, *, expected: int = 0) -> list[str] | None:
        try:
            playlist = _part(self._ask("getPlaylist", expected, id=playlist_id), "playlist")
        except NotFound:
            return None
        return [str(each["id"]) for each in _rows(playlist.get("entry")) if "id" in each]

    def create_playlist(self, name: str, songs: Sequence[str]) -> str:
        try:
            answer = self._send("createPlaylist", name=name, songId=list(songs))
        except Refused as error:
            if error.status not in _TOO_MUCH or not songs:
                raise
            answer = self._send("createPlaylist", name=name, songId=list(songs[:SONGS]))
        created = _part(answer, "playlist").get("id")
        # Old Subsonic servers do not return the new playlist.
        found = str(created) if created is not None else self.find_playlist(name)
        if found is None:
            raise NotKept("The server said that it had made the playlist, but does not list it.")
        return found

    def write_playlist(
        self, playlist_id: str, present: Sequence[str], wanted: Sequence[str]
    ) -> None:
        """Replace all songs at once, or in parts if the server accepts no more."""
        if list(present) == list(wanted):
            return
        try:
            self._send("createPlaylist", playlistId=playlist_id, songId=list(wanted))
        except Refused as error:
            if error.status not in _TOO_MUCH:
                raise
            self._send("createPlaylist", playlistId=playlist_id, songId=list(wanted[:SONGS]))
        kept = self.read_playlist(playlist_id, expected=len(wanted)) or []
        # Servers with a limit of form fields drop the end without an error.
        while 0 < len(kept) < len(wanted) and kept == list(wanted[: len(kept)]):
            chunk = list(wanted[len(kept) : len(kept) + SONGS])
            self._send("updatePlaylist", playlistId=playlist_id, songIdToAdd=chunk)
            before = len(kept)
            kept = self.read_playlist(playlist_id, expected=len(wanted)) or []
            if len(kept) <= before:
                return

    def rename_playlist(self, playlist_id: str, name: str) -> None:
        self._send("updatePlaylist", playlistId=playlist_id, name=name)

    def _playlists(self) -> list[dict[str, Any]]:
        return _rows(_part(self._ask("getPlaylists"), "playlists").get("playlist"))

    def _is_ours(self, playlist: Mapping[str, Any]) -> bool:
        owner = playlist.get("owner")
        is_own = owner is None or str(owner).casefold() == self._username.casefold()
        return is_own and not playlist.get("readonly")

    # --- Stars --------------------------------------------------------------------------------

    def loved(self) -> set[str]:
        starred = _part(self._ask("getStarred2"), "starred2").get("song")
        return {str(each["id"]) for each in _rows(starred) if "id" in each}

    def love(self, song_id: str) -> None:
        # One id in each call: one server uses only the last of several.
        self._send("star", id=song_id)

    # --- One call -----------------------------------------------------------------------------

    def _ask(self, method: str, expected: int = 0, /, **params: Any) -> dict[str, Any]:
        """``expected`` is the length of a list in the answer."""
        path = f"/rest/{method}.view"
        return self._signed_in(
            lambda who: self._channel.get(path, {**who, **params}, songs=expected)
        )

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        """Always a form: long addresses are truncated or refused."""
        self._before_write()
        path = f"/rest/{method}.view"
        songs = sum(len(value) for value in params.values() if isinstance(value, list))
        return self._signed_in(
            lambda who: self._channel.post_form(path, {**who, **params}, songs=songs)
        )

    def _signed_in(self, call: Callable[[dict[str, str]], Answer]) -> dict[str, Any]:
        """Sign in with a token, or with the password if required on a private channel."""
        sign_in = self.sign_in or TOKEN
        try:
            content = _judged(call(self._credentials(sign_in)))
        except OtherSignIn:
            if self.sign_in or not self._channel.is_private_way:
                raise
            sign_in = PASSWORD
            content = _judged(call(self._credentials(sign_in)))
        self.sign_in = sign_in
        return content

    def _credentials(self, sign_in: str) -> dict[str, str]:
        who = {"u": self._username, "v": API_VERSION, "c": CLIENT_NAME, "f": "json"}
        if sign_in == PASSWORD:
            return {**who, "p": f"enc:{self._password.encode().hex()}"}
        salt = secrets.token_hex(8)
        # The API prescribes MD5.
        digest = hashlib.md5(f"{self._password}{salt}".encode(), usedforsecurity=False)
        return {**who, "t": digest.hexdigest(), "s": salt}


def _judged(answer: Answer) -> dict[str, Any]:
    """The content of a successful response; raises the error of another one."""
    if answer.status == 429:
        raise RateLimited(wait_of(answer.headers.get("Retry-After", "")))
    if answer.status >= 500:
        raise Unavailable(f"The server answered with an error of its own ({answer.status}).")
    content: dict[str, Any] | None = None
    with suppress(NotUnderstood):
        if isinstance(answer.json, dict):
            content = answer.json.get("subsonic-response")
    if not isinstance(content, dict):
        if answer.status >= 400:
            raise Refused(f"The server refused the request ({answer.status}).", answer.status)
        raise NotUnderstood("There is no Subsonic server at this address.")
    if content.get("status") != "ok":
        error = _part(content, "error")
        code = str(error.get("code", ""))
        raise meaning(int(code) if code.isdecimal() else 0, plain(str(error.get("message", ""))))
    return content


def _part(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = answer.get(name)
    return part if isinstance(part, dict) else {}


def _rows(value: Any) -> list[dict[str, Any]]:
    """A list of objects: some servers write a list of one as its only entry."""
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]


def _songs(value: Any) -> list[RemoteSong]:
    songs = []
    for row in _rows(value):
        if row.get("isDir") is True or row.get("id") is None or not row.get("title"):
            continue
        isrc = row.get("isrc") or []
        songs.append(
            RemoteSong(
                id=str(row["id"]),
                title=str(row["title"]),
                artist=str(row.get("artist") or row.get("displayArtist") or ""),
                album=str(row.get("album") or ""),
                seconds=_seconds(row.get("duration")),
                isrcs=tuple(map(str, isrc if isinstance(isrc, list) else [isrc])),
            )
        )
    return songs


def _seconds(value: Any) -> int:
    """0 for an invalid length."""
    is_number = isinstance(value, int | float)
    return int(value) if is_number and 0 < value < MOST_SECONDS else 0
