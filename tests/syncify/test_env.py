"""A wrong or missing setting stops the start with the variable's name; NAME_FILE works for all."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import pytest
from django.core.exceptions import ImproperlyConfigured

from syncify.addresses import parse_address
from syncify.env import (
    env_bool,
    env_client_id,
    env_list,
    env_spotify_ids,
    env_str,
    env_url,
    env_urls,
    env_word,
)
from syncify.secrets import kept_secret
from tests.processes import free_port

ROOT = Path(__file__).parents[2]


def start(data_dir: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What ``manage.py check``, or another, says with these variables and a client ID alone."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "manage.py", *(command or ["check"])],
        cwd=ROOT,
        env={
            **kept,
            "SYNCIFY_DATA_DIR": str(data_dir),
            "SPOTIFY_CLIENT_ID": "some-client",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SPOTIFY_CLIENT_ID", "Client ID: abc", "32 letters"),
        ("SPOTIFY_CLIENT_ID_FILE", "/nowhere/client-id", "not both"),
        ("SPOTIFY_CLIENT_SECRET", "two words", "one word"),
        ("SPOTIFY_APPS", "[", "is not JSON: see line 1"),
        ("SPOTIFY_APPS_FILE", "/dev/null", "is empty"),
        ("SECRET_KEY_FILE", "/nowhere/key", "No such file"),
        ("SECRET_KEY_FILE", "/dev/null", "is empty"),
        ("SYNCIFY_ALLOWED_USERS_FILE", "/dev/null", "is empty"),
        ("SYNCIFY_TOKEN_KEYS", "too-short", "Fernet"),
        ("SYNCIFY_TOKEN_KEYS", "schlüssel", "Fernet"),
        ("SYNCIFY_OPERATORS", "https://open.spotify.com/playlist/abc", "links to profiles"),
        ("SYNCIFY_ALLOWED_USERS", "ada@example.org", "links to profiles"),
        ("SYNCIFY_DATA_DIR", "/proc/nowhere", "cannot write"),
        ("SYNCIFY_DATA_DIR", "/dev/null/data", "cannot write"),
        ("SYNCIFY_BASE_URL", "syncify.example.org", "must begin with"),
        ("SYNCIFY_BASE_URL", "https://example.org/syncify/", "under a path"),
        ("SYNCIFY_BASE_URL", "https://ada:secret@example.org", "user name"),
        ("SYNCIFY_BASE_URL", "https://example.org:99999", "port"),
        ("SPOTIFY_API_URL", "http://api.example.org/v1/", "https"),
        ("SPOTIFY_ACCOUNTS_URL", "http://accounts.example.org", "https"),
        ("SPOTIFY_API_URL", "http://[::1", "cannot be read"),
        ("SPOTIFY_AUTHORIZE_URL", "ftp://127.0.0.1/authorize", "must begin with"),
        ("SPOTIFY_DAILY_QUOTA", "plenty", "whole number"),
        ("SPOTIFY_DAILY_QUOTA", "-1", "whole number"),
        ("SPOTIFY_DAILY_QUOTA", "²", "whole number"),
        ("SPOTIFY_DAILY_QUOTA", "9" * 5000, "whole number"),
        ("SYNCIFY_HISTORY_DAYS", "0", "from 1"),
        ("DATABASE_POOL_SIZE", "a few", "from 0"),
        ("DATABASE_URL", "not an address", "postgresql://"),
        ("DATABASE_URL", "postgresql://u:se/cret@host/name", "%2F for /"),
        ("DATABASE_LISTEN_URL", "postgresql://u:se%cret@host/name", "%25 for %"),
        ("DEBUG", "perhaps", "yes or no"),
        ("SYNCIFY_LOG_LEVEL", "LOUD", "INFO"),
    ],
)
def test_wrong_setting_stops_the_start_and_is_named(
    tmp_path: Path, name: str, value: str, expected: str
) -> None:
    started = start(tmp_path, **{name: value})

    assert started.returncode == 1
    [line] = started.stderr.strip().splitlines()
    assert name in line
    assert expected in line
    assert "cret" not in line.replace("SECRET", "").replace("secret_key", "")


def test_a_command_without_a_database_says_so_in_one_line(tmp_path: Path) -> None:
    url = f"postgresql://u:s3cret@127.0.0.1:{free_port()}/n"

    told = start(tmp_path, "sync_now", "ada", DATABASE_URL=url)

    assert told.returncode == 1
    [line] = told.stderr.splitlines()
    assert line.startswith("The database does not answer: ")
    assert "s3cret" not in line


def test_client_id_is_the_only_setting_without_a_default(tmp_path: Path) -> None:
    started = start(tmp_path)

    assert started.returncode == 0, started.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"secret_key", "token_key"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("direct", "wanted"), [("", "False 2"), ("postgresql://db/it", "True None")]
)
def test_behind_a_pooler_no_cursor_and_no_statement_is_kept_on_the_server(
    tmp_path: Path, direct: str, wanted: str
) -> None:
    code = (
        "kept = settings.DATABASES['default'];"
        "print(kept['DISABLE_SERVER_SIDE_CURSORS'], kept['OPTIONS']['prepare_threshold'])"
    )

    shown = start(tmp_path, "shell", "--verbosity=0", "-c", code, DATABASE_LISTEN_URL=direct)

    assert shown.stdout.strip() == wanted, shown.stderr


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


# --- As people paste them -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n\r\n", "s3cret"),
        (b"\xef\xbb\xbfs3cret\r\n", "s3cret"),
        ("s3cret\r\n".encode("utf-16"), "s3cret"),
        (b"\xfe\xff" + "s3cret".encode("utf-16-be"), "s3cret"),
        ("s3cret\n".encode("utf-16-le"), "s3cret"),
        ("s3cret\n".encode("utf-16-be"), "s3cret"),
        (b'"s3cret"\n', "s3cret"),
        ("\u200b s3cret\u00a0\ufeff".encode(), "s3cret"),
    ],
)
def test_a_file_may_be_written_by_any_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes, value: str
) -> None:
    (tmp_path / "secret").write_bytes(written)
    monkeypatch.setenv("SOME_SECRET_FILE", str(tmp_path / "secret"))

    assert env_str("SOME_SECRET") == value


@pytest.mark.parametrize(
    "written", [b"", b" \r\n", b"\xef\xbb\xbf\r\n", b"caf\xe9", b"a\0b", b"\xff\xfea", b"\x00" * 8]
)
def test_a_file_without_text_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes
) -> None:
    (tmp_path / "secret").write_bytes(written)
    monkeypatch.setenv("SOME_SECRET_FILE", str(tmp_path / "secret"))

    with pytest.raises(ImproperlyConfigured, match=rf"^SOME_SECRET_FILE: .*{tmp_path}"):
        env_str("SOME_SECRET", "default")


@pytest.mark.parametrize("written", ['"abc"', "'abc'", "“abc”", " abc\u200b", '" abc "'])
def test_quotes_and_what_nobody_sees_are_no_part_of_a_value(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("SOME_ID", written)

    assert env_str("SOME_ID") == env_word("SOME_ID") == env_client_id("SOME_ID", "ELSE") == "abc"


@pytest.mark.parametrize("written", ['"', "'", '"abc', "abc'", "\"abc'", 'a"b"c'])
def test_a_quote_that_is_not_around_all_stays(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("SOME_SECRET", written)

    assert env_word("SOME_SECRET") == written


def test_a_password_may_stand_in_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PASSWORD", '"abc"')

    assert env_str("SOME_PASSWORD", is_verbatim=True) == '"abc"'


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("31abc", ["31abc"]),
        ("https://open.spotify.com/user/31abc", ["31abc"]),
        ("https://open.spotify.com/user/31abc?si=f00", ["31abc"]),
        ("https://open.spotify.com/intl-de/user/31abc/playlists", ["31abc"]),
        ("open.spotify.com/user/m%C3%BCller", ["müller"]),
        ("spotify:user:31abc", ["31abc"]),
        ('"ada", "bea"', ["ada", "bea"]),
        ('"ada","https://open.spotify.com/user/bea?si=1"', ["ada", "bea"]),
        ("ada; bea\ncleo,", ["ada", "bea", "cleo"]),
        ("", []),
    ],
)
def test_a_listener_is_named_by_id_link_or_uri(
    monkeypatch: pytest.MonkeyPatch, written: str, ids: list[str]
) -> None:
    monkeypatch.setenv("SOME_PEOPLE", written)

    assert env_spotify_ids("SOME_PEOPLE") == ids


def test_a_client_id_may_be_the_link_to_its_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_APP", "https://developer.spotify.com/dashboard/0a1b2c/settings")

    assert env_client_id("SOME_APP", "ELSE") == "0a1b2c"


def test_a_comma_inside_an_address_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_URLS", "mailto://a:b@c?to=d,e, ntfy://topic\njson://127.0.0.1/")

    assert env_urls("SOME_URLS") == ["mailto://a:b@c?to=d,e", "ntfy://topic", "json://127.0.0.1/"]


def test_an_address_is_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_URL", "HTTPS://Example.ORG:443/")

    assert env_url("SOME_URL", default="http://x", has_path=False) == "https://example.org"


BASE_URLS = [
    "http://[::1]:8000",
    "http://[0:0:0:0:0:0:0:1]:8000/",
    "HTTP://NAS.local:8000",
    "http://syncify.example.org:80",
    "https://Syncify.Example.org:443/",
    "https://syncify.example.org.",
    "https://müsik.example.org:8443",
]


@pytest.mark.parametrize("base_url", BASE_URLS)
def test_pages_and_forms_work_at_every_legal_base_url(tmp_path: Path, base_url: str) -> None:
    """As a browser calls it: with the host and origin in its own form."""
    code = """
