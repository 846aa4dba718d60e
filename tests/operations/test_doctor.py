"""The doctor: each thing that is wrong turns its own line into a cross, and no other."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import Connection, Incident, Process
from sync.operations.doctor import CHECKS, judge_clock, judge_proxy, token_keys
from sync.queue import processes
from syncify.http import SEEN_SCHEME
from syncify.simulator.server import Simulator
from syncify.spotify.models import ApiHour, Block
from tests.builders import make_user
from tests.scratch import address_of
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
SECRETS = ["demo-secret", "alert-secret", "signing-secret"]


class Case(NamedTuple):
    """What a breakage may need."""

    settings: Any
    patch: pytest.MonkeyPatch


@pytest.fixture
def case(ada: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Case:
    """An installation of which all is well."""
    processes.seen(processes.WORKER)
    processes.seen(processes.SCHEDULER)
    settings.SPOTIFY_DAILY_QUOTA = 1000
    settings.SECRET_KEY = "signing-secret"
    settings.ALERT_URLS = ["json://me:alert-secret@127.0.0.1:1/"]
    monkeypatch.setattr("sync.operations.doctor.SLOW", HOUR)  # a busy machine is no failure
    return Case(settings, monkeypatch)


def findings() -> tuple[int, dict[str, str]]:
    """The command's exit status, and each line's sign."""
    said, status = StringIO(), 0
    try:
        call_command("doctor", stdout=said)
    except CommandError:
        status = 1
    lines = said.getvalue().splitlines()
    assert len(lines) == len(CHECKS)
    assert [secret for secret in SECRETS if secret in said.getvalue()] == []
    return status, {line[2:].partition(":")[0]: line[0] for line in lines}


def crosses() -> list[str]:
    status, signs = findings()
    found = [name for name, sign in signs.items() if sign == "✗"]
    assert status == (1 if found else 0)
    return found


def test_all_is_well(case: Case) -> None:
    assert findings() == (0, {**dict.fromkeys(CHECKS, "✓"), "Proxy": "–", "Backup": "–"})


def forget_migration(_: Case) -> None:
    MigrationRecorder.Migration.objects.get(app="sync", name="0001_initial").delete()


def lose_database(case: Case) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("connection refused")

    case.patch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", refuse)


def slow_database(case: Case) -> None:
    case.patch.setattr("sync.operations.doctor.SLOW", timedelta(0))


def wrong_clock(case: Case) -> None:
    case.patch.setattr("sync.operations.doctor.SKEW", timedelta(microseconds=-1))


def set_to(**values: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for name, value in values.items():
            setattr(case.settings, name, value)

    return change


def silence(_: Case) -> None:
    Block.objects.create(until=timezone.now() + HOUR, because="quota")


def spend(_: Case) -> None:
    ApiHour.objects.create(hour=timezone.now() - HOUR, calls=1000)


def gone(kind: str) -> Callable[[Case], None]:
    def age(_: Case) -> None:
        Process.objects.filter(kind=kind).update(alive_until=timezone.now() - HOUR)

    return age


def fill_disk(case: Case) -> None:
    nearly_full = shutil.disk_usage("/")._replace(free=1)
    case.patch.setattr("shutil.disk_usage", lambda _: nearly_full)


@pytest.mark.parametrize(
    ("line", "break_it"),
    [
        ("Settings", set_to(DEBUG=True)),
        ("Database", lose_database),
        ("Database", slow_database),
        ("Migrations", forget_migration),
        ("Clock", wrong_clock),
        ("Spotify", set_to(SPOTIFY_API_URL="http://127.0.0.1:1/v1/")),
        ("Credentials", set_to(SPOTIFY_CLIENT_SECRET="wrong")),
        ("Credentials", set_to(SPOTIFY_CLIENT_ID="wrong")),
        ("Quota", silence),
        ("Quota", spend),
        ("Workers", gone(processes.WORKER)),
        ("Scheduler", gone(processes.SCHEDULER)),
        ("Token keys", set_to(TOKEN_KEYS=[Fernet.generate_key().decode()])),
        ("Proxy", set_to(BASE_URL="https://127.0.0.1:1")),
        ("Disk", fill_disk),
        ("Alerts", set_to(ALERT_URLS=["alert-secret"])),
    ],
)
def test_what_is_wrong_is_the_only_cross(
    case: Case, line: str, break_it: Callable[[Case], None]
) -> None:
    break_it(case)

    assert crosses() == [line]


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("Credentials", set_to(SPOTIFY_CLIENT_SECRET="")),
        ("Credentials", set_to(SPOTIFY_ACCOUNTS_URL="http://127.0.0.1:1")),
        ("Alerts", set_to(ALERT_URLS=[])),
    ],
)
def test_what_cannot_be_told_is_no_cross(
    case: Case, line: str, change: Callable[[Case], None]
) -> None:
    change(case)

    status, signs = findings()

    assert (status, signs[line]) == (0, "–")


def examined(**variables: str) -> subprocess.CompletedProcess[str]:
    """``manage.py doctor`` as a person runs it, with these variables alone."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


