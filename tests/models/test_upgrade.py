"""From the first released schema to the newest, with data, and with old code still running."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps as newest
from django.apps.registry import Apps
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from psycopg.conninfo import conninfo_to_dict

from tests.scratch import scratch_database

pytestmark = pytest.mark.django_db

FIRST_RELEASE = [
    ("accounts", "0001_initial"),
    ("spotify", "0001_initial"),
    ("sync", "0002_storage"),
]
OURS = [app for app, _ in FIRST_RELEASE]
SCRATCH = "scratch"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def executor(db: None) -> Iterator[MigrationExecutor]:
    """Migrates an empty database, which models reach by the name of ``SCRATCH``."""
    with scratch_database() as address:
        connections[SCRATCH] = empty = connection.copy(SCRATCH)
        empty.settings_dict["NAME"] = conninfo_to_dict(address)["dbname"]
        yield MigrationExecutor(empty)
        empty.close()
        del connections[SCRATCH]


def migrate(executor: MigrationExecutor, targets: list[tuple[str, str]]) -> Apps:
    """The models as they were then."""
    executor.loader.build_graph()
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


def fill(apps: Apps, name: str) -> None:
    """A listener with rows of all kinds, written as the code of ``apps`` does."""

    def create(model: str, **fields: Any) -> Any:
        return apps.get_model(model)._default_manager.using(SCRATCH).create(**fields)

    user = create("accounts.User", spotify_id=name, display_name=name.title())
    create("accounts.SpotifyConnection", user=user, refresh_token=name, authorized_at=NOON)
    mirror = create("sync.Mirror", user=user, name=f"Liked Songs of {name}", next_due=NOON)
    song = f"song-of-{name}"
    create(
        "sync.Playlist",
        mirror=mirror,
        number=1,
        spotify_id=f"playlist-of-{name}",
        snapshot_id="AAAA",
        items=[f"spotify:track:{song}", None],
        written_name=f"Liked Songs of {name}",
    )
    ended = {"state": "succeeded", "completed": NOON, "song_count": 1, "progress": 1}
    request = create("sync.SyncRequest", user=user, trigger="first", **ended)
    failed = {"errors": [{"attempt": 1, "code": "spotify_unavailable"}], "failures": 1}
    create("sync.SyncRequest", user=user, trigger="scheduled", **failed)
    track = create("sync.Track", id=song, name="Looped", artists=["Kiasmos"])
    create("sync.SavedTrack", user=user, track=track, added_at=NOON, added_in=request)
    create("sync.ReadPage", user=user, offset=0, total=1, items=[])
    create("sync.Process", kind="worker", name=name)
    create("sync.Incident", key=name, message="no worker")
    create("spotify.ApiHour", hour=NOON + timedelta(hours=len(name)), calls=3)


def contents(apps: Apps) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that ``apps`` knows."""
    return {
        model._meta.label: list(model._default_manager.using(SCRATCH).order_by("pk").values())
        for model in apps.get_models()
        if model._meta.app_label in OURS
    }


def test_data_of_the_first_release_lives_on_and_its_code_runs_on_the_newest_schema(
    executor: MigrationExecutor,
) -> None:
    first = migrate(executor, FIRST_RELEASE)
    fill(first, "ada")
    before = contents(first)

    migrate(executor, executor.loader.graph.leaf_nodes())

    assert contents(first) == before
    # What has not been stopped yet writes on, and the newest code reads it.
    fill(first, "bea-b")
    after = contents(newest)
    twice = {model: 2 * len(rows) for model, rows in before.items()}
    assert {model: len(after[model]) for model in before} == twice
