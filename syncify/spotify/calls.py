"""Sends one call to Spotify: tokens, the gate, waits, repeats and errors."""

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from syncify.spotify.answers import Meaning, NotOk, Pause, Renew, Stop, Trouble
from syncify.spotify.errors import (
    BadRequest,
    Blocked,
    OutcomeUnknown,
    SpotifyError,
    Unavailable,
)
from syncify.spotify.parsing import Unreadable
from syncify.spotify.waits import CALL_DEADLINE

logger = logging.getLogger(__name__)

#: Seconds to connect, and between two bytes of the answer.
TIMEOUT = (5.0, 20.0)
READ_TRIES = 3
PAUSES = 5

# Parallel calls reach the burst limit, and half of all parallel writes fail.
_one_call_at_a_time = threading.Lock()


class QuietTimes:
    """The end of the short wait that Spotify asked this process for, by developer account."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def ask(self, developer: str, wait: timedelta) -> None:
        until = time.monotonic() + wait.total_seconds()
        self._until[developer] = max(until, self._until.get(developer, 0.0))

    def keep(self, developer: str, sleep: Callable[[float], None]) -> bool:
        """Sleep for the rest of the wait, if any; returns whether there was one."""
        until = self._until.get(developer, 0.0)
        if (left := until - time.monotonic()) <= 0:
            return False
        sleep(left)
        if self._until.get(developer) == until:  # no longer wait was set in the meantime
            self._until.pop(developer, None)
        return True

    def forget(self) -> None:
        self._until.clear()


quiet_times = QuietTimes()


class Tokens(Protocol):
    def current(self) -> str:
        """An access token that has not expired as far as known."""

    def renewed(self, used: str) -> str:
        """A new token, after Spotify refused ``used``; simultaneous callers share one request."""


class Gate(Protocol):
    @property
    def developer(self) -> str:
        """Whose app the token belongs to: Spotify limits the calls of each developer account."""

    def admit(self) -> None:
        """Count one call, or raise Blocked or BudgetSpent."""

    def block(self, *, for_: timedelta, because: str) -> datetime:
        """Block the calls of all workers for this time; returns its end."""


#: Takes the meaning of a response, and the number of token renewals left. None: the usual error.
type Special = Callable[[Meaning, int], SpotifyError | None]


def _nothing(_: Meaning, __: int) -> None:
    """Every response has its usual meaning."""


class Caller:
    """Sends requests by spotipy as one listener; for one thread at a time.

    Reads are tried a few times. A write is sent again only after a response that says it had no
    effect (401, 429, or a refusal with a wait); a write without a response raises
    OutcomeUnknown. ``sleep`` gets seconds, is called only between two requests, and may raise to
    end the call. ``before_send`` is called immediately before each write is sent, and may raise
    to end the write. A call ends within ``deadline`` seconds after it is sent.
    """

    def __init__(
        self,
        *,
        api_url: str,
        tokens: Tokens,
        gate: Gate,
        sleep: Callable[[float], None] = time.sleep,
        before_send: Callable[[], None] = lambda: None,
        timeout: tuple[float, float] = TIMEOUT,
        deadline: float = CALL_DEADLINE,
    ) -> None:
        #: Requests sent to the API host, including repeated ones.
        self.calls = 0
        self._api_url = api_url
        self._tokens = tokens
        self._gate = gate
        self._sleep = sleep
        self._before_send = before_send
        # spotipy imports requests and a Redis client: 10 MB, only for processes that call Spotify.
        import spotipy  # noqa: PLC0415

        from syncify.spotify.session import Session  # noqa: PLC0415

        self._session = Session(deadline)
        self._refusal = spotipy.SpotifyException
        self._spotify = spotipy.Spotify(requests_session=self._session, requests_timeout=timeout)
        self._spotify.prefix = api_url

    def close(self) -> None:
        self._session.close()

    def _read[T](self, send: Callable[[], Any], parse: Callable[[Any], T]) -> T:
        return self._call(send, parse, write=False)

    def _write[T](
        self, send: Callable[[], Any], parse: Callable[[Any], T], *, special: Special = _nothing
    ) -> T:
        """``special`` maps responses to other errors than usual."""
        return self._call(send, parse, write=True, special=special)

    def _call[T](
        self,
        send: Callable[[], Any],
        parse: Callable[[Any], T],
        *,
        write: bool,
        special: Special = _nothing,
    ) -> T:
        tries, renewals, pauses = 1 if write else READ_TRIES, 1, PAUSES
        while True:
            token = self._token()
            self._gate.admit()
            try:
                answer = self._send(token, send, write)
            except NotOk as not_ok:
                heard: Meaning = not_ok.meaning
            else:
                try:
                    return parse(answer)
                except Unreadable:
                    heard = Trouble()
            logger.info("call failed write=%s meaning=%r calls=%d", write, heard, self.calls)
            if error := special(heard, renewals):
                raise error
            match heard:
                case Renew(wait) if renewals:
                    renewals -= 1
                    quiet_times.ask(self._gate.developer, wait)
                    self._tokens.renewed(token)
                case Pause(wait) if pauses:
                    pauses -= 1
                    quiet_times.ask(self._gate.developer, wait)
                case Trouble(wait=wait) if tries > 1:
                    tries -= 1
                    if wait:
                        quiet_times.ask(self._gate.developer, wait)
                    else:
                        self._sleep(_jitter(READ_TRIES - tries))
                case _:
                    raise self._error(heard, write=write)

    def _token(self) -> str:
        """A token, once the wait that Spotify asked for is over."""
        token = self._tokens.current()
        if quiet_times.keep(self._gate.developer, self._sleep):
            return self._tokens.current()  # the first may have expired during the wait
        return token

    def _send(self, token: str, send: Callable[[], Any], write: bool) -> Any:
        with _one_call_at_a_time:
            if write:
                self._before_send()
            self.calls += 1
            self._spotify.set_auth(token)
            try:
                return send()
            except self._refusal as error:
                # Spotify's errors end in NotOk: this error is spotipy's own, and nothing was sent.
                raise BadRequest(str(error.msg)) from error

    def _error(self, heard: Meaning, *, write: bool) -> SpotifyError:
        match heard:
            case SpotifyError():
                return heard
            case Stop(wait, because):
                until = self._gate.block(for_=wait, because=because)
                if write and heard.sent:
                    return OutcomeUnknown()
                return Blocked(until, because)
            case Pause(then=SpotifyError() as refusal):
                return refusal
            case Pause():
                # After five waits, the limit is not a burst limit: block all workers.
                until = self._gate.block(for_=timedelta(minutes=1), because="quota")
                return Blocked(until, "quota")
            case Trouble(status, sent, wait):
                quiet_times.ask(self._gate.developer, wait)
                return OutcomeUnknown(status) if write and sent else Unavailable(status)
            case Renew(wait):
                quiet_times.ask(self._gate.developer, wait)
                return Unavailable(401)


def _jitter(number: int) -> float:
    """Seconds before the next try: about half a second, then a second."""
    return 0.5 * number * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
