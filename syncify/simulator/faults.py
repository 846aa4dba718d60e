"""Faults: named ones on request, and random ones by chaos.

========== =============================================================== ==================
Name       Effect                                                          Own keys (default)
========== =============================================================== ==================
status     an error answer with any code                                   code (500), message,
                                                                           plain (false),
                                                                           retry_after
burst      429 ``API rate limit exceeded`` with Retry-After                retry_after (2)
quota      429 ``QUOTA_EXCEEDED``, again and again until it has run out    retry_after (50000)
bare429    429 as plain text, without Retry-After                          —
drop       the connection closes without an answer                         —
hang       nothing comes for a while, then the connection closes           seconds (30)
truncated  the answer breaks off half-way                                  —
nonjson    200 with a page of HTML                                         —
poison     every write that adds the song fails as a whole                 uri, code (502)
unauthorized a spurious 401 ``Access token missing``                       —
oauth      an error of the token endpoint                                  error (invalid_grant),
                                                                           message
latency    the right answer, late                                          seconds (1)
drip       the right answer, byte by byte, its headers too                 seconds (1) a byte
leaveout   the write succeeds, and leaves the song out                     uri
patch      the right answer, but for one place in its JSON                 at, value (null) or
                                                                           drop (false)
shortpage  fewer rows than asked for; ``next`` goes on after them          rows (20)
emptypage  no rows, though ``next`` goes on                                —
total      a total that is too high or too low                             by (10)
hide       the list ends after so many rows, and so does its total         keep (0),
                                                                           total (true)
========== =============================================================== ==================

Keys of all: ``method``; ``path`` (a part of the path, ``/v1/`` by default); ``end`` (what the path
ends with); ``offset`` (only pages from there on); ``listener``; ``developer`` (whose app calls);
``skip`` (so many matching requests pass first); ``times`` (so many meet the fault; 0: all);
``when``: ``before`` the request had its effect, or ``after``. ``retry_after`` is written into the
header as it is, but for ``date+SECONDS``, an HTTP date. On the command line:
``NAME[:key=value,…]``. ``at`` is a path such as ``items.3.track.artists.0``, with ``*`` for every
row, and ``value`` is JSON.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

from syncify.simulator import odd
from syncify.simulator.wire import ApiError, OAuthError, PlainError, Request, Response, text

REVOKED = "Refresh token revoked"


@dataclass
class Fault:
    """One entry of the table above, with its keys."""

    name: str
    when: str = "before"
    method: str = ""
    path: str = "/v1/"
    listener: str = ""
    developer: str = ""
    skip: int = 0
    times: int = 1
    code: int = 500
    message: str = ""
    plain: bool = False
    retry_after: str | float = ""
    seconds: float = 0.0
    uri: str = ""
    error: str = ""
    end: str = ""
    offset: int = -1
    at: str = ""
    value: str = "null"
    drop: bool = False
    rows: int = 20
    by: int = 10
    keep: int = 0
    total: bool = True
    until: datetime | None = field(default=None, init=False)  # the end of a spent quota
    met: int = field(default=0, init=False)
    asked: Request | None = field(default=None, init=False)  # the last request with this fault

    def takes(self, request: Request, listener: str | None, developer: str, now: datetime) -> bool:
        """Whether the fault applies to this request; counts it."""
        if (
            (self.method and request.method != self.method.upper())
            or self.path not in request.path
            or not request.path.endswith(self.end)
            or (self.offset >= 0 and request.query.get("offset", "0") != str(self.offset))
            or (self.listener and listener != self.listener)
            or (self.developer and developer != self.developer)
        ):
            return False
        if self.name in NEEDS_URI and not request.adds(self.uri):
            return False
        if self.until is not None:
            return now < self.until
        self.met += 1
        return self.met > self.skip and (not self.times or self.met <= self.skip + self.times)

    def request(self, request: Request) -> Request:
        """The request to handle in place of the one that was sent."""
        self.asked = request
        return odd.without(request, self.uri) if self.name == "leaveout" else request

    def response(self, meant: Response, now: datetime) -> Response:
        """The response to send in place of the regular one."""
        made = TABLE[self.name][0](self, meant, now)
        made.outcome = f"fault: {self.name}"
        return made


def quota_exceeded(wait: timedelta) -> ApiError:
    seconds = int(wait.total_seconds()) + 1
    return ApiError(429, "Too many requests", reason="QUOTA_EXCEEDED", retry_after=seconds)


def _status(fault: Fault, _: Response, now: datetime) -> Response:
    kind = PlainError if fault.plain else ApiError
    error = kind(fault.code, fault.message or "Server error.", retry_after=_wait(fault, now))
    return error.response()


def _wait(fault: Fault, now: datetime) -> str | None:
    """The value of the header, if there is one."""
    written = str(fault.retry_after)
    if written.startswith("date"):
        written = format_datetime(now + timedelta(seconds=float(written[4:])), usegmt=True)
    return written or None


def _burst(fault: Fault, _: Response, now: datetime) -> Response:
    wait = _wait(fault, now)
    return ApiError(429, "API rate limit exceeded", retry_after=wait).response()


def _quota(fault: Fault, _: Response, now: datetime) -> Response:
    fault.until = fault.until or now + timedelta(seconds=float(fault.retry_after))
    return quota_exceeded(fault.until - now).response()


def _bare429(*_: Any) -> Response:
    return PlainError(429, "Too many requests").response()


def _drop(fault: Fault, _: Response, __: datetime) -> Response:
    return Response(0, end="drop", delay=fault.seconds)


def _truncated(_: Fault, meant: Response, __: datetime) -> Response:
    # Short bodies are padded before they are cut: white space does not change JSON.
    meant.body, meant.end = meant.body.ljust(64), "truncate"
    return meant


def _nonjson(*_: Any) -> Response:
    return text("<!doctype html><title>Spotify</title><p>Just a moment…", kind="html")


def _unauthorized(fault: Fault, _: Response, now: datetime) -> Response:
    return ApiError(401, "Access token missing", retry_after=_wait(fault, now)).response()


def _oauth(fault: Fault, _: Response, now: datetime) -> Response:
    error = OAuthError(fault.error, fault.message, fault.code)
    if wait := _wait(fault, now):
        error.headers["Retry-After"] = wait
    return error.response()


def _latency(fault: Fault, meant: Response, _: datetime) -> Response:
    meant.delay = fault.seconds
    return meant


def _drip(fault: Fault, meant: Response, _: datetime) -> Response:
    meant.drip = fault.seconds
    return meant


def _as_meant(_: Fault, meant: Response, __: datetime) -> Response:
    return meant


def _rewritten(fault: Fault, meant: Response, _: datetime) -> Response:
    return odd.rewritten(fault, meant)


TABLE: dict[str, tuple[Callable[[Fault, Response, datetime], Response], dict[str, Any]]] = {
    "status": (_status, {}),
    "burst": (_burst, {"retry_after": 2}),
    "quota": (_quota, {"retry_after": 50_000}),
    "bare429": (_bare429, {}),
    "drop": (_drop, {}),
    "hang": (_drop, {"seconds": 30.0}),
    "truncated": (_truncated, {"when": "after"}),
    "nonjson": (_nonjson, {"when": "after"}),
    "poison": (_status, {"path": "/items", "code": 502, "times": 0}),
    "unauthorized": (_unauthorized, {}),
    "oauth": (
        _oauth,
        {"path": "/api/token", "error": "invalid_grant", "message": REVOKED, "code": 400},
    ),
    "latency": (_latency, {"when": "after", "seconds": 1.0}),
    "drip": (_drip, {"when": "after", "seconds": 1.0}),
    "leaveout": (_as_meant, {"when": "after", "path": "/items"}),
    "patch": (_rewritten, {"when": "after"}),
    "shortpage": (_rewritten, {"when": "after"}),
    "emptypage": (_rewritten, {"when": "after"}),
    "total": (_rewritten, {"when": "after"}),
    "hide": (_rewritten, {"when": "after", "path": "/me/tracks"}),
}
NEEDS_URI = ("poison", "leaveout")


def make(name: str, **keys: Any) -> Fault:
    """A fault by its name in the table. Raises ValueError for a name or key that is not there."""
    if name not in TABLE:
        raise ValueError(f"no fault is called {name}; there are {', '.join(TABLE)}")
    if unknown := keys.keys() - {one.name for one in fields(Fault) if one.init}:
        raise ValueError(f"fault {name} has no key {', '.join(sorted(unknown))}")
    if keys.get("when", "before") not in ("before", "after"):
        raise ValueError("when is before or after")
    if name in NEEDS_URI and not keys.get("uri"):
        raise ValueError(f"{name} needs uri=spotify:track:…")
    return Fault(name, **(TABLE[name][1] | keys))


def parse(written: str) -> Fault:
    """``NAME[:key=value,…]``, as on the command line."""
    name, _, rest = written.partition(":")
    found: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is not key=value")
        found[key] = value
    return from_texts(name, found)


def from_texts(name: str, found: Mapping[str, str]) -> Fault:
    """A fault by its name and the texts of its keys."""
    keys: dict[str, Any] = {}
    for key, value in found.items():
        default = getattr(Fault, key, "")
        if isinstance(default, bool):
            keys[key] = value == "true"
        else:
            keys[key] = type(default)(value) if isinstance(default, int | float) else value
    return make(name, **keys)


# The faults that chaos picks by default: a retry can recover from each.
WAYS = (
    "status:code=500", "status:code=502", "status:code=503", "status:code=504",
    "status:code=500,when=after", "status:code=502,when=after", "status:code=504,when=after",
    "burst:retry_after=1", "bare429", "drop", "drop:when=after", "hang:seconds=0.5",
    "hang:seconds=0.5,when=after", "truncated", "nonjson", "unauthorized", "latency:seconds=0.2",
)  # fmt: skip


# Odd responses to one request, which must do no harm to the product.
ODD_WAYS = (
    "patch:path=/me/tracks,at=items.0", "patch:path=/me/tracks,at=items.0.track",
    "patch:path=/me/tracks,at=items.0.added_at", "patch:path=/me/tracks,at=items.0.track.artists.0",
    "patch:path=/me/tracks,at=items.0.track.id,value=5", "patch:path=/me/tracks,at=total",
    "shortpage:path=/me/tracks", "shortpage:path=/items,method=GET", "emptypage:path=/me/tracks",
    "emptypage:path=/items,method=GET", "total:path=/me/tracks,by=60",
    "total:path=/me/tracks,by=-40", "total:path=/items,method=GET,by=3", "hide:keep=3",
    "hide:keep=3,total=false", "hide",
    "patch:path=/items,method=GET,at=items", "patch:path=/items,method=GET,at=total",
    "patch:path=/playlists/,method=GET,at=items.total",
    "status:path=/playlists/,method=GET,code=404",
    "status:path=/contains,code=400", "status:path=/contains,code=403,message=Forbidden",
    "status:path=/contains,code=404", "burst:retry_after=1.5", "burst:retry_after=0",
    "burst:retry_after=-1", "burst:retry_after=date+1", "status:code=503,retry_after=1",
    "status:code=404,retry_after=1", "unauthorized:retry_after=1",
)  # fmt: skip


@dataclass
class Chaos:
    """Each matching request fails with probability ``share``, in one of ``ways``."""

    seed: int
    share: float
    ways: tuple[str, ...] = WAYS
    path: str = "/v1/"

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - dice, not secrets

    def pick(self, request: Request) -> Fault | None:
        if self.path not in request.path or self._random.random() >= self.share:
            return None
        return parse(self._random.choice(self.ways))
