"""What must hold when processes are killed, stopped, frozen and cut off: with real ones."""

import re
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.deletion import delete_account
from accounts.models import User
from sync.mirrors.services import cancel_sync, request_sync
from sync.models import Library, Playlist, Process, SyncRequest
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from tests.builders import connect, make_user
from tests.driving import wait_of
from tests.processes import Child
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

type Start = Callable[..., Child]
type Program = tuple[str, ...]

MANAGE: Program = ("manage.py",)
#: The same with a clock that is a day ahead at one look, and a day behind at the next.
MANAGE_WITH_JUMPING_CLOCK: Program = (
    "-c",
    """
import itertools, runpy, time
from datetime import timedelta
from django.utils import timezone

days = itertools.cycle([1, -1])
now, seconds = timezone.now, time.time
timezone.now = lambda: now() + timedelta(days=next(days))
time.time = lambda: seconds() + 86400 * next(days)
runpy.run_path("manage.py", run_name="__main__")
""",
)


@pytest.fixture
def start(tmp_path: Path, process_env: dict[str, str]) -> Iterator[Start]:
    children: list[Child] = []

    def start_child(*arguments: str, program: Program = MANAGE) -> Child:
        log = tmp_path / f"{len(children)}.log"
        child = Child(log, process_env, *program, *arguments)
        children.append(child)
        return child

    yield start_child
    for child in children:
        child.close()


@pytest.fixture
def listener(process_env: dict[str, str], simulator: Simulator) -> User:
    return connect(simulator, "ada")


@pytest.fixture
def slow(simulator: Simulator) -> Simulator:
    """Every answer of Spotify takes most of a second: time to meet a sync in the middle."""
    simulator.fault("latency", seconds=0.7, times=0)
    return simulator


def row(request: SyncRequest) -> SyncRequest:
    request.refresh_from_db()
    return request


def wait_for(request: SyncRequest, state: str, child: Child) -> SyncRequest:
    wait_until(lambda: row(request).state == state, lambda: child.log)
    return request


def wait_until_in_the_middle(request: SyncRequest, child: Child) -> None:
    """It has read something: its worker is past the start, and far from the end."""
    wait_until(lambda: row(request).stage != "", lambda: child.log)


def is_mirrored(simulator: Simulator, user: User) -> bool:
    volume = Playlist.objects.get(mirror__user=user)
    liked = simulator.liked(user.spotify_id)
    wanted = [track if ":" in track else f"spotify:track:{track}" for track in liked]
    return simulator.playlist_uris(volume.spotify_id or "") == wanted


def let_lease_run_out(request: SyncRequest) -> None:
    SyncRequest.objects.filter(pk=request.pk).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )


# --- The end of a worker ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "program", [MANAGE, MANAGE_WITH_JUMPING_CLOCK], ids=["", "with a clock that jumps"]
)
def test_a_killed_worker_is_replaced_and_the_playlist_ends_right(
    program: Program, start: Start, slow: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)
    first = start("runworker", "--lease", "2", program=program)
    wait_until_in_the_middle(request, first)

    first.send(signal.SIGKILL)
    first.ends()
    slow.clear_faults()
    second = start("runworker", program=program)

    wait_for(request, "succeeded", second)
    assert (request.attempt, request.rescues, request.failures) == (2, 1, 0)
    assert is_mirrored(slow, listener)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_releases_the_sync_and_ends_cleanly(
    number: signal.Signals, start: Start, slow: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)
    worker = start("runworker")
    wait_until_in_the_middle(request, worker)

    worker.send(number)

    assert worker.ends() == 0, worker.log
    assert row(request).state == "queued"
    assert (request.attempt, request.failures, request.rescues) == (1, 0, 0)
    assert not Process.objects.filter(kind="worker").exists()


