"""Converts Spotify's JSON of any content to our types; pure.

An unexpected field becomes its empty value, an unexpected row becomes an empty row. If nothing
of an answer can be relied on, Unreadable is raised, and nothing else ever is. No text holds NUL or
half a character, and none is longer than the database takes.
"""

import html
import re
from datetime import UTC, date, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from syncify.spotify.types import (
    Playlist,
    PlaylistItemsPage,
    PlaylistRow,
    PlaylistsPage,
    Profile,
    SavedTrackItem,
    SavedTracksPage,
    Song,
)

NAME_MAX = 500
SHORT_MAX = 255
DESCRIPTION_MAX = 2_000
URI_MAX = 2_000
ADDRESS_MAX = 500
ARTISTS_MAX = 100
#: The limit of a 32-bit column.
NUMBER_MAX = 2**31 - 1
#: Discs and tracks of one album.
PLACE_MAX = 10_000
COVER_WIDTH = 300
PICTURES = "https://i.scdn.co/"
SPOTIFY_API = "https://api.spotify.com"
#: No recording is older.
FIRST_RECORDING = 1850

_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_RELEASED = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")
_ADDRESS = re.compile(r"[!#-;=?-Z_a-z~]+")
_ALBUM_TYPES = frozenset(["album", "single", "compilation"])


class Unreadable(ValueError):
    """The response has an unexpected structure."""


# --- Whole answers ------------------------------------------------------------------------------


def profile(answer: Any) -> Profile:
    found = _object(answer)
    if not (user_id := user_id_of(found)):
        raise Unreadable("a profile without an id")
    account_id = _word(found.get("account_id")) or None
    return Profile(user_id, account_id, _text(found.get("display_name"), SHORT_MAX))


def saved_tracks(
    answer: Any, offset: int, pictures: tuple[str, ...] = (PICTURES,)
) -> SavedTracksPage:
    found, rows = _rows(answer)
    total = _count(found.get("total"))
    items = tuple(saved_track(row, pictures) for row in rows)
    return SavedTracksPage(offset, total, items, _has_next(found, offset + len(rows), total))


def playlist(answer: Any) -> Playlist:
    found = readable_playlist(answer)
    if found is None:
        raise Unreadable("a playlist without an id")
    return found


def playlists(answer: Any, offset: int) -> PlaylistsPage:
    found, rows = _rows(answer)
    total = _count(found.get("total"))
    readable = tuple(one for row in rows if (one := readable_playlist(row)))
    has_next = _has_next(found, offset + len(rows), total)
    return PlaylistsPage(offset, total, readable, len(rows), has_next)


def playlist_items(
    answer: Any, offset: int, pictures: tuple[str, ...] = (PICTURES,)
) -> PlaylistItemsPage:
    """A page without a total is refused here, because edits are planned from it."""
    found, rows = _rows(answer)
    total = _count(found.get("total"))
    if total is None:
        raise Unreadable("a page of a playlist without a total")
    entries = tuple(playlist_row(row, pictures) for row in rows)
    return PlaylistItemsPage(offset, total, entries, _has_next(found, offset + len(rows), total))


def names_no_item(answer: Any) -> bool:
    """Whether no row of the page has a song under any name, as if all were filtered out."""
    _, rows = _rows(answer)
    return bool(rows) and not any(
        isinstance(row, dict) and {"item", "track"} & set(row) for row in rows
    )


def contained(answer: Any, count: int) -> list[bool]:
    if not isinstance(answer, list) or len(answer) != count:
        raise Unreadable("not one answer for each uri")
    if not all(isinstance(held, bool) for held in answer):
        raise Unreadable("an answer that is neither yes nor no")
    return answer


def snapshot_id(answer: Any) -> str:
    if not (found := _word(_object(answer).get("snapshot_id"))):
        raise Unreadable("no snapshot id")
    return found


def nothing(answer: Any) -> None:
    """For a write whose response has no body."""


