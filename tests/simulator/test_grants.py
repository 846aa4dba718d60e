"""Signing in, and what becomes of tokens."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from syncify.simulator.grants import Client
from syncify.simulator.server import Simulator
from syncify.simulator.wire import ApiError
from tests.simulator.callers import (
    CHALLENGE,
    DAY,
    HOUR,
    PKCE,
    REDIRECT,
    SECRET,
    Caller,
    agree,
    ask_token,
    code_of,
    redeem,
    refresh,
)


def test_signing_in_with_a_secret_gives_tokens_and_the_state_back(spotify: Simulator) -> None:
    answer = agree(spotify)

    token = redeem(spotify, code_of(answer)).json()

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{REDIRECT}?")
    assert "state=s1" in answer.headers["Location"]
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert token["scope"] == "user-library-read"
    me = requests.get(
        f"{spotify.api_url}me/",
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=60,
    )
    assert me.json()["id"] == "ada"


def test_signing_in_with_pkce_gives_refresh_tokens_that_work_once(spotify: Simulator) -> None:
    code = code_of(agree(spotify, code_challenge=CHALLENGE, code_challenge_method="S256"))
    first = redeem(spotify, code, secret=None, **PKCE).json()["refresh_token"]

    second = refresh(spotify, first, secret=None, client_id="syncify-demo").json()["refresh_token"]
    again = refresh(spotify, first, secret=None, client_id="syncify-demo")
    third = refresh(spotify, second, secret=None, client_id="syncify-demo")

    assert again.status_code == 400
    assert again.json() == {
        "error": "invalid_grant",
        "error_description": "Refresh token revoked",
    }
    assert third.ok


def test_cancelling_sends_the_refusal_back(spotify: Simulator) -> None:
    answer = requests.post(
        f"{spotify.accounts_url}/authorize",
        params={
            "client_id": "syncify-demo",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "state": "s1",
        },
        data={"listener": "ada", "answer": "cancel"},
        allow_redirects=False,
        timeout=60,
    )

    assert answer.headers["Location"] == f"{REDIRECT}?error=access_denied&state=s1"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"client_id": "other"}, "INVALID_CLIENT: Invalid client"),
        ({"redirect_uri": "http://127.0.0.1:8000/accounts/callback"}, "Invalid redirect URI"),
        ({"redirect_uri": "http://127.0.0.1:8000/Accounts/callback/"}, "Invalid redirect URI"),
        ({"redirect_uri": "https://example.org/accounts/callback/"}, "Invalid redirect URI"),
        ({"redirect_uri": "http://localhost:8000/accounts/callback/"}, "Insecure redirect URI"),
        ({"redirect_uri": "http://192.168.1.5/accounts/callback/"}, "Insecure redirect URI"),
        ({"redirect_uri": ""}, "Insecure redirect URI"),
        ({"response_type": "token"}, "response_type must be code"),
        ({"code_challenge": "x"}, "code_challenge_method must be S256"),
        ({"scope": "user-library-read everything"}, "INVALID_SCOPE"),
    ],
)
def test_a_wrong_authorization_request_is_told_on_a_page_and_not_redirected(
    spotify: Simulator, wrong: dict[str, str], told: str
) -> None:
    answer = agree(spotify, **wrong)

    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.parametrize(
    "uri", ["http://[::1]:9/accounts/callback/", "http://127.0.0.1/accounts/callback/"]
)
def test_a_loopback_address_may_come_with_any_port(spotify: Simulator, uri: str) -> None:
    assert agree(spotify, redirect_uri=uri).status_code == 302


def test_an_https_address_must_be_registered_exactly() -> None:
    client = Client(redirect_uris=("https://sync.example.org/accounts/callback/",))

    client.check_redirect("https://sync.example.org/accounts/callback/")
    with pytest.raises(ApiError, match="Invalid redirect URI"):
        client.check_redirect("https://sync.example.org:8443/accounts/callback/")


@pytest.mark.parametrize(
    ("pkce", "later", "secret", "changes", "error", "description"),
    [
        (False, 601, SECRET, {}, "invalid_grant", "Authorization code expired"),
        (False, 0, SECRET, {"code": "x"}, "invalid_grant", "Invalid authorization code"),
        (False, 0, SECRET, {"redirect_uri": "x"}, "invalid_grant", "Invalid redirect URI"),
        (False, 0, ("syncify-demo", "x"), {}, "invalid_client", "Invalid client secret"),
        (False, 0, ("other", "demo-secret"), {}, "invalid_client", "Invalid client"),
        (False, 0, None, {}, "invalid_client", "Invalid client"),
        (False, 0, None, {"client_id": "syncify-demo"}, "invalid_client", "Invalid client secret"),
        (True, 0, SECRET, PKCE, "invalid_request", "code_verifier"),
        (True, 0, SECRET, {}, "invalid_grant", "code_verifier was incorrect"),
        (True, 0, None, PKCE | {"code_verifier": "w" * 43}, "invalid_grant", "code_verifier was"),
        (True, 0, None, PKCE | {"code_verifier": "v" * 42}, "invalid_grant", "code_verifier was"),
        (False, 0, SECRET, {"grant_type": "password"}, "unsupported_grant_type", "grant_type"),
    ],
)
def test_a_code_is_refused(
    spotify: Simulator,
    pkce: bool,
    later: int,
    secret: Any,
    changes: dict[str, str],
    error: str,
    description: str,
) -> None:
    challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"} if pkce else {}
    code = code_of(agree(spotify, **challenge))
    spotify.advance(timedelta(seconds=later))

    answer = redeem(spotify, code, secret=secret, **changes)

    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"].startswith(description)


def test_a_code_works_once(spotify: Simulator) -> None:
    code = code_of(agree(spotify))

    assert redeem(spotify, code).ok
    assert redeem(spotify, code).json()["error_description"] == "Invalid authorization code"


def test_the_app_itself_gets_a_token_for_its_secret_that_opens_no_library(
    spotify: Simulator,
) -> None:
    answer = ask_token(spotify, grant_type="client_credentials")

    token = answer.json()
    assert (answer.status_code, token["token_type"], "refresh_token" in token) == (
        200,
        "Bearer",
        False,
    )
    me = requests.get(
        f"{spotify.api_url}me",
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=60,
    )
    assert me.status_code == 401


@pytest.mark.parametrize(
    ("secret", "form"), [(("syncify-demo", "x"), {}), (None, {"client_id": "syncify-demo"})]
)
def test_the_app_itself_gets_no_token_without_its_secret(
    spotify: Simulator, secret: Any, form: dict[str, str]
) -> None:
    answer = ask_token(spotify, secret=secret, grant_type="client_credentials", **form)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_consent_ends_after_six_months_however_often_it_was_refreshed(spotify: Simulator) -> None:
    token = spotify.authorize("ada")["refresh_token"]

    answers = []
    for _ in range(4):
        answers.append(refresh(spotify, token))
        spotify.advance(61 * DAY)

    assert [answer.status_code for answer in answers] == [200, 200, 200, 400]
    assert answers[3].json()["error_description"] == "Refresh token expired"


def test_a_revoked_consent_leaves_the_access_token_alive(spotify: Simulator) -> None:
    token = spotify.authorize("ada")
    spotify.revoke("ada")
    headers = {"Authorization": f"Bearer {token['access_token']}"}

    assert refresh(spotify, token["refresh_token"]).json()["error"] == "invalid_grant"
    assert requests.get(f"{spotify.api_url}me", headers=headers, timeout=60).ok


def test_a_refresh_omits_the_refresh_token_unless_told_to_bring_a_new_one(
    spotify: Simulator,
) -> None:
    token = spotify.authorize("ada")["refresh_token"]

    omitted = refresh(spotify, token).json()
    spotify.behaviour.rotate_refresh_token = True
    replaced = refresh(spotify, token).json()["refresh_token"]

    assert "refresh_token" not in omitted
    assert replaced != token
    assert not refresh(spotify, token).ok
    assert refresh(spotify, replaced).ok


def test_an_access_token_ends_after_an_hour(spotify: Simulator, ada: Caller) -> None:
    spotify.advance(HOUR)

    answer = ada("GET", "me")

    assert answer.status_code == 401
    assert answer.json() == {"error": {"status": 401, "message": "The access token expired"}}
