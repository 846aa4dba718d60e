"""Incidents: one alert from the beginning of a trouble to its end, through Apprise."""

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import CONSENT_LIFE, SpotifyConnection
from sync.models import Incident, Process, SyncRequest
from sync.models.operations import ALIVE_FOR
from sync.operations import alerts
from sync.operations.alerts import check_incidents, deliver_alerts, undelivered
from sync.queue.alerted import was_delivered
from sync.queue.sweeps import LATELY
from syncify.spotify.models import Block
from tests.builders import make_request, make_user
from tests.waiting import at_once

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def open_keys() -> list[str]:
    return list(Incident.objects.filter(closed=None).values_list("key", flat=True).order_by("key"))


def dead(name: str, code: str = "internal", **fields: Any) -> Any:
    return make_request(make_user(name), state="dead", error_code=code, **fields)


def test_all_well_is_no_incident() -> None:
    make_request(make_user("ada"), state="succeeded")
    make_request(make_user("bea"))

    check_incidents()

    assert not Incident.objects.exists()


def test_dead_letters_of_one_cause_are_one_incident(inbox: list[dict[str, str]]) -> None:
    for name in ("ada", "bea", "cleo"):
        dead(name)
    dead("dora", code="not_registered")

    check_incidents()
    dead("eve")
    check_incidents()

    assert open_keys() == ["dead:internal", "dead:not_registered"]
    assert len(inbox) == 2
    assert any("3 listeners" in alert["message"] for alert in inbox)
    assert all("/operator/" in alert["message"] for alert in inbox)


@pytest.mark.parametrize("code", ["sign_in_needed", "scope_missing"])
def test_what_the_listener_must_cure_alarms_nobody(code: str) -> None:
    dead("ada", code=code)

    check_incidents()

    assert open_keys() == []


def test_a_dead_letter_is_over_with_the_listeners_next_success() -> None:
    letter = dead("ada")
    check_incidents()
    retried = make_request(letter.user, state="dead", error_code="internal")
    check_incidents()
    assert open_keys() == ["dead:internal"]

    make_request(retried.user, state="succeeded")
    check_incidents()

    assert open_keys() == []
    assert Incident.objects.get().closed


def test_a_trouble_that_comes_back_is_told_again(inbox: list[dict[str, str]]) -> None:
    letter = dead("ada")
    check_incidents()
    make_request(letter.user, state="succeeded")
    check_incidents()

    make_request(letter.user, state="dead", error_code="internal")
    check_incidents()

    assert len(inbox) == 2
    assert Incident.objects.count() == 2


def test_an_old_dead_letter_is_no_trouble_any_more() -> None:
    dead("ada", completed=timezone.now() - timedelta(days=3))

    check_incidents()

    assert open_keys() == []


@pytest.mark.parametrize(
    ("waiting", "last_seen", "keys"),
    [
        (6 * MINUTE, None, ["worker"]),
        (6 * MINUTE, 6 * MINUTE, ["worker"]),
        (6 * MINUTE, MINUTE, []),
        (MINUTE, None, []),
        (-HOUR, None, []),
    ],
)
def test_a_worker_is_missed_when_syncs_wait_for_it(
    waiting: timedelta, last_seen: timedelta | None, keys: list[str]
) -> None:
    now = timezone.now()
    make_request(make_user("ada"), run_at=now - waiting)
    if last_seen:
        alive_until = now - last_seen + ALIVE_FOR
        Process.objects.create(kind="worker", name="host:1", alive_until=alive_until)

    check_incidents()

    assert open_keys() == keys


def test_a_sync_whose_worker_vanished_waits_too() -> None:
    make_request(make_user("ada"), state="running", leased_until=timezone.now() - HOUR)

    check_incidents()

    assert open_keys() == ["worker"]


@pytest.mark.parametrize("because", Block.Because)
def test_a_block_is_one_incident_until_some_time_after_its_end(because: str) -> None:
    block = Block.objects.create(until=timezone.now() + HOUR, because=because)
    check_incidents()
    assert open_keys() == [f"block:{because}"]

    # The hourly look has failed again: not a new incident.
    Block.objects.filter(pk=block.pk).update(until=timezone.now() - MINUTE)
    check_incidents()
    assert open_keys() == [f"block:{because}"]

    Block.objects.filter(pk=block.pk).update(until=timezone.now() - HOUR)
    check_incidents()
    assert open_keys() == []


