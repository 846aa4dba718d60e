"""Benchmark of a listener's pages: ``python -m bench.pages``.

Processor and server time, queries and size of each page at 10,500 likes and 300 syncs, downloads
with their memory, and with ``--others`` also how many rows each page reads among the likes of many
listeners. It works in an embedded PostgreSQL of its own, which it empties first.
"""

import argparse
import os
import statistics
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

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
#: A scan of a whole table that has more rows is worth a word.
WHOLE = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="that each page is asked for")
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
        reads(client, ada)


def execute(statement: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def paths_of(ada: User) -> list[tuple[str, str, Callable[[], object]]]:
    """The name of each page, its path, and what happens before each look at it."""
    newest = SavedTrack.objects.filter(user=ada, removed_at=None).latest("added_at")
    oldest = ada.sync_requests.order_by("pk").values_list("pk", flat=True)[12]
    return [
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
    ]


def pages(client: Client, ada: User, rounds: int) -> None:
    head("page", "processor", "median", "longest", "queries", "kB")
    for name, path, before in paths_of(ada):
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
    # Every row fits: to check each foreign key, and to add each row to the indexes, would take
    # most of the time.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE tablename = 'saved_tracks' AND indexname <> 'saved_tracks_pkey'"
        )
        indexes = cursor.fetchall()
    for name, _ in indexes:
        execute(f'DROP INDEX "{name}"')
    execute("SET session_replication_role = replica")
    execute(
        "INSERT INTO saved_tracks (user_id, track_id, added_at, rank)"
        " SELECT u.id, 'other' || 1 + (u.id * 200 + n) %% %s,"
        " now() - interval '1 hour' * (u.id %% 999 + 24 * n), 0"
        " FROM users AS u, generate_series(1, 200) AS n WHERE u.spotify_id LIKE 'other%%'",
        songs,
    )
    execute("SET session_replication_role = DEFAULT")
    for _, definition in indexes:
        execute(definition)


def reads(client: Client, ada: User) -> None:
    """How many rows of the large tables the statements of each page read, and whole tables."""
    own = SavedTrack.objects.filter(user=ada).count()
    head(f"page of a listener with {own:,} likes", "likes", "songs", "whole tables")
    for name, path, before in paths_of(ada):
        before()
        read: Counter[str] = Counter()
        whole: set[str] = set()
        for sql, params in statements_of(client, path):
            count_reads(plan_of(sql, params), read, whole)
        line(name, f"{read['saved_tracks']:,}", f"{read['tracks']:,}", ", ".join(sorted(whole)))


def statements_of(client: Client, path: str) -> list[tuple[str, Any]]:
    """What the page reads from the database."""
    statements: list[tuple[str, Any]] = []

    def collect(execute: Callable[..., object], sql: str, params: Any, *rest: object) -> object:
        if sql.lstrip().startswith(("SELECT", "WITH")):
            statements.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(collect):
        client.get(path)
    return statements


def plan_of(sql: str, params: Any) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        [[explained]] = cursor.fetchall()
    plan: dict[str, Any] = explained[0]["Plan"]
    return plan


def count_reads(plan: dict[str, Any], read: Counter[str], whole: set[str]) -> None:
    """Add the rows that each scan below ``plan`` looked at, also those that a filter removed."""
    if table := plan.get("Relation Name"):
        looked_at = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        looked_at += plan.get("Rows Removed by Index Recheck", 0)
        read[table] += round(looked_at * plan["Actual Loops"])
        if plan["Node Type"] == "Seq Scan" and looked_at > WHOLE:
            whole.add(table)
    for part in plan.get("Plans", []):
        count_reads(part, read, whole)


if __name__ == "__main__":
    main()
