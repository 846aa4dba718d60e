"""What is spent of Spotify's quota, and until when it wants silence; the same for all workers.

The quota is that of a developer account. A block stands for a developer account (quota) or for one
app (credentials, premium).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from syncify.database import not_awaited
from syncify.postgresql.prepared import prepared_cursor
from syncify.spotify.credentials import Credentials
from syncify.spotify.errors import Blocked, BudgetSpent
from syncify.spotify.models import ApiHour, AppBlock, Block, DeveloperHour, Silence

#: An hour counts until its last call is a day old, so the count is never too low.
COUNTED = timedelta(hours=25)
KEPT = timedelta(days=2)
#: Percent of the day's calls that scheduled syncs leave to first, manual and restoring syncs.
RESERVE = 20

_FIRST = Credentials("")
_QUOTA = Silence.Because.QUOTA

# One round trip. The row of this hour is locked for a moment only: nobody holds a transaction here.
# ``{hours}``, ``{whose}`` and ``{account}`` are those of the first developer or of the others.
_ADMIT = """
WITH blocked AS (
    SELECT until, because FROM spotify_blocks
    WHERE until > statement_timestamp()
    AND CASE because WHEN 'quota' THEN %(developer)s::text ELSE %(app)s::text END = ''
    UNION ALL
    SELECT until, because FROM spotify_app_blocks
    WHERE until > statement_timestamp() AND key = ANY(%(keys)s::text[])
    ORDER BY until DESC LIMIT 1
), spent AS (
    SELECT coalesce(sum(calls), 0) AS calls FROM {hours}
    WHERE hour > statement_timestamp() - make_interval(secs => %(counted)s::float8) {whose}
), counted AS (
    INSERT INTO {hours} AS held ({account} hour, calls)
    SELECT {value} date_trunc('hour', statement_timestamp(), 'UTC'), 1
    WHERE NOT EXISTS (SELECT FROM blocked)
    AND (%(limit)s::int = 0 OR (SELECT calls FROM spent) < %(limit)s::int)
    ON CONFLICT ({account} hour) DO UPDATE SET calls = held.calls + 1
    RETURNING calls
)
SELECT (SELECT until FROM blocked), (SELECT because FROM blocked), (SELECT calls FROM counted),
"""
_ADMIT_FIRST = _ADMIT.format(hours="spotify_api_hours", whose="", account="", value="")
_ADMIT_OTHER = _ADMIT.format(
    hours="spotify_developer_hours",
    whose="AND developer = %(developer)s::text",
    account="developer,",
    value="%(developer)s::text,",
)

# A shorter wait never replaces a longer one that still runs.
_BLOCK = """
INSERT INTO {table} AS held ({key}, since, until, because)
SELECT %(key)s, moment, moment + make_interval(secs => %(wait)s), %(because)s
FROM statement_timestamp() AS moment
ON CONFLICT ({key}) DO UPDATE SET
    until = greatest(held.until, excluded.until),
    because = CASE WHEN held.until > excluded.until THEN held.because ELSE excluded.because END,
    since = CASE WHEN held.until > excluded.since THEN held.since ELSE excluded.since END
