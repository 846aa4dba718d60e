"""The job queue in ``sync_requests``: every change of a request's state, each one SQL statement.

A claim raises ``attempt``, which is the fence: each later write for a job names its id, its attempt
and the time of its claim, and finds it running, or raises LeaseLost, after which the caller must
write nothing more, to Spotify neither. The time is there for a failover that loses the last
commits: the new primary counts the attempt of a lost claim a second time. All times are the
database's. Each statement notifies CHANGES, for open pages, and WAKE, for workers, in the commit
that changes the row.
"""

# ruff: noqa: S608 - statements are put together from constants of this file and keys of Fields

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, connection

from sync.models import SyncRequest
from sync.queue.sweeps import EVER
from syncify.database import not_awaited
from syncify.postgresql.prepared import prepared_cursor, prepared_rows

#: The length of a lease, unless a heartbeat extends it.
LEASE = timedelta(seconds=60)
#: Three heartbeats may fail before a lease runs out.
HEARTBEAT = LEASE / 4
#: The lease of a job that a stopping worker left in the middle of a write.
HANDOVER = timedelta(seconds=30)
#: The rescue of this number buries the request.
MOST_RESCUES = 3

#: Channels of NOTIFY; CHANGES carries "<user id> <request id>", or the first alone.
WAKE = "syncify_wake"
CHANGES = "syncify_changes"

#: Error codes of waits that Spotify asked for; a manual request does not shorten them.
SPOTIFY_ASKED = ["quota", "credentials", "premium"]

_PRIORITY = {"manual": 10, "first": 10, "scheduled": 0}

# Every statement names the table r and returns its row.
_TOLD = f"pg_notify('{CHANGES}', r.user_id || ' ' || r.id)::text AS told"
# Where the change may have made the job ready.
_WOKEN = f"""{_TOLD},
    CASE WHEN r.state = 'queued' AND r.run_at <= statement_timestamp()
         THEN pg_notify('{WAKE}', '')::text END AS woken"""

# Whether the attempt still holds its job.
_HELD = """r.id = %(id)s AND r.attempt = %(attempt)s AND r.state = 'running'
           AND r.started IS NOT DISTINCT FROM %(claimed)s"""

# A conflict updates the open request even if nothing changes, so that its row is returned. A manual
# request during a run is stored in ``again``, because that run may have read its data already.
_ENQUEUE = f"""
WITH listener AS MATERIALIZED (SELECT id FROM users WHERE id = %(user)s FOR KEY SHARE)
INSERT INTO sync_requests AS r (user_id, kind, trigger, priority, run_at)
SELECT coalesce(id, %(user)s), %(kind)s, %(trigger)s, %(priority)s,
       statement_timestamp() + %(wait)s
  FROM (SELECT) AS one LEFT JOIN listener ON true  -- locked before the request, as in locks.py
ON CONFLICT (user_id, kind) WHERE completed IS NULL DO UPDATE
   SET trigger = CASE WHEN r.state = 'queued' AND excluded.priority > r.priority
                      THEN excluded.trigger ELSE r.trigger END,
       priority = CASE WHEN r.state = 'queued'
                       THEN greatest(r.priority, excluded.priority) ELSE r.priority END,
       run_at = CASE WHEN r.state = 'queued' AND excluded.priority > 0
                      AND r.error_code <> ALL(%(spotify_asked)s)
                     THEN least(r.run_at, excluded.run_at) ELSE r.run_at END,
       again = CASE WHEN r.state = 'running' AND excluded.priority > 0
                    THEN excluded.trigger ELSE r.again END
RETURNING r.*, {_WOKEN}, r.xmax = 0 AS is_new"""

# "id = (SELECT …)" and not IN, so that the planner must run the subquery once, and claim one row.
_CLAIM = """
UPDATE sync_requests AS r
   SET state = 'running', attempt = r.attempt + 1, started = statement_timestamp(), progress = 0,
       leased_by = %(worker)s, leased_until = statement_timestamp() + %(lease)s,
       error_code = '', error_message = '', again = ''
 WHERE r.id = (SELECT id FROM sync_requests
                WHERE state = 'queued' AND run_at <= statement_timestamp()
                ORDER BY priority DESC, run_at, id LIMIT 1
                  FOR UPDATE SKIP LOCKED)
RETURNING r.*"""

