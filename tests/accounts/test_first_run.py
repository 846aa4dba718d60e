"""The page of the first run: from an installation without any setting to the first sign-in."""

import logging
import re
import threading
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.first_run import FIRST_LABEL
from accounts.models import OperatorCode, SpotifyApp, User
from accounts.operators import make_code, tell_operator_code
from accounts.spotify_apps import first_app
from sync.models import Process
from sync.queue.first_run import await_app
from syncify.simulator.server import Simulator
from syncify.spotify_apps import ListedApp
from tests.accounts.signing_in import is_signed_in, sign_in
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.django_db

PAGE = "/first-run/"
RIGHT = {"client_id": "syncify-demo", "client_secret": "demo-secret"}


@pytest.fixture(autouse=True)
def _nothing_is_set(simulator: Simulator, settings: Any) -> None:
    settings.SPOTIFY_CLIENT_ID = settings.SPOTIFY_CLIENT_SECRET = ""


def log_of(caplog: pytest.LogCaptureFixture) -> str:
    return " ".join(record.getMessage() for record in caplog.records)


def test_from_the_code_of_the_log_to_the_first_sync(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tell_operator_code()
    [code] = re.findall(r"open http://127.0.0.1:8000/first-run/ and enter (\S+)", log_of(caplog))
    client = Client()

    assert client.get("/").headers["Location"] == PAGE
    shown = client.get(PAGE).content.decode()
    assert 'data-copy="http://127.0.0.1:8000/accounts/callback/"' in shown
    assert "SPOTIFY_CLIENT_ID" in shown

    stored = client.post(PAGE, {**RIGHT, "code": code})
    assert (stored.status_code, stored.headers["Location"]) == (303, "/")
    assert "Sign in with Spotify" in client.get("/").content.decode()
    # Who entered it may come back, and nobody else.
    assert client.get(PAGE).headers["Location"] == "/"
    assert Client().get(PAGE).status_code == 404
    sign_in(client, simulator, "ada")

    assert is_signed_in(client)
    ada = User.objects.get()
    assert ada.is_operator
    assert ada.connection.client_id == "syncify-demo"
    assert client.get("/operator/").status_code == 200
    assert client.get(PAGE).status_code == 404
    assert OperatorCode.objects.get().used_at


@pytest.mark.parametrize("path", ["/", "/songs/", "/operator/", "/accounts/login/", "/no-such/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_page_leads_there(client: Client, path: str, method: str) -> None:
    answer = getattr(client, method)(path)

    assert (answer.status_code, answer.headers["Location"]) == (302, PAGE)


@pytest.mark.parametrize("path", ["/healthz", "/robots.txt"])
def test_machines_are_answered(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("entered", "said", "asked"),
    [
        ({"code": "2222-2222-2222"}, "That is not the current code.", 0),
        ({"code": ""}, "This field is required.", 0),
        ({"client_id": "Client ID: abc"}, "A Client ID has 32 letters and digits.", 0),
        ({"client_secret": "two words"}, "A Client secret has 32 letters and digits.", 0),
        ({"client_secret": "wrong-one"}, "Spotify does not accept this Client ID", 1),
        ({"client_id": "unknown"}, "Spotify does not accept this Client ID", 1),
    ],
)
def test_nothing_is_stored_that_is_not_right(
    client: Client, simulator: Simulator, entered: dict[str, str], said: str, asked: int
) -> None:
    sent = {**RIGHT, "code": make_code(), **entered}

    answer = client.post(PAGE, sent)

    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert sent["client_secret"] not in page
    assert simulator.count(path_prefix="/api/token") == asked
    assert first_app() is None


def test_nothing_is_stored_while_spotify_does_not_answer(client: Client, settings: Any) -> None:
    settings.SPOTIFY_ACCOUNTS_URL = "http://127.0.0.1:1"

    answer = client.post(PAGE, {**RIGHT, "code": make_code()})

    assert "Spotify does not answer" in answer.content.decode()
    assert first_app() is None


def test_of_two_who_enter_an_app_at_once_the_first_wins(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = make_code()
    SpotifyApp.objects.create(label=FIRST_LABEL, client_id="first", secret="x")
    monkeypatch.setattr("accounts.first_run.first_app", lambda: None)  # as it looked before

    assert client.post(PAGE, {**RIGHT, "code": code}).status_code == 404
    assert [app.client_id for app in SpotifyApp.objects.all()] == ["first"]


def test_guesses_are_limited(client: Client) -> None:
    tries = [client.post(PAGE, {**RIGHT, "code": "2222"}).status_code for _ in range(31)]

    assert tries == [422] * 30 + [429]


def test_a_code_is_told_at_each_start_until_there_is_an_app(
    caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.OPERATORS = ["ada"]
    with caplog.at_level(logging.WARNING):
        tell_operator_code()
        tell_operator_code()
        SpotifyApp.objects.create(label="First app", client_id="x", secret="x")
        tell_operator_code()

    assert log_of(caplog).count("no Spotify app yet") == 2


@pytest.mark.parametrize(
    "set_up",
    [
        {"SPOTIFY_CLIENT_ID": "syncify-demo"},
        {"SPOTIFY_APPS": [ListedApp("Listed", "syncify-demo", "demo-secret", "")]},
    ],
)
def test_settings_win(client: Client, settings: Any, set_up: dict[str, Any]) -> None:
    SpotifyApp.objects.create(label="First app", client_id="entered", secret="x")
    for name, value in set_up.items():
        setattr(settings, name, value)

    assert client.get("/").status_code == 200
    assert client.get(PAGE).status_code == client.post(PAGE).status_code == 404
    first = first_app()
    assert first is not None
    assert first.client_id == "syncify-demo"


def test_doctor_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError):
        call_command("doctor")

    [line] = [line for line in capsys.readouterr().out.splitlines() if "Credentials" in line]
    assert "http://127.0.0.1:8000/first-run/" in line


@pytest.mark.django_db(transaction=True)
def test_a_worker_waits_with_one_line_and_goes_on_when_there_is_an_app(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.queue.first_run.LOOK", 0.02)

    def wait() -> None:
        await_app(lambda: False, "worker")
        connection.close()

    waiting = threading.Thread(target=wait, daemon=True)
    with caplog.at_level(logging.WARNING):
        waiting.start()
        wait_until(Process.objects.filter(kind="worker").exists)
        time.sleep(0.2)
        assert waiting.is_alive()
        SpotifyApp.objects.create(label="First app", client_id="x", secret="x")
        waiting.join(PATIENCE)

    assert not waiting.is_alive()
    assert log_of(caplog).count("no Spotify app yet") == 1


def test_a_signal_ends_the_wait() -> None:
    stops = iter([False, True, True, True])

    await_app(lambda: next(stops), "worker")


@pytest.mark.parametrize(
    "command", [["runworker", "--once"], ["runworker", "--drain"], ["schedule_syncs"]]
)
def test_a_command_that_cannot_wait_says_so(command: list[str]) -> None:
    with pytest.raises(CommandError, match="no Spotify app yet"):
        call_command(*command)
