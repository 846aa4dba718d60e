"""Incidents: one alert from the beginning of a trouble to its end, through Apprise."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sync.models import Incident, Process
from sync.operations.alerts import check_incidents
from syncify.spotify.models import Block
from tests.builders import make_request, make_user

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
        Process.objects.create(kind="worker", name="host:1", last_seen=now - last_seen)

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


def test_an_alert_that_cannot_be_sent_is_logged_and_stops_nothing(
    settings: Any, caplog: Any
) -> None:
    settings.ALERT_URLS = ["json://127.0.0.1:1/"]
    dead("ada")

    with caplog.at_level(logging.ERROR, logger="sync"):
        check_incidents()

    assert any(record.getMessage().startswith("alert not sent") for record in caplog.records)
    assert open_keys() == ["dead:internal"]