def test_a_second_signal_ends_the_worker_at_once(
    start: Start, simulator: Simulator, listener: User
) -> None:
    simulator.fault("latency", seconds=15, times=0)
    request = request_sync(user=listener)
    worker = start("runworker")
    wait_until(lambda: row(request).attempt == 1 and bool(simulator.count()), lambda: worker.log)

    worker.send(signal.SIGINT)
    worker.says("worker stopping")
    worker.send(signal.SIGINT)

    assert worker.ends() == -signal.SIGINT
    assert row(request).state == "running"


def test_a_call_under_way_is_handed_over_at_the_end_of_patience(
    start: Start, simulator: Simulator, listener: User
) -> None:
    simulator.fault("latency", seconds=15, times=0)
    request = request_sync(user=listener)
    worker = start("runworker")
    wait_until(lambda: row(request).attempt == 1 and bool(simulator.count()), lambda: worker.log)

    worker.send(signal.SIGTERM)

    assert worker.ends() == 0, worker.log
    assert (row(request).state, request.leased_by) == ("running", "handed over")
    let_lease_run_out(request)
    queue.rescue()
    assert (row(request).state, request.rescues) == ("queued", 0)


# --- A zombie ---------------------------------------------------------------------------------


def test_a_worker_that_comes_back_too_late_writes_nothing(
    start: Start, slow: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)
    zombie = start("runworker", "--lease", "2")
    wait_until_in_the_middle(request, zombie)
    zombie.send(signal.SIGSTOP)
    slow.clear_faults()
    other = start("runworker")
    wait_for(request, "succeeded", other)
    wrote = writes(slow)

    zombie.send(signal.SIGCONT)
    zombie.says("lease lost")

    assert writes(slow) == wrote
    assert (row(request).state, request.attempt, request.rescues) == ("succeeded", 2, 1)
    assert is_mirrored(slow, listener)
    # It has not taken offence: it works on.
    other.send(signal.SIGTERM)
    assert other.ends() == 0
    wait_for(request_sync(user=listener), "succeeded", zombie)


def writes(simulator: Simulator) -> int:
    return simulator.count() - simulator.count("GET")


# --- A clock that jumps -----------------------------------------------------------------------


def test_workers_whose_clock_jumps_keep_their_leases_and_wait_as_long_as_others(
    start: Start, slow: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)
    workers = [
        start("runworker", "--lease", "5", program=MANAGE_WITH_JUMPING_CLOCK) for _ in range(2)
    ]
    wait_for(request, "succeeded", workers[0])
    assert (request.attempt, request.rescues) == (1, 0)
    assert is_mirrored(slow, listener)
    slow.clear_faults()

    slow.unlike("ada", *slow.liked("ada"))
    confirming = wait_until_put_off(request_sync(user=listener), workers[0])
    slow.fault("status", code=503, path="/me/tracks", times=0)
    failed = wait_until_put_off(request_sync(user=connect(slow, "bea")), workers[0])

    assert (confirming.error_code, failed.error_code) == ("confirming_removal", "unavailable")
    assert timedelta(minutes=59) < wait_of(confirming) < timedelta(minutes=61)
    assert timedelta(seconds=20) < wait_of(failed) < timedelta(seconds=40)
    assert confirming.attempt == failed.attempt == 1


def wait_until_put_off(request: SyncRequest, child: Child) -> SyncRequest:
    wait_until(lambda: row(request).error_code != "", lambda: child.log)
    return request


# --- A lost database --------------------------------------------------------------------------


def cut_connections() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_an_idle_worker_survives_the_loss_of_its_connections(
    start: Start, simulator: Simulator, listener: User
) -> None:
    worker = start("runworker")
    worker.says("listening")
    cut_connections()
    worker.says("listening lost")

    wait_for(request_sync(user=listener), "succeeded", worker)
    assert worker.log.count("listening channel") == 2


def test_a_sync_survives_the_loss_of_all_connections(
    start: Start, slow: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)
    worker = start("runworker")
    wait_until_in_the_middle(request, worker)

    cut_connections()
    wait_until(lambda: row(request).attempt == 2, lambda: worker.log)
    slow.clear_faults()

    wait_for(request, "succeeded", worker)
    assert (request.attempt, request.failures, request.rescues) == (2, 0, 0)
    assert is_mirrored(slow, listener)


