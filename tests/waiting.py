"""Waiting for what other threads and processes do, and threads that give their connection back."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier

from django.db import connection, connections

#: Seconds until a wait fails. Far more than is needed: a busy machine is no failure.
PATIENCE = 120.0


def wait_until(
    is_so: Callable[[], object],
    explain: Callable[[], str] = str,
    *,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, explain()
        pause(0.02)


def wait_until_blocked() -> None:
    """Until some transaction in this database waits for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def somebody_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction keeps its first look
            cursor.execute(waiting)
            return bool(cursor.fetchone()[0])

    wait_until(somebody_waits, lambda: "nobody waits for a lock")


def in_thread[T](pool: ThreadPoolExecutor, work: Callable[..., T], *given: object) -> Future[T]:
    """``work`` in a thread of the pool, whose database connections are closed at the end."""

    def call() -> T:
        try:
            return work(*given)
        finally:
            connections.close_all()

    return pool.submit(call)


def at_once[T](*calls: Callable[[], T]) -> list[T]:
    """What the calls return, each of which begins in its own thread when all are ready."""
    ready = Barrier(len(calls))

    def begin(call: Callable[[], T]) -> T:
        ready.wait(PATIENCE)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        begun = [in_thread(pool, begin, call) for call in calls]
        return [one.result() for one in begun]
