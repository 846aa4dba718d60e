"""A simulated ListenBrainz with its limits; it imports no product code."""

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5

from syncify.simulator.small_server import Ask, Reply, SmallServer, json_reply

LOOKUPS_MAX, ADDS_MAX, PAGE_MAX, LOOKUP_CHARACTERS_MAX = 50, 100, 1000, 250
RECORDING = "https://musicbrainz.org/recording/"
PLAYLIST = "https://listenbrainz.org/playlist/"


@dataclass
class Recording:
    mbid: str
    title: str
    artist: str


@dataclass
class Playlist:
    mbid: str
    title: str
    public: bool
    tracks: list[str] = field(default_factory=list)


class _Failed(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ListenBrainz(SmallServer):
    """One user, ``ada``, whose token is ``token``."""

    def __init__(
        self,
        *,
        user: str = "ada",
        token: str = "token",  # noqa: S107 - opens nothing but this stand-in
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(host=host, port=port)
        self.user, self.token = user, token
        self.recordings: dict[tuple[str, str], Recording] = {}
        #: Recordings that are returned for similar names.
        self.guesses: dict[tuple[str, str], Recording] = {}
        self.playlists: dict[str, Playlist] = {}
        self.loves: dict[str, None] = {}
        #: Public listens by user, in any order, as ``listen`` makes them.
        self.listens: dict[str, list[dict[str, Any]]] = {}
        #: Users whose listens are not shown.
        self.hidden: set[str] = set()
        self.calls: list[str] = []
        #: Calls allowed in ``window`` seconds; more get 429. None: no limit.
        self.calls_max: int | None = None
        self.window = 10.0
        self._window_from = float("-inf")
        self._window_calls = 0
        #: Responses to send instead: (end of the path, status); see ``simulator.subsonic``.
        self.troubles: list[tuple[str, int]] = []
        self._made = 0

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call.startswith("POST ") and "lookup" not in call]

    def add(self, title: str, artist: str) -> Recording:
        """Add a recording that is found by exactly these names."""
        key = (title, artist)
        self.recordings[key] = Recording(str(uuid5(NAMESPACE_URL, f"{title}/{artist}")), *key)
        return self.recordings[key]

    def listen(
        self, user: str, at: int, title: str, artist: str, *, spotify_id: str = "", seconds: int = 0
    ) -> None:
        """Let ``user`` have listened to a song, beginning ``at`` seconds since 1970."""
        more: dict[str, Any] = {"submission_client": "stand-in"}
        if spotify_id:
            more["spotify_id"] = f"https://open.spotify.com/track/{spotify_id}"
        if seconds:
            more["duration_ms"] = seconds * 1000
        about = {"track_name": title, "artist_name": artist, "additional_info": more}
        self.listens.setdefault(user, []).append({"listened_at": at, "track_metadata": about})

    # --- Requests -----------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        with self.lock:
            path = ask.path.rstrip("/")
            self.calls.append(f"{ask.method} {path}")
            headers = self._count()
            if headers.get("X-RateLimit-Remaining") == "-1":
                headers["X-RateLimit-Remaining"] = "0"
                return json_reply({"code": 429, "error": "too many"}, 429, headers)
            trouble = next((each for each in self.troubles if path.endswith(each[0])), None)
            if trouble:
                self.troubles.remove(trouble)
                if trouble[1] == -1:
                    return Reply(cut=True)
                if trouble[1] > 0:
                    return json_reply({"error": "trouble"}, trouble[1], headers)
            try:
                value = self._route(ask, path.removeprefix("/1/").split("/"))
                reply = json_reply(value, headers=headers)
            except _Failed as failed:
                error = {"code": failed.status, "error": str(failed)}
                reply = json_reply(error, failed.status, headers)
            return Reply(cut=True) if trouble else reply

    def _count(self) -> dict[str, str]:
        if self.calls_max is None:
            return {}
        now = time.monotonic()
        if now - self._window_from >= self.window:
            self._window_from, self._window_calls = now, 0
        self._window_calls += 1
        left = max(self.calls_max - self._window_calls, -1)
        reset = max(self.window - (now - self._window_from), 0.0)
        return {
            "X-RateLimit-Limit": str(self.calls_max),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset-In": f"{reset:.3f}",
        }

    def _route(self, ask: Ask, parts: list[str]) -> Any:
        is_known = ask.headers.get("Authorization") == f"Token {self.token}"
        if parts == ["validate-token"]:
            said = {"code": 200, "message": "Token valid.", "valid": True, "user_name": self.user}
            return said if is_known else {"code": 200, "message": "Invalid.", "valid": False}
        match ask.method, parts:
            case "GET", ["user", name, "listens"]:  # public: no token is asked for
                return self._listens(unquote(name), ask)
        if not is_known:
            raise _Failed(401, "You need to provide an Authorization token.")
        match ask.method, parts:
            case "POST", ["metadata", "lookup"]:
                return self._look_up(ask.json)
            case "POST", ["feedback", "recording-feedback"]:
                return self._love(ask.json)
            case "GET", ["feedback", "user", self.user, "get-feedback"]:
                return self._loves(ask)
            case "GET", ["user", self.user, "playlists"]:
                return self._list_playlists(ask)
            case _, ["playlist", *rest]:
                return self._route_playlist(ask, rest)
        raise _Failed(404, "Not found")

    def _route_playlist(self, ask: Ask, parts: list[str]) -> Any:
        match ask.method, parts:
            case "POST", ["create"]:
                return self._create(ask.json)
            case "GET", [mbid]:
                return {"playlist": self._shown(self._known(mbid), with_tracks=True)}
            case "POST", ["edit", mbid]:
                self._known(mbid).title = ask.json["playlist"]["title"]
            case "POST", [mbid, "item", "add", place]:
                songs = self._recordings(ask.json)
                if len(songs) > ADDS_MAX:
                    raise _Failed(400, f"You may only add max {ADDS_MAX} recordings per call.")
                tracks, at = self._known(mbid).tracks, int(place)
                tracks[at:at] = songs
            case "POST", [mbid, "item", "delete"]:
                at, count = int(ask.json["index"]), int(ask.json["count"])
                del self._known(mbid).tracks[at : at + count]
            case _:
                raise _Failed(404, "Not found")
        return {"status": "ok"}

    # --- Recordings and loves -----------------------------------------------------------------

    def _look_up(self, asked: Any) -> list[dict[str, Any]]:
        songs = asked.get("recordings") or []
        if not 0 < len(songs) <= LOOKUPS_MAX:
            raise _Failed(400, "Number of recordings in request body exceeds maximum permitted.")
        rows = []
        for index, song in enumerate(songs):
            title, artist = song.get("recording_name"), song.get("artist_name")
            if not title or not artist:
                raise _Failed(400, f"Recording {index} artist_name is invalid or not present")
            if len(title) + len(artist) > LOOKUP_CHARACTERS_MAX:
                raise _Failed(400, f"Recording {index} is longer than permitted")
            row: dict[str, Any] = {
                "index": index,
                "recording_name_arg": title,
                "artist_name_arg": artist,
            }
            found = self.recordings.get((title, artist)) or self.guesses.get((title, artist))
            if found:
                row |= {
                    "recording_mbid": found.mbid,
                    "recording_name": found.title,
                    "artist_credit_name": found.artist,
                }
            rows.append(row)
        return rows

    def _love(self, asked: Any) -> dict[str, str]:
        if set(asked) != {"recording_mbid", "score"} or asked["score"] not in (-1, 0, 1):
            raise _Failed(400, "Invalid JSON document submitted")
        if asked["score"] == 1:
            self.loves[asked["recording_mbid"]] = None
        else:
            self.loves.pop(asked["recording_mbid"], None)
        return {"status": "ok"}

    def _loves(self, ask: Ask) -> dict[str, Any]:
        page, offset = _page([*self.loves], ask)
        rows = [{"recording_mbid": each, "recording_msid": None, "score": 1} for each in page]
        return {
            "feedback": rows,
            "count": len(rows),
            "total_count": len(self.loves),
            "offset": offset,
        }

    def _listens(self, user: str, ask: Ask) -> dict[str, Any]:
        """The oldest listens after ``min_ts``, newest first; without it the newest of all."""
        if user not in self.listens:
            raise _Failed(404, f"Cannot find user: {user}")
        if user in self.hidden:
            raise _Failed(403, "The listens of this user are not public.")
        count = min(int(ask.query.get("count", ["25"])[-1]), PAGE_MAX)
        rows = sorted(self.listens[user], key=lambda row: int(row["listened_at"]))
        if "min_ts" in ask.query:
            after = int(ask.query["min_ts"][-1])
            shown = [row for row in rows if row["listened_at"] > after][:count]
        else:
            shown = rows[-count:]
        return {"payload": {"user_id": user, "count": len(shown), "listens": shown[::-1]}}

    # --- Playlists ----------------------------------------------------------------------------

    def _list_playlists(self, ask: Ask) -> dict[str, Any]:
        page, offset = _page([*self.playlists.values()], ask, most=100)
        shown = [{"playlist": self._shown(each, with_tracks=False)} for each in page]
        return {
            "playlists": shown,
            "count": len(shown),
            "offset": offset,
            "playlist_count": len(self.playlists),
        }

    def _create(self, asked: Any) -> dict[str, str]:
        said = asked.get("playlist") or {}
        if not said.get("title"):
            raise _Failed(400, "JSPF playlist must contain a title element.")
        self._made += 1
        mbid = str(uuid5(NAMESPACE_URL, f"playlist {self._made}"))
        extension = (said.get("extension") or {}).get("https://musicbrainz.org/doc/jspf#playlist")
        public = bool((extension or {}).get("public", True))
        self.playlists[mbid] = Playlist(mbid, said["title"], public, self._recordings(asked))
        return {"status": "ok", "playlist_mbid": mbid}

    def _known(self, mbid: str) -> Playlist:
        if mbid not in self.playlists:
            raise _Failed(404, f"Cannot find playlist: {mbid}")
        return self.playlists[mbid]

    @staticmethod
    def _recordings(asked: Any) -> list[str]:
        found = []
        for track in asked["playlist"].get("track") or []:
            identifier = track.get("identifier", "")
            if not identifier.startswith(RECORDING):
                raise _Failed(400, "JSPF playlist track must have a valid identifier.")
            found.append(identifier.removeprefix(RECORDING))
        return found

    def _shown(self, playlist: Playlist, *, with_tracks: bool) -> dict[str, Any]:
        tracks = [{"identifier": [f"{RECORDING}{each}"]} for each in playlist.tracks]
        return {
            "title": playlist.title,
            "creator": self.user,
            "identifier": f"{PLAYLIST}{playlist.mbid}",
            "track": tracks if with_tracks else [],
        }


def _page[T](rows: list[T], ask: Ask, most: int = PAGE_MAX) -> tuple[list[T], int]:
    def number(name: str, default: str) -> int:
        return int(ask.query.get(name, [default])[-1])

    offset = number("offset", "0")
    return rows[offset : offset + min(number("count", "25"), most)], offset
