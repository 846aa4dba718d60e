"""How often one may ask: the buckets, the answer 429, and the line in the log."""

import logging
import re
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.db.models import F
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from accounts.limits import PERIOD, _duration, fill, prune
from accounts.models import RateLimit, User
from accounts.operators import make_code
from sync.queue.scheduler import take_turn
from tests.builders import at_playlist, make_user
from tests.test_abuse import routes
from tests.waiting import at_once

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def let_pass(time: timedelta) -> None:
    RateLimit.objects.update(empty_at=F("empty_at") - time)


# --- Buckets ------------------------------------------------------------------------------------


def test_a_full_bucket_takes_one_more_for_each_step_that_passes() -> None:
    assert [fill({"door": 4}) for _ in range(4)] == [None] * 4

    assert fill({"door": 4}) == PERIOD / 4
    let_pass(PERIOD / 4)
    assert fill({"door": 4}) is None
    assert fill({"door": 4}) == PERIOD / 4


def test_who_was_refused_waits_no_longer_for_having_asked() -> None:
    fill({"door": 1})
    let_pass(PERIOD - timedelta(seconds=30))

    assert [fill({"door": 1}) for _ in range(3)] == [timedelta(seconds=30)] * 3


def test_a_bucket_is_whole_again_after_a_rest() -> None:
    fill({"door": 2})
    let_pass(10 * PERIOD)

    assert [fill({"door": 2}) for _ in range(3)] == [None, None, PERIOD / 2]


def test_of_several_buckets_each_counts_and_the_longest_wait_is_told() -> None:
    assert fill({"house": 3, "person": 1}) is None
    assert fill({"house": 3, "person": 1}) == PERIOD
    assert fill({"house": 3, "other": 1}) is None
    assert fill({"house": 3, "third": 1}) == PERIOD / 3


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_no_more_come_in_than_may() -> None:
    def ask() -> list[bool]:
        return [fill({"door": 10, "house": 100}) is None for _ in range(5)]

    came_in = chain(*at_once(*[ask] * 8))

    assert sum(came_in) == 10


def test_the_table_names_nobody_and_keeps_nothing_that_is_over() -> None:
    fill({"address 203.0.113.9": 5, "listener 7": 5})
    assert all(re.fullmatch("[0-9a-f]{64}", each.key) for each in RateLimit.objects.all())

    let_pass(PERIOD / 6)
    prune()
    assert RateLimit.objects.count() == 2
    let_pass(PERIOD / 6)
    prune()
    assert not RateLimit.objects.exists()


def test_the_scheduler_clears_away_what_is_over(client: Client) -> None:
    now = timezone.now()
    for name, left in [("over", -1), ("running", 1)]:
        Session.objects.create(session_key=name, expire_date=now + timedelta(hours=left))
        RateLimit.objects.create(key=name, empty_at=now + timedelta(hours=left))

    take_turn()

    assert Session.objects.get().session_key == "running"
    assert RateLimit.objects.get().key == "running"


# --- What a visitor meets -----------------------------------------------------------------------


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """All buckets are full."""
    monkeypatch.setattr("accounts.limits.fill", lambda _: timedelta(seconds=60))


#: Why these addresses take any number of POSTs.
UNLIMITED = {
    "accounts/logout/": "ends one's own session, and must always be possible",
    "operator/<int:pk>/retry/": "for operators only; everybody else gets a 404",
    "operator/listeners/<int:listener>/block/": "for operators only; everybody else gets a 404",
}


def test_every_address_that_takes_a_post_has_a_limit_or_a_reason(
    client: Client, full: None
) -> None:
    ada = make_user("ada")
    User.objects.update(is_operator_by_code=True)
    make_code()
    unlimited = set()
    for route in routes(get_resolver()):
        client.force_login(ada)

        response = client.post("/" + re.sub("<.*?>", "1", route), {"address": "x"})

        if response.status_code == 429:
            assert response.headers["Retry-After"] == "60"
        elif response.status_code != 405:
            unlimited.add(route)

    assert unlimited == set(UNLIMITED)


@pytest.mark.parametrize("path", ["/accounts/callback/", "/accounts/login/continue/"])
def test_what_begins_or_ends_a_sign_in_by_a_get_has_a_limit(
    client: Client, full: None, path: str
) -> None:
    assert client.get(path).status_code == 429


