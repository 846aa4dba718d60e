"""The job queue in ``sync_requests``: every change of a request's state, each one SQL statement.

A job is fenced by its ``attempt``: whoever writes for it names id and attempt and finds it running,
or gets LeaseLost and must stop at once, writing nothing more, to Spotify neither. All times are the
database's. What a page may want to redraw is told on CHANGES, work that is due on WAKE, both with
the commit that brings it.
"""

# ruff: noqa: S608 - statements are put together from constants of this file and keys of Fields

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from django.conf import settings
from django.db import connection, models
from psycopg import Cursor

from accounts.models import User

if TYPE_CHECKING:
    from sync.models import SyncRequest

#: A claim holds this long, unless a heartbeat extends it.
LEASE = timedelta(seconds=60)
#: Three beats may fail before a lease runs out.
HEARTBEAT = LEASE / 4
#: How long others leave alone what a stopping worker left in the middle of a write.
HANDOVER = timedelta(seconds=30)
#: The lease that runs out for this time buries its request.
MOST_RESCUES = 3

#: Channels of NOTIFY; CHANGES carries "<user id> <request id>", or the first alone.
WAKE = "syncify_wake"
CHANGES = "syncify_changes"

#: The error codes of waits that Spotify asked for, which no wish of a person shortens.
SPOTIFY_ASKED = ["quota", "credentials", "premium"]

_PRIORITY = {"manual": 10, "first": 10, "scheduled": 0}

# psycopg prepares nothing while this is None, as Django sets it; else what comes so often.
_ONLY_WHEN_ASKED = 2**31

# All but ``errors``, in the order of the model, and what a sync starts from: Django loads the rest
# when somebody asks for it.
# fmt: off
_COLUMNS = [
    "id", "user_id", "trigger", "priority", "state", "stage", "song_count", "progress", "attempt",
    "failures", "rescues", "run_at", "leased_by", "leased_until", "cancel_asked_at", "created",
    "started", "completed", "error_code", "error_message", "added", "removed", "moved", "skipped",
    "note", "api_requests",
]
_COLUMNS_OF_JOB = [
    "id", "user_id", "trigger", "stage", "attempt", "failures", "added", "removed", "moved",
    "skipped", "note", "api_requests",
]
# fmt: on


def _listed(columns: list[str]) -> str:
    return ", ".join(f"r.{column}" for column in columns)


_ROW = _listed(_COLUMNS)

# Every statement names the table r. What people may see of a change is told by all but the claim,
# whose job tells by itself; what may have made a job due also wakes.
_TOLD = f"pg_notify('{CHANGES}', r.user_id || ' ' || r.id)::text"
_WOKEN = f"""{_TOLD},
    CASE WHEN r.state = 'queued' AND r.run_at <= statement_timestamp()
         THEN pg_notify('{WAKE}', '')::text END"""

# A conflict updates the open request even where nothing changes: only so is its row returned.
_ENQUEUE = f"""
INSERT INTO sync_requests AS r (user_id, trigger, priority)
VALUES (%(user)s, %(trigger)s, %(priority)s)
ON CONFLICT (user_id) WHERE completed IS NULL DO UPDATE
   SET trigger = CASE WHEN r.state = 'queued' AND excluded.priority > r.priority
                      THEN excluded.trigger ELSE r.trigger END,
       priority = CASE WHEN r.state = 'queued'
                       THEN greatest(r.priority, excluded.priority) ELSE r.priority END,
       run_at = CASE WHEN r.state = 'queued' AND excluded.priority > 0
                      AND r.error_code <> ALL(%(spotify_asked)s)
                     THEN least(r.run_at, excluded.run_at) ELSE r.run_at END
RETURNING {_ROW}, {_WOKEN}, r.xmax = 0"""

