"""The embedded database moves to another major version of PostgreSQL, with all that is in it."""

import os
from pathlib import Path

import pytest

from syncify.embedded_postgres.base import packaged_version, packaged_versions, version_of
from tests.processes import manage, managed

pytestmark = pytest.mark.slow

OLD = min(packaged_versions())
ADD = "from accounts.models import User; User.objects.create(spotify_id='ada', display_name='Ada')"
SHOW = "from accounts.models import User; print(User.objects.get().display_name)"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An installation of its own, without DATABASE_URL."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "SYNCIFY_DATA_DIR": str(tmp_path / "data"), "SPOTIFY_CLIENT_ID": "some-client"}


@pytest.mark.skipif(packaged_version() == OLD, reason="the package brings one version only")
def test_an_older_database_is_brought_along(env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "data" / "postgres"
    older = {**env, "PGSERVER_POSTGRES_VERSION": str(OLD)}
    managed(older, "migrate", "-v0")
    managed(older, "shell", "-v0", "-c", ADD)
    assert version_of(folder) == OLD

    assert b"upgrade_database" in manage(env, "shell", "-v0", "-c", SHOW).stderr
    managed(env, "upgrade_database")

    assert version_of(folder) == packaged_version()
    assert managed(env, "shell", "-v0", "-c", SHOW) == b"Ada\n"
    assert b"already" in managed(env, "upgrade_database")
    # The old one is as it was.
    folder.rename(folder.with_name("new"))
    folder.with_name(f"postgres-{OLD}").rename(folder)
    assert managed(older, "shell", "-v0", "-c", SHOW) == b"Ada\n"


@pytest.mark.skipif(packaged_version() == OLD, reason="the package brings one version only")
def test_a_failed_upgrade_leaves_the_old_database_in_place(
    env: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "postgres"
    older = {**env, "PGSERVER_POSTGRES_VERSION": str(OLD)}
    managed(older, "migrate", "-v0")
    managed(older, "shell", "-v0", "-c", ADD)
    code = """
import subprocess
from unittest.mock import patch
from django.core.management import call_command
run = subprocess.run
def fail(command, **rest):
    return run(["false"]) if "restore" in command else run(command, **rest)
with patch("subprocess.run", fail):
    call_command("upgrade_database")
"""

    failed = manage(env, "shell", "-v0", "-c", code)

    assert failed.returncode != 0
    assert version_of(folder) == OLD
    assert managed(older, "shell", "-v0", "-c", SHOW) == b"Ada\n"


def test_a_database_of_ones_own_is_left_alone(env: dict[str, str]) -> None:
    refused = manage({**env, "DATABASE_URL": "postgresql://h/n"}, "upgrade_database")

    assert refused.returncode == 1
    assert b"its own means" in refused.stderr
