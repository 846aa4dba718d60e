"""Benchmark of whole syncs beside reading and rewriting everything: ``python -m bench.sync``.

``--only first-copy`` compares the time of a first copy with the sum of its calls.

Requests are counted by the simulated Spotify, token calls apart. It works in its own embedded
PostgreSQL under ``.data/bench``, which it empties first.
"""

import argparse
import math
import multiprocessing
import os
import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

from bench.setup import set_up

set_up(
    "sync",
    SYNCIFY_LOG_LEVEL="ERROR",
    SPOTIFY_CLIENT_ID="syncify-demo",
    SPOTIFY_CLIENT_SECRET="demo-secret",  # noqa: S106 - what the simulator expects
)

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import F  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.tokens import spotify_client_for  # noqa: E402
from sync.mirrors.planner import PLAYLIST_CAPACITY, plan_mirror  # noqa: E402
from sync.models import Library, Playlist  # noqa: E402
from syncify.simulator.server import Simulator  # noqa: E402
from syncify.spotify.session import Session  # noqa: E402
from tests.builders import connect  # noqa: E402
from tests.driving import mirrored, run  # noqa: E402

SIZES = (1_250, 10_000)
LARGE = 50_000
LATENCY = timedelta(milliseconds=100)
A_DAY = timedelta(days=1)
#: A quarter of a year.
DAYS = 91


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["first-copy"])
    parser.add_argument("--large", action="store_true", help=f"requests of {LARGE:,} songs too")
    options = parser.parse_args()
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    with Simulator() as simulator:
        # For this process, and for the one that measures memory.
        os.environ["SPOTIFY_API_URL"] = settings.SPOTIFY_API_URL = simulator.api_url
        os.environ["SPOTIFY_ACCOUNTS_URL"] = settings.SPOTIFY_ACCOUNTS_URL = simulator.accounts_url
        bench_first_copy(simulator, 10_000)
        if options.only:
            return
        for size in [*SIZES, LARGE] if options.large else SIZES:
            bench_requests(simulator, size)
        bench_wal(simulator, 10_000)
        bench_time(simulator)
        bench_planner(10_000)
        bench_memory(simulator, 10_000)
        bench_quarter(simulator, 5_000)


@dataclass
class Bench:
    """A listener of the simulated Spotify, and the changes to their library."""

    simulator: Simulator
    user: User

    @property
    def name(self) -> str:
        return self.user.spotify_id

    @property
    def volumes(self) -> int:
        return Playlist.objects.filter(mirror__user=self.user).count()

    def sync(self, trigger: str = "scheduled") -> int:
        """The requests of a sync after which the playlists equal the Liked Songs."""
        self.simulator.forget_requests()
        request = run(self.user, trigger)
        assert request.state == "succeeded", request.errors
        assert mirrored(self.simulator, self.user) == self.simulator.liked(self.name)
        return self.simulator.count()

    def like(self, number: int) -> None:
        for _ in range(number):
            self.simulator.like(self.name, self.simulator.new_track())

    def unlike(self, *places: int) -> None:
        liked = self.simulator.liked(self.name)
        self.simulator.unlike(self.name, *(liked[place] for place in places))

    def like_again(self, place: int) -> None:
        self.simulator.like(self.name, self.simulator.liked(self.name)[place])

    def next_week(self) -> None:
        for _ in range(7):
            self.next_day()

    def next_day(self) -> None:
        Playlist.objects.filter(mirror__user=self.user).update(checked_at=F("checked_at") - A_DAY)
        Library.objects.filter(pk=self.user.pk).update(full_read_at=F("full_read_at") - A_DAY)


def listener(simulator: Simulator, name: str, size: int) -> Bench:
    simulator.add_listener(name, size=size)
    return Bench(simulator, connect(simulator, name))


# --- Requests ---------------------------------------------------------------------------------


