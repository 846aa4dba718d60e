"""Signing in where Spotify cannot lead back to us, and what may come back in its place."""

from contextlib import suppress
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from accounts.models import RateLimit, User
from accounts.paste import LONGEST, STATE_LENGTH, Answer, NotAnAnswer, read_pasted
from accounts.problems import WORDS, Problem
from syncify.redirect import PASTE_BACK_URI, Case, advice, redirect_uri
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import consent, go_to_spotify

PASTE, CALLBACK = "/accounts/callback/paste/", "/accounts/callback/"
SPOTIFY = "accounts.spotify.com"
STATE, CODE = "s" * STATE_LENGTH, "AQ" + "c" * 60
ADDRESS = f"{PASTE_BACK_URI}?code={CODE}&state={STATE}"


@pytest.mark.parametrize(
    ("base_url", "uri", "case"),
    [
        ("https://syncify.example.org", "https://syncify.example.org/accounts/callback/", "https"),
        ("https://nas.local:8443", "https://nas.local:8443/accounts/callback/", "https"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/accounts/callback/", "loopback"),
        ("http://127.0.0.1:9001", "http://127.0.0.1:9001/accounts/callback/", "loopback"),
        ("http://[::1]:8000", "http://[::1]:8000/accounts/callback/", "loopback"),
        ("http://localhost:8000", PASTE_BACK_URI, "paste_back"),
        ("http://localhost", PASTE_BACK_URI, "paste_back"),
        ("http://192.168.1.5:8000", PASTE_BACK_URI, "paste_back"),
        ("http://nas.local:8000", PASTE_BACK_URI, "paste_back"),
        ("http://127.0.0.1.example.org", PASTE_BACK_URI, "paste_back"),
    ],
)
def test_spotify_leads_back_to_us_only_where_it_takes_our_address(
    base_url: str, uri: str, case: str
) -> None:
    assert redirect_uri(base_url) == (uri, case)
    assert f"exactly {uri} " in advice(base_url)


# --- Reading what was pasted --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS,
        f"  {ADDRESS}\n",
        f'"{ADDRESS}"',
        f"“{ADDRESS}”",
        f"<{ADDRESS}>",
        f"{ADDRESS[:50]}\n{ADDRESS[50:]}",
        f"{ADDRESS}#_=_",
        ADDRESS.replace("&", "&amp;"),
        ADDRESS.removeprefix("http://"),
        ADDRESS.partition("?")[2],
        f"?{ADDRESS.partition('?')[2]}",
        f"http://nas.local:8000/accounts/callback/?state={STATE}&code={CODE}",
    ],
)
def test_an_address_is_read_however_it_was_copied(text: str) -> None:
    assert read_pasted(text, spotify=SPOTIFY) == Answer(STATE, CODE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Nothing was pasted"),
        ('  "" ', "Nothing was pasted"),
        ("https://accounts.spotify.com/authorize?client_id=x&state=" + STATE, "Spotify's own"),
        ("https://open.spotify.com/", "Spotify's own"),
        ("accounts.spotify.com/de/login", "Spotify's own"),
        ("http://192.168.1.5:8000/", "no answer from Spotify"),
        ("hello", "no answer from Spotify"),
        ("http://[", "no answer from Spotify"),
        (PASTE_BACK_URI, "no answer from Spotify"),
        (f"{PASTE_BACK_URI}?code={CODE}", "The end of the address is missing"),
        (ADDRESS[:-1], "The end of the address is missing"),
        (ADDRESS.ljust(LONGEST + 1, "x"), "too long"),
    ],
)
def test_what_is_no_answer_is_told_in_clear_words(text: str, says: str) -> None:
    with pytest.raises(NotAnAnswer, match=says):
        read_pasted(text, spotify=SPOTIFY)


def test_an_error_comes_without_a_code() -> None:
    denied = f"{PASTE_BACK_URI}?error=access_denied&state={STATE}&code={CODE}"

    assert read_pasted(denied, spotify=SPOTIFY) == Answer(STATE, "", "access_denied")


@given(st.text(max_size=300) | st.text(alphabet="?&=#%/:[]@cdeost", max_size=60))
def test_any_text_is_an_answer_or_told_to_be_none(text: str) -> None:
    with suppress(NotAnAnswer):
        assert len(read_pasted(text, spotify=SPOTIFY).state) >= STATE_LENGTH


@given(st.text(min_size=1, max_size=200).map(lambda text: "".join(text.split()) or "x"), st.data())
def test_codes_survive_and_cuts_are_noticed(code: str, data: st.DataObject) -> None:
    address = f"{PASTE_BACK_URI}?{urlencode({'code': code, 'state': STATE})}"
    cut = data.draw(st.integers(1, len(address) - 1))

    assert read_pasted(address, spotify=SPOTIFY) == Answer(STATE, code)
    with pytest.raises(NotAnAnswer):
        read_pasted(address[:cut], spotify=SPOTIFY)


# --- The whole way ------------------------------------------------------------------------------


@pytest.fixture
def nas(settings: Any) -> None:
    """A Syncify at http://nas.local:8000."""
    settings.BASE_URL = "http://nas.local:8000"
    settings.SPOTIFY_REDIRECT_CASE = Case.PASTE_BACK


def open_spotify(client: Client) -> str:
    """Press the button of the page that explains; returns the address it leads to."""
    return str(client.post("/accounts/login/", {"explained": "yes"}).headers["Location"])


def page_of(response: Any) -> str:
    return " ".join(unescape(response.content.decode()).split())


