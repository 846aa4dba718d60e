"""The embedded database moves to another major version of PostgreSQL, with all that is in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncify.embedded_postgres.base import packaged_version, packaged_versions, version_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OLD = min(packaged_versions())
ADD = "from accounts.models import User; User.objects.create(spotify_id='ada', display_name='Ada')"
SHOW = "from accounts.models import User; print(User.objects.get().display_name)"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An installation of its own, without DATABASE_URL."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "SYNCIFY_DATA_DIR": str(tmp_path / "data"), "SPOTIFY_CLIENT_ID": "some-client"}


def manage(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(packaged_version() == OLD, reason="the package brings one version only")
def test_an_older_database_is_brought_along(env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "data" / "postgres"
    older = {**env, "PGSERVER_POSTGRES_VERSION": str(OLD)}
    assert manage(older, "migrate", "-v0").returncode == 0
    assert manage(older, "shell", "-v0", "-c", ADD).returncode == 0
    assert version_of(folder) == OLD

    assert "upgrade_database" in manage(env, "shell", "-v0", "-c", SHOW).stderr
    upgraded = manage(env, "upgrade_database")

    assert upgraded.returncode == 0, upgraded.stderr
    assert version_of(folder) == packaged_version()
    assert manage(env, "shell", "-v0", "-c", SHOW).stdout == "Ada\n"
    assert "already" in manage(env, "upgrade_database").stdout
    # The old one is as it was.
    folder.rename(folder.with_name("new"))
    folder.with_name(f"postgres-{OLD}").rename(folder)
    assert manage(older, "shell", "-v0", "-c", SHOW).stdout == "Ada\n"


@pytest.mark.skipif(packaged_version() == OLD, reason="the package brings one version only")
def test_a_failed_upgrade_leaves_the_old_database_in_place(
    env: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "postgres"
    older = {**env, "PGSERVER_POSTGRES_VERSION": str(OLD)}
    assert manage(older, "migrate", "-v0").returncode == 0
    assert manage(older, "shell", "-v0", "-c", ADD).returncode == 0
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
    assert manage(older, "shell", "-v0", "-c", SHOW).stdout == "Ada\n"


def test_a_database_of_ones_own_is_left_alone(env: dict[str, str]) -> None:
    refused = manage({**env, "DATABASE_URL": "postgresql://h/n"}, "upgrade_database")

    assert refused.returncode == 1
    assert "its own means" in refused.stderr
