"""The songs of a share link as files, some hundred at a time: CSV, JSPF and JSON."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import batched
from typing import Any

from sync.library.exports import guarded, jspf
from sync.sharing.songs import SharedSong
from syncify.text import plain

_COLUMNS = (
    "title", "artists", "album", "liked", "released", "length_ms", "explicit", "isrc", "uri",
)  # fmt: skip
_SONGS_AT_A_TIME = 500


class _Echo:
    """A file that returns what it is given."""

    def write(self, line: str) -> str:
        return line


def songs_csv(songs: Iterable[SharedSong]) -> Iterator[str]:
    """RFC 4180, with a byte order mark, by which spreadsheets know UTF-8."""
    return _pieces(_csv_lines(songs))


def songs_json(title: str, songs: Iterable[SharedSong]) -> Iterator[str]:
    """One JSON object."""
    return _pieces(_list_in({"title": title}, "songs", map(_fields, songs)))


def songs_jspf(title: str, songs: Iterable[SharedSong], *, creator: str = "") -> Iterator[str]:
    """A JSPF playlist, as ListenBrainz and other players read it."""
    return jspf(batched(map(_jspf_row, songs), _SONGS_AT_A_TIME), title=title, creator=creator)


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    return map("".join, batched(lines, _SONGS_AT_A_TIME))


def _csv_lines(songs: Iterable[SharedSong]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(_COLUMNS)
    for song in songs:
        row = _fields(song)
        row["artists"] = "; ".join(row["artists"])
        row["explicit"] = "yes" if song.explicit else "no"
        yield writer.writerow([guarded(str(row[column])) for column in _COLUMNS])


def _list_in(head: dict[str, Any], key: str, items: Iterable[Any]) -> Iterator[str]:
    yield f"{json.dumps(head, ensure_ascii=False)[:-1]}, {json.dumps(key)}: ["
    for at, item in enumerate(items):
        yield f"{',' if at else ''}\n{json.dumps(item, ensure_ascii=False)}"
    yield "]}"


def _fields(song: SharedSong) -> dict[str, Any]:
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


def _jspf_row(song: SharedSong) -> tuple[Any, ...]:
    about = (song.track_id, song.name, song.artists, song.album, song.isrc, song.duration_ms)
    return (*about, None, song.cover_url, song.added_at)


def file_name(title: str, suffix: str) -> str:
    """A name that every file system takes, from a title that may hold anything."""
    safe = re.sub(r"[^\w\- ]+", " ", plain(title))
    return f"{' '.join(safe.split())[:80].strip() or 'Liked Songs'}.{suffix}"
