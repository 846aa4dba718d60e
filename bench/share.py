"""Benchmark of share pages under load, over HTTP from one web process of gunicorn:
``python -m bench.share``.

Visitors with an address each ask for a playlist of 10,000 songs, while a listener loads the
dashboard. All of them run in this process. It works in an embedded PostgreSQL of its own, which it
empties first.
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from statistics import median

import psutil

from bench.setup import cookie_of, head, line, percentiles, set_up

DATA_DIR = set_up("share", SYNCIFY_LOG_LEVEL="WARNING")

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from sync.models import Mirror, Process  # noqa: E402
from tests.builders import make_request  # noqa: E402
from tests.processes import WebServer, web_server  # noqa: E402
from tests.sharing.rows import make_large, share  # noqa: E402

#: Seconds between two loads of the dashboard.
PAUSE = 0.1
#: Connections of all visitors.
CONNECTIONS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="songs of the playlist")
    parser.add_argument("--rate", type=int, default=50, help="visits a second")
    parser.add_argument("--seconds", type=int, default=10, help="that each measurement lasts")
    options = parser.parse_args()

    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    ada = make_large("ada", options.size)
    Process.objects.create(kind="worker", name="seems to run")
    for number in range(200):
        make_request(ada, state="succeeded", song_count=options.size, added=number % 20 == 0)
    _, page = share(ada, Mirror.objects.get(user=ada, is_main=True), shows_name=True)
    cookie = cookie_of(ada)
    execute("VACUUM ANALYZE")
    connection.close()
    print(f"{os.cpu_count()} cores, busy with {os.getloadavg()[0]:.1f}")
    with web_server(DATA_DIR / "web.log", dict(os.environ)) as server:
        bench = Bench(server, page, cookie, rate=options.rate, seconds=options.seconds)
        asyncio.run(bench.run())


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


class Connection:
    """A browser's connection to the server, which stays open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
        """The headers and the body of the answer, which is 200 or 304."""
        # The server closes a connection that was not used for some seconds.
        if self._streams is None or self._streams[0].at_eof():
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [f"{name}: {value}" for name, value in {"Host": "127.0.0.1", **headers}.items()]
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode())
        status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        assert status.split()[1] in {"200", "304"}, status
        answer = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
        has_body = status.split()[1] == "200"
        return answer, await reader.readexactly(int(answer["content-length"])) if has_body else b""


class Bench:
    def __init__(
        self, server: WebServer, page: str, cookie: str, *, rate: int, seconds: int
    ) -> None:
        self._server, self._page, self._cookie = server, page, cookie
        self._rate, self._seconds = rate, seconds
        self._addresses = count(1)
        self._free: asyncio.Queue[Connection] = asyncio.Queue()

    async def run(self) -> None:
        for _ in range(CONNECTIONS):
            self._free.put_nowait(Connection(self._server.port))
        # The first few requests load templates and fill caches.
        await asyncio.gather(*(self._visit({}) for _ in range(10)))
        headers, page = await self._visit({})
        head("one web process", "p50", "p99", "max", "requests", "CPU of web")
        async with self._dashboard("the dashboard, alone") as alone:
            await asyncio.sleep(self._seconds)
        for name, known in (
            ("share pages", {}),
            ("share pages that are known", {"If-None-Match": headers["etag"]}),
        ):
            async with self._dashboard(f"the dashboard, beside {name}") as beside:
                waits = await self._visits(known)
            line(f"{name}, {self._rate} a second", *percentiles(waits), f"{len(waits)}", "")
            print(f"the dashboard's median is {median(beside) / median(alone):.2f} of that alone")
        print(f"the first share page has {len(page):,} bytes")

    async def _visits(self, headers: dict[str, str]) -> list[float]:
        """The seconds of each visit from its turn on, also while it waits for a connection."""
        began, visits = time.perf_counter(), []
        for number in range(self._rate * self._seconds):
            await asyncio.sleep(max(0.0, began + number / self._rate - time.perf_counter()))
            visits.append(asyncio.create_task(self._timed_visit(headers)))
        return await asyncio.gather(*visits)

    async def _timed_visit(self, headers: dict[str, str]) -> float:
        began = time.perf_counter()
        await self._visit(headers)
        return time.perf_counter() - began

    async def _visit(self, headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
        number = next(self._addresses)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        free = await self._free.get()
        try:
            return await free.get(self._page, {"X-Forwarded-For": address, **headers})
        finally:
            self._free.put_nowait(free)

    @asynccontextmanager
    async def _dashboard(self, name: str) -> AsyncIterator[list[float]]:
        """Load the dashboard repeatedly, and print how long that took."""
        waits: list[float] = []
        loading = asyncio.create_task(self._load(waits))
        before = cpu_of(self._server)
        yield waits
        used = cpu_of(self._server) - before
        loading.cancel()
        line(name, *percentiles(waits), f"{len(waits)}", f"{used:.1f} s")

    async def _load(self, waits: list[float]) -> None:
        browser = Connection(self._server.port)
        while True:
            began = time.perf_counter()
            await browser.get("/", {"Cookie": self._cookie})
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)


def cpu_of(server: WebServer) -> float:
    """Seconds of processor time of the web process."""
    [worker] = psutil.Process(server.process.pid).children()
    times = worker.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
