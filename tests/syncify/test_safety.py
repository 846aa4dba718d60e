"""What every answer says to the browser, what its cookies may do, and how long a session lasts."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import go_to_spotify, sign_in
from tests.builders import at_playlist, make_user

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' https://i.scdn.co; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'self' https://accounts.spotify.com http://127.0.0.1:8000; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "private, no-store",
}


# --- Headers ------------------------------------------------------------------------------------


def broken(client: Client) -> Any:
    client.raise_request_exception = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync.pages.views.card_for", None)
        return client.get("/")


ANSWERS: dict[str, tuple[int, Callable[[Client], Any]]] = {
    "a page": (200, lambda client: client.get("/")),
    "a fragment": (200, lambda client: client.get(at_playlist(User.objects.get(), "card/"))),
    "for machines": (200, lambda client: client.get("/healthz")),
    "a redirect": (303, lambda client: client.post("/sync/")),
    "a sign-in": (302, lambda client: client.post("/accounts/login/")),
    "a bad host": (400, lambda client: client.get("/", headers={"Host": "evil.example"})),
    "a failed sign-in": (400, lambda client: client.get("/accounts/callback/")),
    "a missing page": (404, lambda client: client.get("/nowhere/")),
    "a wrong method": (405, lambda client: client.get("/sync/")),
    "an invalid form": (422, lambda client: client.post("/settings/")),
    "a broken page": (500, broken),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_is_guarded(client: Client, kind: str) -> None:
    client.force_login(make_user("ada"))
    status, ask = ANSWERS[kind]

    response = ask(client)

    assert response.status_code == status
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in response.headers


def test_a_static_file_may_be_kept_but_not_used_elsewhere(client: Client, settings: Any) -> None:
    settings.SERVESTATIC_USE_FINDERS = True

    response = client.get("/static/css/app.css")

    assert response.status_code == 200
    assert "public" in response.headers["Cache-Control"]
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/accounts/logout/", {}),
        ("/accounts/sessions/end/", {}),
        ("/accounts/delete/", {"confirm": "delete"}),
    ],
)
def test_who_leaves_leaves_nothing_in_the_browser(
    client: Client, path: str, form: dict[str, str]
) -> None:
    client.force_login(make_user("ada"))

    response = client.post(path, form)

    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.cookies["sessionid"].value == ""


# --- https --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def https(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an installation behind https, as docs/operations.md has it."""
    ours = ("SYNCIFY_", "SPOTIFY_", "DATABASE_", "DJANGO_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        "SYNCIFY_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "SYNCIFY_BASE_URL": "https://syncify.example.org",
        "SYNCIFY_TRUSTED_PROXIES": "172.16.0.0/12",
        "SPOTIFY_CLIENT_ID": "some-app",
        "DATABASE_URL": "postgresql://syncify@db/syncify",
    }


def run(https: dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *command],
        cwd=ROOT,
        env=https,
        text=True,
        capture_output=True,
        check=False,
    )


