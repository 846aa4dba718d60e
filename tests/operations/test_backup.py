"""What the documentation says of backups, done: a restored installation goes on where it stood."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from syncify.simulator.server import Simulator
from tests.builders import connect
from tests.driving import mirrored, run
from tests.scratch import client, scratch_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def documented(program: str, address: str, *, given: bytes = b"") -> bytes:
    """Run the command of the documentation, with another database."""
    pages = [ROOT / "README.md", ROOT / "docs" / "operations.md"]
    pattern = rf"^    docker compose exec -T db {program} (.*)-U syncify syncify [<>] syncify\.sql$"
    [options] = {
        found
        for page in pages
        for found in re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    return client(program, *options.split(), address, given=given)


def manage(env: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, check=True)  # noqa: S603


def test_a_restored_backup_goes_on_without_writing_a_song_again(
    process_env: dict[str, str], simulator: Simulator
) -> None:
    ada = connect(simulator, "ada")
    run(ada, "first")
    playlists = simulator.playlists("ada")

    backup = documented("pg_dump", process_env["DATABASE_URL"])
    with scratch_database() as restored:
        documented("psql", restored, given=backup)
        env = {**process_env, "DATABASE_URL": restored}
        manage(env, "migrate", "--verbosity=0")

        def sync() -> list[str]:
            """The requests of a sync on what was restored."""
            simulator.forget_requests()
            manage(env, "sync_now", "ada")
            manage(env, "runworker", "--drain")
            return [f"{one.method} {one.path}" for one in simulator.requests]

        assert sync() == ["GET /v1/me/tracks"]

        simulator.like("ada", simulator.new_track())
        assert sync() == [
            "GET /v1/me/tracks",
            f"GET /v1/playlists/{playlists[0]}",
            f"POST /v1/playlists/{playlists[0]}/items",
        ]
    assert simulator.playlists("ada") == playlists
    assert mirrored(simulator, ada) == simulator.liked("ada")
