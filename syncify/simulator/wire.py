"""What passes between server and routes: requests, answers, errors in Spotify's shapes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode


@dataclass
class Request:
    """``path`` is decoded, without a trailing slash; ``headers`` have Title-Case names."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str

    @cached_property
    def form(self) -> dict[str, str]:
        """The body's fields, whether it came as JSON or as a form."""
        if "json" in self.headers.get("Content-Type", ""):
            fields = self.json
            return {k: str(v) for k, v in fields.items()} if isinstance(fields, dict) else {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def json(self) -> Any:
        if not self.body:
            return {}
        try:
            return json.loads(self.body)
        except ValueError:
            raise ApiError(400, "Error parsing JSON.") from None

    def adds(self, uri: str) -> bool:
        """Whether it would put this song into a playlist; also true of a body that is no JSON."""
        named = uri in self.query.get("uris", "") or uri.encode() in self.body
        return self.method in ("POST", "PUT") and bool(uri) and named

    @property
    def authorization(self) -> str:
        return self.headers.get("Authorization", "")

    @cached_property
    def uris(self) -> list[Any] | None:
        """Of a write to a playlist: the query wins over the body. None where neither has any."""
        if "uris" in self.query:
            return [uri for uri in self.query["uris"].split(",") if uri]
        found = self.json if isinstance(self.json, list) else self.json.get("uris")
        return found if isinstance(found, list) else None


@dataclass
class Response:
    """``end`` says what the connection does: a drop sends nothing, a truncation half the body.

    ``drip`` is the pause before each byte, in seconds.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    end: Literal["send", "drop", "truncate"] = "send"
    delay: float = 0.0
    drip: float = 0.0
    outcome: str = "ok"


class ApiError(Exception):
    """An answer of the API host other than success."""

    def __init__(
        self, status: int, message: str, *, reason: str = "", retry_after: str | int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.reason = status, message, reason
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    def response(self) -> Response:
        error = {"status": self.status, "message": self.message}
        if self.reason:
            error["reason"] = self.reason
        answer = reply({"error": error}, self.status)
        answer.headers.update(self.headers)
        answer.outcome = self.reason or self.message
        return answer


class PlainError(ApiError):
    """The same, where the body is bare text."""

    def response(self) -> Response:
        answer = text(self.message, self.status)
        answer.headers.update(self.headers)
        answer.outcome = self.message
        return answer


class OAuthError(ApiError):
    """The accounts host's shape: ``error`` is a string."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(status, description)
        self.error = error

    def response(self) -> Response:
        answer = reply({"error": self.error, "error_description": self.message}, self.status)
        answer.headers.update(self.headers)
        answer.outcome = f"{self.error}: {self.message}"
        return answer


def reply(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8"})


def text(body: str, status: int = 200, kind: str = "plain") -> Response:
    return Response(status, body.encode(), {"Content-Type": f"text/{kind}; charset=utf-8"})


def empty(status: int = 200) -> Response:
    return Response(status)


def redirect(url: str, query: Mapping[str, str] | None = None, status: int = 302) -> Response:
    if query:
        url += ("&" if "?" in url else "?") + urlencode(query)
    return Response(status, headers={"Location": url})
