"""Spotify's JSON objects, as Development Mode sends them, and the ``fields`` filter over them."""

import html
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from syncify.simulator.playlists import Playlist, Row
from syncify.simulator.songs import Artist, Song
from syncify.simulator.state import Listener
from syncify.simulator.wire import ApiError

type Json = dict[str, Any]

API = "https://api.spotify.com/v1"
OPEN = "https://open.spotify.com"
COVER_SIZES = (640, 300, 64)


def time(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def reference(kind: str, object_id: str) -> Json:
    """The fields of every object. ``href`` names the real Spotify, and is never requested."""
    return {
        "external_urls": {"spotify": f"{OPEN}/{kind}/{object_id}"},
        "href": f"{API}/{kind}s/{object_id}",
        "id": object_id,
        "type": kind,
        "uri": f"spotify:{kind}:{object_id}",
    }


def me(listener: Listener) -> Json:
    return {
        "account_id": listener.account_id,
        "display_name": listener.display_name,
        "images": [],
        **reference("user", listener.id),
    }


def artist(one: Artist) -> Json:
    return {
        "genres": list(one.style.genres),
        "images": [],
        "name": one.name,
        **reference("artist", one.id),
    }


def images(base: str, object_id: str) -> list[Json]:
    """Three sizes of a picture that the simulator draws at ``base``."""
    return [
        {"url": f"{base}/image/{object_id}?size={size}", "height": size, "width": size}
        for size in COVER_SIZES
    ]


@lru_cache(maxsize=20_000)
def track(song: Song, base: str) -> Json:
    artists = [{"name": name, **reference("artist", artist_id)} for artist_id, name in song.artists]
    album = {
        "album_type": song.album_type,
        "artists": artists[:1],
        "images": images(base, song.album_id),
        "name": song.album,
        "release_date": song.release_date,
        "release_date_precision": ("year", "month", "day")[song.release_date.count("-")],
        "total_tracks": song.total_tracks,
        **reference("album", song.album_id),
    }
    return {
        "album": album,
        "artists": artists,
        "disc_number": song.disc_number,
        "duration_ms": song.duration_ms,
        "explicit": song.explicit,
        "external_ids": {"isrc": song.isrc},
        "is_local": False,
        "name": song.name,
        "track_number": song.track_number,
        **reference(song.type, song.id),
    }


def episode(song: Song, base: str, *, understood: bool) -> Json:
    """Without the type in the query, an episode is returned as a track."""
    if not understood:
        return {**track(song, base), "episode": True, "track": False}
    show = {"name": song.album, "publisher": song.artists[0][1], **reference("show", song.album_id)}
    text = "An episode that does not exist."
    return {
        "description": text,
        "html_description": f"<p>{text}</p>",
        "duration_ms": song.duration_ms,
        "explicit": song.explicit,
        "images": [],
        "is_externally_hosted": False,
        "is_playable": True,
        "languages": ["en"],
        "name": song.name,
        "release_date": song.release_date,
        "release_date_precision": "day",
        "show": show,
        **reference("episode", song.id),
    }


def local(uri: str) -> Json:
    artist, album, title, seconds = (unquote_plus(part) for part in uri.split(":")[2:])
    return {
        "album": {"name": album, "album_type": None, "artists": [], "images": [], "id": None},
        "artists": [{"name": artist, "id": None, "type": "artist", "uri": None}],
        "disc_number": 0,
        "duration_ms": int(seconds) * 1000,
        "explicit": False,
        "external_ids": {},
        "external_urls": {},
        "href": None,
        "id": None,
        "is_local": True,
        "name": title,
        "track_number": 0,
        "type": "track",
        "uri": uri,
    }


def entry(row: Row, item: Json | None, names: str) -> Json:
    """One entry of a playlist; ``names`` says whether its song is called item, track, or both."""
    keys = {"new": ("item",), "old": ("track",), "both": ("item", "track")}[names]
    return {
        "added_at": time(row.added_at),
        "added_by": row.added_by and reference("user", row.added_by),
        "is_local": bool(item and item.get("is_local")),
        **dict.fromkeys(keys, item),
    }


def playlist_images(one: Playlist, base: str) -> list[Json]:
    """The uploaded cover, or a mosaic of albums if there are songs."""
    if one.cover:
        url = f"{base}/image/{one.id}?v={one.covers}"
        return [{"url": url, "height": None, "width": None}]
    return images(base, one.id) if one.rows else []


def playlist(  # noqa: PLR0917 - what a playlist consists of
    one: Playlist, owner: str, snapshot_id: str, items: Json | None, names: str, base: str
) -> Json:
    """``items`` is the first page, or its address and total only; None if it is hidden."""
    keys = {"new": ("items",), "old": ("tracks",), "both": ("items", "tracks")}[names]
    return {
        "collaborative": one.collaborative,
        "description": html.escape(one.description).replace("/", "&#x2F;"),
        "images": playlist_images(one, base),
        "name": one.name,
        "owner": {"display_name": owner, **reference("user", one.owner)},
        "public": one.public,
        "snapshot_id": snapshot_id,
        **({} if items is None else dict.fromkeys(keys, items)),
        **reference("playlist", one.id),
    }


# The ``fields`` filter: names separated by commas; dots and parentheses select inner fields;
# an exclamation mark excludes a field.

type Fields = Mapping[str, Any]  # name -> Fields, or True for all of it, or False for none


def parse_fields(written: str) -> Fields:
    tokens = re.findall(r"[A-Za-z_0-9]+|[!.,()]", written)
    if "".join(tokens) != written.replace(" ", ""):
        raise ApiError(400, "Invalid fields parameter")
    tokens.append("")  # the end
    fields = _names(tokens)
    if tokens != [""]:
        raise ApiError(400, "Invalid fields parameter")
    return fields


def _names(tokens: list[str]) -> Json:
    found: Json = {}
    while True:
        wanted = tokens[0] != "!"
        name = _name(tokens[not wanted :])
        del tokens[: 1 + (not wanted)]
        inner, known = _inside(tokens) or {}, found.get(name)
        # A repeated name selects both: "a.b,a.c".
        found[name] = known | inner if isinstance(known, dict) else inner or wanted
        if tokens[0] != ",":
            return found
        del tokens[0]


def _inside(tokens: list[str]) -> Json | None:
    if tokens[0] == ".":
        name = _name(tokens[1:])
        del tokens[:2]
        return {name: _inside(tokens) or True}
    if tokens[0] == "(":
        del tokens[0]
        inner = _names(tokens)
        if tokens.pop(0) != ")":
            raise ApiError(400, "Invalid fields parameter")
        return inner
    return None


def _name(tokens: list[str]) -> str:
    if not tokens or not tokens[0].isidentifier():
        raise ApiError(400, "Invalid fields parameter")
    return tokens[0]


def pick(value: Any, fields: Fields) -> Any:
    """The object after the filter; unknown names are ignored."""
    if isinstance(value, list):
        return [pick(one, fields) for one in value]
    if not isinstance(value, dict):
        return value
    others = False in fields.values()  # with an exclusion, all other fields stay
    picked = {}
    for name, inside in value.items():
        wanted = fields.get(name, others)
        if wanted:
            picked[name] = inside if wanted is True else pick(inside, wanted)
    return picked
