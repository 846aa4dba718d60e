"""A soak: a home full of listeners, with trouble, for a while: ``python -m bench.soak``.

Many listeners of a simulated Spotify like and unlike songs, and are all due at once, again and
again. Every minute a worker is killed; twice PostgreSQL is restarted, once without warning. It
exits with 1 unless every playlist then equals the Liked Songs and no process has grown. It works
in an embedded PostgreSQL of its own, under ``.data/bench``, which it empties first.
"""

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from bench.setup import pss, set_up
from syncify.simulator.grants import Client as App

APP = App(id="bench")
DATA_DIR = set_up("soak", SPOTIFY_CLIENT_SECRET=APP.secret)
# The web server is asked before it listens.
logging.getLogger("urllib3").setLevel(logging.ERROR)

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Count, F, Sum  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from django.test import Client  # noqa: E402

from accounts.models import User  # noqa: E402
from sync.library.store import known_likes  # noqa: E402
from sync.mirrors.tracks import track_uri  # noqa: E402
from sync.models import Library, Playlist, SyncRequest  # noqa: E402
from sync.queue.scheduler import enqueue_due_syncs  # noqa: E402
from syncify.embedded_postgres.base import running_server  # noqa: E402
from syncify.simulator.server import Simulator  # noqa: E402
from tests.builders import connect  # noqa: E402
from tests.driving import mirrored  # noqa: E402
from tests.processes import free_port  # noqa: E402
from tests.scratch import address_of  # noqa: E402

CHANGES_A_SECOND = 5
#: Seconds between two times at which all libraries are due, and between two kills.
RUSH, KILL = 20, 60
#: Seconds from the start to the first measurement of memory.
WARM = 45
#: Seconds in which all open syncs must end: a lease of a minute may have to expire.
PATIENCE = 240
#: Megabytes that a process may have grown.
GROWTH = 12
#: Reads a process's share of the memory, in kilobytes.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    with Simulator(client=APP) as simulator:
        # For this process, and for its children.
        os.environ["SPOTIFY_API_URL"] = settings.SPOTIFY_API_URL = simulator.api_url
        os.environ["SPOTIFY_ACCOUNTS_URL"] = settings.SPOTIFY_ACCOUNTS_URL = simulator.accounts_url
        soak = Soak(simulator, options.listeners, random.Random(options.seed))
        try:
            soak.run(seconds=int(options.minutes * 60))
            soak.settle()
            trouble = soak.judge()
        finally:
            soak.close()
    connection.close()
    for line in trouble:
        print(f"WRONG: {line}")
    sys.exit(bool(trouble))


