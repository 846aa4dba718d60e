"""The operator's page: who may see it, and what it tells."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from sync.models import Incident, Process
from sync.overview import bars
from syncify.spotify.models import ApiHour, Block
from tests.builders import make_request, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> User:
    user = make_user("ada")
    user.is_operator = True
    user.save(update_fields=["is_operator"])
    client.force_login(user)
    return user


@pytest.fixture
def bea() -> User:
    return make_user("bea")


def page_of(client: Client) -> str:
    return " ".join(client.get("/operator/").content.decode().split())


def dead(user: User, **fields: Any) -> int:
    errors = [
        {"attempt": 1, "at": "2026-11-20T08:00:00+00:00", "code": "unavailable", "message": "502."},
        {"attempt": 3, "at": "2026-11-20T09:00:00+00:00", "code": "timeout", "message": "Silence."},
    ]
    return make_request(user, state="dead", errors=errors, **fields).pk


def test_nobody_but_an_operator_learns_that_the_page_exists(client: Client, bea: User) -> None:
    letter = dead(bea)

    for visitor in (None, bea):
        if visitor:
            client.force_login(visitor)
        assert client.get("/operator/").status_code == 404
        assert client.post(f"/operator/{letter}/retry/").status_code == 404
    assert bea.sync_requests.count() == 1


def test_an_empty_installation_has_a_page_too(client: Client, operator: User) -> None:
    page = page_of(client)

    assert "Nothing runs at the moment." in page
    assert "No calls in the last day." in page


def test_queue_and_running_jobs_are_told(client: Client, operator: User, bea: User) -> None:
    make_request(operator, run_at=timezone.now() - timedelta(minutes=7))
    make_request(bea, state="running", stage="reading", leased_by="attic:42")
    make_request(make_user("cy"), run_at=timezone.now() + timedelta(hours=1))

    response = client.get("/operator/")

    queue = response.context["overview"].queue
    assert (queue.ready, queue.waiting, queue.running_count, queue.dead_count) == (1, 1, 1, 0)
    assert queue.oldest_wait == "7\xa0minutes"
    assert "attic:42" in response.content.decode()


def test_a_dead_letter_shows_the_error_of_every_attempt(
    client: Client, operator: User, bea: User
) -> None:
    dead(bea, error_message="Spotify is down.")

    page = page_of(client)

    assert "Spotify is down." in page
    assert '<li value="1"> <code>unavailable</code> 502.' in page
    assert '<li value="3"> <code>timeout</code> Silence.' in page


def test_a_dead_letter_is_retried_with_one_click(client: Client, operator: User, bea: User) -> None:
    letter = dead(bea)

    response = client.post(f"/operator/{letter}/retry/")

    assert (response.status_code, response.headers["Location"]) == (303, "/operator/")
    assert [each.state for each in bea.sync_requests.order_by("id")] == ["dead", "queued"]


def test_no_retry_is_offered_where_it_would_not_help(
    client: Client, operator: User, bea: User
) -> None:
    followed, hopeless, fresh = dead(operator), dead(bea), dead(make_user("cy"))
    make_request(operator, state="succeeded")
    bea.connection.state = "sign_in_needed"
    bea.connection.save(update_fields=["state"])

    page = page_of(client)

    assert f"/operator/{fresh}/retry/" in page
    assert f"/operator/{followed}/retry/" not in page
    assert f"/operator/{hopeless}/retry/" not in page


def test_a_block_an_incident_and_silent_workers_are_told(client: Client, operator: User) -> None:
    now = timezone.now()
    Block.objects.create(until=now + timedelta(hours=1), because="quota")
    Incident.objects.create(key="worker", message="No worker for an hour.")
    Incident.objects.create(key="old", message="Long over.", closed=now)
    Process.objects.create(kind="worker", name="attic:42", last_seen=now - timedelta(hours=1))
    Process.objects.create(kind="scheduler", name="attic:43")

    page = page_of(client)

    assert "its quota is used up" in page
    assert "No worker for an hour." in page
    assert "Long over." not in page
    assert "gone</span> worker attic:42" in page
    assert "alive</span> scheduler attic:43" in page


def test_a_block_that_is_over_is_not_told(client: Client, operator: User) -> None:
    Block.objects.create(until=timezone.now() - timedelta(hours=1), because="quota")

    assert "Nobody calls Spotify" not in page_of(client)


def test_calls_are_counted_by_hour(client: Client, operator: User) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    ApiHour.objects.create(hour=hour, calls=7)
    ApiHour.objects.create(hour=hour - timedelta(hours=24), calls=5)
    ApiHour.objects.create(hour=hour - timedelta(hours=25), calls=900)

    quota = client.get("/operator/").context["overview"].quota

    assert quota.spent == 12
    assert [bar.calls for bar in quota.bars] == [5, *[0] * 23, 7]


def test_the_highest_bar_fills_the_chart_and_no_call_is_invisible() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    hours = [start + timedelta(hours=number) for number in range(4)]

    drawn = bars(list(zip(hours, [0, 1, 500, 1000], strict=True)))

    assert [bar.height for bar in drawn] == [0, 2, 50, 100]
    assert [bar.y for bar in drawn] == [100, 98, 50, 0]
    assert [bar.x for bar in drawn] == [0, 10, 20, 30]


def test_queries_do_not_grow_with_the_installation(client: Client, operator: User) -> None:
    def fill(names: str) -> None:
        for name in names:
            user = make_user(name)
            make_request(user, state="succeeded", song_count=3)
            dead(user)
            make_request(user, state="running")
            Process.objects.create(kind="worker", name=name)
            Incident.objects.create(key=name, message=name)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/operator/")
        return len(captured)

    fill("bc")
    few = queries()
    fill("defghijk")

    assert queries() == few
