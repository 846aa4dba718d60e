"""Trouble on request: named faults, and chaos that picks among them at random.

========== =============================================================== ==================
Name       What the caller meets                                           Own keys (default)
========== =============================================================== ==================
status     an error answer with any code                                   code (500), message,
                                                                           plain (false)
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
========== =============================================================== ==================

Keys of all: ``method``; ``path`` (a part of the path, ``/v1/`` by default); ``listener``;
``skip`` (so many matching requests pass first); ``times`` (so many meet the fault; 0: all);
``when``: ``before`` the request had its effect (the default, ``truncated`` and ``nonjson`` apart)
or ``after``. On the command line: ``NAME[:key=value,…]``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from random import Random
from typing import Any

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
    skip: int = 0
    times: int = 1
    code: int = 500
    message: str = ""
    plain: bool = False
    retry_after: int = 1
    seconds: float = 0.0
    uri: str = ""
    error: str = ""
    until: datetime | None = field(default=None, init=False)  # of a quota that has begun
    met: int = field(default=0, init=False)

    def takes(self, request: Request, listener: str | None, now: datetime) -> bool:
        """Whether this request meets the fault; counts it."""
        if (
            (self.method and request.method != self.method.upper())
            or self.path not in request.path
            or (self.listener and listener != self.listener)
        ):
            return False
        if self.name == "poison" and not request.adds(self.uri):
            return False
        if self.until is not None:
            return now < self.until
        self.met += 1
        return self.met > self.skip and (not self.times or self.met <= self.skip + self.times)

    def response(self, meant: Response, now: datetime) -> Response:
        """What is sent in place of the answer that was meant."""
        made = TABLE[self.name][0](self, meant, now)
        made.outcome = f"fault: {self.name}"
        return made


def quota_exceeded(wait: timedelta) -> ApiError:
    seconds = int(wait.total_seconds()) + 1
    return ApiError(429, "Too many requests", reason="QUOTA_EXCEEDED", retry_after=seconds)


def _status(fault: Fault, _: Response, __: datetime) -> Response:
    kind = PlainError if fault.plain else ApiError
    return kind(fault.code, fault.message or "Server error.").response()


def _burst(fault: Fault, _: Response, __: datetime) -> Response:
    return ApiError(429, "API rate limit exceeded", retry_after=fault.retry_after).response()


def _quota(fault: Fault, _: Response, now: datetime) -> Response:
    fault.until = fault.until or now + timedelta(seconds=fault.retry_after)
    return quota_exceeded(fault.until - now).response()


def _bare429(*_: Any) -> Response:
    return PlainError(429, "Too many requests").response()


def _drop(fault: Fault, _: Response, __: datetime) -> Response:
    return Response(0, end="drop", delay=fault.seconds)


def _truncated(_: Fault, meant: Response, __: datetime) -> Response:
    # A body too short to be cut is padded: white space changes no JSON.
    meant.body, meant.end = meant.body.ljust(64), "truncate"
    return meant


def _nonjson(*_: Any) -> Response:
    return text("<!doctype html><title>Spotify</title><p>Just a moment…", kind="html")


def _unauthorized(*_: Any) -> Response:
    return ApiError(401, "Access token missing").response()


def _oauth(fault: Fault, _: Response, __: datetime) -> Response:
    return OAuthError(fault.error, fault.message).response()


def _latency(fault: Fault, meant: Response, _: datetime) -> Response:
    meant.delay = fault.seconds
    return meant


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
    "oauth": (_oauth, {"path": "/api/token", "error": "invalid_grant", "message": REVOKED}),
    "latency": (_latency, {"when": "after", "seconds": 1.0}),
}


def make(name: str, **keys: Any) -> Fault:
    """A fault by its name in the table. Raises ValueError for a name or key that is not there."""
    if name not in TABLE:
        raise ValueError(f"no fault is called {name}; there are {', '.join(TABLE)}")
    if unknown := keys.keys() - {one.name for one in fields(Fault) if one.init}:
        raise ValueError(f"fault {name} has no key {', '.join(sorted(unknown))}")
    if keys.get("when", "before") not in ("before", "after"):
        raise ValueError("when is before or after")
    if name == "poison" and not keys.get("uri"):
        raise ValueError("poison needs uri=spotify:track:…")
    return Fault(name, **(TABLE[name][1] | keys))


def parse(written: str) -> Fault:
    """``NAME[:key=value,…]``, as on the command line."""
    name, _, rest = written.partition(":")
    keys: dict[str, Any] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is not key=value")
        default = getattr(Fault, key, "")
        if isinstance(default, bool):
            keys[key] = value == "true"
        else:
            keys[key] = type(default)(value) if isinstance(default, int | float) else value
    return make(name, **keys)


# What chaos does where nobody names its ways: all that one request can meet and survive.
WAYS = (
    "status:code=500", "status:code=502", "status:code=503", "status:code=504",
    "status:code=500,when=after", "status:code=502,when=after", "status:code=504,when=after",
    "burst:retry_after=1", "bare429", "drop", "drop:when=after", "hang:seconds=0.5",
    "hang:seconds=0.5,when=after", "truncated", "nonjson", "unauthorized", "latency:seconds=0.2",
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
