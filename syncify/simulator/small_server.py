"""Requests and replies of simulated services other than Spotify."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from syncify.simulator.serving import Handler, Served

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


class _Handler(Handler):
    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX:
            self.close_connection = True
            reply = Reply(413)
        else:
            owner: SmallServer = self.server.owner  # type: ignore[attr-defined]
            reply = owner.answer(self._ask(self.rfile.read(length)))
        if reply.cut:
            self.cut()
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
            headers=self.header_fields(),
            body=body,
        )


class SmallServer(Served):
    """A server on loopback; subclasses define ``answer``."""

    handler = _Handler

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.lock = threading.RLock()

    def answer(self, ask: Ask) -> Reply:
        raise NotImplementedError