def picture_hosts(api_url: str) -> tuple[str, ...]:
    """Allowed prefixes of picture addresses: Spotify's image host, and another API host.

    The latter is the simulator, which draws its own pictures.
    """
    parts = urlsplit(api_url)
    api = f"{parts.scheme}://{parts.netloc}"
    return (PICTURES,) if api == SPOTIFY_API else (PICTURES, f"{api}/")


# --- Rows ---------------------------------------------------------------------------------------


def saved_track(row: Any, pictures: tuple[str, ...] = (PICTURES,)) -> SavedTrackItem:
    found = row if isinstance(row, dict) else {}
    track = found.get("track")
    track = track if isinstance(track, dict) else {}
    one = song(track, pictures)
    return SavedTrackItem(
        _time(found.get("added_at")), one, one.name if one else _text(track.get("name"), NAME_MAX)
    )


def song(track: dict[str, Any], pictures: tuple[str, ...] = (PICTURES,)) -> Song | None:
    """None for an object without an id, or that is not a track."""
    track_id = _id(track.get("id"))
    if not track_id or track.get("type", "track") != "track":
        return None
    artists = _artists(track.get("artists"))
    album = _part(track, "album")
    kind = album.get("album_type")
    return Song(
        id=track_id,
        uri=f"spotify:track:{track_id}",
        name=_text(track.get("name"), NAME_MAX),
        artists=tuple(name for name, _ in artists),
        album=_text(album.get("name"), NAME_MAX),
        duration_ms=_number(track.get("duration_ms"), NUMBER_MAX),
        explicit=track.get("explicit") is True,
        isrc=isrc(_part(track, "external_ids").get("isrc")),
        release_date=release_date(album.get("release_date")),
        artist_ids=tuple(artist_id for _, artist_id in artists),
        album_id=_id(album.get("id")),
        album_type=kind if isinstance(kind, str) and kind in _ALBUM_TYPES else "",
        album_artists=tuple(name for name, _ in _artists(album.get("artists"))),
        cover_url=cover_url(album.get("images"), pictures),
        disc_number=_number(track.get("disc_number"), PLACE_MAX),
        track_number=_number(track.get("track_number"), PLACE_MAX),
    )


def readable_playlist(answer: Any) -> Playlist | None:
    found = answer if isinstance(answer, dict) else {}
    if not (playlist_id := _id(found.get("id"))):
        return None
    public, description = found.get("public"), found.get("description")
    contents = found.get("items") if isinstance(found.get("items"), dict) else found.get("tracks")
    return Playlist(
        id=playlist_id,
        name=_text(found.get("name"), SHORT_MAX),
        description=_text(
            html.unescape(description) if isinstance(description, str) else "", DESCRIPTION_MAX
        ),
        public=public if isinstance(public, bool) else None,
        snapshot_id=_word(found.get("snapshot_id")),
        total=_count(contents.get("total")) if isinstance(contents, dict) else None,
        owner_id=user_id_of(_part(found, "owner")),
    )


def playlist_row(row: Any, pictures: tuple[str, ...] = (PICTURES,)) -> PlaylistRow:
    found = row if isinstance(row, dict) else {}
    item = found.get("item") if isinstance(found.get("item"), dict) else found.get("track")
    item = item if isinstance(item, dict) else {}
    uri = _uri(item.get("uri"))
    album = _part(item, "album")
    return PlaylistRow(
        uri=uri,
        kind=_kind(uri),
        name=_text(item.get("name"), NAME_MAX),
        artists=tuple(name for name, _ in _artists(item.get("artists"))),
        album=_text(album.get("name"), NAME_MAX),
        isrc=isrc(_part(item, "external_ids").get("isrc")),
        duration_ms=_number(item.get("duration_ms"), NUMBER_MAX),
        explicit=item.get("explicit") is True,
        cover_url=cover_url(album.get("images"), pictures),
        added_by=user_id_of(_part(found, "added_by")),
        added_at=_time(found.get("added_at")),
    )