# Skip rows that their own worker has locked: it is writing them.
_HEARTBEAT = """
WITH held AS MATERIALIZED (
    SELECT id FROM sync_requests
      JOIN unnest(%(ids)s::bigint[], %(attempts)s::int[], %(claims)s::timestamptz[])
           AS job (id, attempt, claimed) USING (id, attempt)
     WHERE state = 'running' AND started IS NOT DISTINCT FROM claimed
       FOR UPDATE OF sync_requests SKIP LOCKED)
UPDATE sync_requests AS r SET leased_until = statement_timestamp() + %(lease)s
  FROM held WHERE r.id = held.id
RETURNING r.id"""

_NO_LEASE = "leased_by = '', leased_until = NULL, stage = ''"

# A request with a pending cancellation is not queued again.
_REQUEUED = f"""{_NO_LEASE},
    state = CASE WHEN r.cancel_asked_at IS NULL THEN 'queued' ELSE 'cancelled' END,
    completed = CASE WHEN r.cancel_asked_at IS NULL THEN NULL ELSE statement_timestamp() END"""

_ERROR = "error_code = %(code)s::text, error_message = %(message)s::text"

_ERRORS = """r.errors || jsonb_build_array(jsonb_build_object(
    'attempt', r.attempt, 'at', statement_timestamp(),
    'code', %(code)s::text, 'message', %(message)s::text))"""

_FAILED = f"failures = r.failures + 1, errors = {_ERRORS}, {_ERROR}"

# The lease of a job that was handed over; its rescue counts nothing.
_HANDED_OVER = "handed over"

# The rows of ``ended`` have just ended or been queued again, and their users are locked: a new row
# needs its user, who is locked before the request (``locks.py``). A sync that was requested during
# a run that has ended is queued. The insert cannot conflict: the row that has ended was the open
# one until this statement, and another insert of one waits for its commit.
_FOLLOWED = f"""
followers AS (
    INSERT INTO sync_requests AS r (user_id, kind, trigger, priority)
    SELECT user_id, kind, again, {_PRIORITY["manual"]} FROM ended
     WHERE again <> '' AND completed IS NOT NULL
    RETURNING {_WOKEN})
SELECT state, (SELECT count(told) FROM followers) AS followers FROM ended"""

# An end of the attempt. A wish of this moment either waits for the commit of this statement and
# makes a new request, or was first; then the update waits for it and reads ``again`` once more.
_END = f"""
WITH listener AS MATERIALIZED (SELECT id FROM users WHERE id = %(user)s FOR KEY SHARE),
ended AS (
    UPDATE sync_requests AS r SET {{changes}}
      FROM listener
     WHERE {_HELD} AND r.user_id = listener.id
    RETURNING r.user_id, r.kind, r.again, r.state, r.completed, {_WOKEN}),
{_FOLLOWED}"""

_RESCUE = f"""
WITH lost AS MATERIALIZED (
    SELECT q.id, leased_by <> '{_HANDED_OVER}' AS counts,
           CASE WHEN cancel_asked_at IS NOT NULL THEN 'cancelled'
                WHEN leased_by <> '{_HANDED_OVER}' AND rescues + 1 >= {MOST_RESCUES} THEN 'dead'
                ELSE 'queued' END AS verdict
      FROM sync_requests AS q JOIN users AS u ON u.id = q.user_id
     WHERE state = 'running' AND leased_until < statement_timestamp()
     ORDER BY q.id LIMIT 100
       FOR UPDATE OF q SKIP LOCKED FOR KEY SHARE OF u SKIP LOCKED),
ended AS (
    UPDATE sync_requests AS r
       SET {_NO_LEASE}, state = verdict,
           completed = CASE WHEN verdict = 'queued' THEN NULL ELSE statement_timestamp() END,
           rescues = r.rescues + counts::int,
           errors = CASE WHEN counts THEN {_ERRORS} ELSE r.errors END,
           error_code = CASE WHEN counts THEN %(code)s::text ELSE '' END,
           error_message = CASE WHEN counts THEN %(message)s::text ELSE '' END
      FROM lost WHERE r.id = lost.id
    RETURNING r.user_id, r.kind, r.again, r.state, r.completed, {_WOKEN}),
{_FOLLOWED}"""

# Requests that wait for the end of a block.
_UNPARK = f"""
UPDATE sync_requests AS r SET run_at = statement_timestamp()
 WHERE r.state = 'queued' AND r.error_code = ANY(%(codes)s)
   AND r.run_at > statement_timestamp()
RETURNING r.id, {_WOKEN}"""