def address_of(query: dict[str, str]) -> str:
    return f"{PASTE_BACK_URI}?{urlencode(query)}"


@pytest.mark.usefixtures("nas", "db")
@pytest.mark.parametrize("secret", ["demo-secret", ""], ids=["secret", "pkce"])
def test_a_listener_signs_in_by_pasting_the_address(
    client: Client, simulator: Simulator, settings: Any, secret: str
) -> None:
    settings.SPOTIFY_CLIENT_SECRET = secret
    assert client.post("/accounts/login/").headers["Location"] == PASTE
    explained = page_of(client.get(PASTE))
    query = consent(open_spotify(client), "ada")

    response = client.post(PASTE, {"address": address_of(query)})

    assert 'target="_blank"' in explained
    assert PASTE_BACK_URI in explained
    assert response.headers["Location"] == "/"
    assert client.session["_auth_user_id"] == str(User.objects.get(spotify_id="ada").pk)
    assert "used already" in page_of(client.post(PASTE, {"address": address_of(query)}))


@pytest.mark.usefixtures("nas", "db")
def test_who_left_the_page_finds_it_again_from_the_start_page(client: Client) -> None:
    assert PASTE not in page_of(client.get("/"))
    open_spotify(client)

    assert f'href="{PASTE}"' in page_of(client.get("/"))


@pytest.mark.usefixtures("db")
def test_where_spotify_leads_back_nothing_is_pasted(client: Client) -> None:
    go_to_spotify(client)

    assert PASTE not in page_of(client.get("/"))


@pytest.mark.usefixtures("nas", "db")
def test_a_paste_that_cannot_be_read_may_be_mended(client: Client, simulator: Simulator) -> None:
    address = address_of(consent(open_spotify(client), "ada"))

    cut_off = client.post(PASTE, {"address": address[:-10]})
    whole = client.post(PASTE, {"address": address})

    assert (cut_off.status_code, whole.status_code) == (422, 302)
    assert "end of the address is missing" in page_of(cut_off)


@pytest.mark.usefixtures("nas", "db")
@pytest.mark.parametrize(
    ("answer", "minutes", "own", "problem"),
    [
        ("cancel", 0, True, Problem.DENIED),
        ("agree", 0, False, Problem.UNKNOWN_STATE),
        ("agree", 16, True, Problem.EXPIRED),
    ],
)
def test_a_pasted_answer_is_checked_as_the_callback_does(
    client: Client, simulator: Simulator, answer: str, minutes: int, own: bool, problem: Problem
) -> None:
    address = open_spotify(client)
    query = consent(address if own else open_spotify(Client()), "ada", answer=answer)
    session = client.session
    for begun in session["spotify_sign_ins"].values():
        begun["at"] -= minutes * 60
    session.save()
    simulator.forget_requests()

    response = client.post(PASTE, {"address": address_of(query)})

    assert WORDS[problem].title in page_of(response)
    assert "_auth_user_id" not in client.session
    assert simulator.requests == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("case", "begun", "is_shown"),
    [("loopback", False, True), ("paste_back", False, True), ("https", False, False),
     ("loopback", True, False)],
)  # fmt: skip
def test_a_syncify_that_did_not_begin_it_shows_the_address_and_spends_no_code(
    client: Client, simulator: Simulator, settings: Any, case: Case, begun: bool, is_shown: bool
) -> None:
    query = consent(go_to_spotify(Client()), "ada")
    settings.SPOTIFY_REDIRECT_CASE = case
    if begun:
        open_spotify(client)
    simulator.forget_requests()

    page = page_of(client.get(CALLBACK, query))

    assert (f'value="{address_of(query)}"' in page) == is_shown
    assert (WORDS[Problem.UNKNOWN_STATE].title in page) != is_shown
    assert simulator.requests == []


# --- Whatever comes -----------------------------------------------------------------------------

VALUES = st.text(max_size=80) | st.sampled_from([STATE, CODE, "", "\0", "x" * 5_000])
QUERIES = st.dictionaries(
    st.sampled_from(["code", "state", "error", "scope", "explained"]), VALUES, max_size=4
)


@pytest.mark.django_db
@hypothesis(max_examples=60)
@given(sent=QUERIES, begun=st.booleans(), swapped=st.booleans())
def test_no_forged_answer_signs_anybody_in_or_asks_spotify(
    simulator: Simulator, sent: dict[str, str], begun: bool, swapped: bool
) -> None:
    RateLimit.objects.all().delete()  # all examples share an address, and the limits an hour
    client = Client()
    if begun:
        go_to_spotify(client)
    if swapped:
        sent = sent | {"state": go_to_spotify(Client()).partition("&state=")[2].partition("&")[0]}

    back = client.get(CALLBACK, sent)
    pasted = client.post(PASTE, {"address": f"{CALLBACK}?{urlencode(sent)}"})

    assert back.status_code in {200, 400}
    assert pasted.status_code in {400, 422}
    assert "_auth_user_id" not in client.session
    assert simulator.requests == []


@pytest.mark.django_db
@hypothesis(max_examples=30)
@given(data=st.data())
def test_a_code_that_was_tampered_with_signs_nobody_in(
    simulator: Simulator, data: st.DataObject
) -> None:
    RateLimit.objects.all().delete()  # as above
    client = Client()
    query = consent(go_to_spotify(client), "ada")
    place = data.draw(st.integers(0, len(query["code"]) - 1))
    query["code"] = query["code"][:place] + data.draw(st.text(max_size=5)) if place else "x"

    response = client.get(CALLBACK, query)

    assert response.status_code in {400, 403}
    assert not User.objects.exists()