RETURNING until
"""
_BLOCK_FIRST = _BLOCK.format(table="spotify_blocks", key="id")
_BLOCK_OTHER = _BLOCK.format(table="spotify_app_blocks", key="key")


class QuotaGate:
    """Where every call with an app passes first; with ``reserve`` it may use the whole budget."""

    def __init__(self, *, reserve: bool, app: Credentials = _FIRST) -> None:
        self._limit = _limit(reserve=reserve)
        self._app = app

    def admit(self) -> None:
        """Count one call. Raises Blocked or BudgetSpent, having counted none."""
        app = self._app
        asked: Mapping[str, Any] = {
            "counted": COUNTED.total_seconds(),
            "limit": self._limit,
            "developer": app.developer,
            "app": app.key,
            "keys": _keys(app),
        }
        with prepared_cursor() as cursor:
            # A crash of the database may cost the count of a few calls.
            cursor.execute((_ADMIT_OTHER if app.developer else _ADMIT_FIRST) + not_awaited(), asked)
            until, because, counted, _ = cursor.fetchone()
        if until is not None:
            raise Blocked(until, because)
        if counted is None:
            raise BudgetSpent(_room_at(self._limit, 1, app.developer))
        if counted == 1:
            _hours(app.developer).filter(hour__lt=Now() - KEPT).delete()

    def block(self, *, for_: timedelta, because: str) -> datetime:
        """Let nobody call with this app, or for ``quota`` with any app of its developer."""
        if because == _QUOTA:
            key = self._app.developer and f"developer {self._app.developer}"
        else:
            key = self._app.key and f"app {self._app.key}"
        asked = {"key": key or 1, "wait": for_.total_seconds(), "because": because}
        with connection.cursor() as cursor:
            cursor.execute(_BLOCK_OTHER if key else _BLOCK_FIRST, asked)
            until: datetime = cursor.fetchone()[0]
        return until


def current_block(app: Credentials = _FIRST) -> Silence | None:
    """The longest block of ``app`` or its developer account."""
    own = Q()
    if app.developer:
        own &= ~Q(because=_QUOTA)
    if app.key:
        own &= Q(because=_QUOTA)
    found: list[Silence] = []
    if not (app.developer and app.key):
        found += Block.objects.filter(own, until__gt=Now())
    if keys := _keys(app):
        found += AppBlock.objects.filter(key__in=keys, until__gt=Now())
    return max(found, key=lambda block: block.until, default=None)


def blocks(*, since: timedelta = timedelta()) -> list[Silence]:
    """All blocks that run, or that ended less than ``since`` ago; those of the first app first."""
    tables: list[type[Silence]] = [Block, AppBlock]
    found = (
        table._default_manager.filter(until__gt=Now() - since).order_by("pk") for table in tables
    )
    return list(chain.from_iterable(found))


def lift_operator_block() -> None:
    """End the blocks that the operator may have cured, so that one call finds out."""
    for table in (Block, AppBlock):
        table._default_manager.exclude(because=_QUOTA).delete()


def lift_block() -> None:
    """End all blocks, so that the next call finds out whether Spotify still wants silence."""
    for table in (Block, AppBlock):
        table._default_manager.all().delete()


def calls_by_hour(developer: str = "") -> list[tuple[datetime, int]]:
    """The hours of the last day in which somebody called, oldest first, each with its calls."""
    found = _hours(developer).filter(hour__gt=Now() - COUNTED)
    return list(found.order_by("hour").values_list("hour", "calls"))


def calls_last_day(developer: str = "") -> int:
    return sum(calls for _, calls in calls_by_hour(developer))


def check_fits(cost: int, *, reserve: bool, developer: str = "") -> None:
    """Raise BudgetSpent when ``cost`` calls must wait for room in the budget.

    A sync that costs more than a whole day starts at once, and continues over days.
    """
    limit = _limit(reserve=reserve)
    if limit and cost <= limit and calls_last_day(developer) + cost > limit:
        raise BudgetSpent(_room_at(limit, cost, developer))


def _keys(app: Credentials) -> list[str]:
    """The keys in AppBlock of ``app`` and its developer account."""
    keys = [f"app {app.key}"] if app.key else []
    return [*keys, f"developer {app.developer}"] if app.developer else keys


def _hours(developer: str) -> QuerySet[Any]:
    if not developer:
        return ApiHour.objects.all()
    return DeveloperHour.objects.filter(developer=developer)


def _limit(*, reserve: bool) -> int:
    """Calls a day of one developer account; 0 is no limit."""
    quota: int = settings.SPOTIFY_DAILY_QUOTA
    return quota if reserve or not quota else max(1, quota * (100 - RESERVE) // 100)


def _room_at(limit: int, cost: int, developer: str) -> datetime:
    """When enough of the past day's calls are a day old for ``cost`` more."""
    hours = calls_by_hour(developer)
    spent = sum(calls for _, calls in hours)
    for hour, calls in hours:
        spent -= calls
        if spent + cost <= limit:
            return hour + COUNTED
    return timezone.now()  # somebody made room, or the budget grew, since it was found spent
