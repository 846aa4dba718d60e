"""Access tokens of a connection: refreshed once for all, and what each refusal leaves behind."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.deletion import delete_account
from accounts.models import SpotifyConnection, User
from accounts.tokens import ConnectionTokens, spotify_client_for
from sync.models import Mirror
from syncify.logs import HideSecrets
from syncify.simulator.server import Simulator
from syncify.spotify.errors import Blocked, SignInNeeded, SpotifyError, Unavailable
from syncify.spotify.quota import QuotaGate, calls_last_day, current_block
from tests.accounts.signing_in import sign_in
from tests.builders import connect
from tests.waiting import PATIENCE, at_once, in_thread

TOKEN = "/api/token"


def expire(user: User) -> None:
    """As if an hour had passed since the last refresh."""
    SpotifyConnection.objects.filter(user=user).update(access_expires_at=timezone.now())


def with_pkce(user: User, simulator: Simulator, settings: Any) -> SpotifyConnection:
    settings.SPOTIFY_CLIENT_SECRET = ""
    token = simulator.authorize(user.spotify_id, pkce=True)["refresh_token"]
    SpotifyConnection.objects.filter(user=user).update(refresh_token=token)
    return SpotifyConnection.objects.get(user=user)


def test_a_fresh_token_is_used_as_it_is(ada: User, simulator: Simulator) -> None:
    tokens = ConnectionTokens(ada.pk)

    assert tokens.current() == tokens.current() == ada.connection.access_token
    assert simulator.count(path_prefix=TOKEN) == 0


def test_a_token_that_ends_soon_is_refreshed_before_it_is_used(
    ada: User, simulator: Simulator
) -> None:
    old = ada.connection.access_token
    SpotifyConnection.objects.update(access_expires_at=timezone.now() + timedelta(seconds=30))
    client = spotify_client_for(ada, reserve=True)

    client.me()
    client.me()

    assert SpotifyConnection.objects.get().access_token != old
    assert simulator.count(path_prefix=TOKEN) == 1
    assert simulator.count() == client.calls == calls_last_day() == 2


def test_a_token_that_spotify_ended_is_refreshed_and_the_call_repeated(
    ada: User, simulator: Simulator
) -> None:
    simulator.expire_access_tokens("ada")
    client = spotify_client_for(ada, reserve=True)

    assert client.me().id == "ada"
    assert simulator.count(path_prefix=TOKEN) == 1
    assert client.calls == 2


def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(
    ada: User, simulator: Simulator
) -> None:
    kept = ada.connection.refresh_token
    expire(ada)

    ConnectionTokens(ada.pk).current()

    assert SpotifyConnection.objects.get().refresh_token == kept


@pytest.mark.parametrize("pkce", [True, False])
def test_a_refresh_with_a_new_refresh_token_replaces_the_old_one(
    ada: User, simulator: Simulator, settings: Any, pkce: bool
) -> None:
    if pkce:
        old = with_pkce(ada, simulator, settings).refresh_token
    else:
        simulator.behaviour.rotate_refresh_token = True
        old = ada.connection.refresh_token

    for _ in range(2):
        expire(ada)
        ConnectionTokens(ada.pk).current()

    assert SpotifyConnection.objects.get().refresh_token != old
    assert simulator.count(path_prefix=TOKEN) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pkce", [True, False])
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "expired"])
def test_workers_that_refresh_at_once_make_one_token_request(
    simulator: Simulator, settings: Any, pkce: bool, refused: bool
) -> None:
    ada = connect(simulator, "ada")
    if pkce:
        with_pkce(ada, simulator, settings)
    old = ada.connection.access_token
    if not refused:
        expire(ada)
    simulator.fault("latency", path=TOKEN, seconds=0.3, times=0)

    def refresh() -> str:
        tokens = ConnectionTokens(ada.pk)
        return tokens.renewed(old) if refused else tokens.current()

    found = set(at_once(*[refresh] * 3))

    assert found == {SpotifyConnection.objects.get().access_token} != {old}
    assert simulator.count(path_prefix=TOKEN) == 1


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", ["revoked", "six months are over"])
def test_consent_that_ended_asks_for_a_sign_in_and_keeps_everything_else(
    ada: User, simulator: Simulator, cause: str
) -> None:
    if cause == "revoked":
        simulator.revoke("ada")
    else:
        simulator.advance(timedelta(days=190))
    expire(ada)

    for _ in range(2):
        with pytest.raises(SignInNeeded):
            spotify_client_for(ada, reserve=False).me()

    held = SpotifyConnection.objects.get()
    assert (held.state, held.state_reason) == ("sign_in_needed", "consent_ended")
    assert held.refresh_token == held.access_token == ""
    assert Mirror.objects.filter(user=ada).exists()
    assert simulator.count(path_prefix=TOKEN) == 1
    assert simulator.count() == calls_last_day() == 0
    assert current_block() is None


def test_wrong_credentials_stop_everybody_and_touch_nobodys_tokens(
    ada: User, bea: User, simulator: Simulator, settings: Any
) -> None:
    settings.SPOTIFY_CLIENT_SECRET = "changed at Spotify"
    kept = ada.connection.refresh_token
    expire(ada)
    expire(bea)

    for listener in (ada, bea):
        with pytest.raises(Blocked) as raised:
            ConnectionTokens(listener.pk).current()
        assert raised.value.because == "credentials"

    assert simulator.count(path_prefix=TOKEN) == 1
    held = SpotifyConnection.objects.get(user=ada)
    assert (held.state, held.refresh_token) == ("connected", kept)


def test_nobody_asks_for_tokens_while_blocked(ada: User, simulator: Simulator) -> None:
    QuotaGate(reserve=True).block(for_=timedelta(hours=14), because="quota")
    expire(ada)

    with pytest.raises(Blocked):
        spotify_client_for(ada, reserve=True).me()

    assert simulator.requests == []


@pytest.mark.parametrize(
    "fault",
    [
        "status:code=500",
        "status:code=503,plain=true",
        "status:code=404",
        "drop",
        "truncated",
        "nonjson",
        "bare429",
        "oauth:error=invalid_request",
        "oauth:error=unsupported_grant_type",
    ],
)
def test_trouble_at_the_token_endpoint_changes_nothing(
    ada: User, simulator: Simulator, fault: str
) -> None:
    kept = ada.connection.refresh_token
    expire(ada)
    simulator.fault(f"{fault}{',' if ':' in fault else ':'}path={TOKEN}")

    with pytest.raises(Unavailable):
        ConnectionTokens(ada.pk).current()

    held = SpotifyConnection.objects.get()
    assert (held.state, held.refresh_token) == ("connected", kept)
    assert current_block() is None
    assert ConnectionTokens(ada.pk).current() == SpotifyConnection.objects.get().access_token


def test_a_listener_who_is_gone_needs_to_sign_in(ada: User) -> None:
    tokens = ConnectionTokens(ada.pk)
    ada.delete()

    with pytest.raises(SignInNeeded):
        tokens.current()


@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_waits_too_long_for_another_gives_up(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = connect(simulator, "ada")
    expire(ada)
    monkeypatch.setattr("accounts.tokens.LOCK_TIMEOUT", "50ms")
    simulator.fault("latency", path=TOKEN, seconds=PATIENCE)  # until it is let go

    def refresh() -> str:
        try:
            return ConnectionTokens(ada.pk).current()
        except SpotifyError as error:
            simulator.let_go()
            return type(error).__name__

    found = set(at_once(refresh, refresh))

    assert found == {SpotifyConnection.objects.get().access_token, "Unavailable"}


@pytest.mark.django_db(transaction=True)
def test_an_account_may_be_deleted_while_a_worker_refreshes(simulator: Simulator) -> None:
    ada = connect(simulator, "ada")
    expire(ada)
    asked = Event()
    simulator.fault("latency", path=TOKEN, seconds=0.3)
    simulator.after_request(lambda one: one.path == TOKEN, asked.set)

    with ThreadPoolExecutor(1) as pool:
        profile = in_thread(pool, lambda: spotify_client_for(ada, reserve=True).me().id)
        assert asked.wait(PATIENCE)
        delete_account(ada)

    assert profile.result() == "ada"
    assert not User.objects.exists()
    assert not SpotifyConnection.objects.exists()


# --- Logs -------------------------------------------------------------------------------------


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(HideSecrets())
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


@pytest.fixture
def lines() -> Iterator[Lines]:
    """All that every logger of the process says, through the filter that our handlers have."""
    handler, root = Lines(), logging.getLogger()
    names = ["accounts", "sync", "syncify", "spotipy", "spotipy.client", "urllib3", "django"]
    loggers = [root, *map(logging.getLogger, names)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["demo-secret", ""], ids=["secret", "pkce"])
def test_no_token_is_logged_at_any_level(
    client: Client, simulator: Simulator, settings: Any, lines: Lines, secret: str
) -> None:
    settings.SPOTIFY_CLIENT_SECRET = secret
    code = sign_in(client, simulator, "ada").code
    ada = User.objects.get()
    issued = [code]
    for fault in ("unauthorized", "status:code=400", "nonjson:times=0", "drop:times=0"):
        simulator.fault(fault)
        spotify = spotify_client_for(ada, reserve=True, sleep=lambda _: None)
        try:
            spotify.saved_tracks(0)
        except SpotifyError:
            logging.getLogger("sync").exception("call failed")
        simulator.clear_faults()
    issued += [ada.connection.access_token, ada.connection.refresh_token]
    simulator.revoke("ada")
    expire(ada)
    with pytest.raises(SignInNeeded):
        spotify_client_for(ada, reserve=True).me()
    client.get("/accounts/callback/", {"code": code, "state": "forged"})

    grants = simulator.grants
    issued += [*grants.access, *grants.refreshable, *grants.dead]
    assert "call failed" in lines.text
    assert "sign-in needed" in lines.text
    assert "Bearer …" in lines.text
    assert [token for token in issued if token in lines.text] == []
    assert not secret or secret not in lines.text
