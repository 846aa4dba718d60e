"""Lists of songs as files, written in pieces: for spreadsheets, other services, and archives.

``songs.csv`` is for people: the columns of watsonbox's Exportify, protected against formulas. A
text that a spreadsheet may run gets an apostrophe in front; so does a text with apostrophes before
such a character, so that removing one apostrophe restores the text. ``transfer.csv`` and
``songs.jspf`` are for programs and contain every text unchanged.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from sync.models import SavedTrack, TrackArtist

#: The columns of watsonbox's Exportify in its order, and when the like ended.
COLUMNS = (
    "Track URI",
    "Track Name",
    "Artist URI(s)",
    "Artist Name(s)",
    "Album URI",
    "Album Name",
    "Album Artist URI(s)",
    "Album Artist Name(s)",
    "Album Release Date",
    "Album Image URL",
    "Disc Number",
    "Track Number",
    "Track Duration (ms)",
    "Track Preview URL",
    "Explicit",
    "Popularity",
    "ISRC",
    "Added By",
    "Added At",
    "Removed At",
)
TRANSFER_COLUMNS = ("title", "artist", "album", "isrc", "duration", "url")
JSPF_TRACK = "https://musicbrainz.org/doc/jspf#track"
_OPEN = "https://open.spotify.com/track/"
_ROWS_AT_A_TIME = 500
_RISKY = re.compile(r"'*[=+\-@\t\r\n\0＝＋－＠]")


def songs_csv(likes: QuerySet[SavedTrack]) -> Iterator[str]:
    """For people and spreadsheets: all columns, protected, with a byte order mark."""
    lines = _Lines(csv.QUOTE_ALL)
    yield "\ufeff" + lines.of([COLUMNS])
    artists = TrackArtist.objects.filter(track=OuterRef("track")).order_by("position")
    rows = likes.annotate(artist_ids=ArraySubquery(artists.values("artist")))
    for some in _some(rows, *_FOR_PEOPLE):
        yield lines.of(map(_for_people, some))


def transfer_csv(likes: QuerySet[SavedTrack]) -> Iterator[str]:
    """For Soundiiz, TuneMyMusic and FreeYourMusic, which find columns by their names."""
    lines = _Lines(csv.QUOTE_MINIMAL)
    yield lines.of([TRANSFER_COLUMNS])
    for some in _some(likes, *_FOR_TRANSFER):
        yield lines.of(
            (name, ", ".join(artists), album, isrc, round(milliseconds / 1000), f"{_OPEN}{track}")
            for track, name, artists, album, isrc, milliseconds in some
        )


def songs_jspf(likes: QuerySet[SavedTrack], *, title: str, creator: str) -> Iterator[str]:
    """For archives and players that read JSPF: one playlist in JSON."""
    return jspf(_some(likes, *_FOR_JSPF), title=title, creator=creator)


def jspf(
    some_rows: Iterable[Sequence[tuple[Any, ...]]], *, title: str, creator: str = ""
) -> Iterator[str]:
    """A JSPF playlist, in one piece for each of ``some_rows``.

    A row holds a song's id, name, artists, album, recording code, milliseconds, number on its
    disc, address of a picture, and moment of the like; the last three may be missing.
    """
    head = {"title": title, "creator": creator, "date": datetime.now(UTC).isoformat("T", "seconds")}
    if not creator:
        del head["creator"]
    yield f'{{"playlist": {json.dumps(head, ensure_ascii=False)[:-1]}, "track": ['
    before = "\n"
    for some in some_rows:
        piece = (json.dumps(_jspf_track(row), ensure_ascii=False) for row in some)
        yield before + ",\n".join(piece)
        before = ",\n"
    yield "\n]}}\n"


def guarded(text: str) -> str:
    """``text`` in a form that spreadsheets show and never run."""
    return f"'{text}" if _RISKY.match(text) else text


def unguarded(text: str) -> str:
    """The inverse of ``guarded``."""
    return text[1:] if text.startswith("'") and _RISKY.match(text) else text


class _Lines:
    """Rows as text; RFC 4180 ends each with CRLF."""

    def __init__(self, quoting: Any) -> None:
        self._written: list[str] = []
        self._writer = csv.writer(self, quoting=quoting)

    def write(self, line: str) -> None:
        self._written.append(line)

    def of(self, rows: Iterable[Iterable[object]]) -> str:
        self._writer.writerows(rows)
        text = "".join(self._written)
        self._written.clear()
        return text


def _some(likes: QuerySet[SavedTrack], *names: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in batches, so that memory does not grow with the library."""
    rows = likes.values_list(*names)
    some: list[tuple[Any, ...]] = []
    for row in rows.iterator(chunk_size=_ROWS_AT_A_TIME):
        some.append(row)
        if len(some) == _ROWS_AT_A_TIME:
            yield some
            some = []
    if some:
        yield some


_FOR_PEOPLE = (
    "track_id",
    "track__name",
    "artist_ids",
    "track__artists",
    "track__album_id",
    "track__album_name",
    "track__release_date",
    "track__album__cover_url",
    "track__disc_number",
    "track__track_number",
    "track__duration_ms",
    "track__explicit",
    "track__isrc",
    "added_at",
    "removed_at",
)
_FOR_TRANSFER = (
    "track_id",
    "track__name",
    "track__artists",
    "track__album_name",
    "track__isrc",
    "track__duration_ms",
)
_FOR_JSPF = (*_FOR_TRANSFER, "track__track_number", "track__album__cover_url", "added_at")


def _for_people(row: tuple[Any, ...]) -> list[object]:
    track, name, artist_ids, artists, album_id, album, release_date, cover_url = row[:8]
    disc, number, milliseconds, explicit, isrc, added_at, removed_at = row[8:]
    return [
        f"spotify:track:{track}",
        guarded(name),
        ", ".join(f"spotify:artist:{artist}" for artist in artist_ids),
        # As in Exportify: a comma within a name differs from a separator.
        guarded(", ".join(artist.replace(",", "\\,") for artist in artists)),
        f"spotify:album:{album_id}" if album_id else "",
        guarded(album),
        "",
        "",
        release_date,
        cover_url or "",
        disc or "",
        number or "",
        milliseconds,
        "",
        "true" if explicit else "false",
        "",
        guarded(isrc),
        "",
        _moment(added_at),
        _moment(removed_at) if removed_at else "",
    ]


def _jspf_track(row: tuple[Any, ...]) -> dict[str, Any]:
    track, name, artists, album, isrc, milliseconds, number, cover_url, added_at = row
    found: dict[str, Any] = {
        "title": name,
        "creator": ", ".join(artists),
        "album": album,
        "duration": milliseconds,
        "identifier": [f"{_OPEN}{track}"],
        "location": [f"{_OPEN}{track}"],
    }
    if added_at:
        found["extension"] = {JSPF_TRACK: {"added_at": added_at.isoformat()}}
    if number:
        found["trackNum"] = number
    if cover_url:
        found["image"] = cover_url
    if isrc:
        found["meta"] = [{"https://musicbrainz.org/doc/ISRC": isrc}]
    return found


def _moment(when: datetime) -> str:
    """Spotify's format: to the second, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def file_name(title: str, day: date, extension: str) -> str:
    """ "liked-songs-of-ada-2026-11-27.csv": letters, digits and hyphens only."""
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "songs"
    return f"{plain}-{day.isoformat()}.{extension}"
