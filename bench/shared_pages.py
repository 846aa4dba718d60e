"""Measures share pages: server time, queries and bytes of a page of 10,000 songs, and load.

Requests run in this process, one after the other, without a network. It works in an embedded
PostgreSQL of its own, which it empties first.
"""

import argparse
import time
from collections.abc import Callable

from bench.setup import head, line, percentiles, set_up

set_up("shared_pages", SYNCIFY_LOG_LEVEL="ERROR")

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.template.loader import render_to_string  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from sync.models import Mirror, Process  # noqa: E402
from sync.pages import share as share_pages  # noqa: E402
from sync.pages.card import card_for  # noqa: E402
from tests.builders import make_request  # noqa: E402
from tests.sharing.rows import make_large, share  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="songs of the listener")
    parser.add_argument("--times", type=int, default=100, help="that each page is asked for")
    sizes = parser.parse_args()

    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    ada = make_large("ada", sizes.size)
    Process.objects.create(kind="worker", name="seems to run")
    for number in range(200):
        make_request(ada, state="succeeded", song_count=sizes.size, added=number % 20 == 0)
    mirror = Mirror.objects.get(user=ada, is_main=True)
    _, playlist = share(ada, mirror, shows_name=True)
    _, library = share(ada, None)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")

    share_pages.MOST_REQUESTS = 10**9
    client, visitor = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    client.force_login(ada)

    def card() -> None:
        context = {"card": card_for(ada, now=timezone.now()), "csrf_token": "x"}
        render_to_string("sync/card.html", context)

    head("server time", "least", "p50", "p99", "max")
    assert client.get("/").status_code == visitor.get(playlist).status_code == 200
    measure("a card, drawn for an event stream", card, sizes.times)
    for name, asking, path in [
        ("the dashboard", client, "/"),
        ("share page of a playlist", visitor, playlist),
        ("share page of all likes", visitor, library),
        ("share page, page 50", visitor, f"{playlist}?page=50"),
        ("share page, a search", visitor, f"{playlist}?q=number+77"),
        ("share page that is known", visitor, playlist),
    ]:
        known = {}
        if name.endswith("known"):
            known = {"If-None-Match": visitor.get(playlist).headers["ETag"]}
        measure(name, lambda a=asking, p=path, h=known: a.get(p, headers=h), sizes.times)
    size = len(visitor.get(playlist).content)
    print(f"first share page: {size:,} bytes, {visitor.get(playlist).status_code}")


def measure(name: str, act: Callable[[], object], times: int) -> None:
    for _ in range(5):
        act()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    line(name, f"{min(took) * 1000:.2f} ms", *percentiles(took))


if __name__ == "__main__":
    main()
