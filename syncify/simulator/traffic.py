"""The traffic of the simulated Spotify: recorded requests, faults and limits."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from threading import RLock
from typing import Any, cast

from syncify.simulator import faults
from syncify.simulator.behaviour import QUOTA_WINDOW, RATE_WINDOW, Behaviour
from syncify.simulator.wire import ApiError, Request, Response


@dataclass(frozen=True)
class Recorded:
    """One request to either host. ``status`` 0: the connection ended without an answer."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    size: int
    status: int
    outcome: str  # "ok", the error's text, or "fault: …"
    listener: str | None
    at: datetime


def locked[F: Callable[..., Any]](method: F) -> F:
    @wraps(method)
    def inner(self: "Traffic", *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return method(self, *args, **kwargs)

    return cast("F", inner)


class Traffic:
    """The part of a ``World`` that handles requests in transit."""

    behaviour: Behaviour
    lock: RLock

    @property
    def now(self) -> datetime:
        raise NotImplementedError

    def forget_traffic(self) -> None:
        """Clear records, faults, hooks and counts."""
        self.requests: list[Recorded] = []
        self._recorded = 0
        self._faults: list[faults.Fault] = []
        self._chaos: faults.Chaos | None = None
        self._hooks: list[tuple[Callable[[Recorded], bool], Callable[[], object]]] = []
        self._calls: defaultdict[str, deque[datetime]] = defaultdict(deque)  # by developer

    @locked
    def count(self, method: str | None = None, path_prefix: str = "/v1/") -> int:
        return sum(
            one.path.startswith(path_prefix) and method in (None, one.method)
            for one in self.requests
        )

    @locked
    def forget_requests(self) -> None:
        self.requests.clear()

    @locked
    def after_request(
        self, which: int | Callable[[Recorded], bool], call: Callable[[], object]
    ) -> None:
        """Call once, after the n-th API request from now or the first that fits.

        The call happens after the request's effect and before its response.
        """
        if isinstance(which, int):
            left = iter(range(which - 1, -1, -1))
            self._hooks.append((lambda one: one.path.startswith("/v1/") and not next(left), call))
        else:
            self._hooks.append((which, call))

    @locked
    def fault(self, name: str, **keys: Any) -> faults.Fault:
        """Inject a fault by name and keys, or as written on the command line: see ``faults``."""
        return self.add_fault(faults.make(name, **keys) if keys else faults.parse(name))

    @locked
    def add_fault(self, made: faults.Fault) -> faults.Fault:
        self._faults.append(made)
        return made

    @locked
    def chaos(self, seed: int, share: float, **options: Any) -> None:
        self._chaos = faults.Chaos(seed, share, **options)

    @locked
    def clear_faults(self) -> None:
        self._faults.clear()
        self._chaos = None

    def meet_fault(
        self, request: Request, listener: str | None, developer: str
    ) -> faults.Fault | None:
        """The first fault that applies to this request; each counts the requests."""
        now = self.now
        met = [one for one in self._faults if one.takes(request, listener, developer, now)]
        if met or self._chaos is None:
            return met[0] if met else None
        return self._chaos.pick(request)

    @locked
    def forget_calls(self) -> None:
        """Reset the window and the daily quota."""
        self._calls.clear()

    def spend_call(self, developer: str) -> None:
        """Count a call against a developer's window and daily quota; raises when one is full."""
        behaviour, now, calls = self.behaviour, self.now, self._calls[developer]
        while calls and calls[0] <= now - QUOTA_WINDOW:
            calls.popleft()
        if behaviour.daily_quota is not None and len(calls) >= behaviour.daily_quota:
            raise faults.quota_exceeded(calls[0] + QUOTA_WINDOW - now if calls else QUOTA_WINDOW)
        if (limit := behaviour.window_limit) is not None:
            recent = [at for at in reversed(calls) if at > now - RATE_WINDOW] if limit else [now]
            if len(recent) >= limit:
                wait = recent[-1] + RATE_WINDOW - now
                seconds = int(wait.total_seconds()) + 1
                raise ApiError(429, "API rate limit exceeded", retry_after=seconds)
        calls.append(now)

    def record(
        self, request: Request, response: Response, listener: str | None
    ) -> list[Callable[[], object]]:
        """Returns the hooks that are due, for the caller to call without the lock."""
        self._recorded += 1
        one = Recorded(
            self._recorded,
            request.method,
            request.path,
            request.query,
            len(request.body),
            response.status if response.end != "drop" else 0,
            response.outcome,
            listener,
            self.now,
        )
        self.requests.append(one)
        due = [hook for hook in self._hooks if hook[0](one)]
        self._hooks = [hook for hook in self._hooks if hook not in due]
        return [call for _, call in due]
