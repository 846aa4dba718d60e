"""MusicBrainz: artists by their addresses at Spotify, and their genres.

Calls contain addresses of artists only: no listeners, no songs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from django.conf import settings

from sync.library.gate import GateClosed, rest, take_turn
from sync.library.genre_tree import spellings, usual

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)

SERVICE = "musicbrainz"
#: MusicBrainz allows one call a second on average.
APART = timedelta(seconds=1.1)
#: For a longer wait, the job is snoozed and other jobs run.
PATIENCE = timedelta(seconds=20)
#: The pause after a refusal without Retry-After.
REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=6)
#: Addresses in one call.
ADDRESSES = 100
TIMEOUT = (5, 20)
#: A genre counts if it has this share of the votes of the first one.
SHARE = 0.3
GENRES_MAX = 10

_ARTIST = "https://open.spotify.com/artist/"


class MusicBrainzUnavailable(Exception):
    """No response, or an unreadable one; the next job tries again."""


def is_configured() -> bool:
    """MusicBrainz requires a contact; without one, it is not called."""
    return bool(settings.MUSICBRAINZ_CONTACT)


class MusicBrainz:
    """A client whose calls wait for their turn, shared by all workers.

    Methods raise GateClosed during a pause, and MusicBrainzUnavailable.
    """

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        if not is_configured():
            raise RuntimeError("SYNCIFY_MUSICBRAINZ_CONTACT is not set")
        import requests  # noqa: PLC0415 - 10 MB, for a process that gets so far

        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"Syncify ( {settings.MUSICBRAINZ_CONTACT} )"
        self._session.headers["Accept"] = "application/json"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def artists(self, spotify_ids: Sequence[str]) -> dict[str, str]:
        """The ids at MusicBrainz of at most ADDRESSES artists, without those it does not know."""
        if len(spotify_ids) > ADDRESSES:
            raise ValueError(f"at most {ADDRESSES} artists a call")
        asked = "&".join(f"resource={quote(_ARTIST + each, safe=':/')}" for each in spotify_ids)
        answer = self._get(f"url?{asked}&inc=artist-rels&fmt=json")
        # The response is an object for one address, and a list for several.
        rows = _list(answer, "urls") if "urls" in answer else [answer]
        found = (_artist(row) for row in rows)
        wanted = set(spotify_ids)
        return {artist: mbid for artist, mbid in filter(None, found) if artist in wanted}

    def genres(self, mbid: str) -> list[str]:
        """The genres of an artist, the one with the most votes first."""
        answer = self._get(f"artist/{quote(mbid, safe='')}?inc=genres+tags&fmt=json")
        known = spellings()
        tags = [tag for tag in _votes(answer, "tags") if usual(tag[0]) in known]
        return _agreed(_votes(answer, "genres") or tags)

    def _get(self, path: str) -> dict[str, Any]:
        import requests  # noqa: PLC0415 - as above

        wait = take_turn(SERVICE, apart=APART, patience=PATIENCE)
        if wait > timedelta():
            self._sleep(wait.total_seconds())
        try:
            # Settings hold addresses without a slash at their end.
            address = f"{settings.MUSICBRAINZ_URL.rstrip('/')}/{path}"
            response = self._session.get(address, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise MusicBrainzUnavailable(str(error)) from error
        if response.status_code in {429, 503}:
            until = rest(SERVICE, _retry_after(response))
            logger.warning("musicbrainz asked for a pause until=%s", until)
            raise GateClosed(until)
        if response.status_code == 404:
            return {}
        if response.status_code != 200:
            raise MusicBrainzUnavailable(f"status {response.status_code}")
        try:
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise MusicBrainzUnavailable("the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise MusicBrainzUnavailable("the answer is not an object")
        return answer


def _artist(row: object) -> tuple[str, str] | None:
    """The id at Spotify and the id at MusicBrainz of one address; None where a row is odd."""
    if not isinstance(row, dict):
        return None
    address = row.get("resource")
    if not isinstance(address, str) or not address.startswith(_ARTIST):
        return None
    for relation in _list(row, "relations"):
        artist = relation.get("artist") if isinstance(relation, dict) else None
        if isinstance(artist, dict) and isinstance(artist.get("id"), str):
            return address.removeprefix(_ARTIST), artist["id"]
    return None


def _votes(answer: dict[str, Any], name: str) -> list[tuple[str, int]]:
    """Names with their votes, most first."""
    rows = [row for row in _list(answer, name) if isinstance(row, dict)]
    votes = [
        (row["name"], row["count"])
        for row in rows
        if isinstance(row.get("name"), str) and isinstance(row.get("count"), int)
    ]
    return sorted(votes, key=lambda vote: (-vote[1], vote[0]))


def _agreed(votes: list[tuple[str, int]]) -> list[str]:
    if not votes:
        return []
    least = max(1, votes[0][1] * SHARE)
    agreed = (usual(name)[:100] for name, count in votes if count >= least)
    return list(dict.fromkeys(agreed))[:GENRES_MAX]


def _list(answer: dict[str, Any], name: str) -> list[Any]:
    rows = answer.get(name)
    return rows if isinstance(rows, list) else []


def _retry_after(response: requests.Response) -> timedelta:
    """The wait that the response asks for, in seconds or until a date."""
    written = response.headers.get("Retry-After", "")
    if written.isdecimal():
        wait = timedelta(seconds=min(int(written), LONGEST_REST.total_seconds()))
    else:
        try:
            wait = parsedate_to_datetime(written) - datetime.now(UTC)
        except (TypeError, ValueError):
            wait = REST
    return min(max(wait, APART), LONGEST_REST)


def batches(ids: Iterable[str]) -> list[list[str]]:
    """``ids`` in batches for one call each."""
    every = list(ids)
    return [every[at : at + ADDRESSES] for at in range(0, len(every), ADDRESSES)]
