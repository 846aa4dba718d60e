"""Odd answers: what a fault makes of the JSON that was meant, or of the request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from syncify.simulator.wire import Request, Response

if TYPE_CHECKING:
    from syncify.simulator.faults import Fault


def rewritten(fault: Fault, meant: Response) -> Response:
    """The answer with its JSON as the fault makes it; one that is no JSON stays as it is."""
    if meant.status >= 300 or not meant.body:
        return meant
    try:
        answer = _CHANGES[fault.name](fault, json.loads(meant.body))
    except (ValueError, KeyError, TypeError):
        return meant
    meant.body = json.dumps(answer, separators=(",", ":")).encode()
    return meant


def without(request: Request, uri: str) -> Request:
    """The request as if it did not name this song."""
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
    """Put ``value`` at the path ``at``, or take out what is there."""
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
    """Only so many rows, though more were asked for; the next page begins after them."""
    dropped = answer["items"][fault.rows :]
    answer["items"] = answer["items"][: fault.rows]
    if dropped:
        answer["next"] = _address(fault.asked, _offset(fault) + fault.rows)
    return answer


def _empty_page(_: Fault, answer: Any) -> Any:
    """No rows; ``next`` and total as they were meant."""
    return answer | {"items": []}


def _total(fault: Fault, answer: Any) -> Any:
    """A total that is so much too high, or too low."""
    return answer | {"total": max(0, answer["total"] + fault.by)}


def _hide(fault: Fault, answer: Any) -> Any:
    """As if the list ended after ``keep`` rows; ``total`` says whether the total does too."""
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
    """Of the same list from another place on."""
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