# "id = (SELECT …)" and not IN: only so the planner must run the pick once, and claim one.
_CLAIM = f"""
UPDATE sync_requests AS r
   SET state = 'running', attempt = r.attempt + 1, started = statement_timestamp(), progress = 0,
       leased_by = %(worker)s, leased_until = statement_timestamp() + %(lease)s,
       error_code = '', error_message = ''
 WHERE r.id = (SELECT id FROM sync_requests
                WHERE state = 'queued' AND run_at <= statement_timestamp()
                ORDER BY priority DESC, run_at, id LIMIT 1
                  FOR UPDATE SKIP LOCKED)
RETURNING {_listed(_COLUMNS_OF_JOB)}"""

# A row that is locked is being written by its own worker: the beat of the others must not wait.
_HEARTBEAT = """
WITH held AS MATERIALIZED (
    SELECT id FROM sync_requests
      JOIN unnest(%(ids)s::bigint[], %(attempts)s::int[]) AS job (id, attempt) USING (id, attempt)
     WHERE state = 'running'
       FOR UPDATE OF sync_requests SKIP LOCKED)
UPDATE sync_requests AS r SET leased_until = statement_timestamp() + %(lease)s
  FROM held WHERE r.id = held.id
RETURNING r.id"""

_NO_LEASE = "leased_by = '', leased_until = NULL, stage = ''"

# What was asked to stop does not wait for another turn.
_REQUEUED = f"""{_NO_LEASE},
    state = CASE WHEN r.cancel_asked_at IS NULL THEN 'queued' ELSE 'cancelled' END,
    completed = CASE WHEN r.cancel_asked_at IS NULL THEN NULL ELSE statement_timestamp() END"""

_ERROR = "error_code = %(code)s::text, error_message = %(message)s::text"

_ERRORS = """r.errors || jsonb_build_array(jsonb_build_object(
    'attempt', r.attempt, 'at', statement_timestamp(),
    'code', %(code)s::text, 'message', %(message)s::text))"""

_FAILED = f"failures = r.failures + 1, errors = {_ERRORS}, {_ERROR}"

# What was handed over counts as no rescue.
_HANDED_OVER = "handed over"

_RESCUE = f"""
WITH lost AS MATERIALIZED (
    SELECT id, leased_by <> '{_HANDED_OVER}' AS counts,
           CASE WHEN cancel_asked_at IS NOT NULL THEN 'cancelled'
                WHEN leased_by <> '{_HANDED_OVER}' AND rescues + 1 >= {MOST_RESCUES} THEN 'dead'
                ELSE 'queued' END AS verdict
      FROM sync_requests
     WHERE state = 'running' AND leased_until < statement_timestamp()
     ORDER BY id LIMIT 100
       FOR UPDATE SKIP LOCKED)
UPDATE sync_requests AS r
   SET {_NO_LEASE}, state = verdict,
       completed = CASE WHEN verdict = 'queued' THEN NULL ELSE statement_timestamp() END,
       rescues = r.rescues + counts::int,
       errors = CASE WHEN counts THEN {_ERRORS} ELSE r.errors END,
       error_code = CASE WHEN counts THEN %(code)s::text ELSE '' END,
       error_message = CASE WHEN counts THEN %(message)s::text ELSE '' END
  FROM lost WHERE r.id = lost.id
RETURNING r.state, {_WOKEN}"""

# Requests that wait for the end of a block.
_UNPARK = f"""
UPDATE sync_requests AS r SET run_at = statement_timestamp()
 WHERE r.state = 'queued' AND r.error_code = ANY(%(codes)s)
   AND r.run_at > statement_timestamp()
RETURNING r.state, {_WOKEN}"""

_ASK_CANCEL = f"""
UPDATE sync_requests AS r
   SET state = CASE WHEN r.state = 'queued' THEN 'cancelled' ELSE r.state END,
       completed = CASE WHEN r.state = 'queued' THEN statement_timestamp() END,
       cancel_asked_at = coalesce(r.cancel_asked_at, statement_timestamp())
 WHERE r.id = %(id)s AND r.completed IS NULL
RETURNING {_ROW}, {_TOLD}"""

# The latest request of a listener says how they are, so it stays whatever its age.
_PRUNE = """
DELETE FROM sync_requests WHERE id IN (
    SELECT id FROM sync_requests AS old
     WHERE completed < statement_timestamp() - %(age)s
       AND EXISTS (SELECT FROM sync_requests AS newer
                    WHERE newer.user_id = old.user_id AND newer.id > old.id)
     ORDER BY completed LIMIT %(batch)s)"""