def test_djangos_own_check_has_nothing_to_say(https: dict[str, str]) -> None:
    done = run(https, "manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


@pytest.fixture
def secured(https: dict[str, str], settings: Any) -> None:
    """The settings that follow from ``https``."""
    read = (
        "import json; from syncify import settings; "
        "print(json.dumps({k: v for k, v in vars(settings).items() if k.isupper()}, default=str))"
    )
    ours = ("ALLOWED_HOSTS", "CSRF_", "SECURE_", "SESSION_COOKIE_")
    for name, value in json.loads(run(https, "-c", read).stdout).items():
        if name.startswith(ours):
            setattr(settings, name, value)


BY_PROXY = {"X-Forwarded-Proto": "https"}


def test_cookies_of_https_stay_there(secured: None, simulator: Simulator) -> None:
    client = Client(headers={**BY_PROXY, "Host": "syncify.example.org"})

    response = client.post("/accounts/login/")
    client.get("/")

    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    for name in ("__Host-sessionid", "__Host-csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["domain"]) == ("/", "")


def test_plain_http_leads_to_the_address_that_we_know_of(secured: None) -> None:
    client = Client()

    away = client.get("/settings/?page=2", headers={"Host": "127.0.0.1"})

    assert away.status_code == 301
    assert away.headers["Location"] == "https://syncify.example.org/settings/?page=2"
    assert client.get("/healthz", headers={"Host": "127.0.0.1"}).status_code == 200


def test_cookies_are_closed_to_scripts_and_other_sites(
    client: Client, simulator: Simulator
) -> None:
    client.get("/")
    sign_in(client, simulator, "ada")

    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == ("", True, "Lax")


# --- Sessions -----------------------------------------------------------------------------------


def test_a_sign_in_makes_the_session_before_it_worthless(
    client: Client, simulator: Simulator
) -> None:
    """Whoever slipped a listener their own cookie holds nothing afterwards."""
    go_to_spotify(client)
    slipped = client.cookies["sessionid"].value

    sign_in(client, simulator, "ada")

    attacker = Client()
    attacker.cookies["sessionid"] = slipped
    assert client.cookies["sessionid"].value != slipped
    assert not Session.objects.filter(session_key=slipped).exists()
    assert "Sign in with Spotify" in attacker.get("/").content.decode()


def test_a_session_ends_after_180_days_however_much_it_is_used(
    client: Client, simulator: Simulator
) -> None:
    sign_in(client, simulator, "ada")
    begun = Session.objects.get().expire_date
    session = client.session
    session["used"] = True
    session.save()

    kept = Session.objects.get()

    assert kept.expire_date == begun
    assert abs(begun - timezone.now() - timedelta(days=180)) < timedelta(minutes=1)
    assert client.cookies["sessionid"]["max-age"] == pytest.approx(180 * 86400, abs=60)


def test_a_sign_in_that_was_only_begun_is_forgotten_after_a_day(
    client: Client, simulator: Simulator
) -> None:
    go_to_spotify(client)

    left = Session.objects.get().expire_date - timezone.now()

    assert timedelta(hours=23) < left <= timedelta(days=1)


# --- No open door -------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nobody_is_sent_to_an_address_that_stands_in_a_request(
    client: Client, simulator: Simulator, target: str
) -> None:
    asked = client.post(f"/accounts/login/?next={target}", {"next": target})
    assert asked.headers["Location"].startswith(f"{simulator.accounts_url}/authorize?")
    assert "evil" not in asked.headers["Location"]

    back = sign_in(client, simulator, "ada")
    assert back.response.headers["Location"] == "/"
    for path in ("/accounts/callback/", "/"):
        response = client.get(path, {"next": target, "state": "x", "code": "y"})
        assert "evil" not in response.headers.get("Location", "")
        assert "evil" not in response.content.decode()


def test_the_host_of_a_request_makes_no_address(client: Client, simulator: Simulator) -> None:
    asked = client.post(
        "/accounts/login/",
        headers={"Host": "127.0.0.1", "X-Forwarded-Host": "evil.example"},
    )

    assert "evil" not in asked.headers["Location"]
    assert "127.0.0.1%3A8000%2Faccounts%2Fcallback" in asked.headers["Location"]


@pytest.mark.parametrize("path", ["/", "/playlists/1/card/", "/events/", "/healthz", "/nowhere/"])
@pytest.mark.parametrize(
    "host", ["nas.local:8000", "192.168.1.5", "evil.example", "a b", "<script>", "x\nERROR forged"]
)
def test_another_host_name_is_told_where_syncify_is(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, host: str
) -> None:
    client.force_login(make_user("ada"))

    answer = client.get(path, headers={"Host": host})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'Open <a href="http://127.0.0.1:8000/">http://127.0.0.1:8000</a> instead' in page
    assert "SYNCIFY_BASE_URL" in page
    assert host not in page
    [line] = [record for record in caplog.records if record.levelname != "INFO"]
    said = line.getMessage()
    assert repr(host) in said
    assert "open http://127.0.0.1:8000, or set SYNCIFY_BASE_URL" in said
    assert line.exc_info is None


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_a_probe_on_this_machine_may_use_its_own_name(client: Client, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_an_error_page_tells_nothing_of_the_request(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(make_user("ada"))
    monkeypatch.setattr("sync.pages.views.card_for", None)
    client.raise_request_exception = False

    page = client.get("/", {"code": "BQDtoken"}).content.decode()

    assert "BQDtoken" not in page
    assert "Traceback" not in page
    assert client.cookies["sessionid"].value not in page
