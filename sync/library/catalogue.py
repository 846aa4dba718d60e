"""Stores songs, artists and albums as Spotify describes them; shared by all listeners.

One statement stores all songs of a page. Rows are written in the order of their keys, so that
workers that store the same songs cannot deadlock. Unchanged rows are not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection
from psycopg.types.json import Jsonb

from syncify.text import folded

if TYPE_CHECKING:
    from syncify.spotify.types import Song

# Unchanged rows are excluded before the upsert, which would lock, and so write, them.
_UPSERT = """
INSERT INTO {table} (id, {columns})
SELECT r.id, {given} FROM jsonb_to_recordset(%({table})s) AS r (id text, {types})
 WHERE NOT EXISTS (SELECT FROM {table} AS t
                    WHERE t.id = r.id AND ({stored}) IS NOT DISTINCT FROM ({given}))
 ORDER BY r.id
ON CONFLICT (id) DO UPDATE SET ({columns}) = ROW ({fresh})"""


def _upsert(table: str, types: Mapping[str, str]) -> str:
    def names(prefix: str) -> str:
        return ", ".join(f"{prefix}{name}" for name in types)

    return _UPSERT.format(
        table=table,
        columns=names(""),
        given=names("r."),
        stored=names("t."),
        fresh=names("excluded."),
        types=", ".join(f"{name} {kind}" for name, kind in types.items()),
    )


_ARTISTS = _upsert("artists", {"name": "text", "search": "text"})
_ALBUMS = _upsert("albums", dict.fromkeys(["name", "album_type", "cover_url"], "text"))
_TRACKS = _upsert(
    "tracks",
    {
        "name": "text",
        "artists": "text[]",
        "album": "text",
        "album_id": "text",
        "duration_ms": "int",
        "explicit": "bool",
        "isrc": "text",
        "release_date": "text",
        "released": "date",
        "disc_number": "smallint",
        "track_number": "smallint",
        "search": "text",
    },
)

# Delete the surplus positions of a track that now has fewer artists.
_TRACK_ARTISTS = """
WITH fresh AS (
    SELECT track_id, artist_id, position FROM jsonb_to_recordset(%(track_artists)s)
        AS r (track_id text, artist_id text, position smallint)
), surplus AS (
    DELETE FROM track_artists AS old USING (
        SELECT track_id, max(position) AS last FROM fresh GROUP BY track_id) AS r
     WHERE old.track_id = r.track_id AND old.position > r.last
)
INSERT INTO track_artists (track_id, artist_id, position)
SELECT track_id, artist_id, position FROM fresh AS r
 WHERE NOT EXISTS (SELECT FROM track_artists AS t
                    WHERE (t.track_id, t.position, t.artist_id)
                        = (r.track_id, r.position, r.artist_id))
 ORDER BY track_id, position
ON CONFLICT (track_id, position) DO UPDATE SET artist_id = excluded.artist_id"""


def store_songs(songs: Iterable[Song]) -> None:
    """Store Spotify's data of these songs, their artists and albums."""
    by_id = {song.id: song for song in songs}
    if not by_id:
        return
    artists = {
        artist_id: name
        for song in by_id.values()
        for artist_id, name in zip(song.artist_ids, song.artists, strict=False)
        if artist_id
    }
    albums = {song.album_id: song for song in by_id.values() if song.album_id}
    given: Mapping[str, Any] = {
        "artists": Jsonb(
            [{"id": key, "name": name, "search": folded(name)} for key, name in artists.items()]
        ),
        "albums": Jsonb([_album(song) for song in albums.values()]),
        "tracks": Jsonb([_track(song) for song in by_id.values()]),
        "track_artists": Jsonb(
            [
                {"track_id": song.id, "artist_id": artist_id, "position": position}
                for song in by_id.values()
                for position, artist_id in enumerate(filter(None, song.artist_ids))
            ]
        ),
    }
    with connection.cursor() as cursor:
        for statement in (_ARTISTS, _ALBUMS, _TRACKS, _TRACK_ARTISTS):
            cursor.execute(statement, given)


def _album(song: Song) -> dict[str, str]:
    return {
        "id": song.album_id,
        "name": song.album,
        "album_type": song.album_type,
        "cover_url": song.cover_url if len(song.cover_url) <= 300 else "",
    }


def _track(song: Song) -> dict[str, Any]:
    released = first_day(song.release_date)
    return {
        "id": song.id,
        "name": song.name,
        "artists": list(song.artists),
        "album": song.album,
        "album_id": song.album_id or None,
        "duration_ms": song.duration_ms,
        "explicit": song.explicit,
        "isrc": song.isrc,
        "release_date": song.release_date,
        "released": released.isoformat() if released else None,
        "disc_number": song.disc_number,
        "track_number": song.track_number,
        "search": "\n".join(map(folded, [song.name, ", ".join(song.artists), song.album])),
    }


def first_day(release_date: str) -> date | None:
    """The first day of a year, a month or a day in Spotify's format."""
    year, *rest = release_date.split("-")
    try:
        return date(int(year), *map(int, [*rest, "1", "1"][:2]))
    except ValueError:
        return None
