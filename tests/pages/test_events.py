"""Live pages: event streams over HTTP from a real web server, and what is told to them."""

import asyncio
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC
from http.client import HTTPConnection
from itertools import repeat
from pathlib import Path
from queue import Queue
from socket import SHUT_RDWR
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.access import sign_out_everywhere
from accounts.connections import mark_connected, mark_refused
from accounts.deletion import delete_account
from accounts.models import SpotifyConnection, User
from accounts.signals import access_ended, spotify_connected
from accounts.tokens import drop_tokens
from sync.mirrors.services import change_settings, pause_mirror, request_sync
from sync.models import Mirror
from sync.pages import events
from sync.queue import store as queue
from sync.queue.wake import listen_parameters
from tests.builders import as_user, main_mirror, make_request, make_user
from tests.processes import WebServer, web_server
from tests.sharing.rows import make_mirror
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

#: Fewer than the streams that are opened below.
POOL = 5
#: Seconds in which a change must have arrived. On an idle machine it takes a hundredth of that.
SOON = 60.0

type Open = Callable[..., "Page"]


class Page:
    """An event stream, as a browser holds one open."""

    def __init__(self, port: int, cookie: str, path: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=SOON)
        headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()
        self._blocks: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        lines: list[str] = []
        with suppress(OSError, ValueError, AttributeError):  # as it is closed under our hands
            while line := self.response.readline():
                lines.append(line.decode().rstrip("\n"))
                if lines[-1] == "":
                    self._blocks.put("\n".join(lines[:-1]))
                    lines.clear()
        self._blocks.put("end")

    def block(self, within: float = SOON) -> str:
        """What comes next, up to an empty line; "end" when the stream has ended."""
        return self._blocks.get(timeout=within)

    def event(self) -> str:
        """What comes next and is not a sign of life."""
        while (block := self.block()).startswith((":", "retry:")):
            pass
        return block

    def card(self) -> str:
        """The words of the next card, on one line."""
        event = self.event()
        assert event.startswith("event: card\ndata: <div id="), event
        return " ".join(event.removeprefix("event: card").replace("\ndata: ", "\n").split())

    def rest(self) -> list[str]:
        """The events that still come before the stream ends."""
        return list(iter(self.event, "end"))

    def is_silent(self) -> bool:
        """Whether no card comes while one might."""
        time.sleep(2 * events.PAUSE)
        return all(block == ": still here" for block in list(self._blocks.queue))

    def close(self) -> None:
        if sock := self._connection.sock:
            sock.shutdown(SHUT_RDWR)
        self._connection.close()


@pytest.fixture(scope="module")
def environment(django_db_setup: None) -> dict[str, str]:
    """Of a web server over the test database."""
    parts = listen_parameters()
    address = f"postgresql://{parts.get('user', '')}:{parts.get('password', '')}@/{parts['dbname']}"
    return {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"{address}?host={parts.get('host', '')}&port={parts.get('port', '')}",
        "DATABASE_POOL_SIZE": str(POOL),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="module")
def web(environment: dict[str, str], tmp_path_factory: Any) -> Iterator[WebServer]:
    with web_server(tmp_path_factory.mktemp("web") / "log", environment) as server:
        yield server


@pytest.fixture
def open_page(web: WebServer) -> Iterator[Open]:
    """Opens the event stream of a listener in a browser of theirs, a new one if none is named."""
    with ExitStack() as pages:

        def open_one(
            user: User,
            browser: Client | None = None,
            port: int = web.port,
            path: str = "/events/",
        ) -> Page:
            page = Page(port, cookie_of(browser or as_user(user)), path)
            pages.callback(page.close)
            return page

        yield open_one


def cookie_of(browser: Client) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())


# --- What is sent -----------------------------------------------------------------------------


def test_a_stream_begins_with_the_state_and_is_neither_kept_nor_changed_on_its_way(
    open_page: Open, ada: User
) -> None:
    page = open_page(ada)

    assert page.response.status == 200
    assert re.fullmatch(r"retry: \d{4}", page.block())
    assert "Liked Songs of Ada" in page.card()
    headers = page.response.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["Content-Encoding"] is None
    assert {"no-store", "private", "no-transform"} <= set(headers["Cache-Control"].split(", "))


def test_a_card_can_be_used_from_the_browser_that_it_was_sent_to(
    open_page: Open, web: WebServer, ada: User
) -> None:
    SpotifyConnection.objects.update(state="sign_in_needed", state_reason="consent_ended")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    browser.get("/settings/")  # brings the cookie

    [token, *_] = re.findall(r'"csrfmiddlewaretoken" value="(\w+)"', open_page(ada, browser).card())

    form = {"csrfmiddlewaretoken": token}
    assert browser.post("/accounts/login/", form).status_code == 302
    assert Client(enforce_csrf_checks=True).post("/accounts/login/", form).status_code == 403


