"""Odd responses: changes that a fault makes to the regular JSON, or to the request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from syncify.simulator.wire import Request, Response

if TYPE_CHECKING:
    from syncify.simulator.faults import Fault


def rewritten(fault: Fault, meant: Response) -> Response:
    """The response with changed JSON; other responses stay unchanged."""
    if meant.status >= 300 or not meant.body:
        return meant
    try:
        answer = _CHANGES[fault.name](fault, json.loads(meant.body))
    except (ValueError, KeyError, TypeError):
        return meant
    meant.body = json.dumps(answer, separators=(",", ":")).encode()
    return meant


def without(request: Request, uri: str) -> Request:
    """The request without this song."""
    query = dict(request.query)
    if "uris" in query:
        query["uris"] = ",".join(one for one in query["uris"].split(",") if one != uri)
    try:
        body = json.loads(request.body)
        body["uris"] = [one for one in body["uris"] if one != uri]
    except (ValueError, KeyError, TypeError):
        body = None
    sent = request.body if body is None else json.dumps(body).encode()
    return replace(request, query=query, body=sent)


def _patch(fault: Fault, answer: Any) -> Any:
    """Set ``value`` at the path ``at``, or delete the entry there."""
    value = json.loads(fault.value)
    return _patched(answer, fault.at.split(".") if fault.at else [], value, take_out=fault.drop)


def _patched(found: Any, path: list[str], value: Any, *, take_out: bool) -> Any:
    if not path:
        return value
    here, *rest = path
    keys: list[Any] = list(range(len(found))) if isinstance(found, list) else list(found)
    chosen = keys if here == "*" else [int(here) if isinstance(found, list) else here]
    for key in reversed(chosen):
        if not rest and take_out:
            del found[key]
        elif rest:
            found[key] = _patched(found[key], rest, value, take_out=take_out)
        else:
            found[key] = value
    return found


def _short_page(fault: Fault, answer: Any) -> Any:
    """Fewer rows than requested; the next page begins after them."""
    dropped = answer["items"][fault.rows :]
    answer["items"] = answer["items"][: fault.rows]
    if dropped:
        answer["next"] = _address(fault.asked, _offset(fault) + fault.rows)
    return answer


def _empty_page(_: Fault, answer: Any) -> Any:
    """No rows; ``next`` and total unchanged."""
    return answer | {"items": []}


def _total(fault: Fault, answer: Any) -> Any:
    """A total that is too high or too low by this number."""
    return answer | {"total": max(0, answer["total"] + fault.by)}


def _hide(fault: Fault, answer: Any) -> Any:
    """End the list after ``keep`` rows; ``total`` says whether to change the total too."""
    offset, received = _offset(fault), len(answer["items"])
    shown = answer["items"][: max(0, fault.keep - offset)]
    total = min(answer["total"], fault.keep) if fault.total else answer["total"]
    ends = offset + received >= fault.keep
    return answer | {
        "items": shown,
        "total": total,
        "next": None if ends else answer["next"],
    }


def _offset(fault: Fault) -> int:
    return int(fault.asked.query.get("offset", "0")) if fault.asked else 0


def _address(asked: Request | None, offset: int) -> str | None:
    """The same list from another offset."""
    if asked is None:
        return None
    return f"{asked.base}{asked.path}?{urlencode(asked.query | {'offset': str(offset)})}"


_CHANGES = {
    "patch": _patch,
    "shortpage": _short_page,
    "emptypage": _empty_page,
    "total": _total,
    "hide": _hide,
}