# --- Changes of mind --------------------------------------------------------------------------


def test_a_running_sync_is_cancelled_at_the_next_safe_point(
    start: Start, slow: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)
    worker = start("runworker")
    wait_until_in_the_middle(request, worker)

    cancel_sync(request)

    wait_for(request, "cancelled", worker)
    assert request.failures == 0


def test_a_listener_deleted_in_the_middle_leaves_nothing_and_stops_nobody(
    start: Start, slow: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)
    worker = start("runworker", "--concurrency", "1")
    wait_until_in_the_middle(request, worker)

    delete_account(listener)
    worker.says("lease lost")
    left = [slow.playlist_uris(playlist) for playlist in slow.playlists("ada")]

    slow.clear_faults()
    wait_for(request_sync(user=connect(slow, "bea")), "succeeded", worker)
    assert not SyncRequest.objects.filter(pk=request.pk).exists()
    assert [slow.playlist_uris(playlist) for playlist in slow.playlists("ada")] == left


# --- Commands ---------------------------------------------------------------------------------


def test_schedulers_at_once_queue_everybody_once(start: Start, process_env: dict[str, str]) -> None:
    for number in range(100):
        make_user(f"listener-{number}")
    Library.objects.update(next_due=timezone.now() - timedelta(hours=1))

    schedulers = [start("schedule_syncs") for _ in range(2)]

    assert [scheduler.ends() for scheduler in schedulers] == [0, 0]
    counts = [re.search(r"Queued (\d+) sync", scheduler.log) for scheduler in schedulers]
    assert sum(int(count[1]) for count in counts if count) == 100
    assert SyncRequest.objects.count() == 100


def test_a_worker_with_scheduler_does_both(
    start: Start, simulator: Simulator, listener: User
) -> None:
    Library.objects.update(next_due=timezone.now() - timedelta(hours=1))

    worker = start("runworker", "--with-scheduler")

    wait_until(lambda: SyncRequest.objects.filter(trigger="scheduled", state="succeeded").exists())
    worker.send(signal.SIGTERM)
    assert worker.ends() == 0
    assert not Process.objects.exists()


BROKEN_SCHEDULER: Program = (
    "-c",
    """
import runpy
import django
django.setup()
from sync.queue import scheduler as scheduling

del scheduling.take_turn
runpy.run_path("manage.py", run_name="__main__")
""",
)


def test_a_worker_that_has_lost_its_scheduler_ends_with_an_error(start: Start) -> None:
    worker = start("runworker", "--with-scheduler", program=BROKEN_SCHEDULER)

    assert worker.ends() == 1
    assert "A thread of the worker has ended" in worker.log


def test_a_drain_works_what_is_ready_and_ends(
    start: Start, simulator: Simulator, listener: User
) -> None:
    request = request_sync(user=listener)

    worker = start("runworker", "--drain")

    assert worker.ends() == 0, worker.log
    assert row(request).state == "succeeded"


def test_sync_now_follows_a_sync_to_its_success(
    start: Start, simulator: Simulator, listener: User
) -> None:
    start("runworker")

    command = start("sync_now", "ada", "--wait")

    assert command.ends() == 0, command.log
    assert "Done: 180 songs, 180 added" in command.log


def test_sync_now_fails_with_the_sync(start: Start, simulator: Simulator, listener: User) -> None:
    simulator.revoke("ada")
    simulator.expire_access_tokens("ada")
    start("runworker")

    command = start("sync_now", "ada", "--wait")

    assert command.ends() == 1
    assert "The sync is dead." in command.log


def test_sync_now_knows_who_is_unknown() -> None:
    with pytest.raises(CommandError, match="'nobody'"):
        call_command("sync_now", "nobody")
