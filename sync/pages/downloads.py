"""Files that are sent while they are written."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def download(
    request: HttpRequest, pieces: Iterator[str], *, name: str, content_type: str
) -> StreamingHttpResponse:
    """``pieces`` as an attachment; none is written before the one before it was sent."""
    content = _in_thread(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(
        content,
        content_type=content_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
    )


async def _in_thread(pieces: Iterator[str]) -> AsyncIterator[str]:
    """Each piece from the request's own thread, which has the connection of the cursor."""
    while (piece := await sync_to_async(_next)(pieces)) is not None:
        yield piece


def _next(pieces: Iterator[str]) -> str | None:
    return next(pieces, None)
