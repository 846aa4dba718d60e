"""Ways to begin a sign-in that differ from one tab at one address, and answers other than a yes."""

import time
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from accounts.models import User
from accounts.problems import WORDS, Problem
from syncify.redirect import Case
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import CALLBACK, asked, consent, go_to_spotify, is_signed_in

pytestmark = pytest.mark.django_db

LOCALHOST = {"HTTP_HOST": "localhost:8000"}
LOOPBACK = {"HTTP_HOST": "127.0.0.1:8000"}


def says(response: Any, problem: Problem) -> bool:
    return WORDS[problem].title in response.content.decode().replace("&#x27;", "'")


# --- Several tabs -------------------------------------------------------------------------------


def test_two_tabs_that_begin_a_first_sign_in_at_once_both_finish(simulator: Simulator) -> None:
    first, second = Client(), Client()  # neither has a session yet
    one, two = go_to_spotify(first), go_to_spotify(second)
    # In one browser the second answer replaced the session of the first.
    browser = Client()
    for client in (first, second):
        for name, morsel in client.cookies.items():
            browser.cookies[name] = morsel.value

    assert browser.get(CALLBACK, consent(one, "ada")).headers["Location"] == "/"
    assert browser.get(CALLBACK, consent(two, "ada")).headers["Location"] == "/"
    assert User.objects.count() == 1


def test_a_tab_finishes_after_somebody_else_signed_in_in_another(
    client: Client, simulator: Simulator, ada: User
) -> None:
    client.force_login(ada)
    first, second = go_to_spotify(client), go_to_spotify(client)

    client.get(CALLBACK, consent(first, "bea"))  # this makes another session
    client.get(CALLBACK, consent(second, "ada"))

    assert client.session["_auth_user_id"] == str(ada.pk)


def test_a_sign_in_that_only_its_cookie_knows_works_once(
    client: Client, simulator: Simulator
) -> None:
    query = consent(go_to_spotify(client), "ada")
    del client.cookies["sessionid"]
    assert client.get(CALLBACK, query).status_code == 302
    simulator.forget_requests()

    assert says(client.get(CALLBACK, query), Problem.REPLAYED)
    assert simulator.requests == []


def _of_another_sign_in(kept: dict[str, Any]) -> dict[str, Any]:
    return kept | {"state": "x" * 43}


def _old(kept: dict[str, Any]) -> dict[str, Any]:
    return kept | {"at": time.time() - 16 * 60}


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        (_of_another_sign_in, None, Problem.UNKNOWN_STATE),
        (_old, None, Problem.EXPIRED),
        (dict, "another key", Problem.UNKNOWN_STATE),
    ],
)
def test_a_cookie_that_does_not_fit_signs_nobody_in(
    client: Client, simulator: Simulator, change: Any, key: str | None, problem: Problem
) -> None:
    query = consent(go_to_spotify(client), "ada")
    go_to_spotify(client)  # a browser that has begun something
    name = f"sign-in-{query['state'][:8]}"
    kept = signing.loads(client.cookies[name].value, salt="accounts.pending")
    session = client.session
    del session["spotify_sign_ins"][query["state"]]
    session.save()
    client.cookies[name] = signing.dumps(change(kept), key=key, salt="accounts.pending")
    simulator.forget_requests()

    assert says(client.get(CALLBACK, query), problem)
    assert simulator.requests == []


def test_many_sign_ins_do_not_fill_the_browser_with_cookies(client: Client) -> None:
    for _ in range(12):
        go_to_spotify(client)

    cookies = [morsel for name, morsel in client.cookies.items() if name.startswith("sign-in-")]
    kept = [morsel for morsel in cookies if morsel.value]  # those that are deleted have none
    assert 1 <= len(kept) <= 5
    assert all(morsel["httponly"] and morsel["samesite"] == "Lax" for morsel in kept)


# --- Other addresses ----------------------------------------------------------------------------


@pytest.fixture
def local(settings: Any) -> None:
    settings.BASE_URL, settings.SPOTIFY_REDIRECT_CASE = "http://127.0.0.1:8000", Case.LOOPBACK


