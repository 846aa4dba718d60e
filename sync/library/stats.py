"""Statistics of one listener's likes, by the listener's calendar; read-only.

Two statements read all numbers of the charts. The one for dates is cheap. The result of the one
for songs is cached for an hour, under a key that changes with every like and unlike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.cache import cache
from django.db import connection

from sync.library.timeline import start_of

if TYPE_CHECKING:
    from accounts.models import User

_TOP = 12
_KEPT_FOR = 3600


class Day(NamedTuple):
    """A day with a like or an unlike."""

    day: date
    #: Songs that are still liked, and were liked on this day.
    liked: int
    #: All songs that were liked on this day.
    came: int
    #: Songs that were no longer liked from this day on.
    went: int


# A like that was replaced by a newer one of the same song ended when the newer one began.
# "IS TRUE" keeps the planner, which expects hardly any ended likes, from a join: it would look at
# all likes for each of them.
_DAYS = """
WITH ended AS (
    SELECT s.removed_at,
           lead(s.added_at) OVER (PARTITION BY s.track_id ORDER BY s.id) AS again_at
      FROM saved_tracks AS s
     WHERE s.user_id = %(user)s AND (s.track_id IN (
           SELECT g.track_id FROM saved_tracks AS g
            WHERE g.user_id = %(user)s AND g.removed_at IS NOT NULL)) IS TRUE
), changes (moment, liked, came, went) AS (
    SELECT added_at, (removed_at IS NULL)::int, 1, 0 FROM saved_tracks WHERE user_id = %(user)s
    UNION ALL
    SELECT least(removed_at, again_at), 0, 0, 1 FROM ended WHERE removed_at IS NOT NULL
)
SELECT (moment AT TIME ZONE %(zone)s)::date AS day, sum(liked), sum(came), sum(went)
  FROM changes GROUP BY 1 ORDER BY 1
