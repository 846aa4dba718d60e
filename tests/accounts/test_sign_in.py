"""Signing in through Spotify's consent page and out again, and what becomes of an account."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import ListenerSession, RateLimit, SpotifyConnection, User
from accounts.problems import WORDS, Problem
from accounts.scopes import NEEDED
from accounts.sign_in import _slot
from sync.models import Mirror
from syncify.simulator.server import Simulator
from syncify.spotify.quota import QuotaGate, current_block
from tests.accounts.signing_in import (
    CALLBACK,
    asked,
    consent,
    go_to_spotify,
    is_signed_in,
    sign_in,
)
from tests.stand_in import StandIn
from tests.waiting import PATIENCE, in_thread, wait_until

pytestmark = pytest.mark.django_db

BOTH_FLOWS = pytest.mark.parametrize("secret", ["demo-secret", ""], ids=["secret", "pkce"])


# --- Success ----------------------------------------------------------------------------------


@BOTH_FLOWS
def test_sign_in_connects_a_new_listener(
    client: Client, simulator: Simulator, settings: Any, secret: str, connected: list[Any]
) -> None:
    settings.SPOTIFY_CLIENT_SECRET = secret

    response = sign_in(client, simulator, "ada").response

    assert (response.status_code, response.headers["Location"]) == (302, "/")
    user = User.objects.get()
    assert (user.spotify_id, user.display_name, user.is_operator) == ("ada", "Ada", False)
    assert user.account_id == simulator.listeners["ada"].account_id
    held = user.connection
    assert held.state == "connected"
    assert set(held.scopes.split()) == set(NEEDED)
    assert held.access_token in simulator.grants.access
    assert held.refresh_token in simulator.grants.refreshable
    assert timezone.now() - held.authorized_at < timedelta(minutes=1)
    assert client.session["_auth_user_id"] == str(user.pk)
    assert connected == [("ada", True)]
    assert simulator.count() == 1


@BOTH_FLOWS
def test_what_spotify_is_asked_for(client: Client, settings: Any, secret: str, db: None) -> None:
    settings.SPOTIFY_CLIENT_SECRET = secret

    first, second = asked(go_to_spotify(client)), asked(go_to_spotify(client))

    assert first["redirect_uri"] == "http://127.0.0.1:8000/accounts/callback/"
    assert set(first["scope"].split()) == set(NEEDED)
    assert first["state"] != second["state"]
    assert len(first["state"]) >= 32
    assert "show_dialog" not in first
    assert ("code_challenge" in first) == (not secret)
    assert first.get("code_challenge_method", "S256") == "S256"


def test_tokens_are_not_readable_in_the_database(client: Client, simulator: Simulator) -> None:
    sign_in(client, simulator, "ada")

    stored = SpotifyConnection.objects.extra(
        select={"access": "access_token", "refresh": "refresh_token"}
    ).values_list("access", "refresh")[0]
    assert not {*stored} & {*simulator.grants.access, *simulator.grants.refreshable}


def test_each_of_several_tabs_may_finish(client: Client, simulator: Simulator) -> None:
    first, second = go_to_spotify(client), go_to_spotify(client)

    assert client.get(CALLBACK, consent(second, "ada")).status_code == 302
    assert client.get(CALLBACK, consent(first, "ada")).status_code == 302
    assert User.objects.count() == 1


@pytest.mark.parametrize("again", [False, True], ids=["visitor", "signed in"])
def test_the_session_key_changes_at_sign_in(
    client: Client, simulator: Simulator, again: bool
) -> None:
    if again:
        sign_in(client, simulator, "ada")
    address = go_to_spotify(client)
    before = client.session.session_key

    client.get(CALLBACK, consent(address, "ada"))

    assert client.session.session_key != before
    assert not client.session.exists(before)


def test_another_listener_gets_a_session_of_their_own(client: Client, simulator: Simulator) -> None:
    sign_in(client, simulator, "ada")
    client.session["of"] = "ada"

    sign_in(client, simulator, "bea")

    assert client.session["_auth_user_id"] == str(User.objects.get(spotify_id="bea").pk)
    assert "of" not in client.session


def test_signing_in_again_keeps_everything_and_renews_consent(
    client: Client, simulator: Simulator, ada: User, connected: list[Any]
) -> None:
    long_ago = timezone.now() - timedelta(days=185)
    SpotifyConnection.objects.update(
        authorized_at=long_ago, state="sign_in_needed", state_reason="consent_ended"
    )
    Mirror.objects.update(name="Mine")

    sign_in(client, simulator, "ada")

    held = SpotifyConnection.objects.get()
    assert (held.state, held.state_reason) == ("connected", "")
    assert held.authorized_at > long_ago + timedelta(days=180)
    assert User.objects.get() == ada
    assert Mirror.objects.get().name == "Mine"
    assert connected == [("ada", False)]


def test_who_is_signed_in_and_signs_in_again_is_asked_anew(
    client: Client, simulator: Simulator
) -> None:
    sign_in(client, simulator, "ada")

    assert asked(go_to_spotify(client))["show_dialog"] == "true"


# --- Failures ---------------------------------------------------------------------------------


def _too_late(client: Client, simulator: Simulator) -> Any:
    query = consent(go_to_spotify(client), "ada")
    session = client.session
    for sign_in_begun in session["spotify_sign_ins"].values():
        sign_in_begun["at"] = time.time() - 16 * 60
    session.save()
    return client.get(CALLBACK, query)


def _denied(client: Client, simulator: Simulator) -> Any:
    return client.get(CALLBACK, consent(go_to_spotify(client), "ada", answer="cancel"))


def _changed_state(client: Client, simulator: Simulator) -> Any:
    query = consent(go_to_spotify(client), "ada")
    return client.get(CALLBACK, query | {"state": "x" + query["state"]})


def _no_state(client: Client, simulator: Simulator) -> Any:
    query = consent(go_to_spotify(client), "ada")
    return client.get(CALLBACK, {"code": query["code"]})


def _of_another_browser(client: Client, simulator: Simulator) -> Any:
    go_to_spotify(client)
    return client.get(CALLBACK, consent(go_to_spotify(Client()), "ada"))


def _forged(client: Client, simulator: Simulator) -> Any:
    return client.get(CALLBACK, {"code": "forged", "state": "forged"})


def _denied_and_forged(client: Client, simulator: Simulator) -> Any:
    return client.get(CALLBACK, {"error": "access_denied", "state": "forged"})


def _empty(client: Client, simulator: Simulator) -> Any:
    return client.get(CALLBACK)


def _code_used_elsewhere(client: Client, simulator: Simulator) -> Any:
    code = sign_in(Client(), simulator, "ada").code
    User.objects.all().delete()
    simulator.forget_requests()
    state = asked(go_to_spotify(client))["state"]
    return client.get(CALLBACK, {"code": code, "state": state})


def _code_expired(client: Client, simulator: Simulator) -> Any:
    query = consent(go_to_spotify(client), "ada")
    simulator.advance(timedelta(minutes=11))
    return client.get(CALLBACK, query)


def _scope_missing(client: Client, simulator: Simulator) -> Any:
    address = go_to_spotify(client).replace("playlist-modify-private", "user-read-email")
    return client.get(CALLBACK, consent(address, "ada"))


def _not_registered(client: Client, simulator: Simulator) -> Any:
    simulator.behaviour.allow_list = frozenset()
    return sign_in(client, simulator, "ada").response


def _forbidden(client: Client, simulator: Simulator) -> Any:
    simulator.fault("status", code=403, message="Forbidden")
    return sign_in(client, simulator, "ada").response


def _premium_lapsed(client: Client, simulator: Simulator) -> Any:
    simulator.behaviour.premium_lapsed = True
    return sign_in(client, simulator, "ada").response


def _quota_spent(client: Client, simulator: Simulator) -> Any:
    simulator.fault("quota")
    return sign_in(client, simulator, "ada").response


def _api_down(client: Client, simulator: Simulator) -> Any:
    simulator.fault("drop", times=0)
    return sign_in(client, simulator, "ada").response


def _token_host_down(client: Client, simulator: Simulator) -> Any:
    simulator.fault("status", path="/api/token", code=503)
    return sign_in(client, simulator, "ada").response


def _invalid_client(client: Client, simulator: Simulator) -> Any:
    simulator.fault("oauth", error="invalid_client", message="Invalid client secret")
    return sign_in(client, simulator, "ada").response


@pytest.mark.parametrize(
    ("come_back", "problem"),
    [
        (_too_late, Problem.EXPIRED),
        (_denied, Problem.DENIED),
        (_changed_state, Problem.UNKNOWN_STATE),
        (_no_state, Problem.UNKNOWN_STATE),
        (_of_another_browser, Problem.UNKNOWN_STATE),
        (_forged, Problem.UNKNOWN_STATE),
        (_denied_and_forged, Problem.UNKNOWN_STATE),
        (_empty, Problem.UNKNOWN_STATE),
        (_code_used_elsewhere, Problem.CODE_REFUSED),
        (_code_expired, Problem.CODE_REFUSED),
        (_scope_missing, Problem.SCOPES_MISSING),
        (_not_registered, Problem.NOT_REGISTERED),
        (_forbidden, Problem.FORBIDDEN),
        (_premium_lapsed, Problem.PREMIUM),
        (_quota_spent, Problem.QUOTA),
        (_api_down, Problem.UNAVAILABLE),
        (_token_host_down, Problem.UNAVAILABLE),
        (_invalid_client, Problem.CREDENTIALS),
    ],
)
def test_a_sign_in_that_fails_says_why_and_stores_nothing(
    client: Client,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    come_back: Callable[[Client, Simulator], Any],
    problem: Problem,
) -> None:
    monkeypatch.setattr("syncify.spotify.calls._jitter", lambda _: 0.0)

    response = come_back(client, simulator)

    page = unescape(response.content.decode())
    assert response.status_code == WORDS[problem].status
    assert WORDS[problem].title in page
    assert 'href="/"' in page
    assert not is_signed_in(client)
    assert not User.objects.exists()


@BOTH_FLOWS
def test_a_callback_works_once(
    client: Client, simulator: Simulator, settings: Any, secret: str
) -> None:
    settings.SPOTIFY_CLIENT_SECRET = secret
    query = sign_in(client, simulator, "ada").query
    simulator.forget_requests()

    response = client.get(CALLBACK, query)

    assert response.status_code == 400
    assert "used already" in response.content.decode()
    assert simulator.requests == []


def test_a_state_is_used_up_by_a_failure_too(client: Client, simulator: Simulator) -> None:
    query = consent(go_to_spotify(client), "ada")
    simulator.fault("status", path="/api/token", code=503)
    client.get(CALLBACK, query)

    assert "used already" in client.get(CALLBACK, query).content.decode()


@pytest.mark.parametrize(
    ("fail", "asks_anew"), [(_denied, True), (_not_registered, True), (_too_late, False)]
)
def test_spotify_asks_anew_where_another_answer_may_help(
    client: Client, simulator: Simulator, fail: Any, asks_anew: bool
) -> None:
    fail(client, simulator)

    assert ("show_dialog" in asked(go_to_spotify(client))) == asks_anew
    assert "show_dialog" not in asked(go_to_spotify(client))


@pytest.mark.parametrize("refuse", ["not_invited", "not_registered"])
def test_nothing_of_a_refused_stranger_is_stored(
    client: Client, simulator: Simulator, settings: Any, refuse: str
) -> None:
    if refuse == "not_invited":
        settings.ALLOWED_USERS = ["ada"]
    else:
        simulator.behaviour.allow_list = frozenset()

    sign_in(client, simulator, "bea")

    ours = {
        *apps.get_app_config("accounts").get_models(),
        *apps.get_app_config("sync").get_models(),
    }
    kept = {model for model in ours if model._default_manager.exists()}
    assert kept == {RateLimit, ListenerSession}  # which name nobody
    assert not ListenerSession.objects.filter(user_id__isnull=False).exists()
    assert set(client.session.keys()) == {"spotify_sign_ins", "spotify_show_dialog"}
    assert "bea" not in str(dict(client.session))


def test_wrong_credentials_at_sign_in_stop_everybody(client: Client, simulator: Simulator) -> None:
    _invalid_client(client, simulator)

    held = current_block()
    assert held is not None
    assert held.because == "credentials"


def test_nobody_is_sent_to_spotify_who_could_not_come_back(
    client: Client, simulator: Simulator
) -> None:
    QuotaGate(reserve=True).block(for_=timedelta(hours=14), because="quota")

    response = client.post("/accounts/login/")

    assert response.status_code == 503
    assert "asks us to wait" in response.content.decode()
    assert simulator.requests == []


# --- While Spotify is slow ----------------------------------------------------------------------


def held_connections() -> int:
    """Database connections other than this thread's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        held: int = cursor.fetchone()[0]
    return held


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/token", "/v1/me"])
def test_few_sign_ins_call_spotify_at_once_and_none_holds_a_connection(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    clients = [Client() for _ in range(6)]
    queries = [consent(go_to_spotify(client), "ada") for client in clients]
    monkeypatch.setattr("accounts.sign_in.LONGEST_WAIT", PATIENCE)
    simulator.fault("latency", path=path, seconds=PATIENCE, times=0)  # until it is let go
    before = held_connections()

    def finish(client: Client, query: dict[str, str]) -> int:
        return client.get(CALLBACK, query).status_code

    with ThreadPoolExecutor(6) as pool:
        each = zip(clients, queries, strict=True)
        finished = [in_thread(pool, finish, client, query) for client, query in each]
        wait_until(lambda: simulator.count(path_prefix="/api/token") == 3)
        wait_until(lambda: path == "/api/token" or simulator.count() >= 1)
        time.sleep(0.2)
        assert simulator.count(path_prefix="/api/token") == 3
        assert held_connections() == before
        simulator.clear_faults()
        simulator.let_go()
        assert {future.result(PATIENCE) for future in finished} == {302}


@pytest.mark.django_db(transaction=True)
def test_a_sign_in_that_finds_no_place_does_not_wait_for_long(
    client: Client, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = consent(go_to_spotify(client), "ada")
    monkeypatch.setattr("accounts.sign_in.LONGEST_WAIT", 0.05)
    monkeypatch.setattr("accounts.sign_in._slots", threading.BoundedSemaphore(1))
    simulator.forget_requests()

    with _slot():
        response = client.get(CALLBACK, query)

    assert response.status_code == 503
    assert WORDS[Problem.BUSY].title in response.content.decode()
    assert simulator.requests == []
    assert sign_in(client, simulator, "ada").response.status_code == 302


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        ("burst:retry_after=20", timedelta(seconds=20)),
        ("burst:retry_after=20,path=/api/token", timedelta(minutes=1)),
    ],
)
def test_a_wait_that_spotify_names_is_not_slept_through(
    client: Client, simulator: Simulator, fault: str, wait: timedelta
) -> None:
    query = consent(go_to_spotify(client), "ada")
    simulator.fault(fault)
    begun = time.monotonic()

    response = client.get(CALLBACK, query)

    assert time.monotonic() - begun < wait.total_seconds() / 2
    assert WORDS[Problem.QUOTA].title in response.content.decode()
    block = current_block()
    assert block is not None
    assert abs(block.until - timezone.now() - wait) < timedelta(seconds=5)
    assert not User.objects.exists()


def test_a_short_wait_is_sat_out(client: Client, simulator: Simulator) -> None:
    simulator.fault("burst:retry_after=1")

    assert sign_in(client, simulator, "ada").response.status_code == 302
    assert current_block() is None


@pytest.mark.parametrize(
    "profile",
    [{"id": "x" * 300}, {"id": ""}, {"id": "a\0"}, {"display_name": "no id"}, [], None],
)
def test_a_profile_that_cannot_be_used_is_no_error_of_the_page(
    client: Client,
    simulator: Simulator,
    stand_in: StandIn,
    profile: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncify.spotify.calls._jitter", lambda _: 0.0)
    settings.SPOTIFY_ACCOUNTS_URL = simulator.accounts_url
    stand_in.body = json.dumps(profile).encode()

    response = sign_in(client, simulator, "ada").response

    assert response.status_code == 503
    assert not User.objects.exists()
