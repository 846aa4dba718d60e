"""Compares the likes of two listeners, from the local database alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from django.core.cache import cache
from django.db import connection

if TYPE_CHECKING:
    from accounts.models import User

#: Likes from which an artist counts for the taste of a listener.
LIKES_OF_TASTE = 2
#: Artists that each listener needs, so that tastes are compared.
ARTISTS_OF_TASTE = 5
#: Songs and artists that a page lists.
MOST_SONGS, MOST_ARTISTS, MOST_NEWEST = 12, 12, 8

_KEPT_FOR = 3600

#: The sentence for each overlap, and the least overlap that it needs.
WORDS = (
    (0.6, "Your tastes are very near to each other."),
    (0.35, "Your tastes are near to each other."),
    (0.15, "Your tastes meet here and there."),
    (0.0, "Your tastes are far apart."),
)
UNKNOWN = "There are too few artists of whom each likes two songs to compare your tastes."

#: For each listener, a text that changes with every like and unlike, and the newest likes.
_STATES = """
SELECT u.id,
       (SELECT concat(max(s.id), '-', count(s.removed_at))
          FROM saved_tracks AS s WHERE s.user_id = u.id),
       ARRAY(SELECT s.track_id FROM saved_tracks AS s
              WHERE s.user_id = u.id AND s.removed_at IS NULL
              ORDER BY s.added_at DESC, s.rank, s.id LIMIT %(newest)s)
  FROM unnest(%(users)s::bigint[]) AS u (id)
"""

#: Songs in common have the same id or ISRC; "" is not an ISRC.
_COMPARISON = """
WITH mine AS MATERIALIZED (
    SELECT s.id, s.track_id, s.added_at, s.rank, t.isrc
      FROM saved_tracks AS s JOIN tracks AS t ON t.id = s.track_id
     WHERE s.user_id = %(user)s AND s.removed_at IS NULL
), theirs AS MATERIALIZED (
    SELECT s.id, s.track_id, s.added_at, s.rank, t.isrc
      FROM saved_tracks AS s JOIN tracks AS t ON t.id = s.track_id
     WHERE s.user_id = %(other)s AND s.removed_at IS NULL
), common AS MATERIALIZED (
    SELECT * FROM mine
     WHERE track_id IN (SELECT track_id FROM theirs)
        OR isrc IN (SELECT isrc FROM theirs WHERE isrc <> '')
), counts AS MATERIALIZED (
    SELECT artist_id, sum(mine) AS mine, sum(theirs) AS theirs
      FROM (SELECT ta.artist_id, count(*) AS mine, 0 AS theirs
              FROM mine JOIN track_artists AS ta USING (track_id) GROUP BY 1
             UNION ALL
            SELECT ta.artist_id, 0, count(*)
              FROM theirs JOIN track_artists AS ta USING (track_id) GROUP BY 1) AS likes
     GROUP BY 1
), shared AS MATERIALIZED (
    SELECT artist_id, mine, theirs FROM counts WHERE mine > 0 AND theirs > 0
), suggestions AS (
    SELECT t.track_id, t.added_at, t.rank, t.id FROM theirs AS t
     WHERE t.track_id NOT IN (SELECT track_id FROM mine)
       AND t.isrc NOT IN (SELECT isrc FROM mine WHERE isrc <> '')
       AND t.track_id IN (
           SELECT ta.track_id FROM shared JOIN track_artists AS ta USING (artist_id))
     ORDER BY t.added_at DESC, t.rank, t.id LIMIT %(songs)s
)
SELECT (SELECT count(*) FROM common),
       ARRAY(SELECT track_id FROM common
              ORDER BY added_at DESC, rank, id LIMIT %(songs)s),
       (SELECT count(*) FROM shared),
       ARRAY(SELECT ARRAY[a.name, s.mine::text, s.theirs::text]
               FROM shared AS s JOIN artists AS a ON a.id = s.artist_id
              ORDER BY least(s.mine, s.theirs) DESC, s.artist_id LIMIT %(artists)s),
       ARRAY(SELECT track_id FROM suggestions),
       (SELECT count(*) FILTER (WHERE least(mine, theirs) >= %(taste)s) FROM counts),
       (SELECT count(*) FILTER (WHERE mine >= %(taste)s) FROM counts),
       (SELECT count(*) FILTER (WHERE theirs >= %(taste)s) FROM counts)
"""


class _Row(NamedTuple):
    """The columns of ``_COMPARISON``."""

    songs_count: int
    songs: list[str]
    artists_count: int
    artists: list[list[str]]
    suggestions: list[str]
    both_taste: int
    my_taste: int
    their_taste: int


@dataclass(frozen=True, slots=True)
class SharedArtist:
    """An artist whom both like, and the number of songs that each likes."""

    name: str
    mine: int
    theirs: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two listeners have in common. Songs are track ids, newest like first."""

    songs_count: int
    songs: list[str]
    artists_count: int
    artists: list[SharedArtist]
    #: The other's likes by artists whom both like.
    suggestions: list[str]
    taste: str
    #: The other's newest likes, if they are asked for.
    newest: list[str]


def compare(user: User, other: User, *, with_newest: bool = False) -> Comparison:
    """The comparison as ``user`` sees it. The caller has checked that both agree.

    Cached for an hour, under a key that changes with every like and unlike of both.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STATES, {"users": [user.pk, other.pk], "newest": MOST_NEWEST})
        states = {key: (version, newest) for key, version, newest in cursor.fetchall()}
    key = f"pair:{user.pk}:{other.pk}:{states[user.pk][0]}:{states[other.pk][0]}"
    found: Comparison | None = cache.get(key)
    if found is None:
        found = _compare(user, other)
        cache.set(key, found, _KEPT_FOR)
    return replace(found, newest=states[other.pk][1]) if with_newest else found


def _compare(user: User, other: User) -> Comparison:
    values = {
        "user": user.pk,
        "other": other.pk,
        "songs": MOST_SONGS,
        "artists": MOST_ARTISTS,
        "taste": LIKES_OF_TASTE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COMPARISON, values)
        row = _Row(*cursor.fetchone())
    return Comparison(
        songs_count=row.songs_count,
        songs=row.songs,
        artists_count=row.artists_count,
        artists=[SharedArtist(name, int(mine), int(theirs)) for name, mine, theirs in row.artists],
        suggestions=row.suggestions,
        taste=in_words(row.both_taste, row.my_taste, row.their_taste),
        newest=[],
    )


def overlap(both: int, mine: int, theirs: int) -> float:
    """The share of the smaller of two sets that is in the other one too; 0 if one is empty.

    The numbers are the sizes: of what is in both, of the one, and of the other.
    """
    smaller = min(mine, theirs)
    return both / smaller if smaller else 0.0


def in_words(both: int, mine: int, theirs: int) -> str:
    """A sentence about two tastes, from numbers of artists; the same for both listeners."""
    if min(mine, theirs) < ARTISTS_OF_TASTE:
        return UNKNOWN
    share = overlap(both, mine, theirs)
    return next(words for least, words in WORDS if share >= least)
