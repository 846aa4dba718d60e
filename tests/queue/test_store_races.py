"""Wishes, ends and deletions in the same moment, each in a connection of its own.

A wish made while its job ends is served once, whichever of the two is first: as the request that
follows, or as a new one.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from sync.models import Connection, SyncRequest
from sync.queue import store as queue
from sync.queue.connected import enqueue_due_services
from sync.queue.locks import lock_user
from sync.queue.store import LEASE, MOST_RESCUES, LeaseLost
from tests.waiting import PATIENCE, in_thread, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 25
HOUR = timedelta(hours=1)
ERROR: Any = {"code": "unavailable", "message": "No answer."}

End = Callable[[SyncRequest], object]


def _rescue(_: SyncRequest) -> None:
    """Bury what was made ``lost``, as soon as no other statement holds the row."""
    while not queue.rescue():
        time.sleep(0.001)


FINAL: dict[str, End] = {
    "succeed": queue.succeed,
    "cancelled": queue.cancelled,
    "bury": lambda job: queue.bury(job, **ERROR),
    "rescue": _rescue,
}
REQUEUED: dict[str, End] = {
    "retry": lambda job: queue.retry(job, wait=HOUR, **ERROR),
    "snooze": lambda job: queue.snooze(job, until=timezone.now() + HOUR, **ERROR),
    "release": queue.release,
}
ENDS = FINAL | REQUEUED


def running_job(end: str = "") -> SyncRequest:
    """A job that this test holds; the rescue may bury it if that is its end."""
    queue.enqueue(User.objects.create(spotify_id="ada").pk, trigger="scheduled")
    job = queue.claim(worker="here:1")
    assert job is not None
    if end == "rescue":
        lost = timezone.now() - HOUR
        SyncRequest.objects.update(leased_until=lost, rescues=MOST_RESCUES - 1)
    return job


def wish(job: SyncRequest) -> tuple[SyncRequest, bool]:
    return queue.enqueue(job.user_id, trigger="manual")


@contextmanager
def elsewhere() -> Iterator[Callable[..., Future[Any]]]:
    """Runs functions in threads with connections of their own."""
    with ThreadPoolExecutor(8) as pool:
        yield partial(in_thread, pool)


def wait_for_a_waiter() -> None:
    """Return when a statement of another connection waits for a lock of this one."""

    def one_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks"
                " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            return bool(cursor.fetchone()[0])

    wait_until(one_waits, lambda: "nothing waits")


def states() -> list[str]:
    return list(SyncRequest.objects.order_by("id").values_list("state", flat=True))


# --- In each order ----------------------------------------------------------------------------


@pytest.mark.parametrize("end", [end for end in FINAL if end != "rescue"])
def test_an_end_that_waits_for_a_wish_queues_what_was_wished(end: str) -> None:
    job = running_job()

    with elsewhere() as start:
        with transaction.atomic():
            request, is_new = wish(job)
            ending = start(ENDS[end], job)
            wait_for_a_waiter()
        ending.result()

    assert (request.pk, is_new) == (job.pk, False)
    ended, follower = SyncRequest.objects.order_by("id")
    assert ended.completed is not None
    assert (follower.user_id, follower.kind) == (job.user_id, job.kind)
    assert (follower.state, follower.trigger, follower.priority) == ("queued", "manual", 10)
    assert (follower.attempt, follower.again) == (0, "")


@pytest.mark.parametrize("end", REQUEUED)
def test_what_is_queued_again_serves_the_wish_it_waited_for(end: str) -> None:
    job = running_job()

    with elsewhere() as start:
        with transaction.atomic():
            wish(job)
            ending = start(ENDS[end], job)
            wait_for_a_waiter()
        ending.result()

    assert states() == ["queued"]


@pytest.mark.parametrize("end", ENDS)
def test_a_wish_that_waits_for_an_end_makes_a_new_request_or_joins_the_queued_one(end: str) -> None:
    job = running_job(end)

    with elsewhere() as start:
        with transaction.atomic():
            ENDS[end](job)
            wishing = start(wish, job)
            wait_for_a_waiter()
        request, is_new = wishing.result()

    assert is_new == (end in FINAL)
    assert (request.pk == job.pk) == (end in REQUEUED)
    assert SyncRequest.objects.filter(completed=None).get().pk == request.pk


@pytest.mark.parametrize("end", FINAL)
def test_a_wish_joins_the_follower_of_the_end_that_it_waited_for(end: str) -> None:
    job = running_job(end)
    wish(job)

    with elsewhere() as start:
        with transaction.atomic():
            ENDS[end](job)
            wishing = start(wish, job)
            wait_for_a_waiter()
        request, is_new = wishing.result()

    assert not is_new
    assert SyncRequest.objects.filter(completed=None).get().pk == request.pk != job.pk


def test_a_wish_outlives_an_end_that_is_rolled_back() -> None:
    job = running_job()

    with elsewhere() as start:
        with transaction.atomic():
            queue.succeed(job)
            wishing = start(wish, job)
            wait_for_a_waiter()
            transaction.set_rollback(True)
        wishing.result()
    queue.succeed(job)

    assert states() == ["succeeded", "queued"]


def test_a_heartbeat_in_the_moment_of_the_end_takes_nothing_from_it() -> None:
    job = running_job()
    wish(job)

    with elsewhere() as start:
        with transaction.atomic():
            assert queue.heartbeat([job]) == {job.pk}
            ending = start(queue.succeed, job)
            wait_for_a_waiter()
        ending.result()

    assert states() == ["succeeded", "queued"]


# --- At once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_wishes_in_the_moment_of_the_end_are_served_once(end: str) -> None:
    for _ in range(ROUNDS):
        User.objects.all().delete()
        job = running_job(end)
        barrier = threading.Barrier(4)

        def together(step: Callable[[SyncRequest], Any], job: SyncRequest = job) -> Any:
            User.objects.exists()  # the connection is there
            barrier.wait(PATIENCE)  # noqa: B023 - the threads end with the round
            return step(job)

        with elsewhere() as start:
            ending, *wishing = [start(together, step) for step in (ENDS[end], *[wish] * 3)]
            ending.result()
            answers = [each.result() for each in wishing]

        assert sum(is_new for _, is_new in answers) <= 1
        open_one = SyncRequest.objects.get(completed=None)
        assert (open_one.state, open_one.attempt) == ("queued", 0 if end in FINAL else 1)
        assert SyncRequest.objects.count() == (2 if end in FINAL else 1)


# --- The lock of the listener -----------------------------------------------------------------


@pytest.mark.parametrize("wished", [False, True])
@pytest.mark.parametrize("end", [end for end in ENDS if end != "rescue"])
def test_an_end_waits_for_a_deletion_and_holds_nothing_meanwhile(end: str, wished: bool) -> None:
    job = running_job()
    if wished:
        wish(job)

    with elsewhere() as start:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=job.user_id)
            ending = start(ENDS[end], job)
            wait_for_a_waiter()
            # The end would have locked the request first if it did not keep the order.
            SyncRequest.objects.select_for_update(nowait=True).get(pk=job.pk)
            User.objects.filter(pk=job.user_id).delete()
        with pytest.raises(LeaseLost):
            ending.result()

    assert states() == []


@pytest.mark.parametrize("end", ["succeed", "release"])
def test_a_lease_that_was_lost_while_the_end_waited_ends_nothing(end: str) -> None:
    job = running_job()

    with elsewhere() as start:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=job.user_id)
            ending = start(ENDS[end], job)
            wait_for_a_waiter()
            SyncRequest.objects.update(leased_until=timezone.now() - LEASE)
            assert queue.rescue() == {"queued": 1}
            again = queue.claim(worker="there:2")
        with pytest.raises(LeaseLost):
            ending.result()

    assert again is not None
    assert SyncRequest.objects.get().leased_by == "there:2"


def test_a_deletion_waits_for_an_end_that_was_first() -> None:
    job = running_job()
    wish(job)

    def delete() -> None:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=job.user_id)
            User.objects.filter(pk=job.user_id).delete()

    with elsewhere() as start:
        with transaction.atomic():
            queue.succeed(job)
            deleting = start(delete)
            wait_for_a_waiter()
        deleting.result()

    assert states() == []


def test_two_parts_of_a_listener_end_side_by_side() -> None:
    """The lock of an end keeps off a deletion only, not another worker of the same listener."""
    job = running_job()
    queue.enqueue(job.user_id, "subsonic", trigger="manual")
    other = queue.claim(worker="there:2")
    assert other is not None

    with elsewhere() as start, transaction.atomic():
        lock_user(job.user_id)
        queue.succeed(job)
        start(queue.succeed, other).result(PATIENCE)

    assert states() == ["succeeded", "succeeded"]


def test_a_turn_goes_on_after_a_listener_whose_deletion_it_waited_for() -> None:
    ada, bea = (User.objects.create(spotify_id=name) for name in ("ada", "bea"))
    for user in (ada, bea):
        Connection.objects.create(user=user, service="subsonic")

    with elsewhere() as start:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=ada.pk)
            turn = start(enqueue_due_services)
            wait_for_a_waiter()
            User.objects.filter(pk=ada.pk).delete()
        turn.result()

    assert SyncRequest.objects.get().user_id == bea.pk


# --- Round trips ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("wished", [False, True])
def test_an_end_is_one_statement(
    end: str, wished: bool, django_assert_num_queries: Callable[[int], Any]
) -> None:
    job = running_job(end)
    if wished:
        wish(job)

    with django_assert_num_queries(1):
        ENDS[end](job)
