"""Databases with the schema of a release, to be migrated to the newest one."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from psycopg.conninfo import conninfo_to_dict

from tests.scratch import scratch_database

FIRST_RELEASE = [
    ("accounts", "0001_initial"),
    ("spotify", "0001_initial"),
    ("sync", "0002_storage"),
]
LAST_RELEASE = [
    ("accounts", "0003_tokens_lost"),
    ("spotify", "0001_initial"),
    ("sync", "0005_plain_counts"),
]
both_releases = pytest.mark.parametrize(
    "release", [FIRST_RELEASE, LAST_RELEASE], ids=["first", "last"]
)
#: The alias of the database that ``executor`` migrates.
SCRATCH = "scratch"


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


def migrate_to_newest(executor: MigrationExecutor) -> None:
    migrate(executor, executor.loader.graph.leaf_nodes())


def create(apps: Apps, model: str, **fields: Any) -> Any:
    """A row in ``SCRATCH``, written as the code of ``apps`` does."""
    return apps.get_model(model)._default_manager.using(SCRATCH).create(**fields)
