"""An HTTP session with a deadline for each call, even if the response arrives slowly.

A timeout of ``requests`` counts anew with each byte, so an answer that drips lasts for ever. Here
every read from the socket, of headers too, gets no longer than what is left of the call's time.
"""

import io
import socket
import time
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from syncify.spotify.waits import CALL_DEADLINE

#: The deadline of this thread's call, by the monotonic clock.
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class DeadlineSession(requests.Session):
    """Never repeats a request or follows a redirect. Raises a RequestException at the deadline.

    For one thread at a time.
    """

    def __init__(self, deadline: float = CALL_DEADLINE) -> None:
        super().__init__()
        self._seconds = deadline
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        before = _deadline.set(time.monotonic() + self._seconds)
        try:
            return super().request(*args, **kwargs)
        finally:
            _deadline.reset(before)


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _TimedReads(io.RawIOBase):
    """Reads from a socket until the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._longest = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = _deadline.get() - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call took too long")
        longest = left if self._longest is None else min(left, self._longest)
        self._socket.settimeout(longest if longest != float("inf") else None)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Timed:
    """Replaces the socket that a response reads from."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - always for reading
        return io.BufferedReader(_TimedReads(self._socket))


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_Timed(sock), *args, **kwargs)  # type: ignore[arg-type]  # it only reads


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _Response


class _SecureConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
