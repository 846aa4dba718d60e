"""Benchmark of event streams beside polling, over HTTP from one web process of gunicorn:
``python -m bench.events``.

All clients run in this process. It works in an embedded PostgreSQL of its own, which it empties
first.
"""

import argparse
import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from bench.setup import cookie_of, head, line, percentiles, set_up

DATA_DIR = set_up("events", SYNCIFY_LOG_LEVEL="WARNING")

from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402

from sync.queue.store import CHANGES  # noqa: E402
from tests.builders import at_playlist, make_request, make_user  # noqa: E402
from tests.processes import WebServer, web_server  # noqa: E402

#: Changes a second in the test of single updates.
RATE = 20
BROADCASTS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=15, help="that each measurement lasts")
    sizes = parser.parse_args()

    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    listeners = [make_listener(number) for number in range(sizes.clients)]
    execute("VACUUM ANALYZE")
    print(f"{os.cpu_count()} cores, busy with {os.getloadavg()[0]:.1f}; {sizes.clients} clients")
    with web_server(DATA_DIR / "web.log", dict(os.environ)) as server:
        asyncio.run(Bench(server, listeners, sizes.seconds).run())
    connection.close()


@dataclass(frozen=True, slots=True)
class Listener:
    user_id: int
    cookie: str
    #: The path of their card.
    card: str


def make_listener(number: int) -> Listener:
    """A signed-in listener with a running sync."""
    user = make_user(f"listener-{number}")
    make_request(user, state="running")
    return Listener(user.pk, cookie_of(user), at_playlist(user, "card/"))


