"""Optional permissions: asked for when needed, kept with the rest, refused without harm."""

from typing import Any
from urllib.parse import quote

import pytest
from django.http import QueryDict
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from accounts import scopes
from accounts.models import SpotifyConnection, User
from accounts.scopes import NEEDED, OPTIONAL, Wish, safe_path, sign_in_address, wish_of
from syncify.redirect import Case
from syncify.simulator.grants import SCOPES as ALL_SCOPES
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import CALLBACK, asked, consent, go_to_spotify, sign_in
from tests.driving import card, run, run_again

LIKE, COVER = "user-library-modify", "ugc-image-upload"


@pytest.fixture
def signed_in(client: Client, simulator: Simulator, db: None) -> User:
    """Ada, with no permission but the needed ones."""
    sign_in(client, simulator, "ada")
    return User.objects.get()


def granted(user: User) -> set[str]:
    return {scope for scope in OPTIONAL if scopes.has(user, scope)}


def texts_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_what_is_optional_is_known_to_spotify_and_not_needed() -> None:
    assert set(NEEDED) | set(OPTIONAL) < ALL_SCOPES
    assert not set(NEEDED) & set(OPTIONAL)


# --- Asking ---------------------------------------------------------------------------------------


def ask(client: Client, *wanted: str, path: str = "/settings/") -> str:
    """Go through the page that explains; returns Spotify's address."""
    request = RequestFactory().get("/")
    address = sign_in_address(request, scopes=wanted, next=path)
    page = client.get(address)
    assert page.status_code == 200
    assert all(OPTIONAL[scope] in page.content.decode() for scope in wanted)
    wish: Wish = page.context["wish"]
    return go_to_spotify(client, scope=wish.scopes, next=wish.next)


def test_an_optional_permission_is_asked_for_and_kept_with_the_rest(
    client: Client, simulator: Simulator, signed_in: User
) -> None:
    address = ask(client, LIKE)
    back = client.get(CALLBACK, consent(address, "ada"))

    assert set(asked(address)["scope"].split()) == {*NEEDED, LIKE}
    assert back.headers["Location"] == "/settings/"
    assert granted(signed_in) == {LIKE}

    client.get(CALLBACK, consent(ask(client, COVER), "ada"))
    assert granted(signed_in) == {LIKE, COVER}
    client.get(CALLBACK, consent(go_to_spotify(client), "ada"))
    assert granted(signed_in) == {LIKE, COVER}
    assert texts_of(client.get("/settings/")) == []


@pytest.mark.parametrize("how", ["cancel", "without it"])
def test_who_refuses_keeps_everything_and_is_told(
    client: Client, simulator: Simulator, signed_in: User, how: str
) -> None:
    before = SpotifyConnection.objects.get()
    address = ask(client, LIKE, path="/privacy/")
    if how == "cancel":
        query = consent(address, "ada", answer="cancel")
    else:
        query = consent(address.replace(LIKE, "user-read-email"), "ada")

    back = client.get(CALLBACK, query, follow=True)

    assert back.redirect_chain == [("/privacy/", 302)]
    assert back.context["user"] == signed_in
    [text] = texts_of(back)
    assert f"cannot {OPTIONAL[LIKE]}" in text
    held = SpotifyConnection.objects.get()
    assert held.state == "connected"
    assert granted(signed_in) == set()
    assert how != "cancel" or held.refresh_token == before.refresh_token


def test_who_signs_in_after_signing_out_keeps_their_optional_permissions(
    client: Client, simulator: Simulator, signed_in: User
) -> None:
    client.get(CALLBACK, consent(ask(client, LIKE), "ada"))
    client.post("/accounts/logout/")

    first = sign_in(client, simulator, "ada").response

    # Nobody knew who they are; now Spotify is asked once more.
    again = first.headers["Location"]
    assert set(asked(again)["scope"].split()) == {*NEEDED, LIKE}
    assert "show_dialog" not in asked(again)
    assert client.get(CALLBACK, consent(again, "ada")).headers["Location"] == "/"
    assert granted(signed_in) == {LIKE}


def test_who_refuses_then_is_not_asked_again_and_again(
    client: Client, simulator: Simulator, signed_in: User
) -> None:
    client.get(CALLBACK, consent(ask(client, LIKE), "ada"))
    client.post("/accounts/logout/")
    again = sign_in(client, simulator, "ada").response.headers["Location"]

    back = client.get(CALLBACK, consent(again, "ada", answer="cancel"), follow=True)

    assert back.redirect_chain == [("/", 302)]
    assert back.context["user"] == signed_in
    assert len(texts_of(back)) == 1


