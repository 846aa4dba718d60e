"""What machines are told: whether we are well."""

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from sync import scheduling
from sync.worker import Worker
from syncify.schema import check_migrated

pytestmark = pytest.mark.django_db

Migration = MigrationRecorder.Migration


# --- Health -------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def fresh_process() -> None:
    check_migrated.cache_clear()


def test_all_is_well_when_the_database_answers_and_is_migrated(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")


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

    Worker()._look_after()
    scheduling.take_turn()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["scheduler", "worker"]
