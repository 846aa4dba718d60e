"""The threads of event streams: few, and with a connection only while calls are waiting."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection

from sync.pages.events import Threads
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    """The connection of this thread, as PostgreSQL numbers it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [number] = cursor.fetchone()
    time.sleep(0.002)
    return int(number)


def is_connected() -> bool:
    return connection.connection is not None


def all_of(threads: Threads, *calls: Callable[[], object]) -> list[object]:
    async def run() -> list[object]:
        made = [threads.call(call) for call in calls]
        return await asyncio.gather(*made, return_exceptions=True)

    return asyncio.run(run())


def test_calls_that_wait_share_the_connections_of_two_threads() -> None:
    threads = Threads(2)

    numbers = all_of(threads, *[backend] * 50)

    assert 1 <= len(set(numbers)) <= 2
    # The answer to the last call comes before its connection is given back.
    wait_until(lambda: True not in all_of(threads, *[is_connected] * 2))


def test_calls_of_a_loop_that_has_ended_stop_nobody() -> None:
    threads = Threads(1)

    for number in range(200):
        assert all_of(threads, lambda: number) == [number]  # noqa: B023 - called at once


def test_a_call_that_fails_takes_no_other_with_it() -> None:
    def fail() -> None:
        backend()
        raise LookupError("nobody")

    first, error, second = all_of(Threads(1), backend, fail, backend)

    assert isinstance(error, LookupError)
    assert first != second  # a connection that may be broken is not used again
    assert isinstance(second, int)


def test_a_call_that_nobody_waits_for_is_not_made() -> None:
    made, release = [], threading.Event()

    async def run() -> None:
        threads = Threads(1)
        blocking = asyncio.create_task(threads.call(release.wait, 10.0))
        left = asyncio.create_task(threads.call(made.append, "left"))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        release.set()
        await blocking
        await threads.call(made.append, "last")

    asyncio.run(run())

    assert made == ["last"]