def bench_requests(simulator: Simulator, size: int) -> None:
    nora = listener(simulator, f"nora-{size}", size)
    print(f"\nRequests of a sync, {size:,} Liked Songs")
    row("", "Syncify", "target", "read and rewrite all", "floor")

    def measure(what: str, target: str, *changes: Callable[[], object]) -> None:
        """The sync with the most requests, of those after each of the changes."""
        spent = []
        for change in changes:
            change()
            spent.append(nora.sync())
        others = rewriting_costs(simulator.saved_count(nora.name))
        row(what, str(max(spent)), target, f"{others:,}", "1")

    volumes = -(-size // PLAYLIST_CAPACITY)
    more = volumes - 1
    pages = -(-size // 50)
    search = 4 + math.ceil(math.log2(pages)) + more  # 12 for 10,000
    first = pages + -(-size // 100) + volumes + 2
    measure("first copy", f"≤ {first:,}", nothing)
    measure("nothing changed", "1", nothing)
    row("nothing changed, asked for by hand", str(nora.sync("manual")), "3", "", "")
    measure("nothing changed, first look of the day", f"{min(3, 3 + more)}", nora.next_day)
    for _ in range(10):  # room, so that the rows below do not meet a full playlist
        nora.unlike(*range(20))
        nora.sync()
    measure("3 new", f"{3 + more}", lambda: nora.like(3))
    measure("49 new", f"{3 + more}", lambda: nora.like(49))
    measure("3 new, first look of the day", f"{4 + more}", lambda: (nora.next_day(), nora.like(3)))
    places = [0, size // 50 + 9, size // 2 + 7, size - 900]
    measure(
        f"1 gone (dearest of {len(places)} places)",
        f"≤ {search}",
        *(lambda place=place: nora.unlike(place) for place in places),
    )
    measure(
        f"3 new and 1 gone (dearest of {len(places)} places)",
        f"≤ {search + 1}",
        *(lambda place=place: (nora.like(3), nora.unlike(place)) for place in places),
    )
    measure("an old song liked again", f"≤ {4 + more}", lambda: nora.like_again(-1))
    if size >= PLAYLIST_CAPACITY:
        [first_volume, *_] = Playlist.objects.filter(mirror__user=nora.user)
        nora.like(PLAYLIST_CAPACITY - len(first_volume.items.uris))
        nora.sync()
        measure("1 new into a full playlist (every 500 likes)", "–", lambda: nora.like(1))
    measure("full read (once a week), nothing changed", "–", nora.next_week)


def bench_wal(simulator: Simulator, size: int) -> None:
    """The bytes that a sync of one new song writes to PostgreSQL's WAL."""
    wanda = listener(simulator, "wanda", size)
    wanda.sync()
    print(f"\nWritten to the log (WAL) by a sync, {size:,} Liked Songs")
    for what, change in (("nothing changed", nothing), ("1 new", lambda: wanda.like(1))):
        change()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()")
            [before] = cursor.fetchone()
        run(wanda.user, "scheduled")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", [before])
            [written] = cursor.fetchone()
        print(f"  {what:46}{written / 1024:8.1f} kB")


def nothing() -> None:
    pass


def row(what: str, *cells: str) -> None:
    widths = (8, 8, 22, 7)
    print(f"  {what:46}" + "".join(f"{cell:>{w}}" for cell, w in zip(cells, widths, strict=True)))


def rewriting_costs(songs: int) -> int:
    """The requests for reading and rewriting everything, 50 songs at a time."""
    volumes = [
        min(PLAYLIST_CAPACITY, songs - at) for at in range(0, max(songs, 1), PLAYLIST_CAPACITY)
    ]
    return 1 + -(-songs // 50) + sum(2 + -(-held // 50) for held in volumes)


def rewrite_all(user: User, playlist_id: str) -> None:
    """Rewrite one playlist in this way."""
    client = spotify_client_for(user, reserve=True)
    total = client.saved_tracks(0).total
    uris: list[str] = []
    for offset in range(0, total, 50):
        page = client.saved_tracks(offset)
        uris += [item.song.uri for item in page.items if item.song]
    assert playlist_id in {playlist.id for playlist in client.own_playlists()}
    client.replace_items(playlist_id, [])
    for at in range(0, len(uris), 50):
        client.add_items(playlist_id, uris[at : at + 50], at)
    client.close()


# --- Time and memory --------------------------------------------------------------------------


def bench_time(simulator: Simulator) -> None:
    bea = Bench(simulator, connect(simulator, "bea"))
    bea.sync()
    [theirs] = Playlist.objects.filter(mirror__user=bea.user)
    other = simulator.create_playlist("bea", "Rewritten")
    print("\nWall time of a sync, 1,250 Liked Songs, 100 ms to each answer")
    for what, change in (("nothing changed", nothing), ("3 new", lambda: bea.like(3))):
        change()
        simulator.behaviour.latency = LATENCY
        begun = time.perf_counter()
        requests = bea.sync()
        ours = time.perf_counter() - begun
        simulator.forget_requests()
        begun = time.perf_counter()
        rewrite_all(bea.user, other)
        rewriting = time.perf_counter() - begun
        simulator.behaviour.latency = timedelta()
        assert simulator.count() == rewriting_costs(simulator.saved_count("bea"))
        assert simulator.playlist_uris(other) == simulator.playlist_uris(theirs.spotify_id or "")
        print(
            f"  {what:46}{ours:6.2f} s ({requests} requests), read and rewrite all "
            f"{rewriting:6.2f} s ({simulator.count()})"
        )


def bench_first_copy(simulator: Simulator, size: int) -> None:
    """The limit is the sum of the calls, which follow one another."""
    fred = listener(simulator, "fred", size)
    simulator.behaviour.latency = LATENCY
    called = 0.0
    send = Session.request

    def timed(*args: Any, **kwargs: Any) -> Any:
        nonlocal called
        begun = time.perf_counter()
        try:
            return send(*args, **kwargs)
        finally:
            called += time.perf_counter() - begun

    with mock.patch.object(Session, "request", timed):
        begun, spent = time.perf_counter(), resource.getrusage(resource.RUSAGE_THREAD).ru_utime
        requests = fred.sync("first")
        took = time.perf_counter() - begun
        spent = resource.getrusage(resource.RUSAGE_THREAD).ru_utime - spent
    simulator.behaviour.latency = timedelta()
    print(f"\nFirst copy of {size:,} songs, 100 ms to each answer, load {os.getloadavg()[0]:.1f}")
    print(f"  {'a song':46}{took / size * 1000:6.2f} ms ({took:.1f} s, {requests} requests)")
    print(f"  {'a song, sum of the calls':46}{called / size * 1000:6.2f} ms ({called:.1f} s)")
    print(f"  {'overhead':46}{took / called - 1:6.1%} ({spent:.1f} s of this thread's CPU)")


def bench_planner(size: int) -> None:
    present = [f"spotify:track:{number:022}" for number in range(size)]
    new = [f"spotify:track:new{number:019}" for number in range(3)]
    shuffled = random.Random(1).sample(present, k=size)
    print(f"\nPlanner, {size:,} songs, best of 5")
    for what, wanted in (
        ("nothing changed", present),
        ("3 new, 1 gone", [*new, *present[: size // 2], *present[size // 2 + 1 :]]),
        ("all shuffled", shuffled),
    ):
        spent = []
        for _ in range(5):
            begun = time.perf_counter()
            plan_mirror(wanted, [present])
            spent.append(time.perf_counter() - begun)
        print(f"  {what:46}{min(spent) * 1000:6.1f} ms")


def bench_memory(simulator: Simulator, size: int) -> None:
    for name, songs in (("small", 3), ("large", size)):
        listener(simulator, name, songs)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=memory_child, args=(theirs,))
    child.start()
    idle, first, second = (ours.recv() for _ in range(3))
    child.join()
    print("\nPeak memory of a worker")
    print(f"  {'after a sync of 3 songs':46}{idle:6.1f} MB")
    print(f"  {f'after a first sync of {size:,} songs':46}{first:6.1f} MB (+{first - idle:.1f})")
    print(f"  {'after the next one':46}{second:6.1f} MB (+{second - idle:.1f})")


def memory_child(theirs: Connection) -> None:
    for name in ("small", "large", "large"):
        assert run(User.objects.get(spotify_id=name)).state == "succeeded"
        # Not ru_maxrss: a child process begins with its parent's.
        status = Path("/proc/self/status").read_text()
        theirs.send(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


# --- A quarter of a year ----------------------------------------------------------------------


def bench_quarter(simulator: Simulator, size: int) -> None:
    """A sync a day; 3 likes and half an unlike a day, on average."""
    dice = random.Random(2026)
    yara = listener(simulator, "yara", size)
    first, others, days = yara.sync(), 0, []
    for _ in range(DAYS):
        yara.next_day()
        yara.like(dice.choice((0, 0, 1, 2, 3, 3, 4, 5, 6, 6)))
        for _ in range(dice.choice((0, 0, 0, 0, 0, 0, 1, 1, 1, 2))):
            yara.unlike(dice.randrange(simulator.saved_count("yara")))
        days.append(yara.sync())
        others += rewriting_costs(simulator.saved_count("yara"))
    songs = simulator.saved_count("yara")
    print(f"\n{DAYS} days, a sync a day, from {size:,} to {songs:,} Liked Songs")
    print(f"  {'first copy':46}{first:8,} requests")
    print(f"  {'the days after it':46}{sum(days):8,} requests, {others:,} by reading and rewriting")
    print(f"  {'a day, median':46}{sorted(days)[DAYS // 2]:8,} requests; the dearest {max(days):,}")


if __name__ == "__main__":
    main()
