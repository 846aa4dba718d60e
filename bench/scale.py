"""Benchmark of growth: ``python -m bench.scale``; ``--full`` for 10 million likes.

Fills a database with few listeners and then with many, and measures the statements of worker,
scheduler, housekeeping, operator page, metrics and a listener's pages at both sizes. Statements
that took longer are shown with their plan. Whatever a step changes is rolled back. It works in an
embedded PostgreSQL of its own, which it empties first.
"""

import argparse
import logging
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench.setup import head, line, set_up

set_up("scale", SYNCIFY_MUSICBRAINZ_CONTACT="bench@example.org")

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402

from accounts import limits  # noqa: E402
from accounts.deletion import delete_account  # noqa: E402
from accounts.models import User  # noqa: E402
from sync.library.genres import queue_lookups  # noqa: E402
from sync.library.uploads import drop_old_uploads  # noqa: E402
from sync.models import Mirror, Playlist, SyncRequest  # noqa: E402
from sync.operations.alerts import check_incidents  # noqa: E402
from sync.operations.metrics import exposition  # noqa: E402
from sync.queue import processes, scheduler  # noqa: E402
from sync.queue import store as queue  # noqa: E402
from sync.queue.connected import enqueue_due_services  # noqa: E402
from sync.queue.sweeps import LATELY  # noqa: E402
from syncify.sessions import SessionStore  # noqa: E402

#: A step that grew by more than this, and takes longer than that, is shown with its plan.
GREW, NOTABLE = 1.5, 1.0
_EXPLAINED = ("SELECT", "UPDATE", "INSERT", "DELETE", "WITH")
#: The rows of ``users`` get these ids: the listeners whose pages are asked for.
FIRST, OPERATOR = 1, 2

# Listener n has agreed n mod 180 days ago; one in ten rests, one in five syncs weekly, one in
# seven has a song that Spotify refused, one in 500 was given up lately, one in 50 was here in the
# last hour, and one in five has connected a service.
_LISTENERS = """
INSERT INTO users (id, spotify_id, display_name, is_active, is_operator, session_version)
OVERRIDING SYSTEM VALUE
SELECT n, 'listener-' || n, 'Listener ' || n, true, n = 2, 0
  FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO spotify_connections (user_id, refresh_token, access_token, scopes, state, state_reason,
                                 authorized_at, state_since)
SELECT n, '', '', '', 'connected', '', moment, moment
  FROM generate_series(%(first)s, %(last)s) AS n,
       LATERAL (SELECT statement_timestamp() - make_interval(
           days => n %% 180, mins => n %% 1440)) AS moments (moment);
INSERT INTO libraries (user_id, interval, next_due)
SELECT n, CASE WHEN n %% 10 = 0 THEN 'off' WHEN n %% 5 = 3 THEN 'weekly' ELSE 'daily' END,
       CASE WHEN n %% 10 > 0 THEN statement_timestamp() + make_interval(mins => 1 + n %% 1440) END
  FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO mirrors (user_id, name, description, public, state)
SELECT n, 'Liked Songs', '', false, 'active' FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO playlists (mirror_id, number, spotify_id)
SELECT id, 1, 'playlist-' || user_id FROM mirrors WHERE user_id BETWEEN %(first)s AND %(last)s;
INSERT INTO connections (user_id, service, secret)
SELECT n, 'listenbrainz', '' FROM generate_series(%(first)s, %(last)s, 5) AS n;
INSERT INTO django_session (session_key, session_data, expire_date)
SELECT md5(n::text), 'e30:1', statement_timestamp() + interval '90 days'
  FROM generate_series(%(first)s, %(last)s) AS n;
INSERT INTO rate_limits (key, empty_at)
SELECT md5('limit ' || n), statement_timestamp() + interval '1 hour'
  FROM generate_series(%(first)s, %(last)s, 50) AS n"""

_SERVICES = """
INSERT INTO sync_requests (user_id, kind, trigger, state, created, completed)
SELECT user_id, service, 'scheduled', 'succeeded', moment, moment
  FROM connections,
       LATERAL (SELECT statement_timestamp() - make_interval(mins => (user_id %% 1400)::int))
           AS moments (moment)
 WHERE user_id BETWEEN %(first)s AND %(last)s"""

# The latest requests of paused listeners are older than SYNCIFY_HISTORY_DAYS.
_REQUESTS = """
INSERT INTO sync_requests (user_id, trigger, state, song_count, added, created, started, completed,
                           run_at, error_code)
SELECT n, 'scheduled', CASE WHEN ago = 1 AND n %% 500 = 7 THEN 'dead' ELSE 'succeeded' END,
       %(likes)s, CASE WHEN ago %% 5 = 0 THEN 1 ELSE 0 END, moment, moment, moment, moment,
       CASE WHEN ago = 1 AND n %% 500 = 7 THEN 'internal' ELSE '' END
  FROM generate_series(%(first)s, %(last)s) AS n, generate_series(%(requests)s, 1, -1) AS ago,
       LATERAL (SELECT statement_timestamp() - make_interval(
           days => ago - 1 + CASE WHEN n %% 10 = 0 THEN 800 ELSE 0 END, mins => n %% 1440))
           AS moments (moment)
 WHERE n %% 10 > 0 OR ago = 1"""

