"""The queue on real PostgreSQL: what each transition changes, who may, who is first, who hears."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from sync.models import SyncRequest
from sync.queue import store as queue
from sync.queue.store import CHANGES, HANDOVER, LEASE, MOST_RESCUES, SPOTIFY_ASKED, WAKE, LeaseLost
from sync.queue.wake import listen_parameters
from tests.builders import make_request
from tests.waiting import PATIENCE, at_once, in_thread, wait_until_blocked

pytestmark = pytest.mark.django_db

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def listener(name: str = "ada") -> User:
    return User.objects.create(spotify_id=name)


def listeners(count: int) -> list[User]:
    return User.objects.bulk_create(User(spotify_id=f"listener-{n}") for n in range(count))


def claimed(user: User | None = None, trigger: str = "manual") -> SyncRequest:
    """A job that this test holds; nothing else is queued."""
    queue.enqueue((user or listener()).pk, trigger=trigger)
    return claim()


def claim() -> SyncRequest:
    job = queue.claim(worker="here:1")
    assert job is not None
    return job


def let_pass(duration: timedelta) -> None:
    """Move all times of the table back, as if so much time had passed since."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sync_requests SET created = created - %(d)s, run_at = run_at - %(d)s,"
            " leased_until = leased_until - %(d)s,"
            " completed = completed - %(d)s",
            {"d": duration},
        )


def values(request: SyncRequest) -> list[dict[str, Any]]:
    """The whole row, for comparisons; none when it is gone."""
    return list(SyncRequest.objects.filter(pk=request.pk).values())


def wait(request: SyncRequest) -> float:
    """Seconds, to the nearest ten, until it is due; 0 or less when it is."""
    return round((request.run_at - timezone.now()).total_seconds(), -1)


# --- Enqueue ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("trigger", "priority"), [("manual", 10), ("first", 10), ("scheduled", 0)])
def test_a_new_request_is_queued_and_due_at_once(trigger: str, priority: int) -> None:
    request, is_new = queue.enqueue(listener().pk, trigger=trigger)

    assert is_new
    assert (request.state, request.trigger, request.priority) == ("queued", trigger, priority)
    assert (request.attempt, request.failures, request.rescues, request.errors) == (0, 0, 0, [])
    assert request.run_at <= timezone.now()
    assert request.completed is None


@pytest.mark.parametrize("trigger", ["manual", "first", "scheduled"])
@pytest.mark.parametrize("running", [False, True])
def test_a_second_wish_returns_the_open_request(trigger: str, running: bool) -> None:
    user = listener()
    first, _ = queue.enqueue(user.pk, trigger="manual")
    if running:
        claim()

    again, is_new = queue.enqueue(user.pk, trigger=trigger)

    assert (again.pk, is_new) == (first.pk, False)
    assert SyncRequest.objects.count() == 1


@pytest.mark.parametrize("state", ["succeeded", "dead", "cancelled"])
def test_after_a_request_has_ended_the_next_wish_makes_a_new_one(state: str) -> None:
    user = listener()
    old = make_request(user, state=state)

    request, is_new = queue.enqueue(user.pk, trigger="scheduled")

    assert is_new
    assert request.pk > old.pk
    assert SyncRequest.objects.get(pk=old.pk).state == state


@pytest.mark.parametrize(
    ("first", "second", "trigger", "priority"),
    [
        ("scheduled", "manual", "manual", 10),
        ("scheduled", "first", "first", 10),
        ("scheduled", "scheduled", "scheduled", 0),
        ("manual", "scheduled", "manual", 10),
        ("first", "manual", "first", 10),
    ],
)
def test_a_wish_of_a_person_lifts_a_queued_scheduled_request(
    first: str, second: str, trigger: str, priority: int
) -> None:
    user = listener()
    queue.enqueue(user.pk, trigger=first)

    request, _ = queue.enqueue(user.pk, trigger=second)

    assert (request.trigger, request.priority) == (trigger, priority)


def test_a_scheduled_wish_leaves_a_running_request_as_it_is() -> None:
    job = claimed(trigger="scheduled")
    before = values(job)

    queue.enqueue(job.user.pk, trigger="scheduled")

    assert values(job) == before