def test_without_an_address_there_is_a_line_in_the_log(caplog: Any) -> None:
    dead("ada")

    with caplog.at_level(logging.ERROR, logger="sync"):
        check_incidents()
        check_incidents()

    assert [record.getMessage().split()[:2] for record in caplog.records] == [
        ["incident", "key=dead:internal"]
    ]


def test_more_listeners_take_no_more_statements() -> None:
    """Neither those whose consent ends soon, when told and afterwards, nor those given up."""

    def join(names: str) -> None:
        for name in names:
            make_user(name)
            dead(name * 2)
        SpotifyConnection.objects.update(authorized_at=timezone.now() - timedelta(days=178))

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            check_incidents()
            check_incidents(lately=LATELY)
        return len(captured)

    join("ab")
    few = statements(), statements()
    assert Incident.objects.filter(closed=None).count() == 5
    join("cdefghijkl")

    assert (statements(), statements()) == few
    assert Incident.objects.filter(closed=None).count() == 25
    # And all of them end at once.
    SpotifyConnection.objects.update(authorized_at=timezone.now())
    SyncRequest.objects.all().delete()
    assert statements() <= few[1] + 2
    assert open_keys() == []


@pytest.mark.parametrize("days", [30, 7, 1])
def test_between_sweeps_a_stage_is_noticed_when_it_comes(days: int) -> None:
    ada, bea = make_user("ada"), make_user("bea")
    SpotifyConnection.objects.update(state_since=timezone.now() - 9 * HOUR)
    just_now = timezone.now() + timedelta(days=days) - CONSENT_LIFE - MINUTE
    SpotifyConnection.objects.filter(user=ada).update(authorized_at=just_now)
    SpotifyConnection.objects.filter(user=bea).update(authorized_at=just_now - LATELY)

    check_incidents(lately=LATELY)
    assert [incident.user for incident in Incident.objects.all()] == [ada]

    check_incidents()
    assert Incident.objects.filter(closed=None).count() == 2


def test_between_sweeps_a_new_sign_in_and_a_lost_consent_are_noticed() -> None:
    for name in ("ada", "bea", "cy"):
        make_user(name)
    SpotifyConnection.objects.update(
        authorized_at=timezone.now() - timedelta(days=178), state_since=timezone.now() - 9 * HOUR
    )
    check_incidents()
    dead("dora")
    anew, ended = SpotifyConnection.objects.order_by("pk")[:2]
    SpotifyConnection.objects.filter(pk=anew.pk).update(authorized_at=timezone.now())
    SpotifyConnection.objects.filter(pk=ended.pk).update(
        state="sign_in_needed", state_since=timezone.now()
    )

    check_incidents(lately=LATELY)

    third = ended.pk + 1
    assert open_keys() == [f"consent:{ended.pk}:ended", f"consent:{third}:week", "dead:internal"]
    SyncRequest.objects.all().delete()
    check_incidents(lately=LATELY)
    assert "dead:internal" not in open_keys()


def test_two_schedulers_open_one_incident(caplog: Any) -> None:
    """The second finds the trouble before the first has told of it."""
    dead("ada")
    SpotifyConnection.objects.update(authorized_at=timezone.now() - timedelta(days=178))
    found = [*alerts._troubles()]

    check_incidents()
    alerts._open(found)

    assert [key.split(":")[0] for key in open_keys()] == ["consent", "dead"]
    assert caplog.text.count("incident key=dead:internal") == 1


# --- Delivery ---------------------------------------------------------------------------------


class Receiver:
    """A service for alerts whose answer may be set."""

    def __init__(self) -> None:
        self.status = 500
        self.asked = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Not into the test's output."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://me:alert-secret@127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Takes no alert at first; the only address."""
    receiver = Receiver()
    settings.ALERT_URLS = [receiver.address]
    with receiver.server:
        threading.Thread(target=receiver.server.serve_forever, args=(0.02,), daemon=True).start()
        yield receiver
        receiver.server.shutdown()


