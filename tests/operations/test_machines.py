"""What machines are told: whether we are well, and how much there is to do."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import CONSENT_LIFE, SpotifyConnection
from sync.models import Incident, Process
from sync.queue import processes
from sync.queue import scheduler as scheduling
from sync.queue.worker import Worker
from syncify import __version__
from syncify.schema import check_migrated
from syncify.spotify.models import ApiHour, Block
from tests.builders import make_request, make_user

pytestmark = pytest.mark.django_db

Migration = MigrationRecorder.Migration


# --- Health -------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def fresh_process() -> None:
    check_migrated.cache_clear()


def test_all_is_well_when_the_database_answers_and_is_migrated(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")
    assert response.headers["Syncify-Version"] == __version__


def test_a_migration_that_waits_is_not_well(client: Client) -> None:
    Migration.objects.get(app="sync", name="0001_initial").delete()

    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.content == b"migrations to apply: sync.0001_initial\n"


def test_a_database_that_does_not_answer_is_not_well(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError

    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", refuse)

    response = client.get("/healthz")

    assert (response.status_code, response.content) == (503, b"database does not answer\n")


def test_old_code_is_well_on_a_newer_database(client: Client) -> None:
    Migration.objects.create(app="sync", name="9999_of_the_future")

    assert client.get("/healthz").status_code == 200


def test_once_well_a_check_costs_one_statement(
    client: Client, django_assert_num_queries: Any
) -> None:
    client.get("/healthz")

    with django_assert_num_queries(1):
        client.get("/healthz")


def test_worker_and_scheduler_touch_a_file_at_each_turn(settings: Any, tmp_path: Path) -> None:
    settings.ALIVE_DIR = str(tmp_path)

    Worker(runners={})._look_after()
    scheduling.take_turn()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["scheduler", "worker"]


# --- Metrics ------------------------------------------------------------------------------------

ALLOWED = {"Authorization": "Bearer scrape-me"}


@pytest.fixture
def scrape(client: Client, settings: Any) -> Callable[[], dict[str, float]]:
    """Every sample by its name and label, as Prometheus reads them."""
    settings.METRICS_TOKEN = "scrape-me"
    settings.SPOTIFY_DAILY_QUOTA = 1000

    def samples() -> dict[str, float]:
        response = client.get("/metrics", headers=ALLOWED)
        assert response.status_code == 200
        families = text_string_to_metric_families(response.content.decode())
        return {
            "/".join([sample.name.removeprefix("syncify_"), *sample.labels.values()]): sample.value
            for family in families
            for sample in family.samples
        }

    return samples


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("", {}, 404),
        ("", ALLOWED, 404),
        ("", {"Authorization": "Bearer "}, 404),
        ("scrape-me", {}, 401),
        ("scrape-me", {"Authorization": "Bearer guess"}, 401),
        ("scrape-me", {"Authorization": "scrape-me"}, 401),
        ("scrape-me", ALLOWED, 200),
    ],
)
def test_metrics_are_for_whoever_knows_the_token(
    client: Client, settings: Any, token: str, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_TOKEN = token

    assert client.get("/metrics", headers=headers).status_code == status


def test_an_empty_installation_has_every_metric_at_nought(
    scrape: Callable[[], dict[str, float]],
) -> None:
    samples = scrape()

    assert samples.pop("api_calls_left") == 1000
    assert len(samples) == 20
    assert set(samples.values()) == {0}


def test_metrics_count_what_is_in_the_database(scrape: Callable[[], dict[str, float]]) -> None:
    now = timezone.now()
    ada, bea, cleo, dora, eve, finn = (
        make_user(name) for name in ("ada", "bea", "cleo", "dora", "eve", "finn")
    )
    make_request(ada, run_at=now - timedelta(minutes=3))
    make_request(bea, run_at=now + timedelta(hours=1))
    make_request(cleo, state="running")
    for user in (dora, eve):
        make_request(user, state="succeeded", started=now - timedelta(seconds=20), completed=now)
    make_request(finn, state="dead", error_code="internal")
    make_request(finn, state="dead", error_code="internal", completed=now - timedelta(days=2))
    make_request(eve, state="cancelled")
    SpotifyConnection.objects.filter(user=dora).update(
        authorized_at=now - CONSENT_LIFE + timedelta(days=29)
    )
    SpotifyConnection.objects.filter(user=finn).update(state="sign_in_needed")
    ApiHour.objects.create(hour=now.replace(minute=0, second=0, microsecond=0), calls=7)
    ApiHour.objects.create(hour=now - timedelta(hours=20), calls=30)
    block = Block.objects.create(until=now + timedelta(hours=1), because="quota")
    processes.seen(processes.WORKER)
    Process.objects.create(kind="worker", name="gone", alive_until=now - timedelta(hours=1))
    Incident.objects.create(key="block:quota", message="")

    samples = scrape()

    assert 180 <= samples.pop("queue_oldest_wait_seconds") < 240
    assert {name: value for name, value in samples.items() if value} == {
        "queue_requests/ready": 1,
        "queue_requests/waiting": 1,
        "queue_requests/running": 1,
        "syncs_last_day/succeeded": 2,
        "syncs_last_day/dead": 1,
        "syncs_last_day/cancelled": 1,
        "sync_seconds_last_day/succeeded": 40,
        "failures_last_day/internal": 1,
        "api_calls_this_hour": 7,
        "api_calls_last_day": 37,
        "api_calls_left": 963,
        "blocked_until_timestamp_seconds": block.until.timestamp(),
        "listeners/connected": 5,
        "listeners/sign_in_needed": 1,
        "consents_ending": 1,
        "processes/worker": 1,
        "incidents_open": 1,
    }


def test_metrics_take_the_same_few_statements_for_any_number_of_listeners(
    scrape: Callable[[], dict[str, float]], django_assert_num_queries: Any
) -> None:
    for number in range(5):
        make_request(make_user(f"listener-{number}"), state="dead", error_code=f"cause-{number}")

    with django_assert_num_queries(10):
        scrape()


# --- Rest ---------------------------------------------------------------------------------------


def test_a_process_at_rest_carries_no_library_that_it_may_never_need() -> None:
    load = (
        "import sys, django; django.setup(); "
        "import syncify.urls, sync.queue.worker, sync.queue.scheduler; "
        "print(*{'apprise', 'prometheus_client', 'redis', 'requests', 'spotipy'} & {*sys.modules})"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "syncify.settings"}

    loaded = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", load], env=environment, capture_output=True, check=True, text=True
    )

    assert loaded.stdout.strip() == ""
