"""The songs of a music server; only changed albums are read again."""

import json
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sync.models import Connection, TargetCatalogue
from sync.targets.protocol import RemoteSong
from sync.targets.subsonic.client import SubsonicClient

#: After this time all albums are read: the list does not show every changed tag.
FULL_EVERY = timedelta(days=7)
#: The fields that show a change of an album.
_MARKS = ("name", "artist", "songCount", "duration", "created", "changed")

#: For each album: its marks, and its songs as lists.
type Packed = dict[str, tuple[str, list[list[Any]]]]


def read(
    client: SubsonicClient,
    connection: Connection,
    *,
    now: datetime,
    on_progress: Callable[[float], None],
    save: Callable[[TargetCatalogue], None],
) -> list[RemoteSong]:
    """All songs of the server, each once. ``save`` stores them for the next run."""
    stored = TargetCatalogue.objects.filter(connection=connection).first()
    is_full = stored is None or now - stored.read_at >= FULL_EVERY
    known: Packed = {} if stored is None or is_full else unpack(bytes(stored.packed))
    albums = list(client.albums())
    found: Packed = {}
    for number, album in enumerate(albums, start=1):
        key = str(album["id"])
        marks = "\n".join(str(album.get(mark, "")) for mark in _MARKS)
        if key in known and known[key][0] == marks:
            found[key] = known[key]
        else:
            found[key] = marks, [row_of(song) for song in client.songs_of(key)]
            on_progress(number / len(albums))
    if found != known:
        read_at = now if stored is None or is_full else stored.read_at
        save(TargetCatalogue(connection=connection, packed=pack(found), read_at=read_at))
    return songs_in(found)


def songs_in(albums: Packed) -> list[RemoteSong]:
    """Each song once, even if it is on several albums."""
    songs: dict[str, RemoteSong] = {}
    for _, rows in albums.values():
        for row in rows:
            songs.setdefault(row[0], _song(row))
    return list(songs.values())


def forget(connection: Connection) -> None:
    """Make the next run read all albums."""
    TargetCatalogue.objects.filter(connection=connection).delete()


def row_of(song: RemoteSong) -> list[Any]:
    return [song.id, song.title, song.artist, song.album, song.seconds, list(song.isrcs)]


def _song(row: list[Any]) -> RemoteSong:
    key, title, artist, album, seconds, isrcs = row
    return RemoteSong(key, title, artist, album, seconds, tuple(isrcs))


def pack(albums: Packed) -> bytes:
    return zlib.compress(json.dumps(albums, ensure_ascii=False).encode(), 6)


def unpack(packed: bytes) -> Packed:
    albums = json.loads(zlib.decompress(packed))
    return {key: (marks, rows) for key, (marks, rows) in albums.items()}
