"""The songs of a share link as files: CSV, JSPF and JSON."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sync.sharing.songs import Song
from syncify.text import plain

_COLUMNS = (
    "title", "artists", "album", "liked", "released", "length_ms", "explicit", "isrc", "uri",
)  # fmt: skip
#: A cell that begins like this would be a formula to a spreadsheet.
_FORMULA = re.compile(r"^[=+\-@\t\r]")


class _Echo:
    """A file that returns what it is given."""

    def write(self, line: str) -> str:
        return line


def csv_lines(songs: Iterable[Song]) -> Iterator[str]:
    """RFC 4180, with a byte order mark, by which spreadsheets know UTF-8."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(_COLUMNS)
    for song in songs:
        row = _fields(song)
        row["artists"] = "; ".join(row["artists"])
        row["explicit"] = "yes" if song.explicit else "no"
        yield writer.writerow([_cell(row[column]) for column in _COLUMNS])


def json_lines(title: str, songs: Iterable[Song]) -> Iterator[str]:
    """One JSON object, written song by song."""
    yield from _list_in({"title": title}, "songs", map(_fields, songs))


def jspf_lines(title: str, songs: Iterable[Song]) -> Iterator[str]:
    """A JSPF playlist, as ListenBrainz and other players read it."""
    yield '{"playlist": '
    yield from _list_in({"title": title}, "track", map(_jspf_track, songs))
    yield "}"


def _list_in(head: dict[str, Any], key: str, items: Iterable[Any]) -> Iterator[str]:
    yield f"{json.dumps(head, ensure_ascii=False)[:-1]}, {json.dumps(key)}: ["
    for at, item in enumerate(items):
        yield f"{',' if at else ''}\n{json.dumps(item, ensure_ascii=False)}"
    yield "]}"


def _fields(song: Song) -> dict[str, Any]:
    return {
        "title": song.name,
        "artists": song.artists,
        "album": song.album,
        "liked": song.added_at.isoformat() if song.added_at else "",
        "released": song.release_date,
        "length_ms": song.duration_ms,
        "explicit": song.explicit,
        "isrc": song.isrc,
        "uri": f"spotify:track:{song.track_id}",
    }


def _jspf_track(song: Song) -> dict[str, Any]:
    track: dict[str, Any] = {
        "location": [song.url],
        "identifier": [f"spotify:track:{song.track_id}"],
        "title": song.name,
        "creator": ", ".join(song.artists),
        "album": song.album,
        "duration": song.duration_ms,
    }
    if song.added_at:
        track["annotation"] = f"liked {song.added_at.isoformat()}"
    return track


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def file_name(title: str, suffix: str) -> str:
    """A name that every file system takes, from a title that may hold anything."""
    safe = re.sub(r"[^\w\- ]+", " ", plain(title))
    return f"{' '.join(safe.split())[:80].strip() or 'Liked Songs'}.{suffix}"
