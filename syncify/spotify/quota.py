"""What is spent of Spotify's quota, and until when it wants silence; the same for all workers."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from syncify.database import not_awaited
from syncify.spotify.errors import Blocked, BudgetSpent
from syncify.spotify.models import ApiHour, Block

#: An hour counts until its last call is a day old, so that we err on the careful side.
COUNTED = timedelta(hours=25)
KEPT = timedelta(days=2)
#: Of the day's calls, in percent: what scheduled syncs leave for first, manual and restoring ones.
RESERVE = 20

# One round trip. The row of this hour is locked for a moment only: nobody holds a transaction here.
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
SELECT (SELECT until FROM blocked), (SELECT because FROM blocked), (SELECT calls FROM counted),
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
    """Where every call passes first; with ``reserve`` it may use the whole budget."""

    def __init__(self, *, reserve: bool) -> None:
        self._limit = _limit(reserve=reserve)

    def admit(self) -> None:
        """Count one call. Raises Blocked or BudgetSpent, having counted none."""
        with connection.cursor() as cursor:
            # A crash of the database may cost the count of a few calls.
            cursor.execute(
                _ADMIT + not_awaited(),
                {"counted": COUNTED.total_seconds(), "limit": self._limit},
            )
            until, because, counted, _ = cursor.fetchone()
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
    """End a block that the operator may have cured, so that one call finds out."""
    causes = [Block.Because.CREDENTIALS, Block.Because.PREMIUM]
    Block.objects.filter(because__in=causes).delete()


def lift_block() -> None:
    """End any block, so that the next call finds out whether Spotify still wants silence."""
    Block.objects.all().delete()


def calls_by_hour() -> list[ApiHour]:
    """The hours of the last day in which somebody called, oldest first."""
    return list(ApiHour.objects.filter(hour__gt=Now() - COUNTED).order_by("hour"))


def calls_last_day() -> int:
    return sum(hour.calls for hour in calls_by_hour())


def check_fits(cost: int, *, reserve: bool) -> None:
    """Raise BudgetSpent when ``cost`` calls must wait for room in the budget.

    What costs more than a whole day can never wait for enough, and goes on over days.
    """
    limit = _limit(reserve=reserve)
    if limit and cost <= limit and calls_last_day() + cost > limit:
        raise BudgetSpent(_room_at(limit, cost))


def _limit(*, reserve: bool) -> int:
    """Calls a day; 0 is no limit."""
    quota: int = settings.SPOTIFY_DAILY_QUOTA
    return quota if reserve or not quota else max(1, quota * (100 - RESERVE) // 100)


def _room_at(limit: int, cost: int) -> datetime:
    """When enough of the past day's calls are a day old for ``cost`` more."""
    hours = calls_by_hour()
    spent = sum(hour.calls for hour in hours)
    for hour in hours:
        spent -= hour.calls
        if spent + cost <= limit:
            return hour.hour + COUNTED
    return timezone.now()  # somebody made room, or the budget grew, since it was found spent
