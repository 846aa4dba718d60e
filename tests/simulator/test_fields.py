"""The filter over an answer."""

from typing import Any

import pytest

from syncify.simulator import shapes
from tests.simulator.callers import (
    Caller,
)

SAMPLE = {"a": 1, "b": {"c": 2, "d": {"e": 3, "f": 4}}, "l": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ("a", {"a": 1}),
        ("a,missing", {"a": 1}),
        ("b.c", {"b": {"c": 2}}),
        ("b.c,b.d.e", {"b": {"c": 2, "d": {"e": 3}}}),
        ("b(c,d(f))", {"b": {"c": 2, "d": {"f": 4}}}),
        ("b.d(e),a", {"b": {"d": {"e": 3}}, "a": 1}),
        ("l(x)", {"l": [{"x": 1}, {"x": 3}]}),
        ("l.y", {"l": [{"y": 2}, {"y": 4}]}),
        ("!b,!l", {"a": 1}),
        ("b(!d)", {"b": {"c": 2}}),
        ("b(!c,d(!e))", {"b": {"d": {"f": 4}}}),
    ],
)
def test_the_fields_filter_leaves_what_was_named(fields: str, left: dict[str, Any]) -> None:
    assert shapes.pick(SAMPLE, shapes.parse_fields(fields)) == left


@pytest.mark.parametrize("fields", ["a(", "a)", "a,,b", "(a)", "a b=c", "a.", "!", "a(b"])
def test_a_broken_fields_filter_is_refused(ada: Caller, mixed: str, fields: str) -> None:
    assert ada("GET", f"playlists/{mixed}", params={"fields": fields}).status_code == 400


def test_the_fields_filter_stays_in_the_address_of_the_next_page(ada: Caller, mixed: str) -> None:
    fields = "next,items(item(uri))"

    page = ada.get(f"playlists/{mixed}/items", fields=fields, limit=2)
    second = ada.get(page["next"])

    assert page.keys() == second.keys() == {"next", "items"}
    assert second["items"][1] == {"item": None}