ENDS = {
    "succeed": queue.succeed,
    "cancelled": queue.cancelled,
    "bury": lambda job: queue.bury(job, **ERROR),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_wish_during_a_running_request_runs_after_it(end: str) -> None:
    job = claimed(trigger="scheduled")

    request, is_new = queue.enqueue(job.user_id, trigger="manual")
    ENDS[end](job)

    assert (request.pk, is_new) == (job.pk, False)
    follower = SyncRequest.objects.get(user=job.user, completed=None)
    assert (follower.trigger, follower.state, follower.again) == ("manual", "queued", "")


def test_a_wish_after_the_wish_to_stop_runs_after_it() -> None:
    job = claimed(trigger="manual")
    queue.enqueue(job.user_id, trigger="manual")
    queue.ask_cancel(job)
    assert SyncRequest.objects.get().again == ""

    queue.enqueue(job.user_id, trigger="manual")
    queue.cancelled(job)

    assert list(SyncRequest.objects.order_by("id").values_list("state", flat=True)) == [
        "cancelled",
        "queued",
    ]


def test_the_next_attempt_serves_a_wish_made_during_the_last() -> None:
    job = claimed(trigger="manual")
    queue.enqueue(job.user_id, trigger="manual")

    queue.release(job)
    again = claim()
    queue.succeed(again)

    assert SyncRequest.objects.count() == 1


def test_a_wish_outlives_a_rescue_that_buries() -> None:
    job = claimed(trigger="manual")
    queue.enqueue(job.user_id, trigger="manual")
    SyncRequest.objects.update(leased_until=timezone.now() - HOUR, rescues=MOST_RESCUES - 1)

    assert queue.rescue() == {"dead": 1}

    assert SyncRequest.objects.filter(state="queued").count() == 1


def test_each_kind_has_an_open_request_of_its_own() -> None:
    user = listener()

    made = [queue.enqueue(user.pk, kind, trigger="manual")[1] for kind in ("spotify", "subsonic")]

    assert made == [True, True]
    assert not queue.enqueue(user.pk, "subsonic", trigger="manual")[1]


@pytest.mark.parametrize(
    ("code", "trigger", "seconds"),
    [
        ("unavailable", "manual", 0),
        ("unavailable", "first", 0),
        ("unavailable", "scheduled", 3600),
        ("budget", "manual", 0),
        *[(code, "manual", 3600) for code in SPOTIFY_ASKED],
    ],
)
def test_a_wish_of_a_person_ends_a_wait_unless_spotify_asked_for_it(
    code: str, trigger: str, seconds: int
) -> None:
    job = claimed()
    queue.snooze(job, until=timezone.now() + HOUR, code=code, message="")

    request, _ = queue.enqueue(job.user.pk, trigger=trigger)

    assert wait(request) == seconds
    assert request.error_code == code


def test_a_wish_does_not_put_off_what_has_long_been_due() -> None:
    user = listener()
    queue.enqueue(user.pk, trigger="manual")
    let_pass(HOUR)

    request, _ = queue.enqueue(user.pk, trigger="manual")

    assert wait(request) == -3600


# --- Claim ------------------------------------------------------------------------------------


def test_a_claim_leases_the_job_and_clears_what_the_last_attempt_left() -> None:
    job = claimed()
    queue.retry(job, wait=timedelta(), code="unavailable", message="No answer.", progress=0.4)

    job = claim()

    assert (job.state, job.attempt, job.leased_by) == ("running", 2, "here:1")
    assert job.leased_until is not None
    assert round((job.leased_until - timezone.now()) / LEASE, 1) == 1
    assert (job.error_code, job.error_message, job.progress) == ("", "", 0)
    assert (job.failures, len(job.errors)) == (1, 1)


def test_jobs_are_claimed_by_priority_then_by_time_then_by_id() -> None:
    now = timezone.now()
    rows = [
        (priority, now - age)
        for priority in (0, 10)
        for age in (MINUTE, HOUR, MINUTE, timedelta(), HOUR)
    ]
    made = [
        make_request(user, priority=priority, run_at=run_at)
        for user, (priority, run_at) in zip(listeners(len(rows)), rows, strict=True)
    ]

    order = [claim().pk for _ in made]

    expected = sorted(made, key=lambda row: (-row.priority, row.run_at, row.pk))
    assert order == [row.pk for row in expected]
    assert queue.claim(worker="here:1") is None


def test_nothing_is_claimed_before_its_time() -> None:
    request = make_request(listener(), run_at=timezone.now() + MINUTE)

    assert queue.claim(worker="here:1") is None
    let_pass(MINUTE)
    assert claim().pk == request.pk


@pytest.mark.parametrize("state", ["running", "succeeded", "dead", "cancelled"])
def test_only_queued_requests_are_claimed(state: str) -> None:
    make_request(listener(), state=state, run_at=timezone.now() - HOUR)

    assert queue.claim(worker="here:1") is None


# --- What a worker may write, and until when --------------------------------------------------

Writer = Callable[[SyncRequest], object]
ERROR: Any = {"code": "unavailable", "message": "No answer."}

WRITERS: dict[str, Writer] = {
    "record_progress": lambda job: queue.record_progress(job, stage="reading", song_count=5),
    "hold_for": lambda job: queue.hold_for(job, HOUR),
    "succeed": lambda job: queue.succeed(job, added=3),
    "cancelled": queue.cancelled,
    "bury": lambda job: queue.bury(job, **ERROR),
    "retry": lambda job: queue.retry(job, wait=MINUTE, **ERROR),
    "snooze": lambda job: queue.snooze(job, until=timezone.now() + HOUR, **ERROR),
    "release": queue.release,
    "hand_over": queue.hand_over,
}


def outlive(job: SyncRequest) -> None:
    let_pass(LEASE)
    queue.rescue()


def outlive_and_claim(job: SyncRequest) -> None:
    outlive(job)
    claim()


def fail_over_and_claim(job: SyncRequest) -> None:
    """A standby that never heard of the claim counts the same attempt for another worker."""
    SyncRequest.objects.filter(pk=job.pk).update(
        state="queued", attempt=job.attempt - 1, leased_by="", leased_until=None
    )
    again = claim()
    assert (again.pk, again.attempt) == (job.pk, job.attempt)


LOSSES: dict[str, Writer] = {
    "rescued": outlive,
    "claimed by another after a failover": fail_over_and_claim,
    "rescued and claimed by another": outlive_and_claim,
    "released": WRITERS["release"],
    "succeeded": WRITERS["succeed"],
    "buried": WRITERS["bury"],
    "deleted with its listener": lambda job: User.objects.filter(pk=job.user_id).delete(),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_who_has_lost_the_lease_writes_nothing(write: Writer, lose: Writer) -> None:
    job = claimed()
    lose(job)
    before = values(job)

    with pytest.raises(LeaseLost):
        write(job)

    assert values(job) == before


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_heartbeat_extends_only_what_is_still_held(lose: Writer) -> None:
    lost = claimed()
    lose(lost)
    held = make_request(listener("bea"), state="running")
    let_pass(LEASE / 2)
    before = values(lost)

    assert queue.heartbeat([lost, held]) == {held.pk}

    assert values(lost) == before
    [beaten] = SyncRequest.objects.filter(pk=held.pk)
    assert beaten.leased_until is not None
    assert beaten.leased_until > timezone.now() + LEASE * 0.9


def test_a_heartbeat_of_nothing_asks_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert queue.heartbeat([]) == set()


def test_heartbeats_and_progress_touch_no_index() -> None:
    def updates() -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables"
                " WHERE relname = 'sync_requests'"
            )
            total, hot = cursor.fetchone()
        return total, hot

    job = claimed()
    total, hot = updates()

    for count in range(3):
        queue.heartbeat([job])
        queue.record_progress(job, stage="writing", song_count=count, progress=0.5)
        queue.hold_for(job, HOUR)

    assert updates() == (total + 9, hot + 9)


@pytest.mark.parametrize(("duration", "left"), [(SECOND, LEASE), (HOUR, HOUR)])
def test_holding_makes_a_lease_longer_but_never_shorter(
    duration: timedelta, left: timedelta
) -> None:
    job = queue.hold_for(claimed(), duration)

    assert job.leased_until is not None
    assert round((job.leased_until - timezone.now()) / left, 1) == 1


@pytest.mark.parametrize(
    ("write", "end"),
    [
        ("record_progress", ("running", "", 0, 0)),
        ("hand_over", ("running", "", 0, 0)),
        ("succeed", ("succeeded", "", 0, 0)),
        ("cancelled", ("cancelled", "", 0, 0)),
        ("bury", ("dead", "unavailable", 1, 0)),
        ("retry", ("queued", "unavailable", 1, 60)),
        ("snooze", ("queued", "unavailable", 0, 3600)),
        ("release", ("queued", "", 0, 0)),
    ],
)
@pytest.mark.parametrize("cancel_asked", [False, True], ids=["", "cancel asked"])
def test_every_end_of_an_attempt(
    write: str, end: tuple[str, str, int, int], cancel_asked: bool
) -> None:
    state, code, failures, seconds = end
    job = claimed()
    if cancel_asked:
        queue.ask_cancel(job)
        state = "cancelled" if state == "queued" else state

    WRITERS[write](job)

    row = SyncRequest.objects.get(pk=job.pk)
    assert (row.state, row.error_code, row.failures, row.rescues) == (state, code, failures, 0)
    assert [error["code"] for error in row.errors] == [code] * failures
    assert (row.attempt, wait(row), row.progress == 1) == (1, seconds, state == "succeeded")


def test_each_failure_is_kept_with_its_attempt() -> None:
    job = claimed()
    queue.retry(job, wait=timedelta(), code="unavailable", message="No answer.")
    queue.snooze(claim(), until=timezone.now(), code="quota", message="A pause.")
    job = claim()
    queue.bury(job, code="internal", message="Broken.")
    job.refresh_from_db()

    assert job.failures == 2
    assert [(e["attempt"], e["code"], e["message"]) for e in job.errors] == [
        (1, "unavailable", "No answer."),
        (3, "internal", "Broken."),
    ]


def test_an_end_takes_the_worker_s_counts_along() -> None:
    job = queue.record_progress(claimed(), stage="reading", song_count=50, api_requests=2)
    assert (job.stage, job.song_count) == ("reading", 50)

    queue.succeed(job, added=3, removed=2, moved=1, skipped=4, note="Fine.", api_requests=7)
    job.refresh_from_db()

    assert (job.added, job.removed, job.moved, job.skipped) == (3, 2, 1, 4)
    assert (job.note, job.api_requests, job.song_count, job.stage) == ("Fine.", 7, 50, "")


def test_a_released_job_keeps_its_place() -> None:
    early, late = (queue.enqueue(user.pk, trigger="manual")[0] for user in listeners(2))
    job = claim()
    let_pass(SECOND)

    queue.release(job)

    assert [claim().pk, claim().pk] == [early.pk, late.pk]


# --- Cancel -----------------------------------------------------------------------------------


def test_cancelling_a_queued_request_ends_it_at_once() -> None:
    request, _ = queue.enqueue(listener().pk, trigger="manual")

    row = queue.ask_cancel(request)

    assert row is not None
    assert row.state == "cancelled"
    assert queue.claim(worker="here:1") is None


def test_cancelling_a_running_request_asks_its_worker_once() -> None:
    job = claimed()
    first = queue.ask_cancel(job)
    second = queue.ask_cancel(job)

    assert first is not None
    assert second is not None
    assert (second.state, second.completed) == ("running", None)
    assert second.cancel_asked_at == first.cancel_asked_at is not None
    assert queue.record_progress(job, song_count=1).cancel_asked_at is not None


@pytest.mark.parametrize("state", ["succeeded", "dead", "cancelled"])
def test_what_has_ended_cannot_be_cancelled(state: str) -> None:
    request = make_request(listener(), state=state)
    before = values(request)

    assert queue.ask_cancel(request) is None
    assert values(request) == before


# --- Rescue -----------------------------------------------------------------------------------


def test_a_lease_that_ran_out_is_rescued_and_counted() -> None:
    job = claimed()
    assert queue.rescue() == Counter()
    let_pass(LEASE)

    assert queue.rescue() == {"queued": 1}

    row = SyncRequest.objects.get(pk=job.pk)
    assert (row.rescues, row.failures, row.error_code) == (1, 0, "worker_lost")
    assert [(error["attempt"], error["code"]) for error in row.errors] == [(1, "worker_lost")]
    assert queue.rescue() == Counter()
    assert claim().attempt == 2


def test_the_third_rescue_buries() -> None:
    queue.enqueue(listener().pk, trigger="manual")

    verdicts = []
    for _ in range(MOST_RESCUES):
        job = claim()
        let_pass(LEASE)
        verdicts += queue.rescue()

    assert verdicts == ["queued", "queued", "dead"]
    assert len(SyncRequest.objects.get(pk=job.pk).errors) == 3


@pytest.mark.parametrize("rescues", [0, MOST_RESCUES - 1])
def test_what_was_asked_to_stop_is_cancelled_by_its_rescue(rescues: int) -> None:
    job = claimed()
    SyncRequest.objects.filter(pk=job.pk).update(rescues=rescues)
    queue.ask_cancel(job)
    let_pass(LEASE)

    assert queue.rescue() == {"cancelled": 1}


@pytest.mark.parametrize(("asked", "state"), [(False, "queued"), (True, "cancelled")])
def test_the_rescue_of_what_was_handed_over_counts_nothing(asked: bool, state: str) -> None:
    job = claimed()
    SyncRequest.objects.filter(pk=job.pk).update(rescues=MOST_RESCUES - 1)
    queue.hand_over(job)
    if asked:
        queue.ask_cancel(job)
    let_pass(HANDOVER - SECOND)
    assert queue.rescue() == Counter()
    let_pass(SECOND)

    assert queue.rescue() == {state: 1}

    row = SyncRequest.objects.get(pk=job.pk)
    assert (row.rescues, row.errors, row.error_code) == (MOST_RESCUES - 1, [], "")


# --- Prune ------------------------------------------------------------------------------------


def test_old_requests_are_pruned_but_never_a_listener_s_latest() -> None:
    ada, bea = listeners(2)
    for _ in range(5):
        make_request(ada, state="succeeded")
    last_of_bea = make_request(bea, state="dead")
    let_pass(timedelta(days=90))
    young = make_request(ada, state="succeeded")
    open_one = make_request(ada)

    assert queue.prune(age=timedelta(days=90), batch=2) == 5

    assert set(SyncRequest.objects.all()) == {last_of_bea, young, open_one}


# --- What the table refuses -------------------------------------------------------------------

LEASED: Any = {"leased_by": "here:1", "leased_until": timezone.now()}


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("running_means_leased", {"state": "running"}),
        ("running_means_leased", {"state": "running", **LEASED, "leased_by": ""}),
        ("running_means_leased", {"state": "running", **LEASED, "leased_until": None}),
        ("running_means_leased", {"state": "queued", **LEASED}),
        ("running_means_leased", {"state": "queued", "stage": "reading"}),
        ("completed_means_final", {"state": "queued", "completed": timezone.now()}),
        ("completed_means_final", {"state": "running", **LEASED, "completed": timezone.now()}),
        ("completed_means_final", {"state": "succeeded"}),
        ("completed_means_final", {"state": "dead"}),
        ("completed_means_final", {"state": "cancelled"}),
        ("completed_means_final", {"state": "unheard of"}),
        ("progress_is_a_share", {"progress": 1.01}),
        ("progress_is_a_share", {"progress": -0.01}),
    ],
)
def test_the_table_refuses_rows_that_contradict_themselves(
    constraint: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        SyncRequest.objects.create(user=listener(), trigger="manual", **fields)


@pytest.mark.parametrize("other", ["queued", "running"])
def test_the_table_refuses_a_second_open_request(other: str) -> None:
    user = listener()
    make_request(user, state="succeeded")
    make_request(user, state=other)

    with pytest.raises(IntegrityError, match="one_open_per_kind"), transaction.atomic():
        make_request(user)


def test_statements_that_are_prepared_outlive_a_migration() -> None:
    job = claimed()
    queue.release(job)

    connection.check_constraints()  # PostgreSQL alters no table with checks to come
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sync_requests ADD COLUMN later text NOT NULL DEFAULT ''")
    again, _ = queue.enqueue(job.user.pk, trigger="manual")
    job = claim()
    queue.succeed(job)

    assert (again.pk, SyncRequest.objects.get().state) == (job.pk, "succeeded")


def test_a_deleted_listener_takes_their_requests_along() -> None:
    job = claimed()
    make_request(job.user, state="succeeded")

    User.objects.filter(pk=job.user_id).delete()

    assert SyncRequest.objects.count() == 0


# --- Notifications ----------------------------------------------------------------------------

Heard = Callable[[], list[tuple[str, str]]]
END = "that is all"


@pytest.fixture
def heard(transactional_db: None) -> Iterator[Heard]:
    """What was notified since the last question, as (channel, payload)."""

    def until_end() -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {WAKE}, '{END}'")
        notes = []
        for note in listening.notifies(timeout=PATIENCE):
            if note.payload == END:
                return notes
            notes.append((note.channel, note.payload))
        raise AssertionError("the end was not heard")

    with psycopg.connect(**listen_parameters(), autocommit=True) as listening:
        listening.execute(f"LISTEN {WAKE}")
        listening.execute(f"LISTEN {CHANGES}")
        yield until_end


def test_a_wish_is_told_and_wakes_workers_with_its_commit(heard: Heard) -> None:
    user = listener()

    with transaction.atomic():
        request, _ = queue.enqueue(user.pk, trigger="manual")
        with psycopg.connect(**listen_parameters(), autocommit=True) as other:
            other.execute(f"NOTIFY {WAKE}, 'before'")

    told = (CHANGES, f"{user.pk} {request.pk}")
    assert heard() == [(WAKE, "before"), told, (WAKE, "")]


def test_a_wish_that_is_rolled_back_is_not_told(heard: Heard) -> None:
    user = listener()

    with transaction.atomic():
        queue.enqueue(user.pk, trigger="manual")
        transaction.set_rollback(True)

    assert heard() == []


@pytest.mark.parametrize(
    ("write", "wakes"),
    [
        ("record_progress", False),
        ("hand_over", False),
        ("succeed", False),
        ("cancelled", False),
        ("bury", False),
        ("retry", False),
        ("snooze", False),
        ("release", True),
    ],
)
def test_every_change_is_told_and_what_is_due_wakes_workers(
    heard: Heard, write: str, wakes: bool
) -> None:
    job = claimed()
    told = (CHANGES, f"{job.user_id} {job.pk}")
    assert heard() == [told, (WAKE, "")]

    WRITERS[write](job)

    assert heard() == [told, (WAKE, "")][: 1 + wakes]


def test_a_longer_lease_is_nothing_to_tell(heard: Heard) -> None:
    job = claimed()
    heard()

    queue.hold_for(job, HOUR)
    queue.heartbeat([job])

    assert heard() == []


def test_a_rescue_is_told_and_wakes_workers(heard: Heard) -> None:
    job = claimed()
    heard()
    let_pass(LEASE)

    queue.rescue()

    assert heard() == [(CHANGES, f"{job.user_id} {job.pk}"), (WAKE, "")]


def test_a_request_to_stop_is_told(heard: Heard) -> None:
    job = claimed()
    heard()

    queue.ask_cancel(job)

    assert heard() == [(CHANGES, f"{job.user_id} {job.pk}")]


# --- Races ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_eight_claimers_share_out_two_thousand_jobs() -> None:
    made = SyncRequest.objects.bulk_create(
        SyncRequest(user=user, trigger="manual") for user in listeners(2000)
    )

    def claim_all() -> list[tuple[int, int]]:
        jobs = []
        while job := queue.claim(worker="here:1"):
            jobs.append((job.pk, job.attempt))
        return jobs

    shares = at_once(*[claim_all] * 8)

    assert Counter(job for share in shares for job in share) == Counter((row.pk, 1) for row in made)
    assert SyncRequest.objects.filter(state="running").count() == 2000


@pytest.mark.django_db(transaction=True)
def test_of_wishes_at_once_one_makes_the_request() -> None:
    user = listener()

    outcomes = at_once(*[lambda: queue.enqueue(user.pk, trigger="manual")] * 8)

    assert Counter(is_new for _, is_new in outcomes) == {True: 1, False: 7}
    assert {request.pk for request, _ in outcomes} == {SyncRequest.objects.get().pk}


@pytest.mark.django_db(transaction=True)
def test_rescuers_at_once_count_each_lost_job_once() -> None:
    lost = {"state": "running", "leased_by": "gone:1", "leased_until": timezone.now() - HOUR}
    SyncRequest.objects.bulk_create(
        SyncRequest(user=user, trigger="manual", **lost) for user in listeners(300)
    )

    def rescue_all() -> Counter[str]:
        total: Counter[str] = Counter()
        while rescued := queue.rescue():
            total += rescued
        return total

    assert sum(at_once(*[rescue_all] * 4), Counter()) == {"queued": 300}
    assert set(SyncRequest.objects.values_list("state", "rescues")) == {("queued", 1)}


@pytest.mark.django_db(transaction=True)
def test_a_wish_waits_for_who_holds_the_listener_before_it_makes_a_request() -> None:
    user, is_held = listener(), Event()

    @transaction.atomic
    def sign_in() -> None:
        list(User.objects.select_for_update().filter(pk=user.pk))
        is_held.set()
        wait_until_blocked()
        queue.enqueue(user.pk, trigger="first")

    with ThreadPoolExecutor(2) as pool:
        signing_in = in_thread(pool, sign_in)
        assert is_held.wait(PATIENCE)
        wish = in_thread(pool, lambda: queue.enqueue(user.pk, trigger="manual"))
        signing_in.result(PATIENCE)
        assert not wish.result(PATIENCE)[1]

    assert SyncRequest.objects.get().trigger == "first"