def test_where_addresses_are_pasted_nobody_pastes_twice(
    client: Client, simulator: Simulator, signed_in: User, settings: Any
) -> None:
    client.get(CALLBACK, consent(ask(client, LIKE), "ada"))
    client.post("/accounts/logout/")
    settings.SPOTIFY_REDIRECT_CASE = Case.PASTE_BACK
    query = consent(go_to_spotify(client, explained="yes"), "ada")

    assert client.get(CALLBACK, query).headers["Location"] == "/"


def test_a_consent_that_ended_grants_nothing(signed_in: User) -> None:
    SpotifyConnection.objects.update(scopes=f"{LIKE} {COVER}")
    assert granted(signed_in) == {LIKE, COVER}

    SpotifyConnection.objects.update(state="sign_in_needed")

    assert granted(signed_in) == set()


def test_the_settings_show_what_is_granted_and_where_to_give_the_rest(
    client: Client, signed_in: User
) -> None:
    SpotifyConnection.objects.update(scopes=" ".join([*NEEDED, LIKE]))

    page = " ".join(client.get("/settings/").content.decode().split())

    assert f"Syncify may {OPTIONAL[LIKE]}." in page
    assert f"Syncify may not {OPTIONAL[COVER]}." in page
    assert f"/accounts/permissions/?scope={COVER}&amp;next={quote('/settings/', safe='')}" in page


# --- Wishes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "is_safe"),
    [
        ("/inbox/", True),
        ("/inbox/?page=2#top", True),
        ("", False),
        ("inbox/", False),
        ("//evil.example/", False),
        ("///evil.example/", False),
        ("/\\evil.example/", False),
        ("\\\\evil.example", False),
        ("https://evil.example/", False),
        ("javascript:alert(1)", False),
        ("/\tx", False),
        ("/\0", False),
        ("/" + "x" * 500, False),
    ],
)
def test_only_a_path_of_this_site_is_returned_to(path: str, is_safe: bool) -> None:
    assert safe_path(path) == (path if is_safe else "")


@given(st.text(max_size=40) | st.text(alphabet="/\\:@.?#ehtps", max_size=20))
def test_any_path_is_safe_or_dropped(path: str) -> None:
    request = RequestFactory().get("/")
    safe = safe_path(path)

    assert safe in {path, ""}
    assert request.build_absolute_uri(safe or "/").startswith("http://testserver/")


def test_a_form_cannot_ask_for_other_scopes() -> None:
    sent = QueryDict(f"scope={LIKE}&scope=user-read-email&scope=&next=//evil.example")

    assert wish_of(sent) == Wish((LIKE,), "")
    with pytest.raises(ValueError, match="user-read-email"):
        sign_in_address(RequestFactory().get("/"), scopes=["user-read-email"])


def test_without_a_next_page_the_present_one_is_returned_to() -> None:
    here = RequestFactory().get("/inbox/?page=2")

    assert sign_in_address(here, scopes=[LIKE]).endswith(quote("/inbox/?page=2", safe=""))
    assert "next=" not in sign_in_address(RequestFactory().post("/inbox/"), scopes=[LIKE])


# --- Needed ones ----------------------------------------------------------------------------------


def test_a_sign_in_with_a_scope_missing_leaves_the_old_consent(
    client: Client, simulator: Simulator, ada: User
) -> None:
    kept = ada.connection.refresh_token

    address = go_to_spotify(client).replace("playlist-modify-private", "user-read-email")
    client.get(CALLBACK, consent(address, "ada"))

    held = SpotifyConnection.objects.get()
    assert (held.state, held.refresh_token) == ("connected", kept)


def test_permissions_that_were_granted_are_asked_for_again(client: Client, ada: User) -> None:
    SpotifyConnection.objects.update(scopes="user-library-read user-top-read")
    client.force_login(ada)

    scopes = asked(go_to_spotify(client))["scope"].split()

    assert sorted(scopes) == sorted([*NEEDED, "user-top-read"])


def test_signing_in_again_mends_a_missing_permission(
    client: Client, simulator: Simulator, ada: User
) -> None:
    some = simulator.authorize("ada", [scope for scope in NEEDED if scope != "user-library-read"])
    SpotifyConnection.objects.update(access_token=some["access_token"], scopes=some["scope"])
    assert run(ada).error_code == "scope_missing"
    assert "Sign in again" in card(client, ada)

    sign_in(client, simulator, "ada")

    assert run_again(ada).state == "succeeded"
    assert SpotifyConnection.objects.get().state == "connected"
