"""The songs that a share link shows: those of its playlist, or all likes; nothing else is read."""

# ruff: noqa: S608 - statements are put together from constants of this file

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db import connection

from sync.models import ShareLink, SyncRequest
from syncify.text import folded, plain

ON_PAGE = 100
#: Words of a search that count.
_MOST_WORDS = 8
#: Pages of a search that are looked at before it is known how many there are.
_MOST_PAGES = 1_000
#: Rows that a download fetches at once.
_CHUNK = 1_000
#: Seconds that the facts about all songs are kept.
_KEPT_FOR = 3600

_SONG = """t.id, t.name, t.artists, t.album, coalesce(a.cover_url, ''), s.added_at, t.duration_ms,
    t.explicit, t.isrc, t.release_date"""

# All likes, newest first.
_LIBRARY = """
    saved_tracks AS s
    JOIN tracks AS t ON t.id = s.track_id
    LEFT JOIN albums AS a ON a.id = t.album_id
   WHERE s.user_id = %(user)s AND s.removed_at IS NULL"""
_LIBRARY_ORDER = "s.added_at DESC, s.rank, s.id"

# What the playlists of a mirror hold. Spotify may show a song there under another uri.
_ITEMS = """
    SELECT i.number, i.place, coalesce(
               m.track_id, CASE WHEN starts_with(i.uri, 'spotify:track:') THEN substr(i.uri, 15) END
           ) AS track_id
      FROM ({rows}) AS i
      LEFT JOIN mirror_tracks AS m ON m.mirror_id = %(mirror)s AND m.shown_as <> ''
                                  AND m.shown_as = i.uri
     WHERE i.uri IS NOT NULL"""
_ALL_ITEMS = _ITEMS.format(
    rows="""
    SELECT p.number, i.place, i.uri
      FROM playlists AS p
      JOIN playlist_items AS held ON held.playlist_id = p.id
      CROSS JOIN LATERAL unnest(held.uris) WITH ORDINALITY AS i (uri, place)
     WHERE p.mirror_id = %(mirror)s"""
)
# Those of one page alone: of 10,000 rows 100 are looked at.
_ITEMS_OF_PAGE = _ITEMS.format(
    rows="""
    SELECT v.number, i.place, i.uri
      FROM (SELECT p.number, held.uris,
                   (%(offset)s + cardinality(held.uris)
                    - sum(cardinality(held.uris)) OVER (ORDER BY p.number))::int AS start
              FROM playlists AS p
              JOIN playlist_items AS held ON held.playlist_id = p.id
             WHERE p.mirror_id = %(mirror)s) AS v
      CROSS JOIN LATERAL unnest(v.uris[greatest(v.start, 0) + 1 : v.start + %(limit)s])
                         WITH ORDINALITY AS i (uri, place)"""
)
_MIRROR = """
    ({items}) AS items
    JOIN tracks AS t ON t.id = items.track_id
    LEFT JOIN albums AS a ON a.id = t.album_id
    LEFT JOIN saved_tracks AS s
           ON s.user_id = %(user)s AND s.track_id = t.id AND s.removed_at IS NULL
   WHERE true"""
_MIRROR_ORDER = "items.number, items.place"


_LIBRARY_FACTS = """
    SELECT count(*), count(*), max(s.added_at) FROM saved_tracks AS s
     WHERE s.user_id = %(user)s AND s.removed_at IS NULL"""
# The likes are walked from the newest on until one is in the playlist. IS TRUE keeps the planner
# from a join: it cannot know how long the array is, and would look up each of its songs.
_MIRROR_FACTS = f"""
    WITH items AS MATERIALIZED ({_ALL_ITEMS})
    SELECT (SELECT count(items.track_id) FROM items),
           (SELECT coalesce(sum(cardinality(held.uris)), 0) FROM playlists AS p
              JOIN playlist_items AS held ON held.playlist_id = p.id
             WHERE p.mirror_id = %(mirror)s),
           (SELECT s.added_at FROM saved_tracks AS s
             WHERE s.user_id = %(user)s AND s.removed_at IS NULL
               AND (s.track_id IN (SELECT items.track_id FROM items)) IS TRUE
             ORDER BY s.added_at DESC LIMIT 1)"""


class SharedSong(NamedTuple):
    track_id: str
    name: str
    artists: list[str]
    album: str
    #: "" where the album's picture is not known.
    cover_url: str
    #: When the listener liked it; None for a song that is in the playlist without a like.
    added_at: datetime | None
    duration_ms: int
    explicit: bool
    isrc: str
    #: As Spotify writes it: a year, a month or a day; "" where it is unknown.
    release_date: str

    @property
    def url(self) -> str:
        return f"{settings.SPOTIFY_OPEN_URL}/track/{self.track_id}"

    @property
    def title(self) -> str:
        """The name as it may be shown."""
        return plain(self.name) or "A song without a name"

    @property
    def byline(self) -> str:
        return plain(", ".join(self.artists))


