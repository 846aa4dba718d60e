"""What an installation takes at rest, on Linux: ``python -m bench.memory``.

It works in an embedded PostgreSQL of its own, under ``.data/bench``; the processes find it by
``DATABASE_URL``, as they find any other. Memory is the proportional set size: what processes share
counts once for all who share it.
"""

import argparse
import os
import sys
import time
from contextlib import suppress
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from bench.setup import head, line, pss, set_up

set_up("memory", SYNCIFY_LOG_LEVEL="WARNING")

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from sync.queue.wake import listen_parameters  # noqa: E402
from tests.processes import free_port  # noqa: E402

#: Seconds until the cost of the start is over, and the first turns are taken.
SETTLE = 8
MANAGE = [sys.executable, "manage.py"]
WORKER = [*MANAGE, "runworker"]
SCHEDULER = [*MANAGE, "schedule_syncs", "--loop"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="to watch the processes rest (20)")
    seconds = parser.parse_args().seconds

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    address = f"127.0.0.1:{free_port()}"
    web = [sys.executable, "-m", "gunicorn", "--log-level", "warning", "--bind", address]
    head("at rest", "memory", "CPU a minute", "commits a minute")
    show(seconds, address, {"web": web, "worker": WORKER, "scheduler": SCHEDULER})
    show(seconds, address, {"web": web, "worker with scheduler": [*WORKER, "--with-scheduler"]})
    connection.close()


def show(seconds: int, address: str, commands: dict[str, list[str]]) -> None:
    """Start an installation, let it rest after a visit, and print what each process takes."""
    database = "postgresql://{user}@/{dbname}?host={host}&port={port}".format(**listen_parameters())
    environment = {**os.environ, "DATABASE_URL": database}
    children = {name: psutil.Popen(command, env=environment) for name, command in commands.items()}
    try:
        for path in ("healthz", ""):
            visit(f"http://{address}/{path}")
        time.sleep(SETTLE)
        before, began = commits(), {name: cpu(child) for name, child in children.items()}
        time.sleep(seconds)
        rate = (commits() - before) * 60 / seconds
        memory = {name: pss(child.pid) for name, child in children.items()}
        for name, child in children.items():
            spent = (cpu(child) - began[name]) * 60 / seconds
            line(name, f"{memory[name]:.1f} MB", f"{spent:.2f} s", "")
        line("together", f"{sum(memory.values()):.1f} MB", "", f"{rate:.0f}")
    finally:
        for child in children.values():
            child.terminate()
        for child in children.values():
            child.wait()


def visit(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(URLError), urlopen(address, timeout=10):  # noqa: S310 - our own address
            return
        time.sleep(0.1)
    sys.exit(f"{address} did not answer.")


def commits() -> int:
    """So far, of our database; outside a transaction each statement is one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(xact_commit) FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def cpu(child: psutil.Process) -> float:
    """Seconds so far."""
    times = [each.cpu_times() for each in (child, *child.children(recursive=True))]
    return sum(one.user + one.system for one in times)


if __name__ == "__main__":
    main()
