"""Real processes beside the tests: our commands, and the web server."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

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
        return self.process.wait(timeout=20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._file.close()


class WebServer(Child):
    """gunicorn as it runs in production, on a port of its own."""

    def __init__(self, log: Path, env: dict[str, str], port: int) -> None:
        super().__init__(log, env, "-m", "gunicorn", f"--bind=127.0.0.1:{port}")
        self.port = port

    def is_up(self) -> bool:
        asking = HTTPConnection("127.0.0.1", self.port, timeout=10)
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


def wait_until(is_so: Callable[[], bool], explain: Callable[[], str] = str) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until, explain()
        time.sleep(0.05)