def later(by: timedelta) -> None:
    """As if all incidents had come that much earlier."""
    Incident.objects.update(alert_due=F("alert_due") - by, closed=F("closed") - by)


def test_an_alert_is_tried_again_until_it_is_delivered_and_then_never(receiver: Receiver) -> None:
    dead("ada")
    check_incidents()
    check_incidents()
    assert (receiver.asked, was_delivered("dead:internal"), undelivered()) == (1, False, 1)

    receiver.status = 200
    later(MINUTE)
    check_incidents()

    assert (receiver.asked, was_delivered("dead:internal"), undelivered()) == (2, True, 0)
    later(HOUR)
    check_incidents()
    assert receiver.asked == 2


def test_the_tries_come_in_growing_waits_of_an_hour_at_most(receiver: Receiver) -> None:
    dead("ada")
    waits = []
    for _ in range(9):
        check_incidents()
        due = Incident.objects.get().alert_due
        assert due
        waits.append(round((due - timezone.now()) / MINUTE))
        later(due - timezone.now())

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert receiver.asked == 9


def test_an_address_that_took_an_alert_gets_it_once(
    receiver: Receiver, inbox: list[dict[str, str]], settings: Any
) -> None:
    settings.ALERT_URLS = [receiver.address, *settings.ALERT_URLS]
    dead("ada")

    check_incidents()
    assert was_delivered("dead:internal")
    for _ in range(3):
        later(HOUR)
        check_incidents()

    assert (receiver.asked, len(inbox), undelivered()) == (4, 1, 1)


def test_an_address_that_fails_is_left_alone_for_the_rest_of_the_turn(receiver: Receiver) -> None:
    for code in ("internal", "not_registered", "forbidden"):
        dead(code, code=code)

    check_incidents()

    assert receiver.asked == 1
    receiver.status = 200
    later(MINUTE)
    check_incidents()
    assert receiver.asked == 4
    assert undelivered() == 0


def test_an_alert_of_an_incident_that_has_ended_says_so_for_a_day(
    receiver: Receiver, inbox: list[dict[str, str]], settings: Any
) -> None:
    good, settings.ALERT_URLS = settings.ALERT_URLS, [receiver.address]
    letter = dead("ada")
    check_incidents()
    make_request(letter.user, state="succeeded")
    check_incidents()

    settings.ALERT_URLS = good
    later(MINUTE)
    check_incidents()

    [alert] = inbox
    assert "given up: internal. (It ended at" in alert["message"]
    assert not was_delivered("dead:internal")


def test_an_old_incident_is_told_no_more(receiver: Receiver) -> None:
    letter = dead("ada")
    check_incidents()
    make_request(letter.user, state="succeeded")
    check_incidents()

    later(timedelta(days=2))
    check_incidents()

    assert (receiver.asked, undelivered()) == (1, 0)


def test_what_nobody_was_told_for_want_of_an_address_is_told_once_there_is_one(
    inbox: list[dict[str, str]], settings: Any
) -> None:
    addresses, settings.ALERT_URLS = settings.ALERT_URLS, []
    dead("ada")
    check_incidents()
    assert not was_delivered("dead:internal")
    assert undelivered() == 0

    settings.ALERT_URLS = addresses
    check_incidents()

    assert len(inbox) == 1
    assert was_delivered("dead:internal")


@pytest.mark.django_db(transaction=True)
def test_of_two_schedulers_one_sends(inbox: list[dict[str, str]]) -> None:
    Incident.objects.create(key="worker", message="Once.", alert_due=timezone.now())

    at_once(deliver_alerts, deliver_alerts)

    assert len(inbox) == 1


@pytest.mark.parametrize("address", ["json://me:alert-secret@127.0.0.1:1/", "alert-secret"])
def test_an_alert_that_cannot_be_sent_is_logged_without_its_address_and_stops_nothing(
    settings: Any, caplog: Any, capfd: Any, address: str
) -> None:
    settings.ALERT_URLS = [address]
    dead("ada")

    with caplog.at_level(logging.ERROR, logger="sync"):
        check_incidents()

    assert "alert not sent key=dead:internal addresses=[1]" in caplog.text
    assert "alert-secret" not in caplog.text + "".join(capfd.readouterr())
    assert open_keys() == ["dead:internal"]