def test_times_are_told_in_the_zone_of_the_browser(open_page: Open, ada: User) -> None:
    browser = as_user(ada)
    browser.cookies["timezone"] = "Asia/Kathmandu"
    make_request(ada, state="succeeded", completed="2026-01-01T12:00Z")

    assert "17:45" in open_page(ada, browser).card()
    assert "12:00" in open_page(ada).card()


def test_a_change_arrives_at_once_and_only_where_it_belongs(
    open_page: Open, ada: User, bea: User
) -> None:
    adas, beas = open_page(ada), open_page(bea)
    adas.card()
    beas.card()

    request_sync(user=ada)

    assert "Cancel" in adas.card()
    assert beas.is_silent()
    request_sync(user=bea)
    assert "Liked Songs of Bea" in beas.card()
    assert adas.is_silent()


def settings_of(user: User, **changes: str) -> dict[str, Any]:
    mirror = Mirror.objects.get(user=user)
    names = ["name", "description", "public", "remind_in_spotify"]
    wishes = {name: getattr(mirror, name) for name in names}
    return {"mirror": mirror, **wishes, "interval": user.library.interval, **changes}


def end_consent(user: User) -> None:
    drop_tokens(SpotifyConnection.objects.get(user=user))


def sign_in_again(user: User) -> None:
    with transaction.atomic():
        SpotifyConnection.objects.filter(user=user).update(state="connected", state_reason="")
        spotify_connected.send(sender=User, user=user, first=False)


CHANGES: dict[str, tuple[str, Callable[[User], object], str]] = {
    "paused": ("connected", pause_mirror, "Resume"),
    "named": ("connected", lambda ada: change_settings(**settings_of(ada, name="Ours")), "Ours"),
    "oftener": (
        "connected",
        lambda ada: change_settings(**settings_of(ada, interval="hourly")),
        "every hour",
    ),
    "refused": ("connected", lambda ada: mark_refused(ada, "not_registered"), "Try again"),
    "out of consent": ("connected", end_consent, "Sign in"),
    "no longer refused": ("refused", mark_connected, "Sync now"),
    "signed in again": ("refused", sign_in_again, "Sync now"),
}


@pytest.mark.parametrize(("state", "change", "words"), CHANGES.values(), ids=CHANGES.keys())
def test_whatever_the_card_shows_is_told_with_its_commit(
    open_page: Open, ada: User, state: str, change: Callable[[User], object], words: str
) -> None:
    make_request(ada, state="succeeded", song_count=2)
    reason = "" if state == "connected" else "forbidden"
    SpotifyConnection.objects.update(state=state, state_reason=reason)
    page = open_page(ada)
    assert words not in page.card()

    change(ada)

    assert words in page.card()


def test_a_page_is_sent_the_cards_of_the_mirrors_that_it_shows(
    open_page: Open, ada: User, bea: User
) -> None:
    jazz, main = make_mirror(ada, "Jazz"), main_mirror(ada)
    foreign = main_mirror(bea)
    page = open_page(ada, path=f"/events/?mirror={jazz.pk}&mirror={main.pk}&mirror={foreign.pk}")
    first, second = page.card(), page.card()
    assert f'id="mirror-{jazz.pk}"' in first
    assert f'id="mirror-{main.pk}"' in second

    pause_mirror(ada, jazz)

    only = page.card()
    assert f'id="mirror-{jazz.pk}"' in only
    assert "Resume" in only
    assert page.is_silent()


def test_the_rows_of_other_playlists_are_sent_when_one_of_them_changed(
    open_page: Open, ada: User, bea: User
) -> None:
    jazz = make_mirror(ada, "Jazz")
    make_mirror(bea, "Hers")
    page = open_page(ada, path=f"/events/?mirror={main_mirror(ada).pk}&mirror=others")
    page.card()
    first = page.event()
    assert 'id="others"' in first
    assert "Jazz" in first
    assert "Hers" not in first

    pause_mirror(ada, jazz)

    rows = page.event()
    assert 'id="others"' in rows
    assert "Paused" in rows
    assert page.is_silent()


def test_a_burst_is_told_in_few_cards_the_last_of_them_complete(open_page: Open, ada: User) -> None:
    request_sync(user=ada)
    job = queue.claim(worker="test")
    assert job
    page = open_page(ada)
    page.card()

    began = time.monotonic()
    for percent in range(1, 101):
        queue.record_progress(job, progress=percent / 100)
        time.sleep(0.008)
    seconds = time.monotonic() - began

    cards = [page.card()]
    while 'value="1.000"' not in cards[-1]:
        cards.append(page.card())
    assert len(cards) <= seconds / events.PAUSE + 2
    assert page.is_silent()


