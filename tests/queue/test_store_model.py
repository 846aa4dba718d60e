"""The queue against a plain model of its rules, driven at random."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from sync.models import SyncRequest
from sync.queue import store as queue
from sync.queue.store import Fields, LeaseLost

#: Seconds on the model's clock, and the step that wrote them: it parts what one second holds.
type Time = tuple[int, int]

#: All waits are multiples of this. An example takes far less, so real time never decides anything.
GRAIN = 15
durations = st.sampled_from([15, 30, 45, 60, 120])
codes = st.sampled_from(["unavailable", "quota"])


@dataclass
class Row:
    """What the rules say that a row of sync_requests holds."""

    user: int
    trigger: str
    priority: int
    run_at: Time
    kind: str = "spotify"
    again: str = ""
    state: str = "queued"
    attempt: int = 0
    failures: int = 0
    rescues: int = 0
    leased_until: Time | None = None
    handed_over: bool = False
    cancel_asked: bool = False
    code: str = ""
    errors: list[tuple[int, str]] = field(default_factory=list)
    song_count: int = 0
    completed: Time | None = None

    def end(self, state: str, now: Time) -> None:
        self.state, self.completed = state, now
        self.leased_until, self.handed_over = None, False

    def requeue(self, now: Time) -> None:
        self.end("queued", now)
        self.completed = None
        if self.cancel_asked:
            self.end("cancelled", now)

    def fail(self, code: str) -> None:
        self.failures += 1
        self.code = code
        self.errors.append((self.attempt, code))

    def facts(self, clock: int) -> dict[str, Any]:
        """All of it, with times as grains from now."""

        def grains(time: Time | None) -> int | None:
            return time and (time[0] - clock) // GRAIN

        return {
            **vars(self),
            "run_at": grains(self.run_at),
            "leased_until": grains(self.leased_until),
            "completed": grains(self.completed),
        }


def facts(row: SyncRequest) -> dict[str, Any]:
    """The same of a row in the table."""
    now = timezone.now()

    def grains(time: datetime | None) -> int | None:
        return time and round((time - now).total_seconds() / GRAIN)

    return {
        "user": row.user_id,
        "trigger": row.trigger,
        "kind": row.kind,
        "again": row.again,
        "priority": row.priority,
        "run_at": grains(row.run_at),
        "state": row.state,
        "attempt": row.attempt,
        "failures": row.failures,
        "rescues": row.rescues,
        "leased_until": grains(row.leased_until),
        "handed_over": row.leased_by == "handed over",
        "cancel_asked": row.cancel_asked_at is not None,
        "code": row.error_code,
        "errors": [(error["attempt"], error["code"]) for error in row.errors],
        "song_count": row.song_count,
        "completed": grains(row.completed),
    }


class Queue(RuleBasedStateMachine):
    users = Bundle("users")
    #: Every claim that was ever made, with the row as it was then: most become stale.
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        User.objects.all().delete()
        self.rows: dict[int, Row] = {}
        self.clock = 0
        self.steps = 0

    # --- The model's clock --------------------------------------------------------------------

    def has(self, state: str) -> bool:
        return any(row.state == state for row in self.rows.values())

    def time(self, seconds: int = 0) -> Time:
        """So many seconds from now."""
        self.steps += 1
        return self.clock + seconds, self.steps

    @rule(seconds=durations)
    def pass_time(self, seconds: int) -> None:
        self.clock += seconds
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE sync_requests SET run_at = run_at - %(d)s,"
                " leased_until = leased_until - %(d)s, completed = completed - %(d)s",
                {"d": timedelta(seconds=seconds)},
            )

    # --- Listeners ----------------------------------------------------------------------------

    @initialize(target=users)
    def begin(self) -> Any:
        return multiple(*(self.sign_up() for _ in range(3)))

    def sign_up(self) -> User:
        self.steps += 1
        return User.objects.create(spotify_id=f"listener-{self.steps}")

    @rule(user=consumes(users), target=users)
    def delete_account(self, user: User) -> User:
        """Somebody else comes instead."""
        User.objects.filter(pk=user.pk).delete()
        self.rows = {pk: row for pk, row in self.rows.items() if row.user != user.pk}
        return self.sign_up()

    @rule(
        user=users,
        kind=st.sampled_from(["spotify", "spotify", "subsonic"]),
        trigger=st.sampled_from(["manual", "scheduled", "first"]),
    )
    def enqueue(self, user: User, kind: str, trigger: str) -> None:
        now, priority = self.time(), 0 if trigger == "scheduled" else 10
        open_rows = [
            (pk, row)
            for pk, row in self.rows.items()
            if row.user == user.pk and row.kind == kind and row.completed is None
        ]

        request, is_new = queue.enqueue(user.pk, kind, trigger=trigger)

        assert is_new == (not open_rows)
        if is_new:
            self.rows[request.pk] = Row(user.pk, trigger, priority, now, kind)
            return
        [(pk, row)] = open_rows
        assert request.pk == pk
        if row.state == "queued" and priority > row.priority:
            row.trigger, row.priority = trigger, priority
        if row.state == "queued" and priority and row.code != "quota":
            row.run_at = min(row.run_at, now)
        if row.state == "running" and priority:
            row.again = trigger

    def run_again(self, row: Row) -> None:
        """What was wished while a request ran follows its end."""
        if row.completed is not None and row.again:
            followers = SyncRequest.objects.filter(
                user=row.user, kind=row.kind, completed__isnull=True
            )
            self.rows[followers.get().pk] = Row(row.user, row.again, 10, self.time(), row.kind)

    @rule(user=users)
    def ask_cancel(self, user: User) -> None:
        """Of the listener's latest request, whatever its state."""
        now = self.time()
        latest = max((pk for pk, row in self.rows.items() if row.user == user.pk), default=None)
        if latest is None:
            return
        row = self.rows[latest]

        answer = queue.ask_cancel(SyncRequest(pk=latest))

        assert (answer is None) == (row.completed is not None)
        if row.completed is None:
            row.cancel_asked, row.again = True, ""
        if row.state == "queued":
            row.end("cancelled", now)

    # --- Workers ------------------------------------------------------------------------------

    @precondition(lambda self: self.has("queued"))
    @rule(target=jobs)
    def claim(self) -> Any:
        until = self.time(60)
        due = [
            (-row.priority, row.run_at, pk)
            for pk, row in self.rows.items()
            if row.state == "queued" and row.run_at[0] <= self.clock
        ]

        job = queue.claim(worker="here:1")

        assert (job.pk if job else None) == (min(due)[2] if due else None)
        if job is None:
            return multiple()
        row = self.rows[job.pk]
        row.state, row.attempt, row.leased_until = "running", row.attempt + 1, until
        row.code = row.again = ""
        return job

    def held(self, job: SyncRequest) -> Row | None:
        """The row of ``job``, if the attempt still holds it."""
        row = self.rows.get(job.pk)
        if row and row.state == "running" and row.attempt == job.attempt:
            return row
        return None

    def write(self, method: str, job: SyncRequest, **arguments: Any) -> Row | None:
        """What every writer has in common: LeaseLost exactly when the job is not held."""
        row = self.held(job)
        try:
            getattr(queue, method)(job, **arguments)
        except LeaseLost:
            assert row is None, f"{method} lost a lease that was held"
            return None
        assert row is not None, f"{method} wrote without a lease"
        return row

    @precondition(lambda self: self.has("running"))
    @rule(held=st.lists(jobs, max_size=4))
    def heartbeat(self, held: list[SyncRequest]) -> None:
        until = self.time(60)
        rows = {job.pk: row for job in held if (row := self.held(job))}

        assert queue.heartbeat(held) == set(rows)

        for row in rows.values():
            row.leased_until = until

    @precondition(lambda self: self.has("running"))
    @rule(job=jobs, count=st.integers(0, 9))
    def record_progress(self, job: SyncRequest, count: int) -> None:
        fields = Fields(song_count=count, stage="reading")
        if row := self.write("record_progress", job, **fields):
            row.song_count = count

    @precondition(lambda self: self.has("running"))
    @rule(job=jobs, seconds=durations)
    def hold_for(self, job: SyncRequest, seconds: int) -> None:
        until = self.time(seconds)
        if row := self.write("hold_for", job, duration=timedelta(seconds=seconds)):
            assert row.leased_until
            row.leased_until = max(row.leased_until, until)

    @precondition(lambda self: self.has("running"))
    @rule(job=jobs, how=st.sampled_from(["bury", "succeed", "cancelled"]), code=codes)
    def finish(self, job: SyncRequest, how: str, code: str) -> None:
        error = {"code": code, "message": ""} if how == "bury" else {}
        now = self.time()
        if row := self.write(how, job, **error):
            if how == "bury":
                row.fail(code)
            row.end({"bury": "dead", "succeed": "succeeded"}.get(how, how), now)
            self.run_again(row)

    @precondition(lambda self: self.has("running"))
    @rule(job=jobs, how=st.sampled_from(["retry", "snooze"]), seconds=durations, code=codes)
    def put_off(self, job: SyncRequest, how: str, seconds: int, code: str) -> None:
        wait = timedelta(seconds=seconds)
        when = {"wait": wait} if how == "retry" else {"until": timezone.now() + wait}
        run_at = self.time(seconds)
        if row := self.write(how, job, code=code, message="", **when):
            if how == "retry":
                row.fail(code)
            row.requeue(self.time())
            row.run_at, row.code = run_at, code
            self.run_again(row)

    @precondition(lambda self: self.has("running"))
    @rule(job=jobs, how=st.sampled_from(["hand_over", "release"]))
    def leave(self, job: SyncRequest, how: str) -> None:
        now, lease = self.time(), self.time(30)
        if row := self.write(how, job):
            if how == "release":
                row.requeue(now)
                self.run_again(row)
            else:
                row.leased_until, row.handed_over = lease, True

    # --- Upkeep -------------------------------------------------------------------------------

    @precondition(lambda self: self.has("running"))
    @rule(times=st.integers(1, 3))
    def crash(self, times: int) -> None:
        """All workers vanish, and so do those that take over."""
        for _ in range(times):
            self.pass_time(60)
            self.rescue()
            self.claim()

    @precondition(lambda self: self.has("running"))
    @rule()
    def rescue(self) -> None:
        now, verdicts = self.time(), Counter[str]()
        rescued = []
        for row in self.rows.values():
            if row.state == "running" and row.leased_until and row.leased_until[0] <= self.clock:
                counts = not row.handed_over
                row.rescues += counts
                row.code = "worker_lost" if counts else ""
                row.errors += [(row.attempt, "worker_lost")] * counts
                row.requeue(now)
                if counts and row.state == "queued" and row.rescues >= 3:
                    row.end("dead", now)
                verdicts[row.state] += 1
                rescued.append(row)

        assert queue.rescue() == verdicts

        for row in rescued:
            self.run_again(row)

    @rule(seconds=durations)
    def prune(self, seconds: int) -> None:
        old = [
            pk
            for pk, row in self.rows.items()
            if row.completed
            and row.completed[0] + seconds <= self.clock
            and any(
                (other.user, other.kind) == (row.user, row.kind)
                for newer, other in self.rows.items()
                if newer > pk
            )
        ]

        assert queue.prune(age=timedelta(seconds=seconds), batch=2) == len(old)

        for pk in old:
            del self.rows[pk]

    @invariant()
    def table_is_as_the_rules_say(self) -> None:
        model = {pk: row.facts(self.clock) for pk, row in self.rows.items()}
        assert {row.pk: facts(row) for row in SyncRequest.objects.all()} == model


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_queue_keeps_its_rules_whatever_happens() -> None:
    run_state_machine_as_test(
        Queue,
        settings=settings(max_examples=60, stateful_step_count=50, derandomize=True, database=None),
    )
