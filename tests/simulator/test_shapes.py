"""Answers have the shapes of the official schema."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from syncify.simulator.server import Simulator
from tests.simulator.callers import (
    Caller,
)

# Shapes: what the product relies on in the official schema, reduced to it. A type is required
# and of that kind, a tuple lists alternatives, a one-item list is an array, a string a pattern.

ID = "[0-9A-Za-z]{22}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
LINKS = {"spotify": r"https://open\.spotify\.com/.+"}
USER_REF = {"id": str, "type": "user", "uri": "spotify:user:.+", "external_urls": LINKS}
ARTIST = {"id": ID, "name": str, "type": "artist", "uri": f"spotify:artist:{ID}"}
ALBUM = {
    "id": ID,
    "name": str,
    "album_type": "album|single|compilation",
    "type": "album",
    "total_tracks": int,
    "release_date": r"\d{4}(-\d\d){0,2}",
    "release_date_precision": "year|month|day",
    "images": [{"url": str, "height": (int, None), "width": (int, None)}],
    "artists": [ARTIST],
    "uri": f"spotify:album:{ID}",
}
TRACK = {
    "id": ID,
    "uri": f"spotify:track:{ID}",
    "type": "track",
    "name": str,
    "duration_ms": int,
    "explicit": bool,
    "is_local": bool,
    "disc_number": int,
    "track_number": int,
    "external_ids": {"isrc": "[A-Z]{2}[A-Z0-9]{3}[0-9]{7}"},
    "artists": [ARTIST],
    "album": ALBUM,
    "external_urls": LINKS,
    "href": str,
}
PAGING = {
    "href": "http.+",
    "limit": int,
    "offset": int,
    "total": int,
    "next": ("http.+", None),
    "previous": ("http.+", None),
}
ENTRY = {"added_at": (TIME, None), "added_by": (USER_REF, None), "is_local": bool, "item": TRACK}
PLAYLIST = {
    "id": ID,
    "uri": f"spotify:playlist:{ID}",
    "type": "playlist",
    "name": str,
    "description": str,
    "public": (bool, None),
    "collaborative": bool,
    "snapshot_id": str,
    "owner": USER_REF | {"display_name": (str, None)},
    "images": [dict],
    "external_urls": LINKS,
    "href": str,
}
ME = USER_REF | {"account_id": str, "display_name": (str, None), "images": [dict], "href": str}

# Where reality, and so the simulator, differs from that schema:
#  - Development Mode leaves out what the schema only calls deprecated: a track's popularity,
#    available_markets, linked_from and preview_url, an album's available_markets (which the
#    schema even requires), a user's country, email, product and followers;
#  - a playlist's "tracks" and an entry's "track" are in the schema beside the new names, and
#    Development Mode may or may not send them: a switch here, new names only by default;
#  - an entry's song, date and adder may be null, a local file's id too; the schema knows no null;
#  - a description comes HTML-escaped; the schema says nothing of it;
#  - error bodies may be plain text, and a 429 may carry a reason: the schema has status and
#    message only;
#  - a playlist of another listener comes without items; there the schema always has them;
#  - only the simulator: an episode's show has a name and a publisher, and nothing else of its own.
GONE = {"popularity", "available_markets", "linked_from", "preview_url", "country", "email"}


def misfits(value: Any, shape: Any, at: str = "") -> Iterator[str]:
    """The paths at which ``value`` is not of the shape."""
    if isinstance(shape, tuple):
        found = [list(misfits(value, one, at)) for one in shape]
        if [] not in found:
            yield from found[0]
    elif isinstance(shape, dict) and isinstance(value, dict):
        for key in shape.keys() - value.keys() | GONE & value.keys():
            yield f"{at}.{key}"
        for key in shape.keys() & value.keys():
            yield from misfits(value[key], shape[key], f"{at}.{key}")
    elif isinstance(shape, list) and isinstance(value, list):
        for i, one in enumerate(value):
            yield from misfits(one, shape[0], f"{at}[{i}]")
    elif not fits(value, shape):
        yield at


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, str):
        return isinstance(value, str) and re.fullmatch(shape, value) is not None
    return value is shape or type(value) is shape


def test_the_checker_of_shapes_sees_what_is_wrong() -> None:
    shape = {"a": int, "b": [{"c": ("x+", None)}], "d": bool}
    good = {"a": 1, "b": [{"c": "xx"}, {"c": None}], "d": True}

    wrong = {"a": True, "b": [{"c": "y"}, 5], "email": ""}

    assert list(misfits(good, shape)) == []
    assert set(misfits(wrong, shape)) == {".a", ".b[0].c", ".b[1]", ".d", ".email"}


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("me/", ME),
        ("me/tracks", PAGING | {"items": [{"added_at": TIME, "track": TRACK}]}),
        ("me/playlists", PAGING | {"items": [PLAYLIST | {"items": {"href": str, "total": int}}]}),
        ("playlists/{id}", PLAYLIST | {"items": PAGING | {"items": [ENTRY]}}),
        ("playlists/{id}/items", PAGING | {"items": [ENTRY]}),
        ("tracks/{track}", TRACK),
    ],
)
def test_answers_have_the_shapes_of_the_schema(
    spotify: Simulator, ada: Caller, path: str, shape: Any
) -> None:
    one = spotify.create_playlist("ada", "Mirror", spotify.liked("ada"))
    track = spotify.saved("ada")[0].id

    answer = ada("GET", path.format(id=one, track=track))

    assert list(misfits(answer.json(), shape)) == []
    assert answer.headers["Content-Type"].startswith("application/json")
