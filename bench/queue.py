"""Benchmark of the job queue beside what bare commits allow: ``python -m bench.queue``.

It works in its own embedded PostgreSQL under ``.data/bench``, which it empties first.
"""

import argparse
import math
import multiprocessing
import os
import random
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import django
import psycopg

DATA_DIR = Path(__file__).parent.parent / ".data" / "bench"

# A developer's own database is never touched.
for _name in [name for name in os.environ if name.startswith(("DATABASE_", "SYNCIFY_"))]:
    del os.environ[_name]
os.environ.update(
    DJANGO_SETTINGS_MODULE="syncify.settings",
    SYNCIFY_DATA_DIR=str(DATA_DIR),
    SPOTIFY_CLIENT_ID="bench",
    SPOTIFY_DAILY_QUOTA="0",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from sync.job import Job  # noqa: E402
from sync.models import SyncRequest  # noqa: E402
from sync.scheduling import enqueue_due_syncs  # noqa: E402
from sync.wake import listen_parameters  # noqa: E402
from sync.worker import Worker  # noqa: E402

ROUNDS = 3
CLAIMS = 500

processes = multiprocessing.get_context("spawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4000, help="jobs to drain in a round")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows that a claim meets")
    parser.add_argument("--listeners", type=int, default=100_000, help="listeners who are due")
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
    [version] = execute("SHOW server_version")
    print(f"{os.cpu_count()} cores, PostgreSQL {version[0]}, Python, one commit after the other\n")

    bench_drain(sizes.jobs)
    bench_latency(300)
    bench_claim(sizes.rows)
    bench_scheduling(sizes.listeners)


# --- Rows -------------------------------------------------------------------------------------


def execute(statement: str, *params: object) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def fill(count: int, *, state: str = "queued", skip: int = 0) -> None:
    """Give a request to so many listeners, after the first ``skip``."""
    completed = "NULL" if state == "queued" else "statement_timestamp()"
    execute(
        f"INSERT INTO sync_requests (user_id, trigger, state, completed)"
        f" SELECT id, 'scheduled', %s, {completed} FROM users ORDER BY id LIMIT %s OFFSET %s",
        state,
        count,
        skip,
    )


def empty() -> None:
    execute("TRUNCATE sync_requests CASCADE")


# --- Jobs per second --------------------------------------------------------------------------


def bench_drain(jobs: int) -> None:
    """No-op jobs, rounds in turn, so that a busy moment of the machine meets all alike."""
    runs: list[tuple[str, Callable[[], float]]] = [
        ("bare: two one-row commits a job, one connection", lambda: bare(jobs)),
        ("sync/queue.py: claim and succeed, nothing between", lambda: queue_alone(jobs)),
        ("worker, 1 process", lambda: drain(jobs, workers=1)),
        ("worker, 2 processes", lambda: drain(jobs, workers=2)),
    ]
    rates: dict[str, list[float]] = {name: [] for name, _ in runs}
    for _ in range(ROUNDS):
        for name, run in runs:
            rates[name].append(run())

    print(
        f"| drain of {jobs:,} no-op jobs, median of {ROUNDS} rounds | jobs/s | of bare | rounds |"
    )
    print("| --- | --- | --- | --- |")
    limit = statistics.median(rates[runs[0][0]])
    for name, _ in runs:
        rate = statistics.median(rates[name])
        rounds = ", ".join(f"{rate:,.0f}" for rate in rates[name])
        print(f"| {name} | {rate:,.0f} | {rate / limit:.0%} | {rounds} |")
    print()


def bare(jobs: int) -> float:
    """What psycopg does at best on one connection, with prepared statements."""
    execute("DROP TABLE IF EXISTS bench_rows")
    execute("CREATE TABLE bench_rows (id bigint PRIMARY KEY, n int NOT NULL)")
    execute("INSERT INTO bench_rows SELECT n, 0 FROM generate_series(1, %s) AS n", jobs)
    execute("VACUUM ANALYZE bench_rows")
    parameters = {**listen_parameters(), "prepare_threshold": 5, "autocommit": True}
    with psycopg.connect(**parameters) as connected, connected.cursor() as cursor:
        began = time.perf_counter()
        for pk in range(1, jobs + 1):
            for _ in ("claim", "finish"):
                cursor.execute("UPDATE bench_rows SET n = n + 1 WHERE id = %s", [pk])
        return jobs / (time.perf_counter() - began)


def queue_alone(jobs: int) -> float:
    empty()
    fill(jobs)
    began = time.perf_counter()
    while job := SyncRequest.objects.claim(worker="bench:1"):
        SyncRequest.objects.succeed(job)
    return jobs / (time.perf_counter() - began)


def drain(jobs: int, *, workers: int) -> float:
    """From the first claim to the last success, by the database's clock."""
    empty()
    fill(jobs)
    ready = processes.Barrier(workers)
    children = [
        processes.Process(target=drain_child, args=[ready], daemon=True) for _ in range(workers)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    done = SyncRequest.objects.filter(state=SyncRequest.State.SUCCEEDED)
    assert done.count() == jobs
    [[seconds]] = execute(
        "SELECT extract(epoch FROM max(completed) - min(started)) FROM sync_requests"
    )
    return jobs / float(seconds)


def drain_child(ready: Barrier) -> None:
    logs_to_file()
    worker = Worker(run=do_nothing, concurrency=1, drain=True)
    User.objects.exists()
    ready.wait()
    worker.start()
    while worker.is_working:
        time.sleep(0.05)
    worker.stop()


def do_nothing(job: Job) -> None:
    SyncRequest.objects.succeed(job.request)


def logs_to_file() -> None:
    """What a worker logs is part of its work, but not for this screen."""
    with (DATA_DIR / "worker.log").open("w") as log:
        os.dup2(log.fileno(), 2)


# --- From the wish to the start ---------------------------------------------------------------


def bench_latency(jobs: int) -> None:
    """An idle worker as ``runworker`` starts it, the wishes from another process."""
    empty()
    ours, theirs = processes.Pipe()
    child = processes.Process(target=latency_child, args=[theirs], daemon=True)
    child.start()
    [[user]] = execute("SELECT min(id) FROM users")
    waits = [start_of_next(ours, User(pk=user)) for _ in range(jobs + 20)][20:]  # 20 to warm up
    ours.send("end")
    child.join()

    print("| idle queue, from the wish to the job's first line | p50 | p99 | max |")
    print("| --- | --- | --- | --- |")
    print(f"| {jobs} jobs | {ms(waits, 50)} | {ms(waits, 99)} | {ms(waits, 100)} |")
    print()


def start_of_next(ours: Connection, user: User) -> float:
    """Seconds that it took; both processes read one clock."""
    time.sleep(random.uniform(0.01, 0.03))
    began = time.monotonic()
    SyncRequest.objects.enqueue(user=user, trigger="manual")
    started: float = ours.recv()
    return started - began


def latency_child(theirs: Connection) -> None:
    def run(job: Job) -> None:
        started = time.monotonic()
        SyncRequest.objects.succeed(job.request)
        theirs.send(started)

    logs_to_file()
    worker = Worker(run=run)
    worker.start()
    theirs.recv()
    worker.stop()


# --- Claims before a long history, and before a long queue ------------------------------------


def bench_claim(most: int) -> None:
    cases = [(finished, 0) for finished in (1000, 100_000, 1_000_000) if finished <= most]
    print(f"| {CLAIMS} claims | p50 | p99 | max |")
    print("| --- | --- | --- | --- |")
    medians = []
    for finished, waiting in [*cases, (0, most)]:
        empty()
        fill(finished, state="succeeded")
        fill(max(waiting, CLAIMS), skip=finished)
        execute("VACUUM ANALYZE sync_requests")
        claim_times(20)
        times = claim_times(CLAIMS - 20)
        medians.append(statistics.median(times))
        name = f"{waiting:,} waiting" if waiting else f"{finished:,} finished"
        print(f"| {name} | {ms(times, 50)} | {ms(times, 99)} | {ms(times, 100)} |")
    print(f"| slowest p50 to fastest | {max(medians) / min(medians):.2f} × | | |")
    print()


def claim_times(count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        assert SyncRequest.objects.claim(worker="bench:1")
        times.append(time.perf_counter() - began)
    return times


# --- A scheduler's turn -----------------------------------------------------------------------


def bench_scheduling(listeners: int) -> None:
    empty()
    execute(
        "INSERT INTO spotify_connections (user_id, refresh_token, access_token, scopes, state,"
        " state_reason, authorized_at)"
        " SELECT id, '', '', '', 'connected', '', statement_timestamp() FROM users"
        " ORDER BY id LIMIT %s",
        listeners,
    )
    execute(
        "INSERT INTO mirrors (user_id, name, description, public, state, interval, next_due)"
        " SELECT user_id, 'Liked Songs', '', false, 'active', 'daily', statement_timestamp()"
        " FROM spotify_connections"
    )
    execute("VACUUM ANALYZE mirrors, spotify_connections")
    ours, theirs = processes.Pipe()
    child = processes.Process(target=scheduling_child, args=[theirs], daemon=True)
    child.start()
    seconds, queued, before, peak = ours.recv()
    child.join()
    [[rows, due]] = execute(
        "SELECT (SELECT count(*) FROM sync_requests),"
        " (SELECT count(*) FROM mirrors WHERE next_due <= statement_timestamp())"
    )
    assert (queued, rows, due) == (listeners, listeners, 0)

    print("| a scheduling run | seconds | rows queued | peak memory |")
    print("| --- | --- | --- | --- |")
    memory = f"{peak:.0f} MB ({before:.0f} MB before)"
    print(f"| {listeners:,} listeners, all due | {seconds:.2f} | {rows:,} | {memory} |")


def scheduling_child(theirs: Connection) -> None:
    User.objects.exists()
    before, began = peak_memory(), time.perf_counter()
    scheduled = enqueue_due_syncs()
    theirs.send((time.perf_counter() - began, scheduled.queued, before, peak_memory()))


def peak_memory() -> float:
    """Megabytes that this process has had at most, where ru_maxrss counts kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- Numbers ----------------------------------------------------------------------------------


def ms(seconds: list[float], percentile: int) -> str:
    place = max(0, math.ceil(len(seconds) * percentile / 100) - 1)
    return f"{sorted(seconds)[place] * 1000:.2f} ms"


if __name__ == "__main__":
    main()
