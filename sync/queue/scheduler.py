"""The scheduler: queues due syncs, deletes old rows, and runs the chores of other rooms."""

# ruff: noqa: S608 - statements are put together from constants of this file

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.models import Q

from accounts import limits
from accounts.access import MAY_USE_SQL, sql_params
from accounts.connections import MAY_BE_SYNCED_SQL, RETRY_DUE_SQL
from accounts.consent import REMIND
from accounts.models import CONSENT_LIFE, User
from accounts.spotify_apps import App, all_apps
from sync.models import SyncRequest
from sync.models.operations import ALIVE_FOR
from sync.queue import processes
from sync.queue import store as queue
from sync.queue.first_run import await_app
from sync.queue.store import CHANGES, WAKE
from sync.queue.sweeps import EVER, Sweeps
from syncify.database import is_passing
from syncify.sessions import SessionStore
from syncify.spotify.quota import RESERVE, calls_last_day, current_block

logger = logging.getLogger(__name__)

#: Seconds between two turns.
TURN = 60.0
#: Expected calls of a scheduled sync, for the distribution of the budget.
TYPICAL_CALLS = 3
#: How long the row of a stopped process is kept.
PROCESS_AGE = timedelta(days=1)

# Every listener has their own slot within the period, or within their preferred hour, so that not
# all syncs are due at once. The next sync is at the first slot from now on: at most one period
# away. Missed slots are skipped.
_NEXT_DUE = """(
    SELECT coalesce(preferred.next, to_timestamp(
               floor((extract(epoch FROM statement_timestamp()) - slot) / period + 1) * period
               + slot))
      FROM (SELECT CASE l.interval WHEN 'hourly' THEN 3600 WHEN '6h' THEN 6 * 3600
                                   WHEN 'daily' THEN 86400 WHEN 'weekly' THEN 7 * 86400 END
           ) AS intervals (period),
           LATERAL (SELECT mod(l.user_id * 2654435761, period)) AS slots (slot),
           -- A time zone unknown to PostgreSQL would fail the whole statement.
           LATERAL (SELECT CASE WHEN l.preferred_hour IS NULL THEN 'UTC'
                                WHEN l.time_zone IN (SELECT name FROM pg_timezone_names)
                                THEN l.time_zone ELSE 'UTC' END) AS zones (zone),
           LATERAL (
           SELECT min(due)
             FROM generate_series(0, 8) AS days (day),
                  LATERAL (SELECT (date_trunc('day', statement_timestamp() AT TIME ZONE zone)
                                   + make_interval(days => day, hours => l.preferred_hour,
                                                   secs => mod(slot, 3600)::float8)
                                  ) AT TIME ZONE zone) AS candidates (due)
            WHERE l.preferred_hour IS NOT NULL AND due > statement_timestamp()
              AND (l.interval = 'daily' OR l.interval = 'weekly'
                   AND extract(dow FROM due AT TIME ZONE zone) = mod(l.user_id, 7))
           ) AS preferred (next))"""

# Connections ``c`` of some apps. Those of no other app belong to the first one.
_OF_APPS = """(c.client_id = ANY(%(apps)s::text[])
                                        OR %(with_first)s AND c.client_id <> ALL(%(others)s))"""

# Each of the two conditions has an index; their OR has none. The OR is checked again, because
# another scheduler may have changed the row after it was found.
_DUE = f"""
    libraries AS l
      JOIN users AS u ON u.id = l.user_id AND {MAY_USE_SQL}
      JOIN spotify_connections AS c ON c.user_id = l.user_id AND {MAY_BE_SYNCED_SQL}
                                   AND {_OF_APPS}
     WHERE l.user_id IN (SELECT user_id FROM libraries WHERE next_due <= statement_timestamp()
                         UNION ALL
                         SELECT c.user_id FROM spotify_connections AS c WHERE {RETRY_DUE_SQL})
       AND (l.next_due <= statement_timestamp() OR {RETRY_DUE_SQL})
       AND l.interval <> 'off' AND NOT l.is_paused
       AND EXISTS (SELECT FROM mirrors AS m WHERE m.user_id = l.user_id AND m.state = 'active')"""