def execute(statement: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def change(user_id: int | None) -> None:
    """Let the sync of one listener, or of all, go on, and tell of it in the same commit."""
    execute(
        "UPDATE sync_requests SET progress = progress + 0.001 WHERE user_id = coalesce(%s, user_id)"
        f" RETURNING pg_notify('{CHANGES}', user_id || ' ' || id)::text",
        user_id,
    )


# --- Clients ----------------------------------------------------------------------------------


class Client:
    def __init__(self, port: int, listener: Listener) -> None:
        self._port = port
        self.listener = listener

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def get(self, path: str) -> None:
        """Ask for a page, and read it all."""
        self._ask(path)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        [length] = [each for each in head.lower().split(b"\r\n") if each.startswith(b"content-len")]
        await self._reader.readexactly(int(length.split(b":")[1]))

    async def open_stream(self) -> None:
        await self.connect()
        self._ask("/events/")
        await self.card()

    async def card(self) -> float:
        """When the next card has been read."""
        while b"event: card" not in await self._reader.readuntil(b"\n\n"):
            pass
        return time.perf_counter()

    def _ask(self, path: str) -> None:
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {self.listener.cookie}"]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())

    def close(self) -> None:
        self._writer.close()


async def open_streams(clients: list[Client]) -> None:
    for at in range(0, len(clients), 20):
        await asyncio.gather(*(client.open_stream() for client in clients[at : at + 20]))


# --- What it costs ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of processor time, and transactions: as many as queries, each being its own."""

    web: float
    database: float
    transactions: int

    @classmethod
    def so_far(cls, server: WebServer) -> "Cost":
        postmaster = int((DATA_DIR / "postgres" / "postmaster.pid").read_text().split()[0])
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(xact_commit) FROM pg_stat_database")
            [transactions] = cursor.fetchone()
        return cls(cpu_of(server.process.pid), cpu_of(postmaster), int(transactions))

    def since(self, before: "Cost") -> list[str]:
        return [
            f"{self.web - before.web:.1f} s",
            f"{self.database - before.database:.1f} s",
            f"{self.transactions - before.transactions:,}",
        ]


def cpu_of(pid: int) -> float:
    """Of a process, of those it started, and of those that have ended."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    ended: float = times.children_user + times.children_system
    alive = [each.cpu_times() for each in process.children()]
    return ended + sum(each.user + each.system for each in [times, *alive])


def memory_of(server: WebServer) -> float:
    """What the web process has for itself, in kB; what it shares with gunicorn counts in part."""
    [worker] = psutil.Process(server.process.pid).children()
    return worker.memory_full_info().pss / 1024


# --- Measurements -----------------------------------------------------------------------------


class Bench:
    def __init__(self, server: WebServer, listeners: list[Listener], seconds: int) -> None:
        self.server = server
        self.clients = [Client(server.port, listener) for listener in listeners]
        self.seconds = seconds

    async def run(self) -> None:
        # One thread, which has one connection.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        async with self.visitor() as idle:
            await asyncio.sleep(self.seconds)
        # The first few bring what all others share.
        first, others = self.clients[:20], self.clients[20:]
        await open_streams(first)
        before, began = memory_of(self.server), time.perf_counter()
        await open_streams(others)
        opened = time.perf_counter() - began
        memory = (memory_of(self.server) - before) / len(others)
        print(f"{len(others)} streams: opened in {opened:.1f} s, {memory:.0f} kB each")
        await asyncio.sleep(2)

        quiet = await self.costs_of(asyncio.sleep(self.seconds))
        async with self.visitor() as busy:
            told: list[float] = []
            changing = await self.costs_of(self.tell_one_by_one(told))
        all_told: list[float] = []
        broadcasts = await self.costs_of(self.tell_all(all_told))
        for client in self.clients:
            client.close()
        await asyncio.sleep(2)

        polls: list[float] = []
        polling = await self.costs_of(self.poll(polls))

        head("from the change to the client", "p50", "p99", "max")
        line(f"to one listener, {RATE} changes a second", *percentiles(told))
        line("to all listeners in one commit", *percentiles(all_told))
        head("a dashboard, asked for 4 times a second", "p50", "p99", "max")
        line("without streams", *percentiles(idle))
        line("with all streams, single updates", *percentiles(busy))
        head(f"{self.seconds} s cost", "CPU of web", "of PostgreSQL", "transactions", "requests")
        line("streams, nothing changes", *quiet, "0")
        line(f"streams, {RATE} changes a second", *changing, "0")
        line(f"streams, {BROADCASTS} changes of all, however long", *broadcasts, "0")
        line("polling every second", *polling, f"{len(polls):,}")
        wanted = len(self.clients) * self.seconds
        head("polls, of which were wanted " + f"{wanted:,}", "p50", "p99", "max")
        line("from the request to the answer", *percentiles(polls))
        await asyncio.to_thread(connections.close_all)

    async def costs_of(self, measured: Awaitable[object]) -> list[str]:
        before = await asyncio.to_thread(Cost.so_far, self.server)
        await measured
        await asyncio.sleep(1.5)  # PostgreSQL counts a second late
        return (await asyncio.to_thread(Cost.so_far, self.server)).since(before)

    async def tell_one_by_one(self, waits: list[float]) -> None:
        for client in random.sample(self.clients, len(self.clients))[: self.seconds * RATE]:
            pause = asyncio.create_task(asyncio.sleep(1 / RATE))
            waits += await self.tell([client], client.listener.user_id)
            await pause

    async def tell_all(self, waits: list[float]) -> None:
        for _ in range(BROADCASTS):
            waits += await self.tell(self.clients, None)

    async def tell(self, clients: list[Client], user_id: int | None) -> list[float]:
        """The seconds that each of ``clients`` waits for a change."""
        began = time.perf_counter()
        _, *times = await asyncio.gather(
            asyncio.to_thread(change, user_id), *(client.card() for client in clients)
        )
        return [arrived - began for arrived in times]

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[list[float]]:
        """Load an ordinary page repeatedly; returns the seconds of each load."""
        waits: list[float] = []
        client = Client(self.server.port, self.clients[0].listener)
        visiting = asyncio.create_task(self.load(client, "/", 0.25, waits))
        yield waits
        visiting.cancel()

    async def load(self, client: Client, path: str, every: float, waits: list[float]) -> None:
        await client.connect()
        while True:
            began = time.perf_counter()
            await client.get(path)
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(every - waits[-1])

    async def poll(self, waits: list[float]) -> None:
        async def one(client: Client) -> None:
            await asyncio.sleep(random.random())
            await self.load(client, client.listener.card, 1.0, waits)

        polling = [asyncio.create_task(one(client)) for client in self.clients]
        await asyncio.sleep(self.seconds)
        for each in polling:
            each.cancel()


if __name__ == "__main__":
    main()
