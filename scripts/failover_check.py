"""Kills a primary while syncs run, promotes its standby, and measures until all is well again.

    python -m scripts.failover_check [--programs /usr/lib/postgresql/15/bin] [--async]

It makes a PostgreSQL with a streaming standby on loopback, a web server, two workers and a
simulated Spotify; says what happened and how long it took, exits 0 or 1, and leaves nothing behind.
"""

import argparse
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psycopg

from syncify.demo import at_spotify, press, sign_in
from syncify.simulator.server import Simulator
from tests.processes import Child, WebServer, free_port

LISTENERS = ("ada", "bea", "emil")
#: Limits in seconds.
SYNCS_GO_ON, SAYS_SO = 10.0, 3.0
PATIENCE = 120.0


class CheckFailed(Exception):
    """``str`` describes the failed check."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, default=newest_programs())
    parser.add_argument("--async", action="store_true", dest="is_async")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="syncify-failover-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            with Cluster(folder, options.programs, is_async=options.is_async) as cluster:
                check(folder, cluster)
        except (CheckFailed, subprocess.CalledProcessError) as failure:
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}", file=sys.stderr)
            sys.exit(f"FAILED: {failure}")
    print("All is as promised.")


def newest_programs() -> Path:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    return found[-1] if found else Path("/usr/bin")


# --- The databases ----------------------------------------------------------------------------


class Cluster:
    """A primary and its synchronous standby, so that no confirmed commit is lost."""

    def __init__(self, folder: Path, programs: Path, *, is_async: bool) -> None:
        self.folder, self._programs, self._is_async = folder, programs, is_async
        self.ports = [free_port(), free_port()]
        # initdb refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._servers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Cluster":
        for name in ("primary", "standby"):
            (self.folder / name).mkdir(mode=0o700)
            shutil.chown(self.folder / name, self._user)
        primary, standby = self.folder / "primary", self.folder / "standby"
        self._run("initdb", "--auth=trust", "--username=syncify", "--no-sync", "-D", str(primary))
        self._start(primary, self.ports[0])
        with self.connect(0, "postgres") as database:
            database.execute("CREATE DATABASE syncify")
        self._run(
            "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream",
            "-D", str(standby), "-d", f"host=127.0.0.1 port={self.ports[0]} user=syncify",
        )  # fmt: skip
        self._start(standby, self.ports[1])
        if not self._is_async:
            with self.connect(0, "postgres") as database:
                database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                database.execute("SELECT pg_reload_conf()")
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.send_signal(signal.SIGINT)
            server.wait(20)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://syncify@{hosts}/syncify?target_session_attrs=read-write"

    def connect(self, number: int, name: str = "syncify") -> psycopg.Connection[Any]:
        address = f"host=127.0.0.1 port={self.ports[number]} user=syncify dbname={name}"
        return psycopg.connect(address, autocommit=True)

    def kill_primary(self) -> None:
        """Kill all processes of the primary at once, as in a power failure."""
        server = self._servers[0]
        children = subprocess.run(
            ["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in [server.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        server.wait()

    def promote_standby(self) -> datetime:
        """Promote the standby; returns the database's time when it accepts changes."""
        with self.connect(1) as database:
            database.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            database.execute("SELECT pg_promote()")
            row = database.execute("SELECT now()").fetchone()
        if row is None:
            raise CheckFailed("the standby does not answer.")
        return row[0]

    def _start(self, data: Path, port: int) -> None:
        options = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "cluster_name": data.name,
        }  # fmt: skip
        command = [str(self._programs / "postgres"), "-D", str(data)]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        with (self.folder / f"{data.name}.log").open("wb") as log:
            self._servers.append(
                subprocess.Popen(command, user=self._user_or_none, stdout=log, stderr=log)
            )
        number = len(self._servers) - 1
        wait_until("the server answers", lambda: answers(lambda: self.connect(number, "postgres")))

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user_or_none, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def _user_or_none(self) -> str | None:
        return self._user if os.geteuid() == 0 else None


def answers(connect: Callable[[], psycopg.Connection[Any]]) -> bool:
    try:
        connect().close()
    except psycopg.Error:
        return False
    return True


# --- The check --------------------------------------------------------------------------------


