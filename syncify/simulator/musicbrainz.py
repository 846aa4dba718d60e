"""A simulated MusicBrainz for demo and tests: artists by address, and their genres.

``python -m syncify.simulator.musicbrainz`` runs it by itself; it knows the genres of the artists of
the simulated Spotify.

Like the real service, it returns a list for several addresses, an object or 404 for one, 403
without a contact in the User-Agent, and 503 for more than one call a second.
"""

import argparse
import hashlib
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from syncify.simulator import songs
from syncify.simulator.serving import Handler, Served, serve_until_told

ARTIST_PAGE = "https://open.spotify.com/artist/"
#: Genres of artists that the simulated Spotify does not know, one or two for each.
GENRES = ("jazz", "bebop", "techno", "ambient", "indie rock", "folk", "hip hop", "soul", "disco")
ADDRESSES_MAX = 100
#: Seconds between two calls of one caller.
APART = 1.0


def mbid_of(spotify_id: str) -> str:
    return str(UUID(bytes=hashlib.sha256(spotify_id.encode()).digest()[:16], version=4))


@dataclass
class Answers:
    """The server's data and behaviour; tests change them."""

    #: Genres with votes by Spotify artist id. An artist that is not here has invented ones.
    genres: dict[str, dict[str, int]] = field(default_factory=dict)
    #: Artists that MusicBrainz does not know.
    unknown: set[str] = field(default_factory=set)
    #: Responses to send before all others: status, headers, body.
    queued: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    #: Refuse more than one call in APART seconds.
    is_strict: bool = True
    #: Paths and times of the calls, and the last User-Agent.
    paths: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    user_agent: str = ""


class _Handler(Handler):
    def do_GET(self) -> None:  # noqa: N802 - the base class calls this name
        owner: MusicBrainzServer = self.server.owner  # type: ignore[attr-defined]
        status, headers, body = owner.answer(self.path, self.headers.get("User-Agent", ""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class MusicBrainzServer(Served):
    """Serves ``answers`` from ``start`` to ``stop``; ``with`` does both."""

    handler = _Handler

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.answers = Answers()
        self._names: dict[str, str] = {}  # Spotify ids by MusicBrainz id
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{super().url}/ws/2/"

    def answer(self, path: str, user_agent: str) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            now = time.monotonic()
            is_early = bool(self.answers.moments) and now - self.answers.moments[-1] < APART
            self.answers.moments.append(now)
            self.answers.paths.append(path)
            self.answers.user_agent = user_agent
            if self.answers.queued:
                return self.answers.queued.pop(0)
        if "(" not in user_agent:
            return _json(403, {"error": "Your User-Agent must say how to reach you."})
        if is_early and self.answers.is_strict:
            return _json(503, {"error": "Too many calls."}, {"Retry-After": "2"})
        url = urlsplit(path)
        query = parse_qs(url.query)
        match url.path.removeprefix("/ws/2/").split("/"):
            case ["url"]:
                return self._addresses(query.get("resource", []))
            case ["artist", mbid]:
                return self._artist(unquote(mbid))
            case _:
                return _json(404, {"error": "Not Found"})

    def _addresses(self, resources: list[str]) -> tuple[int, dict[str, str], bytes]:
        if not 1 <= len(resources) <= ADDRESSES_MAX:
            return _json(400, {"error": f"1 to {ADDRESSES_MAX} addresses, please."})
        rows = list(self._known(resources))
        if len(resources) > 1:
            return _json(200, {"url-count": len(rows), "url-offset": 0, "urls": rows})
        return _json(200, rows[0]) if rows else _json(404, {"error": "Not Found"})

    def _known(self, resources: Iterable[str]) -> Iterable[dict[str, Any]]:
        for resource in resources:
            spotify_id = resource.removeprefix(ARTIST_PAGE)
            if spotify_id == resource or spotify_id in self.answers.unknown:
                continue
            mbid = mbid_of(spotify_id)
            self._names[mbid] = spotify_id
            artist = {"id": mbid, "name": f"Artist {spotify_id[:6]}"}
            relation = {"type": "free streaming", "target-type": "artist", "artist": artist}
            yield {"id": mbid_of(resource), "resource": resource, "relations": [relation]}

    def _artist(self, mbid: str) -> tuple[int, dict[str, str], bytes]:
        if mbid not in self._names:
            return _json(404, {"error": "Not Found"})
        spotify_id = self._names[mbid]
        votes = self.answers.genres.get(spotify_id, _invented(spotify_id))
        rows = [
            {"id": mbid_of(name), "name": name, "count": count} for name, count in votes.items()
        ]
        return _json(200, {"id": mbid, "genres": rows, "tags": rows})


def _invented(spotify_id: str) -> dict[str, int]:
    number = hashlib.sha256(spotify_id.encode()).digest()
    if artist := songs.artists_by_id().get(spotify_id):
        return {
            genre: 3 + votes % 9 for genre, votes in zip(artist.style.genres, number, strict=False)
        }
    first, second = GENRES[number[0] % len(GENRES)], GENRES[number[1] % len(GENRES)]
    return {first: 5 + number[2] % 9, second: 2 + number[3] % 3}


def _json(
    status: int, body: object, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    return status, headers or {}, json.dumps(body).encode()


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m syncify.simulator.musicbrainz", description=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9092)
    options = parser.parse_args(argv)
    with MusicBrainzServer(host=options.host, port=options.port) as server:
        serve_until_told(f"Simulated MusicBrainz on {server.url}")


if __name__ == "__main__":
    main()