@dataclass(frozen=True, slots=True)
class SongPage:
    songs: list[SharedSong]
    number: int
    #: Of the songs that ``query`` finds; without one, of all places.
    count: int
    query: str

    @property
    def last(self) -> int:
        return _pages(self.count)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page says of all songs together."""

    count: int
    #: Places in the list: some may be empty, or hold files of the listener's computer.
    places: int
    #: When the newest of them was liked.
    newest: datetime | None


def facts_of(link: ShareLink, *, version: int = 0) -> Facts:
    """The facts, which are kept for each ``version`` of the songs but 0.

    To read them takes longer than to read a page of songs.
    """
    key = f"shared:{link.user_id}:{link.mirror_id}:{version}"
    facts: Facts | None = cache.get(key) if version else None
    if facts is None:
        [row] = _rows(_LIBRARY_FACTS if link.mirror is None else _MIRROR_FACTS, link)
        facts = Facts(*row)
        if version:
            cache.set(key, facts, _KEPT_FOR)
    return facts


def page_of(link: ShareLink, *, query: str, number: int, places: int) -> SongPage:
    """The songs at these of all ``places``. Past the last page: the last."""
    words = folded(query.replace("\0", "")).split()[:_MOST_WORDS]
    if words:
        return _found(link, words, number, query)
    source, order = _source(link, _ITEMS_OF_PAGE)
    statement = f"SELECT {_SONG} FROM {source} ORDER BY {order}"
    if link.mirror is None:
        statement += " LIMIT %(limit)s OFFSET %(offset)s"
    shown = max(1, min(number, _pages(places)))
    rows = _rows(statement, link, limit=ON_PAGE, offset=(shown - 1) * ON_PAGE)
    return SongPage([SharedSong(*row) for row in rows], shown, places, query)


def _found(link: ShareLink, words: list[str], number: int, query: str) -> SongPage:
    """The songs that have every word in their title, artists or album."""
    source, order = _source(link)
    params = {f"word{at}": f"%{_escaped(word)}%" for at, word in enumerate(words)}
    source += "".join(f" AND t.search LIKE %({name})s" for name in params)
    statement = f"SELECT count(*) OVER (), {_SONG} FROM {source} ORDER BY {order}"
    place = {"limit": ON_PAGE, "offset": (max(1, min(number, _MOST_PAGES)) - 1) * ON_PAGE}
    rows = _rows(f"{statement} LIMIT %(limit)s OFFSET %(offset)s", link, **params, **place)
    if not rows and place["offset"]:  # past the last page
        [(count,)] = _rows(f"SELECT count(*) FROM {source}", link, **params)
        return _found(link, words, _pages(count), query)
    count = rows[0][0] if rows else 0
    return SongPage(
        [SharedSong(*song) for _, *song in rows], place["offset"] // ON_PAGE + 1, count, query
    )


def newest_of(link: ShareLink, *, limit: int) -> list[SharedSong]:
    """The songs that were liked last, newest first."""
    source, _ = _source(link)
    rows = _rows(
        f"SELECT {_SONG} FROM {source} AND s.added_at IS NOT NULL ORDER BY s.added_at DESC, s.rank"
        " LIMIT %(limit)s",
        link,
        limit=limit,
    )
    return [SharedSong(*row) for row in rows]


def all_songs(link: ShareLink) -> Iterator[SharedSong]:
    """Every song in order, fetched in chunks."""
    source, order = _source(link)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SONG} FROM {source} ORDER BY {order}", _params(link))
        while rows := cursor.fetchmany(_CHUNK):
            yield from (SharedSong(*row) for row in rows)


def version_of(link: ShareLink) -> tuple[int, datetime | None]:
    """Changes whenever a sync may have changed the songs: the newest finished request, and when."""
    newest = (
        SyncRequest.objects.filter(
            user=link.user_id, kind=SyncRequest.Kind.SPOTIFY, completed__isnull=False
        )
        .order_by("-id")
        .values_list("id", "completed")
        .first()
    )
    return newest or (0, None)


def _source(link: ShareLink, items: str = _ALL_ITEMS) -> tuple[str, str]:
    """Where the songs of ``link`` are read, and their order."""
    if link.mirror is None:
        return _LIBRARY, _LIBRARY_ORDER
    return _MIRROR.format(items=items), _MIRROR_ORDER


def _params(link: ShareLink) -> dict[str, Any]:
    return {"user": link.user_id, "mirror": link.mirror_id}


def _rows(statement: str, link: ShareLink, **params: str | int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {**_params(link), **params})
        return list(cursor.fetchall())


def _pages(count: int) -> int:
    """A list without songs has one page too."""
    return max(1, -(-count // ON_PAGE))


def _escaped(word: str) -> str:
    """``word`` as LIKE takes it literally."""
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