BROKEN = [
    ({"SPOTIFY_APPS": "{}"}, ["SPOTIFY_APPS must be a JSON list"]),
    ({"SPOTIFY_CLIENT_ID": "Client ID: abc"}, ["SPOTIFY_CLIENT_ID must be"]),
    ({"SPOTIFY_CLIENT_SECRET_FILE": "/nowhere"}, ["SPOTIFY_CLIENT_SECRET_FILE: cannot read"]),
    ({"SYNCIFY_BASE_URL": "nas:8000"}, ["SYNCIFY_BASE_URL must begin with"]),
    ({"SYNCIFY_TOKEN_KEYS": "short"}, ["SYNCIFY_TOKEN_KEYS must hold"]),
    ({"SYNCIFY_DATA_DIR": "/dev/null/x"}, ["SYNCIFY_DATA_DIR: cannot write"] * 2),
    ({"DATABASE_URL": "postgresql://u:a/b@h/n"}, ["DATABASE_URL cannot be read"]),
    ({"DATABASE_POOL_SIZE": "a few"}, ["DATABASE_POOL_SIZE must be"]),
    ({"SYNCIFY_LOG_LEVEL": "LOUD"}, ["SYNCIFY_LOG_LEVEL must be"]),
    ({"DEBUG": "perhaps"}, ["DEBUG must be yes or no"]),
    ({"WEB_CONCURRENCY": "many"}, ["WEB_CONCURRENCY must be"]),
    (
        {"SPOTIFY_CLIENT_ID": "a b", "SYNCIFY_HISTORY_DAYS": "0", "SYNCIFY_OPERATORS": "a@b.org"},
        ["SPOTIFY_CLIENT_ID", "SYNCIFY_OPERATORS", "SYNCIFY_HISTORY_DAYS"],
    ),
]


@pytest.mark.parametrize(("broken", "problems"), BROKEN)
def test_a_setting_that_cannot_be_used_has_its_line_and_the_rest_is_looked_at(
    tmp_path: Path, simulator: Simulator, broken: dict[str, str], problems: list[str]
) -> None:
    said = examined(
        **{
            "SYNCIFY_DATA_DIR": str(tmp_path),
            "DATABASE_URL": address_of(connection.settings_dict["NAME"]),
            "SPOTIFY_API_URL": simulator.api_url,
            "SPOTIFY_ACCOUNTS_URL": simulator.accounts_url,
            "SPOTIFY_CLIENT_ID": "syncify-demo",
            **broken,
        }
    )

    assert said.returncode == 1
    assert "Traceback" not in said.stdout + said.stderr
    lines = said.stdout.splitlines()
    found = [line.partition("Settings:")[2].strip() for line in lines if "Settings:" in line]
    assert [line[: len(start)] for line, start in zip(found, problems, strict=True)] == problems
    assert {line[2:].partition(":")[0] for line in lines} == set(CHECKS)
    assert "the check itself failed" not in said.stdout
    # What has nothing to do with it is well.
    signs = {line[2:].partition(":")[0]: line[0] for line in lines}
    assert signs["Spotify"] == "✓"
    assert signs["Database"] == ("–" if "DATABASE_URL" in broken else "✓")
    assert signs["Migrations"] == ("–" if "DATABASE_URL" in broken else "✓")


def test_a_check_that_breaks_keeps_no_other_from_being_made(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("shutil.disk_usage", break_down)

    assert crosses() == ["Disk"]


def test_an_alert_that_nobody_took_is_a_cross(case: Case) -> None:
    Incident.objects.create(key="worker", message="", alert_due=timezone.now(), alert_tries=1)

    assert crosses() == ["Alerts"]


def test_a_key_that_was_kept_opens_what_it_closed(case: Case) -> None:
    case.settings.TOKEN_KEYS = [Fernet.generate_key().decode(), *case.settings.TOKEN_KEYS]

    assert crosses() == []


def test_passwords_of_services_that_no_key_decrypts_are_counted(case: Case) -> None:
    SpotifyConnection.objects.update(refresh_token="", access_token="")
    for name in ("bea", "emil"):
        Connection.objects.create(user=make_user(name), service="subsonic", secret="secret")
    Connection.objects.create(user=make_user("cleo"), service="subsonic")
    assert crosses() == []

    case.settings.TOKEN_KEYS = [Fernet.generate_key().decode()]

    is_well, said = token_keys()
    assert is_well is False
    assert said.startswith("no key decrypts the passwords of 2 connected services.")


def test_a_listener_without_tokens_needs_no_key(case: Case) -> None:
    SpotifyConnection.objects.update(refresh_token="", access_token="")
    case.settings.TOKEN_KEYS = [Fernet.generate_key().decode()]

    assert crosses() == []


@pytest.mark.parametrize(
    ("ahead", "is_well"),
    [
        ({"the database": timedelta(seconds=2), "Spotify": timedelta(seconds=-29)}, True),
        ({"the database": timedelta(seconds=-31), "Spotify": timedelta(0)}, False),
        ({"the database": timedelta(0), "Spotify": timedelta(hours=1)}, False),
    ],
)
def test_clocks_may_differ_a_little(ahead: dict[str, timedelta], is_well: bool) -> None:
    assert judge_clock(ahead)[0] is is_well


@pytest.mark.parametrize(
    ("status", "scheme", "is_well", "advice"),
    [
        (200, "https", True, "passes on"),
        (200, "http", False, "X-Forwarded-Proto"),
        (400, None, False, "Host"),
        (502, None, False, "502"),
        (200, None, False, "200"),
    ],
)
def test_a_proxy_must_pass_on_scheme_and_host(
    status: int, scheme: str | None, is_well: bool, advice: str
) -> None:
    verdict, sentence = judge_proxy(status, scheme)

    assert (verdict, advice in sentence) == (is_well, True)


def test_healthz_says_what_the_proxy_passed_on(client: Client, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    direct, behind = client.get("/healthz"), client.get("/healthz", HTTP_X_FORWARDED_PROTO="https")

    assert (direct.headers[SEEN_SCHEME], behind.headers[SEEN_SCHEME]) == ("http", "https")
