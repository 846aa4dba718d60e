"""Steps that run beside their caller: their order, their errors, and what they see."""

import threading
import time

import pytest
from django.db import connection, transaction

from accounts.models import User
from sync.library.meanwhile import Meanwhile
from tests.builders import make_user
from tests.waiting import PATIENCE, wait_until


@pytest.mark.django_db(transaction=True)
class TestOutsideATransaction:
    def test_a_step_runs_beside_its_caller_and_after_the_step_before(self) -> None:
        done: list[str] = []
        may_end = threading.Event()

        def slow() -> None:
            assert may_end.wait(PATIENCE)
            done.append("slow")

        with Meanwhile() as meanwhile:
            meanwhile(slow)
            assert done == []
            may_end.set()
            meanwhile(lambda: done.append("next"))
        assert done == ["slow", "next"]

    def test_what_a_step_stores_is_there_at_the_end(self) -> None:
        with Meanwhile() as meanwhile:
            meanwhile(lambda: make_user("ada") and None)

        assert User.objects.filter(spotify_id="ada").exists()

    def test_the_connection_of_the_steps_is_closed(self) -> None:
        seen: list[int] = []
        with Meanwhile() as meanwhile:
            meanwhile(lambda: seen.append(backend()))

        assert seen != [backend()]
        wait_until(lambda: not is_connected(seen[0]))

    def test_an_error_is_raised_by_the_next_call(self) -> None:
        done: list[str] = []
        with Meanwhile() as meanwhile:
            meanwhile(fail)
            with pytest.raises(ZeroDivisionError):
                meanwhile(lambda: done.append("after"))
        assert done == []

    def test_an_error_of_the_last_step_is_raised_at_the_end(self) -> None:
        with pytest.raises(ZeroDivisionError), Meanwhile() as meanwhile:
            meanwhile(fail)

    def test_an_error_of_the_caller_comes_first_and_the_step_has_ended(self) -> None:
        done: list[str] = []

        def slow_failure() -> None:
            time.sleep(0.05)
            done.append("slow")
            fail()

        def stop_early() -> None:
            with Meanwhile() as meanwhile:
                meanwhile(slow_failure)
                raise KeyError

        with pytest.raises(KeyError):
            stop_early()
        assert done == ["slow"]


@pytest.mark.django_db
def test_inside_a_transaction_a_step_runs_at_once_and_sees_it() -> None:
    threads: list[threading.Thread] = []
    with transaction.atomic(), Meanwhile() as meanwhile:
        make_user("ada")
        meanwhile(lambda: threads.append(threading.current_thread()))
        assert threads == [threading.current_thread()]
        with pytest.raises(ZeroDivisionError):
            meanwhile(fail)


def fail() -> None:
    raise ZeroDivisionError


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def is_connected(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid])
        return bool(cursor.fetchone()[0])
