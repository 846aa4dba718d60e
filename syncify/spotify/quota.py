"""The used part of Spotify's quota, and the block of calls; shared by all workers."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from syncify.spotify.errors import Blocked, BudgetSpent
from syncify.spotify.models import ApiHour, Block

#: An hour counts until its last call is a day old, so the count is never too low.
COUNTED = timedelta(hours=25)
KEPT = timedelta(days=2)
#: Percent of the day's calls that scheduled syncs leave to first, manual and restoring syncs.
RESERVE = 20

# One round trip. It runs outside of a transaction, so the row of this hour is locked only briefly.
_ADMIT = """
WITH blocked AS (
    SELECT until, because FROM spotify_blocks WHERE until > statement_timestamp()
), spent AS (
    SELECT coalesce(sum(calls), 0) AS calls FROM spotify_api_hours
    WHERE hour > statement_timestamp() - make_interval(secs => %(counted)s)
), counted AS (
    INSERT INTO spotify_api_hours (hour, calls)
    SELECT date_trunc('hour', statement_timestamp(), 'UTC'), 1
    WHERE NOT EXISTS (SELECT FROM blocked)
    AND (%(limit)s = 0 OR (SELECT calls FROM spent) < %(limit)s)
    ON CONFLICT (hour) DO UPDATE SET calls = spotify_api_hours.calls + 1
    RETURNING calls
)
SELECT (SELECT until FROM blocked), (SELECT because FROM blocked), (SELECT calls FROM counted)
"""

# A shorter wait never replaces a longer one that still runs.
_BLOCK = """
INSERT INTO spotify_blocks AS held (id, since, until, because)
SELECT 1, moment, moment + make_interval(secs => %(wait)s), %(because)s
FROM statement_timestamp() AS moment
ON CONFLICT (id) DO UPDATE SET
    until = greatest(held.until, excluded.until),
    because = CASE WHEN held.until > excluded.until THEN held.because ELSE excluded.because END,
    since = CASE WHEN held.until > excluded.since THEN held.since ELSE excluded.since END
RETURNING until
"""


class QuotaGate:
    """Checks and counts each call before it is sent; ``reserve`` allows the whole budget."""

    def __init__(self, *, reserve: bool) -> None:
        self._limit = _limit(reserve=reserve)

    def admit(self) -> None:
        """Count one call. Raises Blocked or BudgetSpent; then the call is not counted."""
        with connection.cursor() as cursor:
            cursor.execute(_ADMIT, {"counted": COUNTED.total_seconds(), "limit": self._limit})
            until, because, counted = cursor.fetchone()
        if until is not None:
            raise Blocked(until, because)
        if counted is None:
            raise BudgetSpent(_room_at(self._limit, 1))
        if counted == 1:
            ApiHour.objects.filter(hour__lt=Now() - KEPT).delete()

    def block(self, *, for_: timedelta, because: str) -> datetime:
        with connection.cursor() as cursor:
            cursor.execute(_BLOCK, {"wait": for_.total_seconds(), "because": because})
            until: datetime = cursor.fetchone()[0]
        return until


def current_block() -> Block | None:
    return Block.objects.filter(until__gt=Now()).first()


def lift_operator_block() -> None:
    """End a block whose cause the operator may have removed; the next call shows."""
    causes = [Block.Because.CREDENTIALS, Block.Because.PREMIUM]
    Block.objects.filter(because__in=causes).delete()


def lift_block() -> None:
    """End any block; the next call shows whether Spotify still refuses calls."""
    Block.objects.all().delete()


def calls_by_hour() -> list[ApiHour]:
    """The hours of the last day with at least one call, oldest first."""
    return list(ApiHour.objects.filter(hour__gt=Now() - COUNTED).order_by("hour"))


def calls_last_day() -> int:
    return sum(hour.calls for hour in calls_by_hour())


def check_fits(cost: int, *, reserve: bool) -> None:
    """Raise BudgetSpent when ``cost`` calls must wait for room in the budget.

    A sync that costs more than a whole day starts at once, and continues over days.
    """
    limit = _limit(reserve=reserve)
    if limit and cost <= limit and calls_last_day() + cost > limit:
        raise BudgetSpent(_room_at(limit, cost))


def _limit(*, reserve: bool) -> int:
    """Calls a day; 0 means no limit."""
    quota: int = settings.SPOTIFY_DAILY_QUOTA
    return quota if reserve or not quota else max(1, quota * (100 - RESERVE) // 100)


def _room_at(limit: int, cost: int) -> datetime:
    """The time at which ``cost`` more calls fit into the budget."""
    hours = calls_by_hour()
    spent = sum(hour.calls for hour in hours)
    for hour in hours:
        spent -= hour.calls
        if spent + cost <= limit:
            return hour.hour + COUNTED
    return timezone.now()  # the budget has room again since the check