# Cancelling clears ``again``: that sync was requested before the cancellation.
_ASK_CANCEL = f"""
UPDATE sync_requests AS r
   SET state = CASE WHEN r.state = 'queued' THEN 'cancelled' ELSE r.state END,
       completed = CASE WHEN r.state = 'queued' THEN statement_timestamp() END,
       cancel_asked_at = coalesce(r.cancel_asked_at, statement_timestamp()),
       again = ''
 WHERE r.id = %(id)s AND r.completed IS NULL
RETURNING r.*, {_TOLD}"""

# Pages show the state of a listener's latest request, so it is never deleted.
_PRUNE = """
DELETE FROM sync_requests WHERE id IN (
    SELECT id FROM sync_requests AS old
     WHERE completed < statement_timestamp() - %(age)s
       AND completed >= statement_timestamp() - %(age)s - %(lately)s
       AND EXISTS (SELECT FROM sync_requests AS newer
                    WHERE newer.user_id = old.user_id AND newer.kind = old.kind
                      AND newer.id > old.id)
     ORDER BY completed LIMIT %(batch)s)"""


class LeaseLost(Exception):
    """The attempt no longer holds its job: it was rescued, finished, or deleted."""


class Fields(TypedDict, total=False):
    """Columns that a worker may write along with any change; counts sum up all attempts."""

    stage: str
    song_count: int
    song_total: int
    progress: float
    added: int
    removed: int
    moved: int
    skipped: int
    note: str
    api_requests: int


def enqueue(
    user_id: int, kind: str = "spotify", *, trigger: str, wait: timedelta = timedelta()
) -> tuple[SyncRequest, bool]:
    """Return the open request of this kind, and whether this call made it.

    A new request becomes ready after ``wait``.

    A manual or first request raises the priority of a queued one and ends its wait, unless
    Spotify asked for the wait. During a run, it is stored in ``again`` and runs afterwards.
    """
    [request] = _rows(
        _ENQUEUE,
        user=user_id,
        kind=kind,
        trigger=trigger,
        priority=_PRIORITY[trigger],
        wait=wait,
        spotify_asked=SPOTIFY_ASKED,
    )
    return request, request.is_new  # type: ignore[attr-defined]  # a column of the statement


def enqueue_scheduled(user_id: int, kind: str) -> None:
    """``enqueue`` outside a transaction; does nothing if the listener no longer exists."""
    with suppress(IntegrityError):
        enqueue(user_id, kind, trigger="scheduled")


def claim(*, worker: str, lease: timedelta = LEASE) -> SyncRequest | None:
    """Lease the first ready job to ``worker``; None if none is ready.

    A crash of the database may lose the claim: the job is claimed again, and this attempt finds
    that it has lost its lease at the latest before it writes to Spotify.
    """
    return next(iter(_rows(f"{_CLAIM}, {not_awaited()}", worker=worker, lease=lease)), None)


def heartbeat(jobs: Iterable[SyncRequest], *, lease: timedelta = LEASE) -> set[int]:
    """Extend the leases that are still held; returns the ids of their jobs."""
    held = [(job.pk, job.attempt, job.started) for job in jobs]
    if not held:
        return set()
    ids, attempts, claims = map(list, zip(*held, strict=True))
    beat: dict[str, Any] = {"ids": ids, "attempts": attempts, "claims": claims, "lease": lease}
    with connection.cursor() as cursor:
        cursor.execute(_HEARTBEAT, beat)
        return {pk for (pk,) in cursor.fetchall()}


def record_progress(job: SyncRequest, **fields: Unpack[Fields]) -> SyncRequest:
    """Write ``fields``; the returned row says whether a person wants the job to stop.

    Raises LeaseLost, as all functions below that take a ``job``.
    """
    return _update_held(job, [], fields, told=f"{_TOLD}, {not_awaited()}")


def hold_for(job: SyncRequest, duration: timedelta) -> SyncRequest:
    """Make sure that the lease outlasts ``duration``; returns the row."""
    lease = "leased_until = greatest(r.leased_until, statement_timestamp() + %(duration)s)"
    return _update_held(job, [lease], {}, duration=duration)


def succeed(job: SyncRequest, **fields: Unpack[Fields]) -> None:
    _finish(job, "succeeded", ["progress = 1"], fields)


def cancelled(job: SyncRequest, **fields: Unpack[Fields]) -> None:
    _finish(job, "cancelled", [], fields)


def bury(job: SyncRequest, *, code: str, message: str, **fields: Unpack[Fields]) -> None:
    _finish(job, "dead", [_FAILED], fields, code=code, message=message)