class Soak:
    def __init__(self, simulator: Simulator, listeners: int, dice: random.Random) -> None:
        self.simulator, self.dice = simulator, dice
        self.counts: Counter[str] = Counter()
        self.users = []
        for number in range(listeners):
            name = f"listener-{number:03}"
            simulator.add_listener(name, size=dice.randrange(20, 120))
            self.users.append(connect(simulator, name))
        self.env = {**os.environ, "DATABASE_URL": address_of(connection.settings_dict["NAME"])}
        self.port = free_port()
        self.visitor = visitor(self.users[0])
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.start("web", "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}")
        self.start("worker", "manage.py", "runworker", "--with-scheduler")
        self.start("victim", "manage.py", "runworker")
        self.memory: dict[str, list[float]] = {"web": [], "worker": []}

    # --- Processes ----------------------------------------------------------------------------

    def start(self, name: str, *command: str) -> None:
        with (DATA_DIR / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, *command], env=self.env, stdout=log, stderr=log
            )

    def kill(self) -> None:
        self.children["victim"].kill()
        self.children["victim"].wait()
        self.start("victim", "manage.py", "runworker")
        self.counts["kills"] += 1

    def restart_postgres(self, number: signal.Signals) -> None:
        """Stop the server that this process started, and let it be started again."""
        server = running_server(DATA_DIR / "postgres")
        os.kill(server.pid, number)
        while server.is_running():
            time.sleep(0.05)
        connection.close()
        running_server(DATA_DIR / "postgres")
        self.counts["restarts of PostgreSQL"] += 1

    def close(self) -> None:
        for child in self.children.values():
            child.terminate()
        for child in self.children.values():
            child.wait()

    # --- Disturbances -------------------------------------------------------------------------

    def run(self, *, seconds: int) -> None:
        restarts = {seconds // 3: signal.SIGQUIT, 2 * seconds // 3: signal.SIGINT}
        began = time.monotonic()
        for second in range(seconds):
            if second % RUSH == 0:
                self.rush()
            if second % KILL == KILL // 2:
                self.kill()
            if number := restarts.get(second):
                self.restart_postgres(number)
            for _ in range(CHANGES_A_SECOND):
                self.change()
            self.visit()
            if second == WARM:
                self.measure()
            if second % 60 == 59:
                print(f"minute {second // 60 + 1}: {self.progress()}", flush=True)
            time.sleep(max(0.0, began + second + 1 - time.monotonic()))
        self.measure()

    def rush(self) -> None:
        """Make all libraries due at once; a third of the playlists were checked yesterday."""
        some = [user.pk for user in self.dice.sample(self.users, k=len(self.users) // 3)]
        Playlist.objects.filter(mirror__in=some).update(checked_at=Now() - timedelta(days=1))
        Library.objects.update(next_due=Now())
        self.counts["syncs queued"] += enqueue_due_syncs().queued

    def change(self) -> None:
        name = self.dice.choice(self.users).spotify_id
        liked = self.simulator.liked(name)
        match self.dice.choice(["like", "like", "unlike", "like again"]):
            case "like":
                self.simulator.like(name, self.simulator.new_track())
            case "unlike" if liked:
                self.simulator.unlike(name, self.dice.choice(liked))
            case _ if liked:
                self.simulator.like(name, self.dice.choice(liked))
        self.counts["likes and unlikes"] += 1

    def visit(self) -> None:
        answer = self.visitor.get(f"http://127.0.0.1:{self.port}/", timeout=30)
        self.counts["pages" if answer.ok else "pages that failed"] += 1

    def measure(self) -> None:
        for name, sizes in self.memory.items():
            sizes.append(pss(self.children[name].pid))

    def progress(self) -> str:
        states = SyncRequest.objects.values_list("state").annotate(Count("pk")).order_by("state")
        return ", ".join(f"{count:,} {state}" for state, count in states)

    def settle(self) -> None:
        """Stop all changes, finish the queue, and sync every listener once more."""
        self.drain()
        self.rush()
        self.drain()

    def drain(self) -> None:
        """Wait until no sync is open, with a timeout; failed syncs are retried at once."""
        deadline = time.monotonic() + PATIENCE
        while SyncRequest.objects.filter(completed=None).exists() and time.monotonic() < deadline:
            SyncRequest.objects.filter(state="queued").update(run_at=Now())
            time.sleep(1)

    # --- Results -----------------------------------------------------------------------------

    def judge(self) -> list[str]:
        trouble = [line for user in self.users for line in self.judge_listener(user)]
        if left := SyncRequest.objects.filter(completed=None).count():
            trouble.append(f"{left} syncs have not ended")
        for name, (before, after) in self.memory.items():
            print(f"{name}: {before:.1f} MB after the start, {after:.1f} MB at the end")
            if after - before > GROWTH:
                trouble.append(f"the {name} grew by {after - before:.1f} MB")
        for what, count in sorted(self.counts.items()):
            print(f"{what}: {count:,}")
        print(f"calls to Spotify: {self.simulator.count():,}")
        print(f"requests: {self.progress()}")
        totals = SyncRequest.objects.aggregate(Sum("attempt"), Sum("failures"), Sum("rescues"))
        print(", ".join(f"{name.partition('__')[0]}: {total:,}" for name, total in totals.items()))
        waits = sorted(
            wait.total_seconds()
            for wait in SyncRequest.objects.filter(attempt=1, started__isnull=False).values_list(
                F("started") - F("created"), flat=True
            )
        )
        half, most = waits[len(waits) // 2], waits[-1]
        print(f"waited for a worker: half of them {half:.1f} s or less, {most:.1f} s at most")
        return trouble

    def judge_listener(self, user: User) -> list[str]:
        name, trouble = user.spotify_id, []
        liked = self.simulator.liked(name)
        if mirrored(self.simulator, user) != liked:
            trouble.append(f"the playlist of {name} does not equal the Liked Songs")
        if [track_uri(like.track_id) for like in known_likes(user)] != liked:
            trouble.append(f"the likes of {name} as stored are others")
        if (playlists := len(self.simulator.playlists(name))) != 1:
            trouble.append(f"{name} has {playlists} playlists")
        return trouble


def visitor(user: User) -> requests.Session:
    """A browser in which ``user`` is signed in; it waits for a server that is still starting."""
    client = Client()
    client.force_login(user)
    session = requests.Session()
    for name, morsel in client.cookies.items():
        session.cookies.set(name, morsel.value)
    session.mount("http://", HTTPAdapter(max_retries=Retry(total=10, backoff_factor=0.1)))
    return session


if __name__ == "__main__":
    main()
