"""A simulated music server with the Subsonic API and the variations of real servers.

It imports no product code. ``python -m syncify.simulator.subsonic`` serves a small
collection for the demo.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from syncify.simulator.small_server import Ask, Reply, SmallServer, json_reply

API_VERSION = "1.16.1"
ALBUMS_MAX = 500


@dataclass
class Song:
    id: str
    title: str
    artist: str
    album: str = ""
    seconds: int = 200
    isrc: str = ""


@dataclass
class Playlist:
    id: str
    name: str
    owner: str
    songs: list[str] = field(default_factory=list)


@dataclass
class Traits:
    """How servers differ. The defaults are those of a modern OpenSubsonic server."""

    #: Takes a token; without, error 10 and only the password itself.
    token_sign_in: bool = True
    #: Knows getOpenSubsonicExtensions; without, 404.
    extensions: bool = True
    #: search3 with an empty query lists all songs.
    empty_query_lists_all: bool = False
    #: Search without accents, and title and artist in one query.
    folding_search: bool = True
    #: The answer of createPlaylist has the playlist.
    create_answers: bool = True
    #: Bytes of a request line, beyond which ``long_line_status`` is the answer.
    line_max: int = 8_000
    long_line_status: int = 414
    #: An unknown song in a list: "refuse" is error 0 and no change, "drop" leaves it out.
    unknown_song: str = "drop"
    #: All ids of one star call count; otherwise only the last.
    stars_all_ids: bool = True
    #: Songs have their ISRC.
    isrc: bool = True
    #: Takes a form by POST.
    form_post: bool = True
    #: Song ids that are read from one form; the rest is ignored without an error.
    form_ids_max: int | None = None
    #: Song ids of one form, beyond which the answer is 413.
    form_ids_refused: int | None = None
    #: A list of one is written as its only entry, as XML converters do.
    bare_single: bool = False


#: Like an old Subsonic server.
PLAIN = Traits(
    token_sign_in=False,
    extensions=False,
    empty_query_lists_all=True,
    folding_search=False,
    create_answers=False,
    long_line_status=431,
    unknown_song="refuse",
    isrc=False,
)
#: Like an OpenSubsonic server that drops unknown songs without an error.
SILENT = Traits(long_line_status=400, unknown_song="drop", stars_all_ids=False, isrc=False)


class _Failed(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class MusicServer(SmallServer):
    """Songs, playlists and stars of one user, ``demo`` with the password ``demo``."""

    def __init__(
        self,
        songs: Iterable[Song] = (),
        *,
        traits: Traits | None = None,
        username: str = "demo",
        password: str = "demo",  # noqa: S107 - opens nothing but this stand-in
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(host=host, port=port)
        self.traits = traits or Traits()
        self.username, self.password = username, password
        self.songs: dict[str, Song] = {song.id: song for song in songs}
        self.playlists: dict[str, Playlist] = {}
        self.stars: dict[str, None] = {}
        #: The methods called, in their order.
        self.calls: list[str] = []
        #: Responses to send instead: (method, status), each once; 0 applies the call, then closes
        #: the connection, -1 ends it before.
        self.troubles: list[tuple[str, int]] = []
        self._made = 0

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call in _WRITES]

    def add(self, *songs: Song) -> None:
        self.songs.update((song.id, song) for song in songs)

    def albums(self) -> dict[str, list[Song]]:
        found: dict[str, list[Song]] = {}
        for song in self.songs.values():
            found.setdefault(f"al-{song.album}", []).append(song)
        return dict(sorted(found.items()))

    # --- Requests -----------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        with self.lock:
            method = ask.path.rpartition("/rest/")[2].removesuffix(".view")
            if ask.line_length > self.traits.line_max:
                return Reply(self.traits.long_line_status, b"too long", "text/plain")
            if ask.method == "POST" and not self.traits.form_post:
                return Reply(405, b"no POST", "text/plain")
            params = {**ask.query, **(ask.form if ask.method == "POST" else {})}
            self.calls.append(method)
            trouble = next((each for each in self.troubles if each[0] == method), None)
            if trouble:
                self.troubles.remove(trouble)
                if trouble[1] == -1:
                    return Reply(cut=True)
                if trouble[1] > 0:
                    return Reply(trouble[1], b"trouble", "text/plain")
            reply = self._answer(method, params)
            return Reply(cut=True) if trouble else reply

    def _answer(self, method: str, params: dict[str, list[str]]) -> Reply:
        names = [each for each in ("songId", "songIdToAdd") if each in params]
        for name in names:
            count = len(params[name])
            if self.traits.form_ids_refused is not None and count > self.traits.form_ids_refused:
                return Reply(413, b"too much", "text/plain")
            if self.traits.form_ids_max is not None:
                params[name] = params[name][: self.traits.form_ids_max]
        handler = _METHODS.get(method)
        if handler is None or (
            method == "getOpenSubsonicExtensions" and not self.traits.extensions
        ):
            return Reply(404, b"<h1>Not Found</h1>", "text/html")
        content: dict[str, Any] = {"version": API_VERSION, "type": "syncify-simulator"}
        try:
            self._sign_in({name: values[-1] for name, values in params.items()})
            content |= {"status": "ok", **handler(self, params)}
        except _Failed as failed:
            error = {"code": failed.code, "message": str(failed)}
            content |= {"status": "failed", "error": error}
        return json_reply({"subsonic-response": content})

    def _sign_in(self, one: dict[str, str]) -> None:
        if "t" in one:
            if not self.traits.token_sign_in:
                raise _Failed(10, "Missing parameter p")
            digest = hashlib.md5(f"{self.password}{one.get('s', '')}".encode())  # noqa: S324 - the API's
            is_right = one["t"] == digest.hexdigest()
        elif "p" in one:
            given = one["p"]
            if given.startswith("enc:"):
                given = bytes.fromhex(given.removeprefix("enc:")).decode()
            is_right = given == self.password
        else:
            raise _Failed(10, "Missing parameter")
        if not is_right or one.get("u") != self.username:
            raise _Failed(40, "Wrong username or password")

    # --- Methods ------------------------------------------------------------------------------

    def ping(self, _params: dict[str, list[str]]) -> dict[str, Any]:
        return {}

    def extensions(self, _params: dict[str, list[str]]) -> dict[str, Any]:
        return {"openSubsonicExtensions": [{"name": "formPost", "versions": [1]}]}

    def album_list(self, params: dict[str, list[str]]) -> dict[str, Any]:
        size = min(int(params.get("size", ["10"])[-1]), ALBUMS_MAX)
        offset = int(params.get("offset", ["0"])[-1])
        page = list(self.albums().items())[offset : offset + size]
        listed = [
            {
                "id": key,
                "name": songs[0].album,
                "songCount": len(songs),
                "duration": sum(song.seconds for song in songs),
            }
            for key, songs in page
        ]
        return {"albumList2": self._list("album", listed)}

    def album(self, params: dict[str, list[str]]) -> dict[str, Any]:
        key = params.get("id", [""])[-1]
        if not (songs := self.albums().get(key)):
            raise _Failed(70, "Album not found")
        listed = [self._child(song) for song in songs]
        return {"album": {"id": key, "name": songs[0].album, **self._list("song", listed)}}

    def search(self, params: dict[str, list[str]]) -> dict[str, Any]:
        query, most = params.get("query", [""])[-1], int(params.get("songCount", ["20"])[-1])
        if query in ("", '""', "*"):
            found = list(self.songs.values()) if self.traits.empty_query_lists_all else []
        elif self.traits.folding_search:
            words = _bare(query).split()
            found = [
                song
                for song in self.songs.values()
                if all(word in _bare(f"{song.title} {song.artist} {song.album}") for word in words)
            ]
        else:
            lowered = query.lower()
            found = [song for song in self.songs.values() if lowered in song.title.lower()]
        listed = [self._child(song) for song in found[:most]]
        return {"searchResult3": self._list("song", listed)}

    def song(self, params: dict[str, list[str]]) -> dict[str, Any]:
        if not (song := self.songs.get(params.get("id", [""])[-1])):
            raise _Failed(70, "Song not found")
        return {"song": self._child(song)}

    def list_playlists(self, _params: dict[str, list[str]]) -> dict[str, Any]:
        listed = [self._playlist(each) for each in self.playlists.values()]
        return {"playlists": self._list("playlist", listed)}

    def get_playlist(self, params: dict[str, list[str]]) -> dict[str, Any]:
        return {"playlist": self._full(self._known(params, "id"))}

    def create_playlist(self, params: dict[str, list[str]]) -> dict[str, Any]:
        songs = self._taken(params.get("songId", []))
        if "playlistId" in params:
            playlist = self._known(params, "playlistId")
            playlist.songs = songs
        else:
            if not (name := params.get("name", [""])[-1]):
                raise _Failed(10, "Missing parameter name")
            self._made += 1
            playlist = Playlist(f"pl-{self._made}", name, self.username, songs)
            self.playlists[playlist.id] = playlist
        return {"playlist": self._full(playlist)} if self.traits.create_answers else {}

    def update_playlist(self, params: dict[str, list[str]]) -> dict[str, Any]:
        playlist = self._known(params, "playlistId")
        playlist.songs += self._taken(params.get("songIdToAdd", []))
        playlist.name = params.get("name", [playlist.name])[-1]
        return {}

    def star(self, params: dict[str, list[str]]) -> dict[str, Any]:
        ids = params.get("id", [])
        for each in ids if self.traits.stars_all_ids else ids[-1:]:
            if each not in self.songs:
                raise _Failed(70, "Song not found")
            self.stars[each] = None
        return {}

    def starred(self, _params: dict[str, list[str]]) -> dict[str, Any]:
        listed = [self._child(self.songs[each]) for each in self.stars if each in self.songs]
        return {"starred2": self._list("song", listed)}

    # --- Shapes -------------------------------------------------------------------------------

    def _taken(self, ids: list[str]) -> list[str]:
        """The ids that the server accepts into a playlist."""
        if self.traits.unknown_song == "refuse" and any(each not in self.songs for each in ids):
            raise _Failed(0, "A song does not exist")
        return [each for each in ids if each in self.songs]

    def _known(self, params: dict[str, list[str]], name: str) -> Playlist:
        if not (playlist := self.playlists.get(params.get(name, [""])[-1])):
            raise _Failed(70, "Playlist not found")
        return playlist

    def _list(self, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        if not rows:
            return {}
        return {name: rows[0] if self.traits.bare_single and len(rows) == 1 else rows}

    def _playlist(self, playlist: Playlist) -> dict[str, Any]:
        count = len(playlist.songs)
        return {
            "id": playlist.id,
            "name": playlist.name,
            "owner": playlist.owner,
            "songCount": count,
        }

    def _full(self, playlist: Playlist) -> dict[str, Any]:
        entries = [self._child(self.songs[each]) for each in playlist.songs if each in self.songs]
        return {**self._playlist(playlist), **self._list("entry", entries)}

    def _child(self, song: Song) -> dict[str, Any]:
        child: dict[str, Any] = {
            "id": song.id,
            "title": song.title,
            "artist": song.artist,
            "album": song.album,
            "duration": song.seconds,
            "isDir": False,
        }
        if self.traits.isrc and song.isrc:
            child["isrc"] = [song.isrc]
        return child


type _Method = Callable[[MusicServer, dict[str, list[str]]], dict[str, Any]]

_METHODS: dict[str, _Method] = {
    "ping": MusicServer.ping,
    "getOpenSubsonicExtensions": MusicServer.extensions,
    "getAlbumList2": MusicServer.album_list,
    "getAlbum": MusicServer.album,
    "search3": MusicServer.search,
    "getSong": MusicServer.song,
    "getPlaylists": MusicServer.list_playlists,
    "getPlaylist": MusicServer.get_playlist,
    "createPlaylist": MusicServer.create_playlist,
    "updatePlaylist": MusicServer.update_playlist,
    "star": MusicServer.star,
    "getStarred2": MusicServer.starred,
}
_WRITES = {"createPlaylist", "updatePlaylist", "star"}


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(each for each in decomposed if not unicodedata.combining(each))
