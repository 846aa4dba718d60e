"""A small HTTP server on a thread, for the stand-ins of services other than Spotify."""

import json
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType, TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

logger = logging.getLogger(__name__)

BODY_MAX = 2**24


@dataclass
class Ask:
    """A request: ``query`` and ``form`` hold all values of each name."""

    method: str
    path: str
    line_length: int
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            return None


@dataclass
class Reply:
    """``cut`` ends the connection without an answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(value).encode(), headers=headers or {})


class SmallServer:
    """Answers on loopback from ``start`` to ``stop``; ``with`` does both."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._address = (host, port)
        self._server: _Server | None = None
        self.lock = threading.RLock()

    def answer(self, ask: Ask) -> Reply:
        raise NotImplementedError

    @property
    def url(self) -> str:
        host, port = self._address
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - tells, binds nothing

    def start(self) -> Self:
        self._server = _Server(self._address, _Handler)
        self._server.owner = self
        # A second start takes the same port.
        self._address = (self._address[0], self._server.server_port)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.end_connections()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    owner: SmallServer

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for each in list(self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                logger.debug("connection had ended by itself")

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A client that went away in the middle is no news."""
        if not isinstance(error := sys.exception(), OSError):
            logger.error("connection failed client=%s", client_address, exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 2**16
    server: _Server

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX:
            self.close_connection = True
            reply = Reply(413)
        else:
            reply = self.server.owner.answer(self._ask(self.rfile.read(length)))
        if reply.cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST = _answer  # noqa: N815

    def _ask(self, body: bytes) -> Ask:
        url = urlsplit(self.path)
        return Ask(
            method=self.command,
            path=url.path,
            line_length=len(self.path),
            query=parse_qs(url.query, keep_blank_values=True),
            headers={name.title(): value for name, value in self.headers.items()},
            body=body,
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        logger.debug("request %s", format % args)


def serve_until_told(line: str) -> None:
    """Say ``line``, and wait for SIGINT or SIGTERM."""
    stopping = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    while not stopping:
        time.sleep(0.2)
