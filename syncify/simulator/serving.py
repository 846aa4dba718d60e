"""The HTTP server on a thread that all simulated services share."""

import logging
import signal
import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    """Knows its open connections, so that it can end them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self.let_go = threading.Event()  # ends every wait of a handler
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log errors of a handler, except when the client closed the connection."""
        if not isinstance(error := sys.exception(), OSError):
            logger.error("connection failed client=%s", client_address, exc_info=error)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 2**16

    def header_fields(self) -> dict[str, str]:
        return {name.title(): value for name, value in self.headers.items()}

    def cut(self) -> None:
        """End the connection in the middle of the response."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        logger.debug("request %s", format % args)


class Served:
    """Responds over HTTP from ``start`` to ``stop``; ``with`` does both."""

    #: A class of ``Handler``; it reaches the object that it serves as ``self.server.owner``.
    handler: type[Handler]

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._address = (host, port)
        self._server: Server | None = None

    @property
    def url(self) -> str:
        host, port = self._address
        if not port:
            raise RuntimeError("the server has not been started")
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compares, does not bind

    def start(self) -> Self:
        self._server = Server(self._address, self.handler)
        self._server.owner = self  # type: ignore[attr-defined]  # each handler knows its type
        # A second start takes the same port.
        self._address = (self._address[0], self._server.server_port)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Release requests that wait, and end open connections."""
        if self._server is not None:
            self._server.let_go.set()
            self._server.shutdown()
            self._server.server_close()
            self._server.end_connections()
            self._server = None

    def let_go(self) -> None:
        """Release requests that wait; later ones wait again."""
        if self._server is not None:
            self._server.let_go.set()
            self._server.let_go = threading.Event()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve_until_told(line: str) -> None:
    """Print ``line``, and wait for SIGINT or SIGTERM."""
    told = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: told.set())
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    # Without a timeout the wait would not be interrupted by a signal on all systems.
    while not told.wait(0.2):
        pass
