"""What Spotify means by an answer that is not a success; pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from syncify.spotify.errors import AccessRefused, BadRequest, NotFound, SpotifyError

#: A wait up to this is a burst limit, which the call sits out; a longer one is the quota.
LONGEST_PAUSE = timedelta(seconds=30)
#: How long nobody calls when Spotify does not say.
UNTOLD_BLOCK = timedelta(hours=1)
#: No header may park the installation for longer.
LONGEST_BLOCK = timedelta(days=2)
#: Others were refused anew when they called just after a long wait had ended.
LONGEST_MARGIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Renew:
    """The access token is over; the request had no effect."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Too many calls in a moment: wait and repeat; the request had no effect."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody may call for a while; ``because`` is a value of ``Block.Because``."""

    wait: timedelta
    because: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer that can be relied on. ``sent``: the request may have had its effect."""

    status: int | None = None
    sent: bool = True


type Meaning = Renew | Pause | Stop | Trouble | SpotifyError


class NotOk(Exception):
    """An answer other than 2xx, or none; it passes through spotipy untouched."""

    def __init__(self, meaning: Meaning) -> None:
        super().__init__(repr(meaning))
        self.meaning = meaning


def meaning(status: int, headers: Mapping[str, str], body: str) -> Meaning:
    """Of an answer whose status is not 2xx, whatever its body is."""
    message, reason = _error(body)
    match status:
        case 401:
            return Renew()
        case 403:
            return _refusal(message)
        case 404:
            return NotFound(message)
        case 429:
            return _limit(headers.get("Retry-After", ""), reason)
        case _ if 400 <= status < 500 and status not in {408, 425}:
            return BadRequest(message, status)
        case _:
            return Trouble(status)


def _error(body: str) -> tuple[str, str]:
    """Message and reason, from JSON of either of Spotify's shapes or from plain text."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body.strip()[:300], ""
    if isinstance(error, dict):
        return str(error.get("message") or ""), str(error.get("reason") or "")
    return str(error), ""


def _refusal(message: str) -> Stop | AccessRefused:
    said = message.lower()
    if "premium subscription required" in said:
        return Stop(UNTOLD_BLOCK, "premium")
    if "registered" in said:
        return AccessRefused("not_registered")
    if "scope" in said:
        return AccessRefused("scope_missing")
    return AccessRefused("forbidden")


def _limit(retry_after: str, reason: str) -> Pause | Stop:
    if not re.fullmatch(r"[0-9]{1,18}", retry_after.strip()):
        return Stop(UNTOLD_BLOCK, "quota")
    asked = timedelta(seconds=min(int(retry_after), LONGEST_BLOCK.total_seconds()))
    if asked <= LONGEST_PAUSE and reason != "QUOTA_EXCEEDED":
        return Pause(asked + timedelta(seconds=0.5))
    margin = min(asked / 10 + timedelta(seconds=1), LONGEST_MARGIN)
    return Stop(asked + margin, "quota")
