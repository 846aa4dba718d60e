"""A PostgreSQL with a streaming standby on loopback, and a PgBouncer before both, for a check."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import free_port

PATIENCE = 120.0

_POOLER = """\
[databases]
syncify = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 20
ignore_startup_parameters = options
query_wait_timeout = 1
server_login_retry = 1
server_connect_timeout = 3
"""


class CheckFailed(Exception):
    """``str`` describes the failed check."""


class Cluster:
    """A primary and its standby; unless ``is_async``, no confirmed commit can be lost."""

    def __init__(self, folder: Path, programs: Path, *, is_async: bool, pooled: bool) -> None:
        self.folder, self._programs = folder, programs
        self.is_async, self._pooled = is_async, pooled
        self._ports = [free_port(), free_port()]
        self._pooler_port = free_port()
        # initdb and PgBouncer refuse to run as root.
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._servers: list[subprocess.Popen[bytes]] = []
        self._pooler: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Cluster":
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self) -> None:
        for name in ("primary", "standby"):
            (self.folder / name).mkdir(mode=0o700)
            shutil.chown(self.folder / name, self._user)
        primary, standby = self.folder / "primary", self.folder / "standby"
        self._run("initdb", "--auth=trust", "--username=syncify", "--no-sync", "-D", str(primary))
        self._start(primary, self._ports[0])
        with self.connect(0, "postgres") as database:
            database.execute("CREATE DATABASE syncify")
        self._run(
            "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream",
            "-D", str(standby), "-d", f"host=127.0.0.1 port={self._ports[0]} user=syncify",
        )  # fmt: skip
        self._start(standby, self._ports[1])
        if not self.is_async:
            with self.connect(0, "postgres") as database:
                database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                database.execute("SELECT pg_reload_conf()")
        if self._pooled:
            self._start_pooler()

    def __exit__(self, *_: object) -> None:
        for process in filter(None, [self._pooler, *self._servers]):
            process.send_signal(signal.SIGINT)
            process.wait(20)

    @property
    def addresses(self) -> dict[str, str]:
        """The settings of Syncify that lead to this cluster."""
        if not self._pooled:
            return {"DATABASE_URL": _address(self._ports)}
        return {
            "DATABASE_URL": f"postgresql://syncify@127.0.0.1:{self._pooler_port}/syncify",
            "DATABASE_LISTEN_URL": _address(self._ports),
        }

    def connect(self, number: int, name: str = "syncify") -> psycopg.Connection[Any]:
        """To the first server or the second itself."""
        address = f"host=127.0.0.1 port={self._ports[number]} user=syncify dbname={name}"
        return psycopg.connect(address, autocommit=True)

    def stop_replication(self) -> None:
        """From here on the standby receives nothing, as from a primary about to fail."""
        wait_until("the standby follows", lambda: self._walsender() is not None)
        if pid := self._walsender():
            os.kill(pid, signal.SIGSTOP)

    def _walsender(self) -> int | None:
        for pid in _children(self._servers[0].pid):
            if b"walsender" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def kill_primary(self) -> None:
        """Kill all processes of the primary at once, as in a power failure."""
        server = self._servers[0]
        for pid in [server.pid, *_children(server.pid)]:
            os.kill(pid, signal.SIGKILL)
        server.wait()

    def promote_standby(self) -> datetime:
        """Promote the standby, and lead PgBouncer there, as who promotes it does.

        Returns the database's time when it accepts changes.
        """
        with self.connect(1) as database:
            database.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            database.execute("SELECT pg_promote()")
            row = database.execute("SELECT now()").fetchone()
        if self._pooler is not None:
            self._lead_pooler_to(1)
            self._pooler.send_signal(signal.SIGHUP)
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
        self._servers.append(self._spawn(command, data.name))
        number = len(self._servers) - 1
        wait_until("the server answers", lambda: _answers(lambda: self.connect(number, "postgres")))

    def _start_pooler(self) -> None:
        (self.folder / "users.txt").write_text('"syncify" ""\n')
        self._lead_pooler_to(0)
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise CheckFailed("PgBouncer is not installed.")
        self._pooler = self._spawn(
            [program, "--quiet", str(self.folder / "pgbouncer.ini")], "pgbouncer"
        )
        address = self.addresses["DATABASE_URL"]
        wait_until("PgBouncer answers", lambda: _answers(lambda: psycopg.connect(address)))

    def _lead_pooler_to(self, number: int) -> None:
        (self.folder / "pgbouncer.ini").write_text(
            _POOLER.format(server=self._ports[number], port=self._pooler_port, folder=self.folder)
        )

    def _spawn(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, user=self._user_or_none, stdout=log, stderr=log)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user_or_none, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def _user_or_none(self) -> str | None:
        return self._user if os.geteuid() == 0 else None


def newest_programs() -> Path:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    return found[-1] if found else Path("/usr/bin")


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise CheckFailed(f"{what}: not within {PATIENCE:.0f} s.")
        time.sleep(0.1)


def _address(ports: list[int]) -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://syncify@{hosts}/syncify?target_session_attrs=read-write"


def _children(pid: int) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return [int(child) for child in found.split()]


def _answers(connect: Callable[[], psycopg.Connection[Any]]) -> bool:
    try:
        connect().close()
    except psycopg.Error:
        return False
    return True
