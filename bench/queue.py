"""Benchmark of the job queue, compared with bare commits: ``python -m bench.queue``.

It works in an embedded PostgreSQL of its own, which it empties first.
"""

import argparse
import multiprocessing
import os
import random
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from bench.setup import head, line, percentiles, set_up

DATA_DIR = set_up("queue")

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from sync.models import SyncRequest  # noqa: E402
from sync.queue import store as queue  # noqa: E402
from sync.queue.job import Job  # noqa: E402
from sync.queue.scheduler import enqueue_due_syncs  # noqa: E402
from sync.queue.wake import listen_parameters  # noqa: E402
from sync.queue.worker import Worker  # noqa: E402

#: Short alternating rounds, so that load on the machine affects all variants equally.
ROUNDS = 7
CLAIMS = 500

processes = multiprocessing.get_context("spawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200, help="to drain in each round")
    parser.add_argument("--rows", type=int, default=100_000, help="that a claim meets at most")
    parser.add_argument("--listeners", type=int, default=20_000, help="who are due at once")
    parser.add_argument("--latency", action="store_true", help="only from a wish to its start")
    sizes = parser.parse_args()

    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    execute(
        "INSERT INTO users (spotify_id, display_name, is_active, is_operator, session_version)"
        " SELECT 'listener-' || n, '', true, false, 0 FROM generate_series(1, %s) AS n",
        max(sizes.jobs, sizes.rows + CLAIMS, sizes.listeners),
    )
    execute("VACUUM ANALYZE users")
    [[version]] = execute("SHOW server_version")
    print(f"PostgreSQL {version}, {os.cpu_count()} cores, busy with {os.getloadavg()[0]:.1f}")

    show_latency(300)
    if sizes.latency:
        return
    show_drain(sizes.jobs)
    show_claims(sizes.rows)
    show_scheduling(sizes.listeners)
    connection.close()


# --- Rows -------------------------------------------------------------------------------------


def execute(statement: str, *params: object) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def empty() -> None:
    execute("TRUNCATE sync_requests CASCADE")


def fill(count: int, *, state: str = "queued", skip: int = 0) -> None:
    """Queue a request for this many listeners, after the first ``skip``."""
    completed = "NULL" if state == "queued" else "statement_timestamp()"
    execute(
        "INSERT INTO sync_requests (user_id, trigger, state, completed)"
        f" SELECT id, 'scheduled', %s, {completed} FROM users ORDER BY id LIMIT %s OFFSET %s",
        state,
        count,
        skip,
    )


# --- Other processes --------------------------------------------------------------------------


def start(child: Callable[[Connection], None]) -> Connection:
    """Run ``child`` in a process that ends with ours; returns our end of the pipe to it."""
    ours, theirs = processes.Pipe()
    processes.Process(target=_in_child, args=[child, theirs], daemon=True).start()
    ours.recv()
    return ours


def _in_child(child: Callable[[Connection], None], pipe: Connection) -> None:
    # Logging is part of a worker's work, but is not shown here.
    with (DATA_DIR / "worker.log").open("a") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    User.objects.exists()
    pipe.send("ready")
    child(pipe)
    connection.close()
    pipe.send("ended")


# --- Jobs per second --------------------------------------------------------------------------


def show_drain(jobs: int) -> None:
    pipes = [start(drain_as_told) for _ in range(2)]
    runs: dict[str, Callable[[], float]] = {
        "bare: two one-row commits a job, one connection": lambda: bare(jobs),
        "queue alone: claim and succeed": lambda: queue_alone(jobs),
        "worker, 1 process, 2 threads as by default": lambda: drain(jobs, pipes[:1], threads=2),
        "worker, 1 process, 1 thread": lambda: drain(jobs, pipes[:1], threads=1),
        "worker, 2 processes, 1 thread each": lambda: drain(jobs, pipes, threads=1),
    }
    rounds = [[run() for run in runs.values()] for _ in range(ROUNDS)]
    for pipe in pipes:
        pipe.send(0)
        pipe.recv()

    head(f"drain of {jobs:,} no-op jobs, {ROUNDS} rounds", "jobs/s, median", "best", "of bare")
    for name, rates in zip(runs, zip(*rounds, strict=True), strict=True):
        share = statistics.median(
            rate / limit for rate, (limit, *_) in zip(rates, rounds, strict=True)
        )
        line(name, f"{statistics.median(rates):,.0f}", f"{max(rates):,.0f}", f"{share:.0%}")


def bare(jobs: int) -> float:
    """Prepared statements, nothing read, no index to keep but the key's."""
    execute("DROP TABLE IF EXISTS bare")
    execute("CREATE TABLE bare (id bigint PRIMARY KEY, n int NOT NULL)")
    execute("INSERT INTO bare SELECT n, 0 FROM generate_series(1, %s) AS n", jobs)
    with psycopg.connect(**listen_parameters(), autocommit=True) as connected:
        cursor, began = connected.cursor(), time.perf_counter()
        for pk in range(jobs):
            for _ in ("claim", "succeed"):
                cursor.execute("UPDATE bare SET n = n + 1 WHERE id = %s", [pk + 1], prepare=True)
        return jobs / (time.perf_counter() - began)


def queue_alone(jobs: int) -> float:
    empty()
    fill(jobs)
    began = time.perf_counter()
    while job := queue.claim(worker="bench"):
        queue.succeed(job)
    return jobs / (time.perf_counter() - began)


def drain(jobs: int, pipes: list[Connection], *, threads: int) -> float:
    """From the first claim to the last success, by the database's clock."""
    empty()
    fill(jobs)
    for pipe in pipes:
        pipe.send(threads)
    for pipe in pipes:
        pipe.recv()
    assert SyncRequest.objects.filter(state=SyncRequest.State.SUCCEEDED).count() == jobs
    [[seconds]] = execute(
        "SELECT extract(epoch FROM max(completed) - min(started)) FROM sync_requests"
    )
    return jobs / float(seconds)


def drain_as_told(pipe: Connection) -> None:
    """Drain the queue with ``runworker --drain``."""
    while threads := pipe.recv():
        worker = Worker(runners={"spotify": do_nothing}, concurrency=threads, drain=True)
        worker.start()
        while worker.is_working:
            time.sleep(0.01)
        worker.stop()
        pipe.send("drained")


def do_nothing(job: Job) -> None:
    queue.succeed(job.request)


# --- From the request to the start ------------------------------------------------------------


def show_latency(rounds: int) -> None:
    """An idle worker as ``runworker`` starts it; another process enqueues the requests.

    Each wish follows a bare NOTIFY and a bare row, so that load affects all alike: what no queue in
    PostgreSQL can do without.
    """
    empty()
    execute("DROP TABLE IF EXISTS bare")
    execute("CREATE TABLE bare (id bigint PRIMARY KEY, n int NOT NULL)")
    user, worker = User(pk=execute("SELECT min(id) FROM users")[0][0]), start(work_until_told)
    listener = start(listen_until_told)
    with psycopg.connect(**listen_parameters(), autocommit=True) as bare:
        runs: dict[str, Callable[[], float]] = {
            "bare NOTIFY, heard": lambda: seconds_to_answer(
                listener, lambda: bare.execute("NOTIFY bare, 'heard'", prepare=True)
            ),
            "bare row with NOTIFY, heard and updated": lambda: seconds_to_answer(
                listener, lambda: bare.execute(_BARE_WISH, prepare=True)
            ),
            "wish, to the job's first line": lambda: seconds_to_answer(
                worker, lambda: queue.enqueue(user.pk, trigger="manual")
            ),
        }
        taken = [[run() for run in runs.values()] for _ in range(rounds + 20)][20:]  # warm
    for pipe in (worker, listener):
        pipe.send("end")
        pipe.recv()

    head(f"idle queue, {rounds} rounds", "p50", "p99", "max", "p50 to the last")
    medians = [statistics.median(times) for times in zip(*taken, strict=True)]
    for name, times, median in zip(runs, zip(*taken, strict=True), medians, strict=True):
        line(name, *percentiles(list(times)), f"{medians[-1] / median:.2f} ×")


_BARE_WISH = """
WITH wish AS (INSERT INTO bare SELECT coalesce(max(id), 0) + 1, 0 FROM bare RETURNING id)
SELECT pg_notify('bare', id::text) FROM wish"""


def seconds_to_answer(pipe: Connection, ask: Callable[[], object]) -> float:
    time.sleep(random.uniform(0.01, 0.03))
    began = time.monotonic()  # both processes read the same clock
    ask()
    started: float = pipe.recv()
    return started - began


def work_until_told(pipe: Connection) -> None:
    def run(job: Job) -> None:
        started = time.monotonic()
        queue.succeed(job.request)
        pipe.send(started)

    worker = Worker(runners={"spotify": run})
    worker.start()
    pipe.recv()
    worker.stop()


def listen_until_told(pipe: Connection) -> None:
    """Listen as simply as can be; update the row that a notification names."""
    with psycopg.connect(**listen_parameters(), autocommit=True) as listening:
        listening.execute("LISTEN bare")
        with psycopg.connect(**listen_parameters(), autocommit=True) as connected:
            while not pipe.poll():
                for notice in listening.notifies(timeout=1, stop_after=1):
                    if notice.payload != "heard":
                        update = "UPDATE bare SET n = n + 1 WHERE id = %s RETURNING *"
                        connected.execute(update, [int(notice.payload)], prepare=True).fetchone()
                    pipe.send(time.monotonic())


# --- Claims behind a long history, and before a long queue ------------------------------------


def show_claims(most: int) -> None:
    sizes = [rows for rows in (1000, 100_000, 1_000_000) if rows <= most]
    head(f"{CLAIMS} claims", "p50", "p99", "max")
    medians = []
    for finished, waiting in [*((rows, 0) for rows in sizes), (0, most)]:
        empty()
        fill(finished, state="succeeded")
        fill(max(waiting, CLAIMS), skip=finished)
        execute("VACUUM ANALYZE sync_requests")
        execute("CHECKPOINT")
        claim_times(50)
        times = claim_times(CLAIMS - 50)
        medians.append(statistics.median(times))
        line(
            f"{waiting:,} waiting" if waiting else f"behind {finished:,} finished",
            *percentiles(times),
        )
    line("slowest to fastest", f"{max(medians) / min(medians):.2f} ×", "", "")


def claim_times(count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        assert queue.claim(worker="bench")
        times.append(time.perf_counter() - began)
    return times


# --- A scheduler's turn -----------------------------------------------------------------------


def show_scheduling(listeners: int) -> None:
    empty()
    execute(
        "INSERT INTO spotify_connections (user_id, refresh_token, access_token, scopes, state,"
        " state_reason, authorized_at)"
        " SELECT id, '', '', '', 'connected', '', statement_timestamp() FROM users"
        " ORDER BY id LIMIT %s",
        listeners,
    )
    execute(
        "INSERT INTO libraries (user_id, interval, next_due)"
        " SELECT user_id, 'daily', statement_timestamp() FROM spotify_connections"
    )
    execute(
        "INSERT INTO mirrors (user_id, name, description, public, is_main, state)"
        " SELECT user_id, 'Liked Songs', '', false, true, 'active' FROM spotify_connections"
    )
    execute("VACUUM ANALYZE libraries, mirrors, spotify_connections")
    pipe = start(schedule)
    seconds, queued, before, peak = pipe.recv()
    pipe.recv()
    assert (queued, SyncRequest.objects.count()) == (listeners, listeners)

    head("a scheduling run", "seconds", "rows", "peak memory")
    memory = f"{peak:.0f} MB ({before:.0f} MB before)"
    line(f"{listeners:,} listeners, all due", f"{seconds:.2f}", f"{queued:,}", memory)


def schedule(pipe: Connection) -> None:
    before, began = peak_memory(), time.perf_counter()
    scheduled = enqueue_due_syncs()
    pipe.send((time.perf_counter() - began, scheduled.queued, before, peak_memory()))


def peak_memory() -> float:
    """The peak memory of this process in MB, on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