def _kind(uri: str | None) -> Literal["track", "episode", "local", "none"]:
    if uri is None:
        return "none"
    match uri.split(":")[1]:
        case "episode":
            return "episode"
        case "local":
            return "local"
    return "track"


# --- Fields -------------------------------------------------------------------------------------


def isrc(value: Any) -> str:
    """The ISRC as 12 characters without hyphens; "" if it is not valid."""
    if not isinstance(value, str) or len(value) > SHORT_MAX:
        return ""
    if _ISRC.fullmatch(value):
        return value
    code = re.sub(r"[\s-]", "", value).upper()
    return code if _ISRC.fullmatch(code) else ""


def release_date(value: Any) -> str:
    """A year, a month or a day that exists."""
    found = _RELEASED.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return ""
    try:
        date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return ""
    return found[0] if int(found[1]) >= FIRST_RECORDING else ""


def cover_url(images: Any, pictures: tuple[str, ...] = (PICTURES,)) -> str:
    """The address of the picture whose width is nearest to 300 pixels."""
    found = [image for image in _list(images)[:20] if isinstance(image, dict)]
    found.sort(key=lambda image: abs(_number(image.get("width"), PLACE_MAX) - COVER_WIDTH))
    usable = (image["url"] for image in found if _is_picture(image.get("url"), pictures))
    return next(usable, "")


def user_id_of(user: dict[str, Any]) -> str:
    return _word(user.get("id"))


def _is_picture(url: Any, pictures: tuple[str, ...]) -> bool:
    return (
        isinstance(url, str)
        and len(url) <= ADDRESS_MAX
        and url.startswith(pictures)
        and _ADDRESS.fullmatch(url) is not None
    )


def _artists(value: Any) -> list[tuple[str, str]]:
    """Name and id of each artist that has at least one of them."""
    known = (one for one in _list(value)[:ARTISTS_MAX] if isinstance(one, dict))
    named = ((_text(one.get("name"), SHORT_MAX), _id(one.get("id"))) for one in known)
    return [(name, artist_id) for name, artist_id in named if name or artist_id]


def _uri(value: Any) -> str | None:
    """A uri that can be sent back: of a track or an episode with its id, or of a local file."""
    if not isinstance(value, str) or len(value) > URI_MAX or value != _clean(value):
        return None
    scheme, _, rest = value.partition(":")
    kind, _, name = rest.partition(":")
    if scheme != "spotify" or not name:
        return None
    return value if kind == "local" or (kind in {"track", "episode"} and _id(name)) else None


def _time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC) if at else None
    except (ValueError, OverflowError):
        return None
    return at if at and 1970 <= at.year < 3000 else None


def _text(value: Any, longest: int) -> str:
    return _clean(value)[:longest] if isinstance(value, str) else ""


def _word(value: Any) -> str:
    """An id that is only compared: as it is, or "" if it cannot be stored."""
    is_whole = isinstance(value, str) and len(value) <= SHORT_MAX and value == _clean(value)
    return value if is_whole else ""


def _clean(value: str) -> str:
    """The text without characters that PostgreSQL cannot store."""
    if "\0" in value:
        value = value.replace("\0", "")
    return value if value.isascii() else value.encode(errors="replace").decode()


def _id(value: Any) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= NUMBER_MAX
    return value if is_count else None


def _number(value: Any, most: int) -> int:
    """0 for a value that is not a valid number."""
    found = _count(value)
    return found if found is not None and found <= most else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Unreadable(f"{type(answer).__name__} instead of an object")
    return answer


def _rows(answer: Any) -> tuple[dict[str, Any], list[Any]]:
    """A page of a list, and its rows."""
    found = _object(answer)
    if not isinstance(rows := found.get("items"), list):
        raise Unreadable("a page without rows")
    return found, rows


def _has_next(found: dict[str, Any], received: int, total: int | None) -> bool:
    """Whether there is another page: by ``next``, or by the total if ``next`` is missing."""
    if "next" in found:
        return bool(found["next"])
    return total is not None and received < total