# An open request serves a due sync too, so a conflict with the unique index changes nothing.
_ENQUEUE_DUE = f"""
WITH due AS MATERIALIZED (
    SELECT l.user_id, {_NEXT_DUE} AS next_due FROM {_DUE}
     ORDER BY l.next_due, l.user_id LIMIT %(room)s
       FOR UPDATE OF l SKIP LOCKED FOR KEY SHARE OF u SKIP LOCKED
), moved AS (
    UPDATE libraries AS l SET next_due = due.next_due FROM due WHERE l.user_id = due.user_id
), queued AS (
    INSERT INTO sync_requests AS r (user_id, trigger)
    SELECT user_id, 'scheduled' FROM due
    ON CONFLICT (user_id, kind) WHERE completed IS NULL DO NOTHING
    RETURNING pg_notify('{CHANGES}', r.user_id || ' ' || r.id)::text AS told
)
SELECT count(told), CASE WHEN count(told) > 0 THEN pg_notify('{WAKE}', '')::text END FROM queued"""

# A queued sync counts as a try, whatever its result: the next try is a day later.
_NOTE_RETRIES = f"""
UPDATE spotify_connections AS c SET retry_at = statement_timestamp() + interval '1 day'
  FROM sync_requests AS r
 WHERE r.user_id = c.user_id AND r.completed IS NULL AND {RETRY_DUE_SQL}"""

_BRING_FORWARD = """
UPDATE libraries AS l SET next_due = statement_timestamp()
  FROM spotify_connections AS c, mirrors AS m
 WHERE c.user_id = l.user_id AND c.state = 'connected'
   AND c.authorized_at <= statement_timestamp() - %(age)s
   AND c.authorized_at > statement_timestamp() - %(age)s - %(lately)s
   AND m.user_id = l.user_id AND m.is_main AND m.state = 'active' AND m.remind_in_spotify
   AND l.interval = 'weekly' AND l.next_due > statement_timestamp()
   AND NOT EXISTS (SELECT FROM sync_requests AS r
                    WHERE r.user_id = l.user_id AND r.kind = 'spotify'
                      AND r.created >= c.authorized_at + %(age)s)"""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Numbers of syncs: queued, and due but waiting for the budget."""

    queued: int
    waiting: int


@dataclass(frozen=True, slots=True)
class _Whose:
    """The listeners of ``some`` of all ``apps``. Those of no other app belong to the first one."""

    apps: Sequence[App]
    some: Sequence[App]

    def params(self) -> dict[str, Any]:
        return {
            "apps": [app.client_id for app in self.some],
            "with_first": self.apps[0] in self.some,
            "others": [app.client_id for app in self.apps[1:]],
        }

    def q(self) -> Q:
        """The same as a condition of requests."""
        if len(self.some) == len(self.apps):
            return Q()
        params = self.params()
        found = Q(user__connection__client_id__in=params["apps"])
        if params["with_first"]:
            found |= ~Q(user__connection__client_id__in=params["others"])
        return found


def enqueue_due_syncs() -> Scheduled:
    """Queue a sync for every due library; if a budget is short, the longest waiting first.

    Each developer account has its own budget. Safe to run twice at once. Makes no calls to Spotify.
    """
    apps = all_apps()
    queued = waiting = 0
    for developer in dict.fromkeys(app.developer for app in apps):
        own = [app for app in apps if app.developer == developer]
        scheduled = _enqueue_due(developer, apps, own)
        queued += scheduled.queued
        waiting += scheduled.waiting
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_RETRIES)
    return Scheduled(queued, waiting)


def _enqueue_due(developer: str, apps: Sequence[App], own: Sequence[App]) -> Scheduled:
    """The same for the listeners of one developer account, whose apps are ``own``."""
    free = [app for app in own if current_block(app.credentials) is None]
    room = _room(developer, _Whose(apps, own)) if free else 0
    queued = waiting = 0
    with connection.cursor() as cursor:
        if free:
            params = {"room": room, **_Whose(apps, free).params(), **sql_params()}
            cursor.execute(_ENQUEUE_DUE, params)
            queued = cursor.fetchone()[0]
        if room is not None or len(free) < len(own):
            params = {**_Whose(apps, own).params(), **sql_params()}
            cursor.execute(f"SELECT count(*) FROM {_DUE}", params)
            waiting = cursor.fetchone()[0]
    return Scheduled(queued, waiting)


def _room(developer: str, whose: _Whose) -> int | None:
    """The number of scheduled syncs that the rest of a budget allows; None: any number."""
    if not settings.SPOTIFY_DAILY_QUOTA:
        return None
    budget = settings.SPOTIFY_DAILY_QUOTA * (100 - RESERVE) // 100
    promised = SyncRequest.objects.filter(
        whose.q(),
        completed=None,
        kind=SyncRequest.Kind.SPOTIFY,
        trigger=SyncRequest.Trigger.SCHEDULED,
    ).count()
    return max(0, (budget - calls_last_day(developer)) // TYPICAL_CALLS - promised)


def bring_reminders_forward(*, lately: timedelta = EVER) -> None:
    """Make a weekly sync due at once if its playlist should ask for a new sign-in.

    Other intervals have a sync within a day, and disabled schedules stay disabled. Libraries with
    a sync since then are skipped. With ``lately``, only consents whose time to ask came within
    this time.
    """
    with connection.cursor() as cursor:
        when: dict[str, Any] = {"age": CONSENT_LIFE - REMIND, "lately": lately}
        cursor.execute(_BRING_FORWARD, when)


def plan_next(user: User) -> None:
    """Set the library's ``next_due`` from its interval, counted from now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE libraries AS l SET next_due = {_NEXT_DUE} WHERE l.user_id = %s", [user.pk]
        )