def test_who_asks_too_often_is_told_when_to_come_back(client: Client, full: None) -> None:
    client.force_login(make_user("ada"))

    page = client.post("/sync/")
    part = client.post("/sync/", headers=HTMX)

    assert "Try again in 60 seconds." in page.content.decode()
    assert "</html>" in page.content.decode()
    assert (part.status_code, part.headers["Content-Type"]) == (429, "text/plain")
    assert part.content.decode() == "Too many requests. Try again in 60 seconds."


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1, "a second"), (2, "2 seconds"), (119, "119 seconds"), (120, "2 minutes"),
     (121, "3 minutes"), (3600, "60 minutes")],
)  # fmt: skip
def test_a_wait_is_told_in_round_numbers(seconds: int, told: str) -> None:
    assert _duration(seconds) == told


def test_one_household_does_not_use_up_what_another_may(client: Client) -> None:
    def press(address: str) -> int:
        return client.post("/accounts/login/", REMOTE_ADDR=address).status_code

    assert [press("2001:db8::1") for _ in range(61)] == [302] * 60 + [429]
    assert press("2001:db8::2") == 429
    assert press("2001:db8:0:1::1") == 302
    assert press("203.0.113.9") == 302


def test_a_listener_who_presses_like_mad_stops_nobody_else(client: Client) -> None:
    ada, bea = make_user("ada"), make_user("bea")

    client.force_login(ada)
    assert {client.post("/sync/").status_code for _ in range(120)} == {303}
    assert client.post(at_playlist(ada, "pause/")).status_code == 429
    client.force_login(bea)
    assert client.post("/sync/").status_code == 303


def test_a_method_that_is_not_allowed_is_not_counted(client: Client) -> None:
    client.get("/accounts/login/")

    assert not RateLimit.objects.exists()


# --- The log ------------------------------------------------------------------------------------


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "syncify.visitors"]


def test_each_refusal_is_one_line_with_the_address(
    client: Client, caplog: pytest.LogCaptureFixture, full: None
) -> None:
    from_afar = {"X-Forwarded-For": "203.0.113.9"}
    client.post("/accounts/login/", headers=from_afar)
    strict = Client(enforce_csrf_checks=True)
    strict.post("/accounts/login/", headers=from_afar)

    assert refusals(caplog) == [
        "refused address=203.0.113.9 path=/accounts/login/ reason=limit:sign-in",
        "refused address=203.0.113.9 path=/accounts/login/ reason=csrf",
    ]


def test_a_sign_in_that_was_made_up_is_a_refusal(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/accounts/callback/?state=forged&code=forged", REMOTE_ADDR="203.0.113.9")

    assert refusals(caplog) == [
        "refused address=203.0.113.9 path=/accounts/callback/ reason=unknown_state"
    ]


def log_line(name: str, level: int, message: str) -> str:
    """As our handler writes it."""
    record = logging.LogRecord(name, level, "", 0, message, None, None)
    line = django_settings.LOGGING["formatters"]["line"]
    return logging.Formatter(line["format"], style=line["style"]).format(record)


@pytest.mark.parametrize("before", ["", '{"log":"'])
def test_the_documented_filter_finds_refusals_and_nothing_that_looks_like_one(before: str) -> None:
    docs = Path(__file__).parent.parent.parent / "docs" / "operations.md"
    [pattern] = re.findall(r"^ *failregex = (.+)$", docs.read_text(encoding="utf-8"), re.MULTILINE)
    # fail2ban takes the time out of a line before it looks at the rest.
    time = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}")
    refused = re.compile(pattern.replace("<HOST>", r"(?P<host>\S+)"))
    message = "refused address=203.0.113.9 path=/sync/ reason=limit:sync"

    def found(name: str, text: str) -> re.Match[str] | None:
        line = before + log_line(name, logging.WARNING, text)
        return refused.search(time.sub("", line, count=1))

    match = found("syncify.visitors", message)
    assert match is not None
    assert match["host"] == "203.0.113.9"
    assert found("django.request", f"Not Found: / WARNING syncify.visitors {message}") is None
    assert (
        found("django.request", f"Not Found: {log_line('syncify.visitors', 30, message)}") is None
    )
