"""A wrong or missing setting stops the start with the variable's name; NAME_FILE works for all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from syncify.env import env_bool, env_list, env_str

ROOT = Path(__file__).parent.parent


def start(data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What ``manage.py check`` says with only these variables, and a client ID, set."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={
            **kept,
            "SYNCIFY_DATA_DIR": str(data_dir),
            "SPOTIFY_CLIENT_ID": "some-client",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SPOTIFY_CLIENT_ID", "", "is not set"),
        ("SPOTIFY_CLIENT_ID_FILE", "/nowhere/client-id", "not both"),
        ("SECRET_KEY_FILE", "/nowhere/key", "No such file"),
        ("SYNCIFY_TOKEN_KEYS", "too-short", "Fernet"),
        ("SYNCIFY_BASE_URL", "syncify.example.org", "must be an address"),
        ("SPOTIFY_API_URL", "http://api.example.org/v1/", "https"),
        ("SPOTIFY_ACCOUNTS_URL", "http://accounts.example.org", "https"),
        ("SPOTIFY_AUTHORIZE_URL", "ftp://127.0.0.1/authorize", "must be an address"),
        ("SPOTIFY_DAILY_QUOTA", "plenty", "whole number"),
        ("SPOTIFY_DAILY_QUOTA", "-1", "whole number"),
        ("SYNCIFY_HISTORY_DAYS", "0", "from 1"),
        ("DATABASE_POOL_SIZE", "a few", "from 0"),
        ("DATABASE_URL", "not an address", "postgresql://"),
        ("DEBUG", "perhaps", "yes or no"),
        ("SYNCIFY_LOG_LEVEL", "LOUD", "INFO"),
    ],
)
def test_wrong_setting_stops_the_start_and_is_named(
    tmp_path: Path, name: str, value: str, expected: str
) -> None:
    started = start(tmp_path, **{name: value})

    assert started.returncode != 0
    last_line = started.stderr.strip().splitlines()[-1]
    assert name in last_line
    assert expected in last_line


def test_client_id_is_the_only_setting_without_a_default(tmp_path: Path) -> None:
    started = start(tmp_path)

    assert started.returncode == 0, started.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"secret_key", "token_key"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_secret_made_at_the_first_start_is_used_again(tmp_path: Path) -> None:
    start(tmp_path)
    first = {path.name: path.read_text() for path in tmp_path.iterdir()}

    start(tmp_path)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == first


def test_value_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quota").write_text("many\n")
    monkeypatch.setenv("SOME_LIMIT_FILE", str(tmp_path / "quota"))

    assert env_str("SOME_LIMIT") == "many"


def test_variable_without_value_or_default_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_NAME", "  ")

    with pytest.raises(ImproperlyConfigured, match="SOME_NAME"):
        env_str("SOME_NAME")


@pytest.mark.parametrize(("value", "expected"), [("Yes", True), ("0", False), ("", True)])
def test_booleans_are_read_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, value: str, *, expected: bool
) -> None:
    monkeypatch.setenv("SOME_SWITCH", value)

    assert env_bool("SOME_SWITCH", default=True) is expected


def test_lists_are_parted_by_commas_or_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PEOPLE", "ada, bea\ncleo")

    assert env_list("SOME_PEOPLE") == ["ada", "bea", "cleo"]