"""

_LIKES = """
WITH likes AS MATERIALIZED (
    SELECT s.id, s.added_at, t.released, t.duration_ms, t.explicit, t.artists, t.album_id,
           CASE WHEN t.album_id IS NULL THEN t.album ELSE '' END AS album
      FROM saved_tracks AS s JOIN tracks AS t ON t.id = s.track_id
     WHERE s.user_id = %(user)s AND s.removed_at IS NULL
       AND s.added_at >= %(since)s AND s.added_at < %(until)s
)
"""

#: One statement for each chart, over ``likes``.
_CHARTS = {
    "sums": """
        SELECT count(*) AS songs, coalesce(sum(duration_ms), 0) AS milliseconds,
               count(*) FILTER (WHERE explicit) AS explicit
          FROM likes""",
    "decades": """
        SELECT extract(year FROM released)::int / 10 * 10 AS decade, count(*) AS songs
          FROM likes GROUP BY 1 ORDER BY 1""",
    "ages": """
        SELECT extract(year FROM added_at AT TIME ZONE %(zone)s)::int AS year, count(*) AS songs,
               percentile_cont(0.5) WITHIN GROUP (
                   ORDER BY greatest((added_at AT TIME ZONE %(zone)s)::date - released, 0)
               ) / 365.25 AS years
          FROM likes WHERE released IS NOT NULL GROUP BY 1 ORDER BY 1""",
    "artists": """
        SELECT g.name, g.songs, coalesce(a.cover_url, '') AS cover_url
          FROM (SELECT artist AS name, count(*) AS songs, max(album_id) AS album_id
                  FROM likes, unnest(artists) AS artist WHERE artist <> ''
                 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(top)s) AS g
          LEFT JOIN albums AS a ON a.id = g.album_id ORDER BY g.songs DESC, g.name""",
    "albums": """
        SELECT coalesce(g.album_id, g.album) AS key, coalesce(a.name, g.album) AS name, g.songs,
               CASE WHEN g.first = g.last THEN g.first ELSE '' END AS artist,
               coalesce(a.cover_url, '') AS cover_url
          FROM (SELECT album_id, album, count(*) AS songs,
                       min(artists[1]) AS first, max(artists[1]) AS last
                  FROM likes WHERE album_id IS NOT NULL OR album <> ''
                 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %(top)s) AS g
          LEFT JOIN albums AS a ON a.id = g.album_id ORDER BY g.songs DESC, name, key""",
    "moments": """
        SELECT (SELECT id FROM likes ORDER BY added_at, id LIMIT 1) AS first,
               (SELECT id FROM likes ORDER BY added_at DESC, id LIMIT 1) AS last,
               (SELECT id FROM likes WHERE released IS NOT NULL
                 ORDER BY released, added_at, id LIMIT 1) AS oldest,
               (SELECT id FROM likes WHERE released IS NOT NULL
                 ORDER BY released DESC, added_at, id LIMIT 1) AS newest""",
}
_COLUMNS = ", ".join(
    f"'{name}', (SELECT json_agg(chart) FROM ({chart}) AS chart)"  # noqa: S608 - constants
    for name, chart in _CHARTS.items()
)
_SONGS = f"{_LIKES} SELECT json_build_object({_COLUMNS})"


@dataclass(frozen=True, slots=True)
class Facts:
    """Statistics of the songs of a period; each list is in the order of the page."""

    songs: int
    milliseconds: int
    explicit: int
    #: {"decade": the first year or None, "songs"}
    decades: Sequence[dict[str, Any]]
    #: {"year": of the like, "songs", "years": median age of the songs then}
    ages: Sequence[dict[str, Any]]
    #: {"name", "songs", "cover_url"}
    artists: Sequence[dict[str, Any]]
    #: {"key": as the query of the search has it, "name", "artist", "songs", "cover_url"}
    albums: Sequence[dict[str, Any]]
    #: Ids of the "first", "last", "oldest" and "newest" like; None if there is none.
    moments: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Every day on which a listener liked or unliked a song, in order."""

    days: Sequence[Day]
    #: Songs that are liked, by year and month.
    months: dict[tuple[int, int], int]
    #: The numbers of all likes ever, and of ended ones.
    came: int
    went: int

    @classmethod
    def of(cls, user: User, *, zone: tzinfo) -> Calendar:
        with connection.cursor() as cursor:
            cursor.execute(_DAYS, {"user": user.pk, "zone": str(zone)})
            days = [Day._make(row) for row in cursor.fetchall()]
        months: dict[tuple[int, int], int] = {}
        came = went = 0
        for day in days:
            came += day.came
            went += day.went
            if day.liked:
                key = day.day.year, day.day.month
                months[key] = months.get(key, 0) + day.liked
        return cls(days, months, came, went)

    @property
    def songs(self) -> int:
        return sum(self.months.values())

    @property
    def years(self) -> list[int]:
        """From the first year with a song that is still liked to the last, without a gap."""
        found = {year for year, _ in self.months}
        return list(range(min(found), max(found) + 1)) if found else []

    def growth(self) -> Iterator[tuple[date, int]]:
        """The first day of each month, and the number of songs at its end."""
        total, at = 0, 0
        if not self.days:
            return
        month = self.days[0].day.replace(day=1)
        last = self.days[-1].day
        while month <= last:
            following = (month + timedelta(days=32)).replace(day=1)
            while at < len(self.days) and self.days[at].day < following:
                total += self.days[at].came - self.days[at].went
                at += 1
            yield month, total
            month = following

    def growth_of_liked(self) -> Iterator[tuple[date, int]]:
        """``growth`` of the songs that are still liked."""
        total = 0
        first, last = min(self.months, default=(1, 1)), max(self.months, default=(1, 0))
        for number in range(first[0] * 12 + first[1], last[0] * 12 + last[1] + 1):
            year, month = divmod(number - 1, 12)
            total += self.months.get((year, month + 1), 0)
            yield date(year, month + 1, 1), total

    def busiest(self, *, year: int | None = None) -> Day | None:
        return max(self._liked(year), key=lambda day: day.liked, default=None)

    def longest_break(self) -> tuple[Day, Day] | None:
        """The two successive days with a like that are furthest apart."""
        gaps = pairwise(self._liked(None))
        return max(gaps, key=lambda pair: pair[1].day - pair[0].day, default=None)

    def on_this_day(self, today: date) -> list[Day]:
        """The same day of earlier years, the latest first."""
        return [
            day
            for day in reversed(self.days)
            if day.day.day == today.day
            and day.day.month == today.month
            and day.day.year < today.year
            and day.liked
        ]

    def _liked(self, year: int | None) -> Iterable[Day]:
        return (day for day in self.days if day.liked and (not year or day.day.year == year))

    @property
    def version(self) -> str:
        """Changes with every like and every unlike."""
        return f"{self.came}-{self.went}-{self.days[-1].day if self.days else ''}"


def facts_of(
    user: User, calendar: Calendar, *, zone: tzinfo, year: int | None = None, top: int = _TOP
) -> Facts:
    """The facts about all songs that are liked, or about those liked in ``year``."""
    key = f"facts:{user.pk}:{zone}:{year}:{top}:{calendar.version}"
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        found = _read(user, zone, year, top)
        cache.set(key, found, _KEPT_FOR)
    [sums], [moments] = found.pop("sums"), found.pop("moments")
    lists: dict[str, Any] = {name: rows or [] for name, rows in found.items()}
    return Facts(**sums, **lists, moments=moments)


def _read(user: User, zone: tzinfo, year: int | None, top: int) -> dict[str, Any]:
    params: dict[str, Any] = {
        "user": user.pk,
        "zone": str(zone),
        "top": top,
        "since": start_of(date(year, 1, 1), zone) if year else "-infinity",
        "until": start_of(date(year + 1, 1, 1), zone) if year else "infinity",
    }
    with connection.cursor() as cursor:
        cursor.execute(_SONGS, params)
        (found,) = cursor.fetchone()
    return dict(found)
