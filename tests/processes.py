"""Real processes beside the tests: our commands, and the web server."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parent.parent


class Child:
    """A Python process that runs by itself, its log in a file."""

    def __init__(self, log: Path, env: dict[str, str], *command: str) -> None:
        self._log = log
        self._file = log.open("wb")
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *command],
            cwd=ROOT,
            env=env,
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def says(self, text: str) -> None:
        """Wait for ``text`` in the log."""
        wait_until(lambda: text in self.log, lambda: self.log)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        return self.process.wait(timeout=PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._file.close()


def manage(
    env: dict[str, str], *arguments: str, folder: Path = ROOT, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """A management command that has ended."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", *arguments],
        cwd=folder,
        env=env,
        input=given,
        capture_output=True,
        check=False,
    )


def managed(env: dict[str, str], *arguments: str, folder: Path = ROOT, given: bytes = b"") -> bytes:
    """What a management command says, which must succeed."""
    done = manage(env, *arguments, folder=folder, given=given)
    assert done.returncode == 0, (done.stderr + done.stdout).decode()
    return done.stdout


class WebServer(Child):
    """gunicorn as it runs in production, on a port of its own."""

    def __init__(self, log: Path, env: dict[str, str], port: int) -> None:
        super().__init__(log, env, "-m", "gunicorn", f"--bind=127.0.0.1:{port}")
        self.port = port

    def is_up(self) -> bool:
        asking = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            asking.request("GET", "/healthz")
            return asking.getresponse().status == 200
        except (ConnectionError, TimeoutError):  # the worker process is still starting
            return False
        finally:
            asking.close()


@contextmanager
def web_server(log: Path, env: dict[str, str], port: int | None = None) -> Iterator[WebServer]:
    """A web server that answers; ended as an operator ends it."""
    server = WebServer(log, env, port or free_port())
    try:
        wait_until(server.is_up, lambda: server.log)
        yield server
        server.send(signal.SIGTERM)
        server.ends()
    finally:
        server.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
