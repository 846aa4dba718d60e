"""The worker: how each end of an attempt reaches the row, and what its threads owe each other."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error as DjangoError
from django.db import InterfaceError, InternalError, OperationalError, connection
from django.utils import timezone
from psycopg.errors import ReadOnlySqlTransaction

from accounts.deletion import delete_account
from accounts.models import SpotifyConnection, User
from sync.models import Library, Process, SyncRequest
from sync.queue import job as job_module
from sync.queue import store as queue
from sync.queue import worker as worker_module
from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from sync.queue.job import Cancelled, Job, Released
from sync.queue.processes import alive
from sync.queue.scheduler import enqueue_due_syncs
from sync.queue.store import LeaseLost
from sync.queue.worker import Worker
from syncify.spotify.errors import AccessRefused, Blocked, SignInNeeded, Unavailable
from syncify.spotify.models import Block
from tests.builders import make_user
from tests.waiting import PATIENCE, wait_until

LATER = timezone.now() + timedelta(hours=3)


def enqueue(name: str = "ada", trigger: str = "manual") -> SyncRequest:
    return queue.enqueue(make_user(name).pk, trigger=trigger)[0]


def work_once(run: Callable[[Job], None]) -> SyncRequest:
    """Queue a sync, let a worker do ``run`` with it, and return the row that it left."""
    request = enqueue()
    assert Worker(runners={"spotify": run}).run_one()
    request.refresh_from_db()
    return request


def fail_with(error: Exception) -> Callable[[Job], None]:
    def run(_: Job) -> None:
        raise error

    return run


def succeed(job: Job) -> None:
    queue.succeed(job.request)


def state_of(request: SyncRequest) -> str:
    return SyncRequest.objects.values_list("state", flat=True).get(pk=request.pk)


@contextmanager
def running(worker: Worker) -> Iterator[Worker]:
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


# --- One job ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_empty_queue_gives_no_work() -> None:
    assert not Worker(runners={"spotify": succeed}).run_one()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "state", "code", "failures"),
    [
        (Cancelled(), "cancelled", "", 0),
        (Released(), "queued", "", 0),
        (Blocked(LATER, "quota"), "queued", "quota", 0),
        (SnoozeUntil("guard", "A second look is needed.", until=LATER), "queued", "guard", 0),
        (Unavailable(503), "queued", "unavailable", 1),
        (RetryLater("moving", "It moved."), "queued", "moving", 1),
        (RuntimeError("unforeseen"), "queued", "internal", 1),
        (SignInNeeded(), "dead", "sign_in_needed", 1),
        (GiveUp("hopeless", "No retry helps."), "dead", "hopeless", 1),
        (LeaseLost(), "running", "", 0),
    ],
)
def test_every_end_of_a_sync_reaches_its_row(
    error: Exception, state: str, code: str, failures: int
) -> None:
    request = work_once(fail_with(error))

    assert (request.state, request.error_code, request.failures) == (state, code, failures)
    assert request.attempt == 1


@pytest.mark.django_db
def test_a_success_is_left_as_the_sync_wrote_it() -> None:
    assert work_once(succeed).state == "succeeded"


@pytest.mark.django_db
def test_a_snoozed_job_waits_until_it_was_told() -> None:
    assert work_once(fail_with(Blocked(LATER, "quota"))).run_at == LATER


@pytest.mark.django_db
def test_a_failing_job_is_buried_with_all_its_errors() -> None:
    request = enqueue()
    worker = Worker(runners={"spotify": fail_with(Unavailable())})

    for _ in range(5):
        SyncRequest.objects.filter(pk=request.pk).update(
            run_at=timezone.now() - timedelta(minutes=1)
        )
        assert worker.run_one()

    request.refresh_from_db()
    assert (request.state, request.failures) == ("dead", 5)
    assert [entry["attempt"] for entry in request.errors] == [1, 2, 3, 4, 5]


@pytest.mark.django_db
def test_one_failing_job_does_not_keep_the_others() -> None:
    enqueue("ada")
    other = enqueue("bea")

    def run(job: Job) -> None:
        if job.user.spotify_id == "ada":
            raise RuntimeError("poison")
        succeed(job)

    worker = Worker(runners={"spotify": run})
    while worker.run_one():
        pass

    assert state_of(other) == "succeeded"


@pytest.mark.django_db
def test_a_listener_deleted_while_their_sync_runs_leaves_nothing() -> None:
    request = enqueue()

    def run(job: Job) -> None:
        delete_account(job.user)
        job.safe_point(stage="writing")

    assert Worker(runners={"spotify": run}).run_one()
    assert not SyncRequest.objects.filter(pk=request.pk).exists()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_listener_deleted_just_before_their_sync_leaves_the_worker_alive() -> None:
    request = enqueue()

    def run(job: Job) -> None:
        User.objects.all().delete()
        assert job.user

    assert Worker(runners={"spotify": run}).run_one()
    assert not SyncRequest.objects.filter(pk=request.pk).exists()


@pytest.mark.django_db
def test_the_end_is_written_once_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction is in it
    request = enqueue()
    worker = Worker(runners={"spotify": fail_with(Unavailable())})
    end, failures = worker._end, iter([OperationalError("gone"), OperationalError("gone")])

    def end_when_back(*args: Any) -> None:
        if error := next(failures, None):
            raise error
        end(*args)

    monkeypatch.setattr(worker, "_end", end_when_back)
    worker.run_one()

    assert state_of(request) == "queued"


@pytest.mark.django_db
@pytest.mark.parametrize("errors", [[], [OperationalError("gone")]], ids=["", "no database"])
def test_a_refusal_is_noted_though_the_database_goes_away_in_between(
    monkeypatch: pytest.MonkeyPatch, errors: list[Exception]
) -> None:
    monkeypatch.setattr(worker_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction is in it
    mark, failures = worker_module.mark_refused, iter(errors)

    def mark_when_back(*args: Any) -> None:
        if error := next(failures, None):
            raise error
        mark(*args)

    monkeypatch.setattr(worker_module, "mark_refused", mark_when_back)
    request = work_once(fail_with(AccessRefused("not_registered")))

    held = SpotifyConnection.objects.get()
    assert (request.state, held.state, held.state_reason) == ("dead", "refused", "not_registered")


def read_only() -> DjangoError:
    error = InternalError("cannot execute UPDATE in a read-only transaction")
    error.__cause__ = ReadOnlySqlTransaction()
    return error


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [OperationalError("deadlock detected"), InterfaceError("connection is closed"), read_only()],
    ids=["deadlock", "closed", "standby"],
)
def test_an_error_of_the_database_in_a_sync_counts_as_no_failure(error: DjangoError) -> None:
    request = work_once(fail_with(error))

    assert (request.state, request.failures, request.error_code) == ("queued", 0, "")


@pytest.mark.django_db
def test_a_database_that_fails_every_time_is_a_failure_in_the_end() -> None:
    request = enqueue()
    worker = Worker(runners={"spotify": fail_with(OperationalError("disk full"))})

    states = []
    for _ in range(worker_module.DATABASE_ERRORS + 1):
        assert worker.run_one()
        request.refresh_from_db()
        states.append((request.failures, request.error_code))

    assert states == [*[(0, "")] * worker_module.DATABASE_ERRORS, (1, "internal")]


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "is_held"), [(299, True), (301, False)])
def test_a_stuck_job_loses_its_lease_and_its_worker_does_not_say_that_it_is_alive(
    monkeypatch: pytest.MonkeyPatch, seconds: int, is_held: bool
) -> None:
    seen = []

    def run(job: Job) -> None:
        SyncRequest.objects.update(leased_until=timezone.now() + timedelta(seconds=1))
        job._safe_at -= seconds
        worker._look_after()
        left = SyncRequest.objects.get().leased_until - timezone.now()
        seen.append((left > timedelta(seconds=2), alive("worker").exists()))
        succeed(job)

    enqueue()
    worker = Worker(runners={"spotify": run})
    worker.run_one()

    assert seen == [(is_held, is_held)]


@pytest.mark.django_db
def test_no_clock_but_the_database_s_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_clock() -> None:
        raise AssertionError("a worker's clock may jump")

    user = make_user("ada")
    monkeypatch.setattr("django.utils.timezone.now", no_clock)
    monkeypatch.setattr("time.time", no_clock)

    def run(job: Job) -> None:
        job.safe_point(stage="reading")
        job.before_write()
        queue.heartbeat([job.request])
        queue.rescue()
        raise Unavailable

    queue.enqueue(user.pk, trigger="manual")
    Worker(runners={"spotify": run}).run_one()
    enqueue_due_syncs()
    queue.prune(age=timedelta(days=1))

    assert SyncRequest.objects.get().error_code == "unavailable"


# --- What a sync sees of its job --------------------------------------------------------------


@pytest.mark.django_db
def test_a_request_to_stop_is_met_at_the_next_safe_point() -> None:
    def run(job: Job) -> None:
        job.safe_point(stage="reading")
        queue.ask_cancel(job.request)
        job.safe_point(stage="comparing")
        raise AssertionError("it went on")

    assert work_once(run).state == "cancelled"


@pytest.mark.django_db
@pytest.mark.parametrize("step", [lambda job: job.safe_point(), lambda job: job.before_write()])
def test_nothing_is_written_after_the_lease_is_lost(step: Callable[[Job], None]) -> None:
    steps = []

    def run(job: Job) -> None:
        SyncRequest.objects.filter(pk=job.request.pk).update(
            leased_until=timezone.now() - timedelta(hours=1)
        )
        assert queue.rescue() == {"queued": 1}
        step(job)
        steps.append("went on")

    request = work_once(run)

    assert steps == []
    assert (request.state, request.rescues) == ("queued", 1)


@pytest.mark.django_db
def test_a_write_is_covered_by_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    left = []

    def run(job: Job) -> None:
        job.before_write()
        assert job.request.leased_until
        left.append(job.request.leased_until - timezone.now())

    request = enqueue()
    Worker(runners={"spotify": run}, lease=timedelta(seconds=1)).run_one()

    assert left[0] > timedelta(seconds=25)
    assert state_of(request) == "running"


@pytest.mark.django_db
def test_progress_is_written_twice_a_second_and_a_new_stage_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(job_module.time, "monotonic", lambda: now[0])
    seen = []

    def run(job: Job) -> None:
        steps = [
            (0.0, {"stage": "reading"}),
            (0.1, {"song_count": 50}),
            (0.2, {"progress": 0.5}),
            (0.2, {"stage": "writing"}),
            (0.8, {"progress": 0.6}),
        ]
        for at, fields in steps:
            now[0] = 100 + at
            job.safe_point(**fields)
            row = SyncRequest.objects.values_list("stage", "song_count", "progress").get(
                pk=job.request.pk
            )
            seen.append(row)
        succeed(job)

    work_once(run)

    assert seen == [
        ("reading", 0, 0.0),
        ("reading", 0, 0.0),
        ("reading", 0, 0.0),
        ("writing", 50, 0.5),
        ("writing", 50, 0.6),
    ]


@pytest.mark.django_db
def test_calls_are_summed_over_attempts() -> None:
    request = enqueue()
    SyncRequest.objects.filter(pk=request.pk).update(api_requests=7)

    def run(job: Job) -> None:
        job.client.calls += 3
        raise Unavailable

    Worker(runners={"spotify": run}).run_one()

    request.refresh_from_db()
    assert request.api_requests == 10


@pytest.mark.django_db
def test_a_wait_for_spotify_ends_when_the_sync_is_stopped() -> None:
    def run(job: Job) -> None:
        queue.ask_cancel(job.request)
        job.sleep(3600)

    assert work_once(run).state == "cancelled"


# --- Threads ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_new_work_wakes_an_idle_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "POLL", 3600)
    with running(Worker(runners={"spotify": succeed})):
        for name in ["ada", "bea"]:
            request = enqueue(name)
            wait_until(lambda request=request: state_of(request) == "succeeded")


@pytest.mark.django_db(transaction=True)
def test_one_wake_up_sets_all_threads_to_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "POLL", 3600)
    users = [make_user(name) for name in ("ada", "bea", "cleo")]
    Library.objects.update(next_due=timezone.now() - timedelta(hours=1))
    all_at_work = threading.Barrier(len(users))

    def run(job: Job) -> None:
        all_at_work.wait(PATIENCE)
        succeed(job)

    worker = Worker(runners={"spotify": run}, concurrency=len(users))
    rest, rests = worker._rest, []
    monkeypatch.setattr(worker, "_rest", lambda wakes: (rests.append(wakes), rest(wakes)))
    with running(worker):
        wait_until(lambda: len(rests) >= len(users))
        enqueue_due_syncs()
        wait_until(lambda: SyncRequest.objects.filter(state="succeeded").count() == len(users))


@pytest.mark.django_db(transaction=True)
def test_what_becomes_due_is_found_without_a_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "POLL", 0.2)
    request = enqueue()
    SyncRequest.objects.filter(pk=request.pk).update(run_at=timezone.now() + timedelta(seconds=1))

    with running(Worker(runners={"spotify": succeed})):
        wait_until(lambda: state_of(request) == "succeeded")


@pytest.mark.django_db(transaction=True)
def test_a_long_sync_occupies_one_thread_only() -> None:
    go_on = threading.Event()

    def run(job: Job) -> None:
        if job.user.spotify_id == "ada":
            go_on.wait(PATIENCE)
        succeed(job)

    long = enqueue("ada")
    others = [enqueue(f"listener-{number}", "scheduled") for number in range(5)]
    with running(Worker(runners={"spotify": run}, concurrency=2)):
        wait_until(lambda: all(state_of(other) == "succeeded" for other in others))
        assert state_of(long) == "running"
        go_on.set()
        wait_until(lambda: state_of(long) == "succeeded")


@pytest.mark.django_db(transaction=True)
def test_heartbeats_keep_the_lease_of_a_long_sync() -> None:
    def run(job: Job) -> None:
        lease_of_the_claim = job.request.leased_until
        assert lease_of_the_claim
        wait_until(lambda: timezone.now() > lease_of_the_claim)
        succeed(job)

    request = enqueue()
    worker = Worker(runners={"spotify": run}, concurrency=1, drain=True, lease=timedelta(seconds=3))
    with running(worker):
        wait_until(lambda: not worker.is_working)

    request.refresh_from_db()
    assert (request.state, request.attempt, request.rescues) == ("succeeded", 1, 0)


@pytest.mark.django_db(transaction=True)
def test_a_drain_ends_when_nothing_is_ready() -> None:
    ready = [enqueue(f"listener-{number}") for number in range(5)]
    later = enqueue("later")
    SyncRequest.objects.filter(pk=later.pk).update(run_at=LATER)

    worker = Worker(runners={"spotify": succeed}, drain=True)
    with running(worker):
        wait_until(lambda: not worker.is_working)

    assert [state_of(request) for request in ready] == ["succeeded"] * 5
    assert state_of(later) == "queued"


@pytest.mark.django_db(transaction=True)
def test_once_ends_after_one_sync() -> None:
    enqueue("ada"), enqueue("bea")

    worker = Worker(runners={"spotify": succeed}, once=True, concurrency=2)
    with running(worker):
        wait_until(lambda: not worker.is_working)

    assert SyncRequest.objects.filter(state="succeeded").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_rescues_before_it_claims() -> None:
    request = enqueue()
    queue.claim(worker="killed")
    SyncRequest.objects.filter(pk=request.pk).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )

    worker = Worker(runners={"spotify": succeed}, drain=True)
    with running(worker):
        wait_until(lambda: not worker.is_working)

    request.refresh_from_db()
    assert (request.state, request.attempt, request.rescues) == ("succeeded", 2, 1)


@pytest.mark.django_db(transaction=True)
def test_a_stopping_worker_releases_at_the_safe_point() -> None:
    def run(job: Job) -> None:
        while True:
            job.safe_point()
            time.sleep(0.02)

    request = enqueue()
    with running(Worker(runners={"spotify": run})):
        wait_until(lambda: state_of(request) == "running")

    request.refresh_from_db()
    assert (request.state, request.failures, request.rescues) == ("queued", 0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_sync_that_does_not_stop_in_time_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "SHUTDOWN", 0.2)
    let_go = threading.Event()
    request = enqueue()

    worker = Worker(runners={"spotify": lambda _: let_go.wait(PATIENCE) and None}, concurrency=1)
    with running(worker):
        wait_until(lambda: state_of(request) == "running")
    handed_over = SyncRequest.objects.get(pk=request.pk)
    SyncRequest.objects.filter(pk=request.pk).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )
    queue.rescue()
    let_go.set()
    wait_until(lambda: not worker.is_working)

    assert handed_over.state == "running"
    request.refresh_from_db()
    assert (request.state, request.rescues) == ("queued", 0)


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_seen_while_it_lives() -> None:
    with running(Worker(runners={"spotify": succeed})) as worker:
        wait_until(lambda: Process.objects.filter(kind="worker", name=worker.name).exists())

    assert not Process.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "step",
    [
        "sync.queue.worker.Worker.run_one",
        "sync.queue.worker.Worker._look_after",
        "sync.queue.wake.WakeListener._listen",
    ],
)
def test_a_worker_that_has_lost_a_thread_to_a_bug_says_so(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(step, fail)

    with running(Worker(runners={"spotify": succeed})) as worker:
        wait_until(lambda: not worker.is_working)


@pytest.mark.django_db(transaction=True)
def test_a_start_lifts_the_operator_s_block_but_never_the_quota_s() -> None:
    lifted = []
    for because in Block.Because:
        Block.objects.all().delete()
        Block.objects.create(until=LATER, because=because)
        worker = Worker(runners={"spotify": succeed}, drain=True)
        with running(worker):
            wait_until(lambda worker=worker: not worker.is_working)
        if not Block.objects.exists():
            lifted.append(because)

    assert lifted == [Block.Because.CREDENTIALS, Block.Because.PREMIUM]
