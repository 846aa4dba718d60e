"""HTTP requests to addresses that listeners entered, restricted to allowed addresses.

The name is resolved once. Every connection goes to the address that was checked, so a name that
changes its address afterwards has no effect. Redirects are never followed.
"""

import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import ip_address
from typing import Any, NamedTuple, Self, cast
from urllib.parse import urlencode, urlsplit

import certifi

from sync.targets.addresses import PORTS, Address, Allowed, Origin
from sync.targets.protocol import AddressRefused, NotUnderstood, Unavailable

#: Seconds that one request may take, from the first packet to the last byte of the answer.
TOTAL = 10.0
#: The largest response, in bytes.
MOST_BYTES = 5 * 2**20
#: Additional seconds for each song of a long list: some servers look up every song
#: separately.
SECONDS_A_SONG, BYTES_A_SONG = 0.01, 1_000
_AGENT = "Syncify"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """Raises NotUnderstood when the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise NotUnderstood("The answer was not JSON.") from error


class _Request(NamedTuple):
    method: str
    path: str
    body: bytes | None
    headers: dict[str, str]
    deadline: float
    most_bytes: int


class Channel:
    """Requests to one service, all to the address that its name resolved to at first.

    Reads reuse a connection. Each write gets a new one, because a write on a connection that the
    service has just closed would have an unknown outcome. For one thread at a time.
    """

    def __init__(
        self,
        base_url: str,
        allowed: Allowed,
        *,
        total: float = TOTAL,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._origin = Origin.of(self.base_url)
        self._path = urlsplit(self.base_url).path
        self._allowed = allowed
        self._total = total
        self._most_bytes = most_bytes
        self._address: tuple[socket.AddressFamily, Address] | None = None
        self._kept: http.client.HTTPConnection | None = None
        self.calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    @property
    def is_private_way(self) -> bool:
        """Whether the connection is private: https, or a private network."""
        return self._origin.scheme == "https" or not self._resolve()[1].is_global

    def get(
        self,
        path: str,
        query: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        songs: int = 0,
    ) -> Answer:
        """``songs`` is the expected length of a list in the response."""
        if query:
            path = f"{path}?{urlencode(query, doseq=True)}"
        return self._ask("GET", path, None, dict(headers or {}), songs)

    def post_form(self, path: str, form: Mapping[str, Any], *, songs: int = 0) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(form, doseq=True).encode(), headers, songs)

    def post_json(
        self, path: str, value: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self._ask("POST", path, json.dumps(value).encode(), headers, 0)

    # --- One request --------------------------------------------------------------------------

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], songs: int
    ) -> Answer:
        headers = {
            "User-Agent": _AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            **headers,
        }
        if method != "GET":
            self.close()
        is_reused = self._kept is not None
        request = _Request(
            method,
            path,
            body,
            headers,
            deadline=time.monotonic() + self._total + songs * SECONDS_A_SONG,
            most_bytes=self._most_bytes + songs * BYTES_A_SONG,
        )
        self.calls += 1
        try:
            try:
                return self._exchange(request)
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                # The service has closed the reused connection.
                if not is_reused:
                    raise
                self.close()
                return self._exchange(request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(_why(error)) from error
        except Exception:
            self.close()
            raise

    def _exchange(self, request: _Request) -> Answer:
        connection = self._kept or self._connect(request.deadline)
        cast("_Wire", connection.sock).deadline = request.deadline
        self._kept = connection
        path = f"{self._path}{request.path}"
        connection.request(request.method, path, request.body, request.headers)
        with connection.getresponse() as response:
            found = response.read(request.most_bytes + 1)
            if len(found) > request.most_bytes:
                raise NotUnderstood("The answer was too long.")
            if response.length:
                raise http.client.IncompleteRead(found, response.length)
        answer = Answer(response.status, {k.title(): v for k, v in response.getheaders()}, found)
        if response.will_close:
            self.close()
        if 300 <= answer.status < 400:
            raise NotUnderstood(self._redirected(answer))
        return answer

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        family, address = self._resolve()
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(_left(deadline))
            raw.connect((str(address), self._origin.port))
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._origin.scheme == "https":
                raw = _tls().wrap_socket(raw, server_hostname=self._origin.host)
        except BaseException:
            raw.close()
            raise
        # The name is for the Host header; the socket is open, so it is not resolved again.
        port = None if self._origin.port == PORTS[self._origin.scheme] else self._origin.port
        connection = http.client.HTTPConnection(self._origin.host, port or 80)
        connection.auto_open = 0
        connection.sock = cast("socket.socket", _Wire(raw, deadline))
        return connection

    def _resolve(self) -> tuple[socket.AddressFamily, Address]:
        """The first address of the host that may be reached."""
        if self._address is not None:
            return self._address
        origin, refusal = self._origin, None
        try:
            found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Unavailable("There is no host of this name.") from error
        for family, _, _, _, (where, *_rest) in found:
            address = ip_address(str(where).partition("%")[0])
            try:
                self._allowed.judge(origin, address)
            except AddressRefused as error:
                refusal = refusal or error
            else:
                self._address = family, address
                return self._address
        raise refusal or Unavailable("There is no host of this name.")

    def _redirected(self, answer: Answer) -> str:
        to = answer.headers.get("Location", "")
        try:
            is_same_host = Origin.of(to.partition("?")[0]).host == self._origin.host
        except AddressRefused:
            is_same_host = False
        if is_same_host and to.startswith("https:") and self._origin.scheme == "http":
            return "The service can be reached by https:// only. Enter the address with https://."
        return "The service sends its visitors to another address, which Syncify does not follow."


class _Wire:
    """A socket with one deadline for all reads and writes, even if bytes arrive slowly.

    Like a socket, it stays open until both itself and the file made of it are closed:
    ``http.client`` closes it before it reads the body of a last answer.
    """

    def __init__(self, raw: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._readers = 0
        self._is_closed = False
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._raw.settimeout(_left(self.deadline))
        self._raw.sendall(data)

    def receive_into(self, buffer: Any) -> int:
        self._raw.settimeout(_left(self.deadline))
        return self._raw.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(_Reader(self), 2**16)

    def reader_closed(self) -> None:
        self._readers -= 1
        self._close_unused()

    def close(self) -> None:
        self._is_closed = True
        self._close_unused()

    def _close_unused(self) -> None:
        if self._is_closed and self._readers == 0:
            self._raw.close()


class _Reader(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._wire.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._wire.reader_closed()
        super().close()


def _left(deadline: float) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return "Its certificate is not valid."
        case ssl.SSLError():
            return "It does not speak https at this port."
        case TimeoutError():
            return "It took too long to answer."
        case ConnectionRefusedError():
            return "Nothing listens at this port."
    return "The connection was lost."
