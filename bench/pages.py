"""Benchmark of a listener's pages: ``python -m bench.pages``.

Processor and server time, queries and size of each page at 10,500 likes and 300 syncs, downloads
with their memory, and with ``--others`` also the plans of the list and the search among the likes
of many listeners. It works in an embedded PostgreSQL of its own, which it empties first.
"""

import argparse
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable

import psutil

from bench.setup import head, line, set_up

set_up("pages", SYNCIFY_LOG_LEVEL="WARNING")

from django.conf import settings  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from accounts.models import User  # noqa: E402
from sync.models import SavedTrack  # noqa: E402
from tests.library.rows import big_library  # noqa: E402

SONGS, SYNCS = 10_500, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="that each page is asked for")
    parser.add_argument(
        "--others", type=int, default=0, help="listeners with 200 likes each, 50000 for 10 million"
    )
    options = parser.parse_args()
    settings.ALLOWED_HOSTS.append("testserver")

    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    ada = big_library("ada", songs=SONGS, syncs=SYNCS, covers="https://i.scdn.co")
    if options.others:
        add_others(options.others)
    execute("VACUUM ANALYZE")
    print(f"{os.cpu_count()} cores, busy with {os.getloadavg()[0]:.1f}")
    client = Client()
    client.force_login(ada)
    client.cookies["timezone"] = "Europe/Berlin"
    pages(client, ada, options.rounds)
    downloads(client)
    if options.others:
        plans(ada)


def execute(statement: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def pages(client: Client, ada: User, rounds: int) -> None:
    newest = SavedTrack.objects.filter(user=ada, removed_at=None).latest("added_at")
    oldest = ada.sync_requests.order_by("pk").values_list("pk", flat=True)[12]
    head("page", "processor", "median", "longest", "queries", "kB")
    for name, path, before in (
        ("songs", "/songs/", nothing),
        ("songs, page 100", "/songs/?page=100", nothing),
        ("songs by title", "/songs/?sort=title", nothing),
        ("search, many", "/songs/?q=e", nothing),
        ("search, few", "/songs/?q=amber+sea", nothing),
        ("search, none", "/songs/?q=zebra", nothing),
        ("no longer liked", "/songs/?show=gone", nothing),
        ("duplicates", "/songs/?show=duplicates", nothing),
        ("another day", "/songs/?at=2025-05-01", nothing),
        ("two days", "/songs/?at=2026-05-01&since=2025-05-01", nothing),
        ("a sync's songs", f"/songs/?sync={newest.added_in_id}", nothing),
        ("one song", f"/songs/{newest.track_id}/", nothing),
        ("insights, first look after a change", "/insights/", cache.clear),
        ("insights", "/insights/", nothing),
        ("a year, first look after a change", "/insights/2025/", cache.clear),
        ("a year", "/insights/2025/", nothing),
        ("duplicates, first look after a change", "/duplicates/", cache.clear),
        ("duplicates of a library", "/duplicates/", nothing),
        ("plays and genres", "/plays/", nothing),
        ("playlists", "/playlists/", nothing),
        ("dashboard", "/", nothing),
        ("history", "/sync/history/", nothing),
        ("history, last page", f"/sync/history/?before={oldest}", nothing),
    ):
        measure(client, name, path, before, rounds)


def nothing() -> None:
    pass


def measure(
    client: Client, name: str, path: str, before: Callable[[], object], rounds: int
) -> None:
    before()
    queries: list[str] = []

    def count(execute: Callable[..., object], sql: str, *rest: object) -> object:
        queries.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        response = client.get(path)
    assert response.status_code == 200, (path, response.status_code)
    taken, worked = [], cpu_seconds()
    for _ in range(rounds):
        before()
        began = time.perf_counter()
        client.get(path)
        taken.append(time.perf_counter() - began)
    line(
        name,
        f"{(cpu_seconds() - worked) / rounds * 1000:.1f} ms",
        f"{statistics.median(taken) * 1000:.1f} ms",
        f"{max(taken) * 1000:.1f} ms",
        str(len(queries)),
        f"{len(response.content) / 1000:.1f}",
    )


def cpu_seconds() -> float:
    """What this process and its connection's backend have used: what a busy machine blurs least."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    times = (psutil.Process(pid).cpu_times() for pid in (os.getpid(), backend))
    return sum(each.user + each.system for each in times)


def downloads(client: Client) -> None:
    head("download", "time", "memory", "MB")
    for name in ("songs.csv", "transfer.csv", "songs.jspf"):
        began = time.perf_counter()
        size = sum(len(piece) for piece in client.get(f"/songs/{name}").streaming_content)
        taken = time.perf_counter() - began
        tracemalloc.start()
        for _ in client.get(f"/songs/{name}").streaming_content:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        line(name, f"{taken:.2f} s", f"{peak / 2**20:.1f} MB", f"{size / 1e6:.1f}")


def add_others(count: int) -> None:
    """Listeners with 200 likes each, of forty times as many songs as there are listeners."""
    songs = count * 40
    execute(
        "INSERT INTO users (spotify_id, display_name, is_active, is_operator, session_version)"
        " SELECT 'other' || n, '', true, false, 0 FROM generate_series(1, %s) AS n",
        count,
    )
    execute(
        "INSERT INTO tracks (id, name, artists, album, duration_ms, explicit, isrc, release_date,"
        " search) SELECT 'other' || n, 'Song ' || n, ARRAY['Artist ' || n %% 9999], 'Album ' || n,"
        " 200000, false, '', '', 'song ' || n || E'\\nartist ' || n %% 9999 || E'\\nalbum ' || n"
        " FROM generate_series(1, %s) AS n",
        songs,
    )
    # Every row fits: to check each foreign key would take most of the time.
    execute("SET session_replication_role = replica")
    execute(
        "INSERT INTO saved_tracks (user_id, track_id, added_at, rank)"
        " SELECT u.id, 'other' || 1 + (u.id * 200 + n) %% %s,"
        " now() - interval '1 hour' * (u.id %% 999 + 24 * n), 0"
        " FROM users AS u, generate_series(1, 200) AS n WHERE u.spotify_id LIKE 'other%%'",
        songs,
    )
    execute("SET session_replication_role = DEFAULT")


def plans(ada: User) -> None:
    """What PostgreSQL does for the list and for a search, among all those likes."""
    from datetime import UTC  # noqa: PLC0415

    from sync.library.search import Query, search  # noqa: PLC0415

    for query in (Query(), Query(q="zebra"), Query(at="2025-05-01")):
        print(f"\n{query.urlencoded() or 'all songs'}")
        print(search(ada, query, zone=UTC)[:101].explain(analyze=True, buffers=True))


if __name__ == "__main__":
    main()