def take_turn(
    *chores: Callable[[], object],
    name: str = "",
    alive_for: timedelta = ALIVE_FOR,
    lately: timedelta = EVER,
) -> Scheduled:
    """Do one turn of the scheduler; ``chores`` belong to other rooms.

    With ``lately``, it skips rows that an earlier turn within this time has handled.
    """
    processes.seen(processes.SCHEDULER, name=name, alive_for=alive_for)
    bring_reminders_forward(lately=lately)
    scheduled = enqueue_due_syncs()
    pruned = queue.prune(age=timedelta(days=settings.HISTORY_DAYS), lately=lately)
    processes.prune(age=PROCESS_AGE)
    limits.prune()
    SessionStore.clear_expired()
    for chore in chores:
        chore()
    logger.log(
        logging.INFO if scheduled.queued or scheduled.waiting or pruned else logging.DEBUG,
        "scheduled queued=%d waiting=%d pruned=%d",
        scheduled.queued,
        scheduled.waiting,
        pruned,
    )
    return scheduled


def keep_scheduling(stopping: Callable[[], bool], *chores: Callable[[], object]) -> None:
    """Take turns until ``stopping`` returns true; wait for a lost database to come back.

    The first turn waits for a Spotify app.
    """
    await_app(stopping, processes.SCHEDULER)
    sweeps = Sweeps()
    while not stopping():
        with _database_may_be_lost("schedule"), sweeps.turn() as lately:
            take_turn(*chores, lately=lately)
        until = time.monotonic() + TURN
        while time.monotonic() < until and not stopping():
            time.sleep(0.5)
    with _database_may_be_lost("stop"):
        processes.gone(processes.SCHEDULER)


@contextmanager
def _database_may_be_lost(step: str) -> Iterator[None]:
    try:
        yield
    except Error as error:
        if not is_passing(error):
            raise
        logger.warning("database lost step=%s error=%s", step, error)
    finally:
        connection.close()
