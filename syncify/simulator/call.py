"""One call in progress: the request, the world, the sender and the granted scopes."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from syncify.simulator.behaviour import PAGE_DEFAULT, PAGE_MAX
from syncify.simulator.state import Listener, World
from syncify.simulator.wire import ApiError, Request


@dataclass
class Call:
    world: World
    request: Request
    args: dict[str, str]
    scopes: frozenset[str] = frozenset()
    caller: Listener | None = field(default=None)

    @property
    def listener(self) -> Listener:
        if self.caller is None:
            raise ApiError(401, "No token provided")
        return self.caller

    def need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise ApiError(403, "Insufficient client scope")

    def number(self, name: str, default: int, low: int, high: int) -> int:
        written = self.request.query.get(name, str(default))
        value = (
            int(written) if written.lstrip("-").isascii() and written.lstrip("-").isdigit() else -1
        )
        if not low <= value <= high:
            raise ApiError(400, f"Invalid {name}")
        return value

    def page(self, *, offset_max: int = 2**31) -> tuple[int, int]:
        """Offset and limit."""
        return self.number("offset", 0, 0, offset_max), self.number(
            "limit", PAGE_DEFAULT, 1, PAGE_MAX
        )

    def paging(
        self, path: str, items: list[Any], total: int, offset: int, limit: int
    ) -> dict[str, Any]:
        """Spotify's paging object, with addresses on the host that was called."""

        def at(start: int, size: int = limit) -> str:
            query = self.request.query | {"offset": str(start), "limit": str(size)}
            return f"{self.request.base}{path}?{urlencode(query)}"

        # The first page within a playlist is longer than a page of items.
        following = min(limit, PAGE_MAX)
        return {
            "href": at(offset),
            "items": items,
            "limit": limit,
            "next": at(offset + limit, following) if offset + limit < total else None,
            "offset": offset,
            "previous": at(max(0, offset - limit), following) if offset else None,
            "total": total,
        }