def test_a_listener_s_pages_share_one_drawing_and_later_changes_get_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(events, "_html_of", lambda user_id, *_: str(drawn.append(user_id)))

    async def three_pages_and_one_more() -> None:
        card = events.DrawnCard(7, None, UTC)
        await asyncio.gather(*(card.drawn() for _ in range(3)))
        await card.drawn()

    began = time.monotonic()
    asyncio.run(three_pages_and_one_more())

    assert drawn == [7, 7]
    assert time.monotonic() - began >= events.PAUSE


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ("a card", ["data: a card"]),
        ("two\nlines", ["data: two", "data: lines"]),
        ("any\r\nline\rends", ["data: any", "data: line", "data: ends"]),
        ("a\n\ngap", ["data: a", "data: ", "data: gap"]),
        ("event: gone", ["data: event: gone"]),
        ("", ["data: "]),
    ],
)
def test_an_event_carries_any_text(data: str, lines: list[str]) -> None:
    assert events.event("card", data) == "\n".join(["event: card", *lines, "", ""])


# --- How a stream ends ------------------------------------------------------------------------


def test_a_sign_of_life_comes_four_times_a_minute(open_page: Open, ada: User) -> None:
    page = open_page(ada)
    page.card()

    assert page.block(within=events.BEAT + SOON) == ": still here"


def sign_out(browser: Client, user: User) -> None:
    browser.post("/accounts/logout/")


def block(browser: Client, user: User) -> None:
    with transaction.atomic():
        access_ended.send(sender=User, user_id=user.pk)
        User.objects.filter(pk=user.pk).update(is_active=False)


ENDS: dict[str, Callable[[Client, User], object]] = {
    "sign-out": sign_out,
    "sign-out everywhere": lambda _, user: sign_out_everywhere(user),
    "deletion": lambda _, user: delete_account(user),
    "blocking": block,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_stream_ends_at_once_with_its_session(
    open_page: Open, ada: User, end: Callable[[Client, User], object]
) -> None:
    browser = as_user(ada)
    page = open_page(ada, browser)
    page.card()

    end(browser, ada)

    assert page.rest() == ["event: gone\ndata:"]


def test_a_sign_out_leaves_other_browsers_alone(open_page: Open, ada: User) -> None:
    here, there = as_user(ada), as_user(ada)
    page = open_page(ada, there)
    page.card()

    sign_out(here, ada)
    request_sync(user=ada)

    assert "Cancel" in page.card()


def test_who_is_not_signed_in_is_told_not_to_come_back(open_page: Open, ada: User) -> None:
    assert open_page(ada, Client()).response.status == 204


def test_a_listener_has_room_for_a_few_streams(open_page: Open, ada: User, bea: User) -> None:
    browser = as_user(ada)
    with ThreadPoolExecutor(2 * events.MOST_EACH) as at_once:
        pages = list(at_once.map(open_page, [ada] * 2 * events.MOST_EACH, repeat(browser)))
    told = [page for page in pages if page.event().startswith("event: card")]
    assert len(told) == events.MOST_EACH

    refused = open_page(ada, browser).response

    assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
    assert "Liked Songs of Bea" in open_page(bea).card()
    told[0].close()
    wait_until(lambda: open_page(ada, browser).response.status == 200)


def test_a_process_that_is_full_says_so(monkeypatch: pytest.MonkeyPatch, ada: User) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 0)

    response = as_user(ada).get("/events/")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")


# --- What a stream survives -------------------------------------------------------------------


def test_what_happens_while_the_server_hears_nothing_is_made_up_for(
    open_page: Open, web: WebServer, ada: User
) -> None:
    page = open_page(ada)
    page.card()
    heard_before = web.log.count("listening channel")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    request_sync(user=ada)

    assert "Cancel" in page.card()
    assert web.log.count("listening channel") == heard_before + 1


def test_streams_hold_no_connection_that_pages_need(open_page: Open, web: WebServer) -> None:
    users = [make_user(f"listener-{number}") for number in range(4)]
    pages = [open_page(user) for user in users for _ in range(POOL)]
    for page in pages:
        page.card()

    home = HTTPConnection("127.0.0.1", web.port, timeout=SOON)
    home.request("GET", "/", headers={"Cookie": cookie_of(as_user(users[0]))})

    assert b"Liked Songs of Listener-0" in home.getresponse().read()
    home.close()
    for user in users:
        request_sync(user=user)
    assert all("Cancel" in page.card() for page in pages)


def test_a_web_server_that_is_stopped_does_not_wait_for_its_streams(
    open_page: Open, ada: User, environment: dict[str, str], tmp_path: Path
) -> None:
    with web_server(tmp_path / "log", environment) as server:
        page = open_page(ada, port=server.port)
        page.card()

        began = time.monotonic()
        server.send(signal.SIGTERM)

        assert page.rest() == []
        assert server.ends() == 0
        assert time.monotonic() - began < 8, server.log  # it would wait that long
