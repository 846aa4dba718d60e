"""Interprets responses of Spotify that are not a success; pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from syncify.spotify.errors import AccessRefused, BadRequest, NotFound, SpotifyError
from syncify.spotify.waits import LONGEST_PAUSE, UNTOLD_BLOCK, block_for, named_wait

#: Added to each short wait, for clocks and rounding.
SPARE = timedelta(seconds=0.75)


@dataclass(frozen=True, slots=True)
class Renew:
    """The access token has expired; the request had no effect. Repeat it after ``wait``."""

    wait: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait and repeat; the request had no effect. ``then`` is the error if that fails."""

    wait: timedelta
    then: SpotifyError | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """All workers must stop calling for a while; ``because`` is a value of ``Block.Because``."""

    wait: timedelta
    because: str
    #: The request may have had its effect.
    sent: bool = False
    #: Spotify says that the quota of the whole installation is spent.
    is_quota: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """No reliable response. ``sent``: the request may have had its effect."""

    status: int | None = None
    sent: bool = True
    #: The wait that Spotify asks of all workers.
    wait: timedelta = timedelta()


type Meaning = Renew | Pause | Stop | Trouble | SpotifyError


class NotOk(Exception):
    """A response other than 2xx, or none; spotipy passes this exception on."""

    def __init__(self, meaning: Meaning) -> None:
        super().__init__(repr(meaning))
        self.meaning = meaning


def meaning(
    status: int, headers: Mapping[str, str], body: str, *, now: datetime | None = None
) -> Meaning:
    """The meaning of a response whose status is not 2xx, for any body.

    A wait in the response is part of the meaning, for any status.
    """
    message, reason = _error(body)
    asked = named_wait(headers, now or datetime.now(UTC))
    if status == 429:
        return _limit(asked, is_quota=reason == "QUOTA_EXCEEDED")
    said = _without_wait(status, message)
    if asked is None or isinstance(said, Stop):
        return said
    if asked > LONGEST_PAUSE:
        return Stop(block_for(asked), "quota", sent=isinstance(said, Trouble))
    match said:
        case Renew():
            return Renew(asked + SPARE)
        case Trouble():
            return Trouble(status, wait=asked + SPARE)
        case _:
            return Pause(asked + SPARE, said)


def _without_wait(status: int, message: str) -> Renew | Stop | Trouble | SpotifyError:
    match status:
        case 401:
            return Renew()
        case 403:
            return _refusal(message)
        case 404:
            return NotFound(message)
        case _ if 400 <= status < 500 and status not in {408, 425}:
            return BadRequest(message, status)
        case _:
            return Trouble(status)


def _error(body: str) -> tuple[str, str]:
    """Message and reason, from either JSON format of Spotify or from plain text."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body.strip()[:300], ""
    if isinstance(error, dict):
        return str(error.get("message") or "")[:300], str(error.get("reason") or "")
    return str(error)[:300], ""


def _refusal(message: str) -> Stop | AccessRefused:
    said = message.lower()
    if "premium subscription required" in said:
        return Stop(UNTOLD_BLOCK, "premium")
    if "registered" in said:
        return AccessRefused("not_registered")
    if "scope" in said:
        return AccessRefused("scope_missing")
    return AccessRefused("forbidden")


def _limit(asked: timedelta | None, *, is_quota: bool) -> Pause | Stop:
    if asked is None:
        return Stop(UNTOLD_BLOCK, "quota", is_quota=is_quota)
    if asked <= LONGEST_PAUSE and not is_quota:
        return Pause(asked + SPARE)
    return Stop(block_for(asked), "quota", is_quota=is_quota)
