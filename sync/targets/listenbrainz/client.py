"""The calls of the ListenBrainz API that Syncify uses."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sync.targets.listenbrainz.edits import Insert, plan
from sync.targets.listenbrainz.errors import meaning
from sync.targets.protocol import BadCredentials, Check, NotFound, NotUnderstood, RateLimited
from sync.targets.safety import Answer, Channel
from sync.targets.waits import wait_of

RECORDING = "https://musicbrainz.org/recording/"
PLAYLIST = "https://listenbrainz.org/playlist/"
_EXTENSION = "https://musicbrainz.org/doc/jspf#playlist"

#: The most items of one call.
LOOKUPS, ADDS, LOVES, PLAYLISTS = 50, 100, 1000, 100
#: Characters of title and artist together, in a look-up.
LOOKUP_CHARACTERS = 250
#: The most playlists searched for a name.
MOST_PLAYLISTS = 2_000
MOST_LOVES = 200_000
#: The longest pause to wait for; a longer one ends the attempt.
SHORT = timedelta(seconds=30)
_MOST_PAUSES = 5


class ListenBrainzClient:
    """One user of ListenBrainz. Implements ``sync.targets.protocol.Target``.

    Waits with ``sleep`` for short pauses that the service asks for. Calls ``before_write`` before
    each call that changes something; an exception from it ends the attempt.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        token: str,
        sleep: Callable[[float], None],
        before_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._channel = channel
        self._before_write = before_write
        self._headers = {"Authorization": f"Token {token}"}
        self._sleep = sleep
        self._pause = timedelta(0)
        self._name = ""

    # --- What works ---------------------------------------------------------------------------

    def check(self) -> list[Check]:
        return [
            Check("Token", works=True, note=f"of {self.user_name()}"),
            Check("Loved recordings", works=True, note=f"{len(self.loved()):,} there"),
            Check("Playlists", works=True, note=f"{sum(1 for _ in self._playlists()):,} there"),
        ]

    def user_name(self) -> str:
        """The user of the token; raises BadCredentials if it is not valid."""
        if not self._name:
            said = self._ask("/1/validate-token", {})
            if said.get("valid") is not True or not said.get("user_name"):
                raise BadCredentials("ListenBrainz does not accept this token.")
            self._name = str(said["user_name"])
        return self._name

    # --- Recordings ---------------------------------------------------------------------------

    def look_up(self, songs: Sequence[tuple[str, str]]) -> list[tuple[str, str, str] | None]:
        """For (title, artist), up to 50: id, title and artist of the recording, or None.

        ListenBrainz returns the most likely recording, so the caller must compare.
        """
        recordings = [{"recording_name": title, "artist_name": artist} for title, artist in songs]
        rows = self._post("/1/metadata/lookup/", {"recordings": recordings})
        found: list[tuple[str, str, str] | None] = [None] * len(songs)
        for row in _objects(rows):
            at, mbid = row.get("index"), _mbid(row.get("recording_mbid"))
            if isinstance(at, int) and 0 <= at < len(songs) and mbid:
                title, artist = row.get("recording_name"), row.get("artist_credit_name")
                found[at] = mbid, str(title or ""), str(artist or "")
        return found

    # --- Playlists ----------------------------------------------------------------------------

    def find_playlist(self, name: str) -> str | None:
        for playlist in self._playlists():
            if playlist.get("title") == name and playlist.get("creator") == self.user_name():
                return str(playlist.get("identifier", "")).rpartition("/")[2] or None
        return None

    def read_playlist(self, playlist_id: str, *, expected: int = 0) -> list[str] | None:
        where = f"/1/playlist/{quote(playlist_id)}"
        try:
            answer = self._ask(where, {"fetch_metadata": "false"}, songs=expected)
        except NotFound:
            return None
        tracks = _object(answer.get("playlist")).get("track")
        return [_recording(each) for each in tracks] if isinstance(tracks, list) else []

    def create_playlist(self, name: str, songs: Sequence[str]) -> str:
        playlist = {
            "title": name,
            "track": _tracks(songs[:ADDS]),
            "extension": {_EXTENSION: {"public": False}},
        }
        said = self._send("/1/playlist/create", {"playlist": playlist})
        if not (mbid := _mbid(said.get("playlist_mbid"))):
            raise NotUnderstood("ListenBrainz did not say which playlist it had made.")
        return mbid

    def write_playlist(
        self, playlist_id: str, present: Sequence[str], wanted: Sequence[str]
    ) -> None:
        where = f"/1/playlist/{quote(playlist_id)}/item"
        for edit in plan(present, wanted, most=ADDS):
            if isinstance(edit, Insert):
                songs = {"playlist": {"track": _tracks(edit.songs)}}
                self._send(f"{where}/add/{edit.at}", songs)
            else:
                self._send(f"{where}/delete", {"index": edit.at, "count": edit.count})

    def rename_playlist(self, playlist_id: str, name: str) -> None:
        playlist = {"title": name, "extension": {_EXTENSION: {"public": False}}}
        self._send(f"/1/playlist/edit/{quote(playlist_id)}", {"playlist": playlist})

    def _playlists(self) -> Iterator[dict[str, Any]]:
        where = f"/1/user/{quote(self.user_name(), safe='')}/playlists"
        for offset in range(0, MOST_PLAYLISTS, PLAYLISTS):
            page = self._ask(where, {"count": PLAYLISTS, "offset": offset}).get("playlists")
            rows = _objects(page)
            yield from (_object(each.get("playlist")) for each in rows)
            if len(rows) < PLAYLISTS:
                return

    # --- Loves --------------------------------------------------------------------------------

    def loved(self) -> set[str]:
        where = f"/1/feedback/user/{quote(self.user_name(), safe='')}/get-feedback"
        found: set[str] = set()
        for offset in range(0, MOST_LOVES, LOVES):
            page = self._ask(where, {"score": 1, "count": LOVES, "offset": offset}).get("feedback")
            rows = _objects(page)
            found.update(mbid for each in rows if (mbid := _mbid(each.get("recording_mbid"))))
            if len(rows) < LOVES:
                break
        return found

    def love(self, song_id: str) -> None:
        self._send("/1/feedback/recording-feedback", {"recording_mbid": song_id, "score": 1})

    def unknown(self, songs: Collection[str]) -> set[str]:  # noqa: ARG002 - as the protocol says
        """None are missing: ListenBrainz accepts every id."""
        return set()

    # --- One call -----------------------------------------------------------------------------

    def _ask(self, path: str, query: Mapping[str, Any], *, songs: int = 0) -> dict[str, Any]:
        def call() -> Answer:
            return self._channel.get(path, query, self._headers, songs=songs)

        return _object(self._paced(call).json)

    def _send(self, path: str, value: object) -> dict[str, Any]:
        self._before_write()
        return _object(self._post(path, value))

    def _post(self, path: str, value: object) -> Any:
        return self._paced(lambda: self._channel.post_json(path, value, self._headers)).json

    def _paced(self, call: Callable[[], Answer]) -> Answer:
        """Run ``call`` after the pause that the last response asked for; again after a 429."""
        for _ in range(_MOST_PAUSES):
            if self._pause:
                self._sleep(self._pause.total_seconds())
            answer = call()
            self._pause = _pause_after(answer)
            error = meaning(answer)
            if error is None:
                return answer
            if not isinstance(error, RateLimited) or error.wait > SHORT:
                raise error
            self._pause = error.wait
        raise RateLimited(self._pause)


def _pause_after(answer: Answer) -> timedelta:
    """The rest of the window, if its calls are used up."""
    if answer.headers.get("X-Ratelimit-Remaining", "").strip() != "0":
        return timedelta(0)
    return min(wait_of(answer.headers.get("X-Ratelimit-Reset-In", "")), SHORT)


def _tracks(songs: Sequence[str]) -> list[dict[str, str]]:
    return [{"identifier": f"{RECORDING}{each}"} for each in songs]


def _recording(track: Any) -> str:
    """The id of a track's recording; "" for a track without one, which keeps its place."""
    identifier = _object(track).get("identifier")
    if isinstance(identifier, list):
        identifier = next((each for each in identifier if str(each).startswith(RECORDING)), "")
    return _mbid(str(identifier or "").removeprefix(RECORDING)) or ""


def _mbid(value: Any) -> str:
    try:
        return str(UUID(str(value))) if value else ""
    except ValueError:
        return ""


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
