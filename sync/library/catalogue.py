"""Stores songs, artists and albums as Spotify describes them; shared by all listeners.

One statement stores all songs of a page. Rows are written in the order of their keys, so that
workers that store the same songs cannot deadlock, and only where something is different.
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

_ARTISTS = """
INSERT INTO artists (id, name, search)
SELECT id, name, search FROM jsonb_to_recordset(%(artists)s) AS r (id text, name text, search text)
 ORDER BY id
ON CONFLICT (id) DO UPDATE SET name = excluded.name, search = excluded.search
 WHERE (artists.name, artists.search) IS DISTINCT FROM (excluded.name, excluded.search)"""

_ALBUMS = """
INSERT INTO albums (id, name, album_type, cover_url)
SELECT id, name, album_type, cover_url FROM jsonb_to_recordset(%(albums)s)
    AS r (id text, name text, album_type text, cover_url text)
 ORDER BY id
ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, album_type = excluded.album_type, cover_url = excluded.cover_url
 WHERE (albums.name, albums.album_type, albums.cover_url)
       IS DISTINCT FROM (excluded.name, excluded.album_type, excluded.cover_url)"""

_TRACK = (
    "name, artists, album, album_id, duration_ms, explicit, isrc, release_date, released,"
    " disc_number, track_number, search"
)
_TRACKS = f"""
INSERT INTO tracks (id, {_TRACK})
SELECT id, {_TRACK} FROM jsonb_to_recordset(%(tracks)s)
    AS r (id text, name text, artists text[], album text, album_id text, duration_ms int,
          explicit bool, isrc text, release_date text, released date, disc_number smallint,
          track_number smallint, search text)
 ORDER BY id
ON CONFLICT (id) DO UPDATE
   SET ({_TRACK}) = ROW ({", ".join(f"excluded.{name.strip()}" for name in _TRACK.split(","))})
 WHERE ({", ".join(f"tracks.{name.strip()}" for name in _TRACK.split(","))})
       IS DISTINCT FROM ({", ".join(f"excluded.{name.strip()}" for name in _TRACK.split(","))})"""  # noqa: S608 - column names of this file

# A track that has fewer artists than it had loses the places above.
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
SELECT track_id, artist_id, position FROM fresh ORDER BY track_id, position
ON CONFLICT (track_id, position) DO UPDATE SET artist_id = excluded.artist_id
 WHERE track_artists.artist_id <> excluded.artist_id"""


def store_songs(songs: Iterable[Song]) -> None:
    """Store what Spotify says of these songs, their artists and albums."""
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
    """The first day that a year, a month or a day as Spotify writes it may mean."""
    year, *rest = release_date.split("-")
    try:
        return date(int(year), *map(int, [*rest, "1", "1"][:2]))
    except ValueError:
        return None