def retry(
    job: SyncRequest, *, wait: timedelta, code: str, message: str, **fields: Unpack[Fields]
) -> None:
    """Queue the job again after ``wait``, and count a failure."""
    changes = [_FAILED, "run_at = statement_timestamp() + %(wait)s"]
    _requeue(job, changes, fields, wait=wait, code=code, message=message)


def snooze(
    job: SyncRequest, *, until: datetime, code: str, message: str, **fields: Unpack[Fields]
) -> None:
    """Queue the job again for ``until``, without counting a failure."""
    _requeue(job, [_ERROR, "run_at = %(until)s"], fields, until=until, code=code, message=message)


def release(job: SyncRequest, **fields: Unpack[Fields]) -> None:
    """Give the job back, in its old place, for another worker to claim at once."""
    _requeue(job, [], fields)


def hand_over(job: SyncRequest) -> None:
    """Leave the job running without a worker; its rescue after HANDOVER counts nothing."""
    lease = f"leased_by = '{_HANDED_OVER}', leased_until = statement_timestamp() + %(wait)s"
    _update_held(job, [lease], {}, told=_TOLD, wait=HANDOVER)


def ask_cancel(request: SyncRequest) -> SyncRequest | None:
    """Cancel a queued request, and ask a running one to stop; None if it has ended."""
    return next(iter(_rows(_ASK_CANCEL, id=request.pk)), None)


def rescue() -> Counter[str]:
    """Requeue or end the jobs whose lease ran out; returns the number for each new state."""
    message = "The worker that ran this sync disappeared."
    return Counter(_states(_RESCUE, code="worker_lost", message=message))


def unpark(codes: Sequence[str] = ("credentials", "premium")) -> int:
    """Make ready the requests that wait because of ``codes``; returns how many.

    By default these are causes that the operator may have cured.
    """
    return len(_rows(_UNPARK, codes=list(codes)))


def prune(*, age: timedelta, lately: timedelta = EVER, batch: int = 1000) -> int:
    """Delete requests that ended longer ago than ``age``, but never the latest of its kind.

    With ``lately``, only requests that reached that age within this time, so that older
    ones are not read at each turn.
    """
    what: dict[str, Any] = {"age": age, "lately": lately, "batch": batch}
    deleted, last = 0, batch
    with connection.cursor() as cursor:
        while last == batch:
            cursor.execute(_PRUNE, what)
            deleted += (last := cursor.rowcount)
    return deleted


def _finish(
    job: SyncRequest, state: str, changes: list[str], fields: Fields, **params: Any
) -> None:
    final = [_NO_LEASE, "state = %(state)s", "completed = statement_timestamp()"]
    _end(job, [*final, *changes], fields, state=state, **params)


def _requeue(job: SyncRequest, changes: list[str], fields: Fields, **params: Any) -> None:
    _end(job, [_REQUEUED, *changes], fields, **params)


def _end(job: SyncRequest, changes: list[str], fields: Fields, **params: Any) -> None:
    """End the attempt, and queue the sync that was requested during a run that has ended."""
    statement = _END.format(changes=_assigned(changes, fields))
    if not _states(statement, **_held(job), user=job.user_id, **fields, **params):
        raise _lost(job)


def _update_held(
    job: SyncRequest, changes: list[str], fields: Fields, *, told: str = "", **params: Any
) -> SyncRequest:
    """Apply ``changes`` and ``fields`` where the attempt still holds the job; returns the row."""
    statement = f"""
        UPDATE sync_requests AS r SET {_assigned(changes, fields)}
         WHERE {_HELD}
        RETURNING {", ".join(filter(None, ["r.*", told]))}"""
    rows = _rows(statement, **_held(job), **fields, **params)
    if not rows:
        raise _lost(job)
    return rows[0]


def _assigned(changes: list[str], fields: Fields) -> str:
    return ", ".join([*changes, *(f"{name} = %({name})s" for name in fields)])


def _held(job: SyncRequest) -> dict[str, Any]:
    """What ``_HELD`` compares with."""
    return {"id": job.pk, "attempt": job.attempt, "claimed": job.started}


def _lost(job: SyncRequest) -> LeaseLost:
    return LeaseLost(f"request={job.pk} attempt={job.attempt}")


def _rows(statement: str, **params: Any) -> list[SyncRequest]:
    return prepared_rows(SyncRequest, statement, params)


def _states(statement: str, **params: Any) -> list[str]:
    """The new states of the requests that ended."""
    with prepared_cursor() as cursor:
        cursor.execute(statement, params)
        return [state for state, _ in cursor.fetchall()]