from urllib.parse import urlsplit
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.test import Client, RequestFactory
plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
settings.STORAGES["staticfiles"]["BACKEND"] = plain
parts = urlsplit(settings.BASE_URL)
sent = {"HTTP_X_FORWARDED_PROTO": parts.scheme, "HTTP_HOST": parts.netloc}
page = Client(**sent).get("/privacy/")
sender = RequestFactory(**sent, HTTP_ORIGIN=settings.BASE_URL)
form = sender.post("/settings/", secure=parts.scheme == "https")
form.META["HTTP_X_CSRFTOKEN"] = get_token(form)
form.COOKIES[settings.CSRF_COOKIE_NAME] = form.META["CSRF_COOKIE"]
guard = CsrfViewMiddleware(lambda request: None)
guard.process_request(form)
refused = guard.process_view(form, lambda request: None, (), {})
print(settings.BASE_URL, page.status_code, refused)
"""
    # What a browser would make of it is told by the address module's own table.
    shown = start(tmp_path, "shell", "--verbosity=0", "-c", code, SYNCIFY_BASE_URL=base_url)

    assert shown.stdout.split() == [str(parse_address(base_url)), "200", "None"], shown.stderr


# --- What the web server says -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPOTIFY_CLIENT_ID", "two words"),
        ("DATABASE_URL", "postgresql://u:p%w@h/n"),
        ("SYNCIFY_LOG_FORMAT", "xml"),
        ("SYNCIFY_DATA_DIR", "/dev/null/data"),
    ],
)
def test_the_web_server_names_a_wrong_setting_without_a_traceback(
    tmp_path: Path, name: str, value: str
) -> None:
    kept = {"PATH": os.environ["PATH"], "SYNCIFY_DATA_DIR": str(tmp_path)}
    started = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{free_port()}"],
        cwd=ROOT,
        env={**kept, "SPOTIFY_CLIENT_ID": "some-client", name: value},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert started.returncode != 0
    assert name in started.stderr
    assert "Traceback" not in started.stderr + started.stdout


# --- Secrets that are made ----------------------------------------------------------------------


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on SMB or exFAT."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)


@pytest.mark.parametrize("links", [True, False])
def test_of_threads_that_start_at_once_all_have_one_secret_and_nothing_is_left_over(
    tmp_path: Path, request: pytest.FixtureRequest, *, links: bool
) -> None:
    if not links:
        request.getfixturevalue("no_links")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: kept_secret(tmp_path / "deep" / "key"), range(8)))

    assert len(set(made)) == 1
    assert len(made[0]) >= 50
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["key"]
    assert (tmp_path / "deep" / "key").stat().st_mode & 0o777 == 0o600


def test_a_volume_without_links_keeps_its_secret(tmp_path: Path, no_links: None) -> None:
    first = kept_secret(tmp_path / "key")

    assert kept_secret(tmp_path / "key") == first
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_an_empty_secret_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncify.secrets.PATIENCE", 0.0)
    (tmp_path / "token_key").write_text("\n")

    with pytest.raises(ImproperlyConfigured, match=r"token_key is empty\. Restore it"):
        kept_secret(tmp_path / "token_key")


def test_a_secret_that_is_just_being_written_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    Timer(0.2, lambda: (tmp_path / "key").write_text("made by another\n")).start()

    assert kept_secret(tmp_path / "key") == "made by another"


def test_the_secrets_of_containers_say_in_one_line_why_they_cannot_be_made() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "syncify.secrets", "/dev/null/data"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.returncode == 1
    [line] = made.stderr.splitlines()
    assert "cannot write /dev/null/data/secret_key" in line
