"""A language model for tests: a server with OpenAI's chat API that says what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeModel:
    """``url`` is what ``SYNCIFY_LLM_URL`` would be."""

    url = ""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.say: Callable[[BaseHTTPRequestHandler], None] = self.saying("{}")
        self.ended = threading.Event()

    @staticmethod
    def saying(content: Any, *, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
        body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        return FakeModel.sending(body, status=status)

    @staticmethod
    def sending(body: bytes, *, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
        def send(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return send


@contextmanager
def serving() -> Iterator[FakeModel]:
    fake = FakeModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            fake.requests.append(json.loads(self.rfile.read(length)))
            fake.headers.append(dict(self.headers))
            fake.say(self)

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that left
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield fake
        fake.ended.set()
        server.shutdown()