@pytest.mark.usefixtures("local")
def test_a_sign_in_begun_at_localhost_goes_on_at_the_address_that_spotify_takes(
    client: Client, simulator: Simulator
) -> None:
    pressed = client.post("/accounts/login/", {"next": "/settings/"}, **LOCALHOST)
    address = pressed.headers["Location"]
    assert address.startswith("http://127.0.0.1:8000/accounts/login/continue/?")

    browser = Client()  # which sends no cookie of localhost
    spotify = browser.get(address.removeprefix("http://127.0.0.1:8000"), **LOOPBACK)
    query = consent(spotify.headers["Location"], "ada")
    finished = browser.get(CALLBACK, query, **LOOPBACK)

    assert finished.headers["Location"] == "/settings/"
    assert is_signed_in(browser)


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("token", ["", "x", "W1tdLCIvIl0:1x:abc"])
def test_nobody_else_can_make_a_browser_go_on(client: Client, token: str) -> None:
    response = client.get("/accounts/login/continue/", {"wish": token}, **LOOPBACK)

    assert response.headers["Location"] == "/"


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost:9000"])
def test_behind_a_tunnel_from_another_port_the_address_is_pasted(
    client: Client, simulator: Simulator, host: str
) -> None:
    there: dict[str, Any] = {"HTTP_HOST": host}
    explained = client.post("/accounts/login/", **there).headers["Location"]
    assert "cannot redirect your browser" in client.get(explained, **there).content.decode()
    spotify = client.post("/accounts/login/", {"explained": "yes"}, **there).headers["Location"]
    assert f'href="{explained}"' in client.get("/", **there).content.decode()

    query = consent(spotify, "ada")
    address = f"http://127.0.0.1:8000{CALLBACK}?code={query['code']}&amp;state={query['state']}"
    client.post(explained, {"address": address}, **there)

    assert is_signed_in(client)


@pytest.mark.usefixtures("local")
def test_the_right_address_needs_no_detour(client: Client) -> None:
    address = client.post("/accounts/login/", **LOOPBACK).headers["Location"]

    assert "redirect_uri" in asked(address)


# --- Errors from Spotify ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("access_denied", Problem.DENIED),
        ("server_error", Problem.UNAVAILABLE),
        ("temporarily_unavailable", Problem.UNAVAILABLE),
        ("invalid_scope", Problem.REFUSED_BY_SPOTIFY),
        ("unauthorized_client", Problem.REFUSED_BY_SPOTIFY),
        ("\0<b>", Problem.REFUSED_BY_SPOTIFY),
        ("x" * 5_000, Problem.REFUSED_BY_SPOTIFY),
        ("", Problem.INCOMPLETE),
    ],
)
def test_an_error_of_spotifys_page_is_called_what_it_is(
    client: Client, simulator: Simulator, error: str, problem: Problem
) -> None:
    state = asked(go_to_spotify(client))["state"]

    response = client.get(CALLBACK, {"state": state, "error": error})

    assert says(response, problem)
    assert simulator.requests == []


# --- Browsers that hide the origin of a form ----------------------------------------------------


@pytest.mark.parametrize(
    ("https", "headers", "token", "status"),
    [
        (False, {"Origin": "null"}, True, 302),
        (False, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True, 302),
        (True, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True, 302),
        (True, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}, True, 403),
        (True, {"Origin": "null"}, True, 403),
        (False, {"Origin": "null"}, False, 403),
        (True, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, False, 403),
        (False, {"Origin": "https://evil.example"}, True, 403),
    ],
)
def test_a_hidden_origin_is_accepted_with_the_forms_token_where_that_is_safe(
    https: bool, headers: dict[str, str], token: bool, status: int
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/", secure=https)
    form = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value} if token else {}

    response = client.post("/accounts/logout/", form, secure=https, headers=headers)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("origin", "cause"), [("null", "hides the address"), ("https://evil.example", "open for too")]
)
def test_a_form_that_is_not_accepted_names_the_likely_cause(origin: str, cause: str) -> None:
    client = Client(enforce_csrf_checks=True)

    response = client.post("/accounts/logout/", secure=True, headers={"Origin": origin})

    assert cause in response.content.decode()
