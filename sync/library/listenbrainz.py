"""Public listens of a user of ListenBrainz. Only the user's name leaves the house."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from django.conf import settings

from sync.library.gate import GateClosed, rest, take_turn

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)

#: Not the gate of connected ListenBrainz accounts, whose calls carry a token.
SERVICE = "listens"
APART = timedelta(seconds=1)
#: A longer wait for a turn is the job's: it gives its place to others meanwhile.
PATIENCE = timedelta(seconds=20)
#: How long a refusal that names no time lasts.
REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=6)
TIMEOUT = (5, 20)
#: Seconds for one answer, however slowly it comes.
DEADLINE = 30.0
#: Listens that one call asks for: the most that ListenBrainz gives.
PAGE = 1_000
#: Listens carry long descriptions, about 2 kB each.
ANSWER_MAX = 20 * 2**20
NAME_MAX = 100

_TRACK = re.compile(r"https?://open\.spotify\.com/(?:intl-[a-z]+/)?track/([0-9A-Za-z]{1,64})")


class Unavailable(Exception):
    """No answer, or one that cannot be read; the next job tries again."""


class NoSuchUser(Exception):
    """ListenBrainz knows no user of this name."""


class NotPublic(Exception):
    """ListenBrainz does not show this user's listens to everyone."""


@dataclass(frozen=True, slots=True)
class Listen:
    """``began`` is in seconds since 1970, ``lasted`` in seconds, 0 where it is not known.

    ``track_id`` is Spotify's, "" where the listen does not carry it. ``artists`` are names under
    which the first artist may be known.
    """

    began: int
    lasted: int
    track_id: str
    title: str
    artists: tuple[str, ...]


class ListenBrainz:
    """A client whose calls wait for their turn among all workers."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        import requests  # noqa: PLC0415 - 10 MB, for a process that gets so far

        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "Syncify"
        self._session.headers["Accept"] = "application/json"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def listens(self, user: str, *, after: int) -> list[Listen]:
        """At most PAGE listens that began later than ``after``, the oldest of these, in order.

        Raises GateClosed while ListenBrainz wants no calls, Unavailable, NoSuchUser or NotPublic.
        """
        name = quote(user, safe="")
        answer = self._get(f"/1/user/{name}/listens?min_ts={after}&count={PAGE}")
        payload = answer.get("payload")
        rows = payload.get("listens") if isinstance(payload, dict) else None
        if not isinstance(rows, list):
            raise Unavailable("the answer holds no list of listens")
        found = [listen for row in rows if (listen := _listen(row)) and listen.began > after]
        return sorted(found, key=lambda listen: listen.began)

    def _get(self, path: str) -> dict[str, Any]:
        import requests  # noqa: PLC0415 - as above

        wait = take_turn(SERVICE, apart=APART, patience=PATIENCE)
        if wait > timedelta():
            self._sleep(wait.total_seconds())
        try:
            with self._session.get(
                settings.LISTENBRAINZ_URL.rstrip("/") + path,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                _check(response)
                answer = json.loads(_body(response))
        except (requests.RequestException, ValueError, RecursionError) as error:
            raise Unavailable(type(error).__name__) from error
        if not isinstance(answer, dict):
            raise Unavailable("the answer is not an object")
        return answer


def _check(response: requests.Response) -> None:
    match response.status_code:
        case 200:
            if response.headers.get("X-RateLimit-Remaining", "").strip() == "0":
                rest(SERVICE, _wait_of(response))
        case 404:
            raise NoSuchUser
        case 401 | 403:
            raise NotPublic
        case 429 | 503:
            until = rest(SERVICE, _wait_of(response))
            logger.warning("listenbrainz asked for a pause until=%s", until)
            raise GateClosed(until)
        case status:
            raise Unavailable(f"status {status}")


def _body(response: requests.Response) -> bytes:
    until, body = time.monotonic() + DEADLINE, bytearray()
    for chunk in response.iter_content(2**16):
        body += chunk
        if len(body) > ANSWER_MAX or time.monotonic() > until:
            raise ValueError("the answer is too long")
    return bytes(body)


def _wait_of(response: requests.Response) -> timedelta:
    for header in ("X-RateLimit-Reset-In", "Retry-After"):
        try:
            wait = timedelta(seconds=float(response.headers[header]))
        except (KeyError, ValueError, OverflowError):
            continue
        return min(max(wait, APART), LONGEST_REST)
    return REST


def _listen(row: object) -> Listen | None:
    """None for a row that names no time or no song."""
    if not isinstance(row, dict):
        return None
    began, about = row.get("listened_at"), _object(row.get("track_metadata"))
    more = _object(about.get("additional_info"))
    if not isinstance(began, int) or not 0 < began < 2**32 - 2**20:
        return None
    title, artist = _text(about.get("track_name")), _text(about.get("artist_name"))
    names = more.get("artist_names")
    first = _text(names[0]) if isinstance(names, list) and names else ""
    track_id = next(
        filter(None, map(_track_id, (more.get("spotify_id"), more.get("origin_url")))), ""
    )
    if not track_id and not (title and artist):
        return None
    artists = tuple(dict.fromkeys(filter(None, (first, artist))))
    return Listen(began, _seconds(more), track_id, title, artists)


def _track_id(value: object) -> str:
    found = _TRACK.match(value) if isinstance(value, str) else None
    return found[1] if found else ""


def _seconds(more: dict[str, Any]) -> int:
    length = more.get("duration_ms")
    if isinstance(length, int) and 0 < length < 2**30:
        return length // 1000
    length = more.get("duration")
    return length if isinstance(length, int) and 0 < length < 2**20 else 0


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
