"""Benchmark of the page of a pair: ``python -m bench.together``.

Server time, processor time, queries and size, for two listeners with 10,500 likes each, of which
6,000 are in common. It works in an embedded PostgreSQL of its own, which it empties first.
"""

import argparse
import os
import random
import time
from datetime import timedelta

from bench.setup import head, set_up

set_up("together", SYNCIFY_LOG_LEVEL="WARNING")

from django.conf import settings  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from bench.pages import execute, measure, nothing  # noqa: E402
from sync.models import Mirror, Playlist, PlaylistItems, SavedTrack  # noqa: E402
from sync.sharing import pairs  # noqa: E402
from sync.sharing.codes import make_code  # noqa: E402
from sync.sharing.playlists import create_shared_mirror  # noqa: E402
from tests.library.rows import big_library  # noqa: E402

SONGS, SHARED = 7_500, 3_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="that each page is asked for")
    parser.add_argument("--queries", action="store_true", help="show what each query takes")
    options = parser.parse_args()
    settings.ALLOWED_HOSTS.append("testserver")

    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    ada, bea = (big_library(name, songs=SONGS, syncs=20) for name in ("ada", "bea"))
    share(ada, bea)
    pair = pairs.accept(bea, make_code(ada))
    pairs.show_newest(bea, pair.pk, shows=True)
    fill(create_shared_mirror(ada, pair.pk, "turns"))
    execute("VACUUM ANALYZE")
    print(f"{os.cpu_count()} cores, busy with {os.getloadavg()[0]:.1f}")
    client = Client()
    client.force_login(ada)
    client.cookies["timezone"] = "Europe/Berlin"
    path = f"/together/{pair.pk}/"
    head("page", "processor", "median", "longest", "queries", "kB")
    measure(client, "pair, first look after a change", path, cache.clear, options.rounds)
    measure(client, "pair", path, nothing, options.rounds)
    if options.queries:
        for name, before in (("first look", cache.clear), ("again", nothing)):
            before()
            print(f"\n{name}")
            show_queries(client, path)


def share(ada: User, bea: User) -> None:
    """Let each like 3,000 songs of the other, at other times."""
    now = timezone.now()
    for user, other in ((ada, bea), (bea, ada)):
        theirs = SavedTrack.objects.filter(user=other, removed_at=None, added_at__lt=now)
        ids = random.Random(user.pk).sample(
            sorted(theirs.values_list("track_id", flat=True)), 7_000
        )
        own = set(SavedTrack.objects.filter(user=user).values_list("track_id", flat=True))
        SavedTrack.objects.bulk_create(
            SavedTrack(user=user, track_id=key, added_at=now - timedelta(minutes=number))
            for number, key in enumerate([key for key in ids if key not in own][:SHARED])
        )


def fill(mirror: Mirror) -> None:
    playlist = Playlist.objects.create(mirror=mirror, number=1, spotify_id="both")
    likes = SavedTrack.objects.filter(removed_at=None).order_by("-added_at")
    keys = dict.fromkeys(likes.values_list("track_id", flat=True)[:2_000])
    uris: list[str | None] = [f"spotify:track:{key}" for key in list(keys)[:500]]
    PlaylistItems.objects.create(playlist=playlist, uris=uris)


def show_queries(client: Client, path: str) -> None:
    taken: list[tuple[float, str]] = []

    def clock(execute: object, sql: str, *rest: object) -> object:
        began = time.perf_counter()
        try:
            return execute(sql, *rest)  # type: ignore[operator]
        finally:
            taken.append((time.perf_counter() - began, sql))

    with connection.execute_wrapper(clock):
        client.get(path)
    for seconds, sql in taken:
        print(f"{seconds * 1000:7.2f} ms  {sql[:400]}")


if __name__ == "__main__":
    main()