def check(folder: Path, cluster: Cluster) -> None:
    with ExitStack() as stack:
        spotify = stack.enter_context(Simulator())
        env = environment(folder, cluster.url, spotify)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=env, check=True)
        port = int(env["SYNCIFY_BASE_URL"].rpartition(":")[2])
        server = WebServer(folder / "web.log", env, port)
        stack.callback(server.close)
        for number in (1, 2):
            worker = Child(folder / f"worker-{number}.log", env, "manage.py", "runworker")
            stack.callback(worker.close)
        wait_until("the web server answers", server.is_up)
        pages = env["SYNCIFY_BASE_URL"]
        visitors = {name: sign_in(pages, name) for name in LISTENERS}
        wait_until("the first copies are done", lambda: open_requests(cluster, 0) == 0)

        spotify.fault("latency", seconds=0.5, times=0)
        for name, visitor in visitors.items():
            spotify.like(name, spotify.new_track())
            press(visitor, pages, "/sync/")
        told = all_requests(cluster, 0)
        wait_until("syncs run", lambda: running_requests(cluster, 0) > 0)
        killed = time.monotonic()
        cluster.kill_primary()
        status, took = health(port)
        print(f"/healthz without a primary: {status} in {took:.1f} s")
        if status != 503 or took > SAYS_SO:
            raise CheckFailed(f"/healthz must answer 503 within {SAYS_SO:.0f} s.")
        time.sleep(max(0.0, killed + 5 - time.monotonic()))
        promoted = time.monotonic()
        since = cluster.promote_standby()
        wait_until("/healthz answers 200", lambda: health(port)[0] == 200)
        print(f"/healthz is 200 again: {time.monotonic() - promoted:.1f} s after the promotion")
        spotify.clear_faults()
        press(visitors["emil"], pages, "/sync/")
        wait_until("a sync has ended", lambda: ended_since(cluster, since) > 0)
        first = time.monotonic() - promoted
        print(f"first sync ended: {first:.1f} s after the promotion")
        wait_until("all syncs have ended", lambda: open_requests(cluster, 1) == 0)
        print(f"all syncs ended: {time.monotonic() - promoted:.1f} s after the promotion")
        lost = told - all_requests(cluster, 1)
        counted = failures(cluster)
        print(f"requests lost: {len(lost)}; failures counted: {counted}")
        for name in LISTENERS:
            shown = at_spotify(spotify.accounts_url, name)
            mirrored = [uri for one in shown["playlists"] for uri in one["uris"]]
            if mirrored != shown["liked"]:
                raise CheckFailed(f"{name}'s playlist does not equal the Liked Songs.")
        if lost or first > SYNCS_GO_ON or counted:
            raise CheckFailed("syncs must go on within 10 s, with nothing lost or counted.")


def environment(folder: Path, url: str, spotify: Simulator) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    pages = f"http://127.0.0.1:{free_port()}"
    return {
        **kept,
        "DATABASE_URL": url,
        "SYNCIFY_DATA_DIR": str(folder / "data"),
        "SYNCIFY_BASE_URL": pages,
        "SPOTIFY_CLIENT_ID": "syncify-demo",
        "SPOTIFY_CLIENT_SECRET": "demo-secret",
        "SPOTIFY_DAILY_QUOTA": "0",
        "SPOTIFY_API_URL": spotify.api_url,
        "SPOTIFY_ACCOUNTS_URL": spotify.accounts_url,
        "DEBUG": "yes",  # static files without collecting them
        "PYTHONUNBUFFERED": "1",
    }


def health(port: int) -> tuple[int, float]:
    asking, began = HTTPConnection("127.0.0.1", port, timeout=60), time.monotonic()
    try:
        asking.request("GET", "/healthz")
        return asking.getresponse().status, time.monotonic() - began
    except (OSError, HTTPException):
        return 0, time.monotonic() - began
    finally:
        asking.close()


def _count(cluster: Cluster, number: int, where: str) -> int:
    with cluster.connect(number) as database:
        row = database.execute(
            f"SELECT count(*) FROM sync_requests WHERE {where}".encode()
        ).fetchone()
    return int(row[0]) if row else 0


def open_requests(cluster: Cluster, number: int) -> int:
    return _count(cluster, number, "completed IS NULL")


def running_requests(cluster: Cluster, number: int) -> int:
    return _count(cluster, number, "state = 'running'")


def failures(cluster: Cluster) -> int:
    return _count(cluster, 1, "failures > 0 OR state = 'dead'")


def ended_since(cluster: Cluster, since: datetime) -> int:
    return _count(cluster, 1, f"completed > '{since.isoformat()}' AND state = 'succeeded'")


def all_requests(cluster: Cluster, number: int) -> set[int]:
    with cluster.connect(number) as database:
        return {row[0] for row in database.execute("SELECT id FROM sync_requests").fetchall()}


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise CheckFailed(f"{what}: not within {PATIENCE:.0f} s.")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
