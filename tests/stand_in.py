"""A host for answers of Spotify's that the simulator does not give."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest


class StandIn:
    """A host that gives every request the same answer."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"{}"
        self.requests = 0
        #: Seconds before each byte of the body.
        self.pause = 0.0


@pytest.fixture
def stand_in(settings: Any) -> Iterator[StandIn]:
    """Both of Spotify's hosts, for answers that the simulator does not give."""
    answer, ended = StandIn(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer.requests += 1
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": len(answer.body)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            with suppress(OSError):  # the caller may have gone
                for byte in answer.body if answer.pause else [answer.body]:
                    if ended.wait(answer.pause):
                        break
                    self.wfile.write(bytes([byte]) if isinstance(byte, int) else byte)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        settings.SPOTIFY_ACCOUNTS_URL, settings.SPOTIFY_API_URL = address, f"{address}/v1/"
        yield answer
        ended.set()
        server.shutdown()