class LeaseLost(Exception):
    """The attempt no longer holds its job: it was rescued, finished, or deleted."""


class Fields(TypedDict, total=False):
    """What a worker may write along with any change: counts are totals over all attempts."""

    stage: str
    song_count: int
    progress: float
    added: int
    removed: int
    moved: int
    skipped: int
    note: str
    api_requests: int


class SyncRequestManager(models.Manager["SyncRequest"]):
    """The transitions; each that takes a ``job`` raises LeaseLost."""

    def enqueue(self, *, user: User, trigger: str) -> tuple["SyncRequest", bool]:
        """The open request of ``user``, and whether this call made it.

        A wish of a person lifts one that is queued, and ends its wait unless Spotify asked for it.
        """
        wish = {
            "user": user.pk,
            "trigger": trigger,
            "priority": _PRIORITY[trigger],
            "spotify_asked": SPOTIFY_ASKED,
        }
        [row] = self._execute(_ENQUEUE, wish)
        return self._request(row), row[-1]

    def claim(self, *, worker: str, lease: timedelta = LEASE) -> "SyncRequest | None":
        """Lease to ``worker`` the job that goes first of those that are due; None if none is."""
        rows = self._execute(_CLAIM, {"worker": worker, "lease": lease})
        return self.model.from_db(self.db, _COLUMNS_OF_JOB, rows[0]) if rows else None

    def heartbeat(self, jobs: Iterable["SyncRequest"], *, lease: timedelta = LEASE) -> set[int]:
        """Extend the leases that are still held; the ids of those."""
        held = [(job.pk, job.attempt) for job in jobs]
        if not held:
            return set()
        ids, attempts = zip(*held, strict=True)
        beat: dict[str, Any] = {"ids": list(ids), "attempts": list(attempts), "lease": lease}
        with connection.cursor() as cursor:
            cursor.execute(_HEARTBEAT, beat)
            return {pk for (pk,) in cursor.fetchall()}

    def record_progress(self, job: "SyncRequest", **fields: Unpack[Fields]) -> "SyncRequest":
        """The row as it is then, which says whether a person wants it to stop."""
        return self._request(self._update_held(job, [], fields, returning=f"{_ROW}, {_TOLD}"))

    def hold_for(self, job: "SyncRequest", duration: timedelta) -> "SyncRequest":
        """Make sure that the lease outlasts ``duration``; the row as it is then."""
        lease = "leased_until = greatest(r.leased_until, statement_timestamp() + %(duration)s)"
        row = self._update_held(job, [lease], {}, returning=_ROW, duration=duration)
        return self._request(row)

    def succeed(self, job: "SyncRequest", **fields: Unpack[Fields]) -> None:
        self._finish(job, "succeeded", ["progress = 1"], fields)

    def cancelled(self, job: "SyncRequest", **fields: Unpack[Fields]) -> None:
        self._finish(job, "cancelled", [], fields)

    def bury(
        self, job: "SyncRequest", *, code: str, message: str, **fields: Unpack[Fields]
    ) -> None:
        self._finish(job, "dead", [_FAILED], fields, code=code, message=message)

    def retry(
        self,
        job: "SyncRequest",
        *,
        wait: timedelta,
        code: str,
        message: str,
        **fields: Unpack[Fields],
    ) -> None:
        """Queue it again after ``wait``, as a failure."""
        changes = [_FAILED, "run_at = statement_timestamp() + %(wait)s"]
        self._requeue(job, changes, fields, wait=wait, code=code, message=message)

    def snooze(
        self,
        job: "SyncRequest",
        *,
        until: datetime,
        code: str,
        message: str,
        **fields: Unpack[Fields],
    ) -> None:
        """Queue it again for ``until``; nobody failed."""
        changes = [_ERROR, "run_at = %(until)s"]
        self._requeue(job, changes, fields, until=until, code=code, message=message)

    def release(self, job: "SyncRequest", **fields: Unpack[Fields]) -> None:
        """Give it back, in its old place, for another worker to claim at once."""
        self._requeue(job, [], fields)

    def hand_over(self, job: "SyncRequest") -> None:
        """Leave it running without a worker; its rescue, in HANDOVER's time, counts nothing."""
        lease = f"leased_by = '{_HANDED_OVER}', leased_until = statement_timestamp() + %(wait)s"
        self._update_held(job, [lease], {}, wait=HANDOVER)

    def ask_cancel(self, request: "SyncRequest") -> "SyncRequest | None":
        """Cancel what is queued, and ask what is running to stop; None when it had ended."""
        rows = self._execute(_ASK_CANCEL, {"id": request.pk})
        return self._request(rows[0]) if rows else None

    def rescue(self) -> Counter[str]:
        """Take back what has outlived its lease; how many became queued, dead and cancelled."""
        error = {"code": "worker_lost", "message": "The worker that ran this sync disappeared."}
        return Counter(row[0] for row in self._execute(_RESCUE, error))

    def unpark(self, codes: Sequence[str] = ("credentials", "premium")) -> int:
        """Start at once the requests that wait because of ``codes``; how many there were.

        By default these are causes that the operator may have cured.
        """
        return len(list(self._execute(_UNPARK, {"codes": list(codes)})))

    def prune(self, *, age: timedelta, batch: int = 1000) -> int:
        """Delete what ended longer ago than ``age``, but never a listener's latest request."""
        what: dict[str, Any] = {"age": age, "batch": batch}
        deleted, last = 0, batch
        with connection.cursor() as cursor:
            while last == batch:
                cursor.execute(_PRUNE, what)
                deleted += (last := cursor.rowcount)
        return deleted

    def _finish(
        self, job: "SyncRequest", state: str, changes: list[str], fields: Fields, **params: Any
    ) -> None:
        final = [_NO_LEASE, "state = %(state)s", "completed = statement_timestamp()"]
        self._update_held(job, [*final, *changes], fields, state=state, **params)

    def _requeue(
        self, job: "SyncRequest", changes: list[str], fields: Fields, **params: Any
    ) -> None:
        self._update_held(job, [_REQUEUED, *changes], fields, returning=_WOKEN, **params)

    def _update_held(
        self,
        job: "SyncRequest",
        changes: list[str],
        fields: Fields,
        *,
        returning: str = _TOLD,
        **params: Any,
    ) -> tuple[Any, ...]:
        """Apply ``changes`` and ``fields`` where the attempt still holds the job."""
        columns = [f"{name} = %({name})s" for name in fields]
        statement = f"""
            UPDATE sync_requests AS r SET {", ".join([*changes, *columns])}
             WHERE r.id = %(id)s AND r.attempt = %(attempt)s AND r.state = 'running'
            RETURNING {returning}"""
        params |= {**fields, "id": job.pk, "attempt": job.attempt}
        if not (rows := self._execute(statement, params)):
            raise LeaseLost(f"request={job.pk} attempt={job.attempt}")
        return rows[0]

    def _request(self, row: tuple[Any, ...]) -> "SyncRequest":
        """The request whose columns ``row`` begins with."""
        return self.model.from_db(self.db, _COLUMNS, row[: len(_COLUMNS)])

    def _execute(self, statement: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        cursor = _cursor()
        with connection.wrap_database_errors:
            return cursor.execute(statement, params, prepare=True).fetchall()


_kept = threading.local()


def _cursor() -> Cursor:
    """The thread's own, as long as its connection lasts: what it has learnt saves much time.

    Not Django's: with that PostgreSQL plans the statement anew each time, which takes as long as
    the statement itself. Only a pooler may stand in the way of preparing it.
    """
    connection.ensure_connection()
    wire = connection.connection
    cursor: Cursor | None = getattr(_kept, "cursor", None)
    if cursor is None or cursor.connection is not wire:
        if not settings.DATABASE_LISTEN_URL:
            wire.prepare_threshold = _ONLY_WHEN_ASKED
        cursor = _kept.cursor = Cursor(wire)
    return cursor