_TRACKS = """
INSERT INTO artists (id, name, search, genres_checked_at)
SELECT 'artist-' || n, 'Artist ' || n, 'artist ' || n, statement_timestamp()
  FROM generate_series(1, %(tracks)s / 10) AS n;
INSERT INTO tracks (id, name, artists, album, duration_ms, explicit, isrc,
                    release_date, search)
SELECT 'track-' || n, 'Song ' || n, ARRAY['Artist ' || 1 + n / 10], 'Album ' || n / 12, 200000,
       false, 'ISRC' || n, '2020', 'song ' || n
  FROM generate_series(1, %(tracks)s) AS n;
INSERT INTO track_artists (track_id, artist_id, position)
SELECT 'track-' || n, 'artist-' || 1 + n %% (%(tracks)s / 10), 0
  FROM generate_series(1, %(tracks)s) AS n"""

# The likes step through the songs by a prime number, so that no listener likes a song twice.
_LIKES = """
INSERT INTO saved_tracks (user_id, track_id, added_at, rank, added_in_id)
SELECT n, 'track-' || 1 + (n * 7919 + k) %% %(tracks)s,
       statement_timestamp() - make_interval(hours => k, mins => (n %% 60)::int), 0, latest.id
  FROM generate_series(%(first)s, %(last)s) AS n
  CROSS JOIN LATERAL (SELECT max(id) AS id FROM sync_requests WHERE user_id = n) AS latest,
       generate_series(1, %(likes)s) AS k;
INSERT INTO mirror_tracks (mirror_id, track_id, refused_at)
SELECT m.id, 'track-' || 1 + (m.user_id * 7919 + 1) %% %(tracks)s,
       CASE WHEN m.user_id %% 7 = 0 THEN statement_timestamp() END
  FROM mirrors AS m WHERE m.user_id BETWEEN %(first)s AND %(last)s"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=500, help="listeners at first")
    parser.add_argument("--many", type=int, default=50_000, help="listeners then")
    parser.add_argument("--likes", type=int, default=20, help="of each listener")
    parser.add_argument("--requests", type=int, default=4, help="of each listener")
    parser.add_argument("--tracks", type=int, default=20_000, help="that are liked by anybody")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    parser.add_argument("--full", action="store_true", help="200 likes, 30 requests, 1m songs")
    parser.add_argument("--plans", action="store_true", help="EXPLAIN what grew")
    sizes = parser.parse_args()
    if sizes.full:
        sizes.likes, sizes.requests, sizes.tracks = 200, 30, 1_000_000
    settings.ALLOWED_HOSTS.append("testserver")
    logging.disable()

    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    execute(_TRACKS, tracks=sizes.tracks)
    fill(1, sizes.few, sizes)
    few = measure_all(sizes.rounds)
    fill(sizes.few + 1, sizes.many, sizes)
    many = measure_all(sizes.rounds)

    print(f"{sizes.likes} likes and {sizes.requests} requests each, load {os.getloadavg()[0]:.0f}")
    head(
        "ms: median (least)",
        f"{sizes.few:,}",
        f"{sizes.many:,}",
        "ratio of least",
        "pages",
        "statements",
    )
    for name, at_few in few.items():
        show(name, at_few, many[name])
    if sizes.plans:
        for name, at_few in few.items():
            explain(name, at_few, many[name])
    connection.close()


def execute(statement: str, **params: object) -> list[Any]:
    with connection.cursor() as cursor:
        # Several statements in one string take no parameters of the server's.
        for each in statement.split(";\n"):
            cursor.execute(each, params or None)
        return cursor.fetchall() if cursor.description else []


def fill(first: int, last: int, sizes: argparse.Namespace) -> None:
    began = time.perf_counter()
    span = {"first": first, "last": last}
    execute(_LISTENERS, **span)
    execute(_REQUESTS, **span, requests=sizes.requests, likes=sizes.likes)
    execute(_SERVICES, **span)
    execute(_LIKES, **span, likes=sizes.likes, tracks=sizes.tracks)
    execute("VACUUM ANALYZE")
    # The first turn does work that later turns need not do.
    scheduler.take_turn(check_incidents)
    execute("VACUUM ANALYZE")
    print(f"{last:,} listeners in {time.perf_counter() - began:.0f} s", flush=True)


# --- Measuring --------------------------------------------------------------------------------


@dataclass(slots=True)
class Cost:
    """The time of one run of a step in milliseconds: the total, and each statement."""

    total: float = 0
    spent: list[tuple[float, str, Any]] = field(default_factory=list)
    #: Pages of tables and indexes that these touched: unlike time, the same on a busy machine.
    pages: int = 0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, *rest)
        finally:
            self.spent.append(((time.perf_counter() - began) * 1000, sql, params))


def measure_all(rounds: int) -> dict[str, list[Cost]]:
    return {name: [run(step) for _ in range(rounds + 1)][1:] for name, step in steps().items()}


def run(step: Callable[[], object]) -> Cost:
    cost = Cost()
    with transaction.atomic():
        before = pages_touched()
        with connection.execute_wrapper(cost):
            began = time.perf_counter()
            step()
            cost.total = (time.perf_counter() - began) * 1000
        cost.pages = pages_touched() - before
        transaction.set_rollback(True)
    return cost


def pages_touched() -> int:
    """The pages that this connection read since it last sent its statistics."""
    [[pages]] = execute(
        "SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
    )
    return int(pages)


def steps() -> dict[str, Callable[[], object]]:
    page, operator = signed_in(FIRST), signed_in(OPERATOR)
    mirror = Mirror.objects.get(user=FIRST, is_main=True)
    return {
        "worker: enqueue, claim, heartbeat, progress, end": one_job,
        "worker: rescue": queue.rescue,
        "worker: playlist of an unanswered creation": find_playlist,
        "scheduler: reminders": remind,
        "scheduler: queue who is due": scheduler.enqueue_due_syncs,
        "scheduler: prune requests": prune,
        "scheduler: prune processes": lambda: processes.prune(age=timedelta(days=1)),
        "scheduler: prune limits": limits.prune,
        "scheduler: prune sessions": SessionStore.clear_expired,
        "scheduler: incidents": lambda: check_incidents(lately=LATELY),
        "scheduler: these, once a day among all": sweep,
        "scheduler: lookups of genres": queue_lookups,
        "scheduler: old uploads": drop_old_uploads,
        "scheduler: connected services": enqueue_due_services,
        "metrics": lambda: exposition(""),
        "operator page, first": lambda: get(operator, "/operator/"),
        "operator page, last": lambda: get(operator, "/operator/?page=999999"),
        "dashboard": lambda: get(page, "/"),
        "card": lambda: get(page, f"/playlists/{mirror.pk}/card/", HX_REQUEST="true"),
        "history": lambda: get(page, "/sync/history/"),
        "songs": lambda: get(page, "/songs/"),
        "songs, search": lambda: get(page, "/songs/?q=song"),
        "insights": lambda: get(page, "/insights/"),
        "delete an account": lambda: delete_account(User.objects.get(pk=FIRST)),
    }


def signed_in(pk: int) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=pk))
    return client


def get(client: Client, path: str, **headers: str) -> None:
    status = client.get(path, headers=headers).status_code  # type: ignore[arg-type]
    assert status == 200, (path, status)


def one_job() -> None:
    queue.enqueue(FIRST, trigger=SyncRequest.Trigger.MANUAL)
    job = queue.claim(worker="bench")
    assert job
    queue.heartbeat([job])
    queue.record_progress(job, stage="reading")
    queue.succeed(job)


def find_playlist() -> None:
    assert not Playlist.objects.filter(spotify_id="unknown").exists()


def prune() -> None:
    age = timedelta(days=settings.HISTORY_DAYS)
    queue.prune(age=age, lately=LATELY)


def remind() -> None:
    scheduler.bring_reminders_forward(lately=LATELY)


def sweep() -> None:
    scheduler.bring_reminders_forward()
    queue.prune(age=timedelta(days=settings.HISTORY_DAYS))
    check_incidents()


# --- Results ---------------------------------------------------------------------------------


def show(name: str, few: list[Cost], many: list[Cost]) -> None:
    sizes = few, many
    counts = sorted({len(costs[-1].spent) for costs in sizes})
    line(
        name,
        *(f"{median(costs):.1f} ({least(costs):.1f})" for costs in sizes),
        f"{least(many) / least(few):.1f} ×",
        " → ".join(f"{statistics.median(cost.pages for cost in costs):.0f}" for costs in sizes),
        " or ".join(map(str, counts)),
    )


def median(costs: list[Cost]) -> float:
    return statistics.median(cost.total for cost in costs)


def least(costs: list[Cost]) -> float:
    """The least of several measurements, with the least load by other programs."""
    return min(cost.total for cost in costs)


def explain(name: str, few: list[Cost], many: list[Cost]) -> None:
    if least(many) < max(NOTABLE, GREW * least(few)):
        return
    told = [each for each in many[-1].spent if each[1].lstrip().startswith(_EXPLAINED)]
    if not told:
        return
    taken, sql, params = max(told, key=lambda each: each[0])
    print(f"\n{name}: {taken:.1f} ms in\n{' '.join(sql.split())[:600]}")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
            print("\n".join(f"    {row[0]}" for row in cursor.fetchall()))
        transaction.set_rollback(True)


if __name__ == "__main__":
    main()
