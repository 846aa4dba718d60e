"""Signing in through Spotify's consent page and out again, and what becomes of an account."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import RateLimit, SpotifyConnection, User
from accounts.oauth import SCOPES, Grant
from accounts.services import connect_spotify
from accounts.signals import spotify_connected
from sync.models import Mirror, SavedTrack, SyncRequest, Track
from syncify.simulator.grants import SCOPES as ALL_SCOPES
from syncify.simulator.server import Simulator
from syncify.spotify.quota import QuotaGate, current_block
from syncify.spotify.types import Profile
from tests.builders import make_user
from tests.driving import card, run, run_again
from tests.signing_in import consent, go_to_spotify, sign_in

pytestmark = pytest.mark.django_db

BOTH_FLOWS = pytest.mark.parametrize("secret", ["demo-secret", ""], ids=["secret", "pkce"])
CALLBACK = "/accounts/callback/"


@pytest.fixture
def connected() -> Iterator[list[tuple[str, bool]]]:
    """Each ``spotify_connected``: who, and whether for the first time."""
    heard: list[tuple[str, bool]] = []

    def hear(user: User, first: bool, **_: object) -> None:
        heard.append((user.spotify_id, first))

    spotify_connected.connect(hear)
    yield heard
    spotify_connected.disconnect(hear)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def asked(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


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
    assert set(held.scopes.split()) == set(SCOPES)
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
    assert set(first["scope"].split()) == set(SCOPES)
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


def test_operators_are_made_and_unmade_at_sign_in(
    client: Client, simulator: Simulator, settings: Any
) -> None:
    settings.OPERATORS = ["ada"]
    sign_in(client, simulator, "ada")
    sign_in(client, simulator, "bea")
    assert list(User.objects.filter(is_operator=True)) == [User.objects.get(spotify_id="ada")]

    settings.OPERATORS = ["bea"]
    sign_in(client, simulator, "ada")
    assert not User.objects.get(spotify_id="ada").is_operator


# --- Who somebody is --------------------------------------------------------------------------


def connect_as(spotify_id: str, account_id: str | None) -> User:
    grant = Grant("access", "refresh", None, timezone.now())
    return connect_spotify(profile=Profile(spotify_id, account_id, ""), grant=grant)


def test_a_listener_whose_spotify_id_changed_is_the_same() -> None:
    before = connect_as("ada", "A1")

    after = connect_as("ada-2", "A1")

    assert after == before
    assert User.objects.get().spotify_id == "ada-2"


def test_a_listener_gets_an_account_id_once_spotify_sends_one_and_keeps_it() -> None:
    before = connect_as("ada", None)

    assert connect_as("ada", "A1") == connect_as("ada", None) == before
    assert User.objects.get().account_id == "A1"


def test_who_takes_over_a_spotify_id_does_not_get_the_account() -> None:
    ada = connect_as("ada", "A1")

    stranger = connect_as("ada", "B2")

    assert stranger != ada
    assert connect_as("ada-2", "A1") == ada


def test_two_who_trade_their_spotify_ids_stay_who_they_are() -> None:
    ada, bea = connect_as("ada", "A1"), connect_as("bea", "B2")

    assert connect_as("bea", "A1") == ada
    assert connect_as("ada", "B2") == bea
    assert User.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_finish_a_first_sign_in_at_once_make_one_listener(
    connected: list[Any],
) -> None:
    def finish(_: int) -> int:
        try:
            return connect_as("ada", "A1").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(finish, range(4)))) == 1

    assert sorted(first for _, first in connected) == [False, False, False, True]


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
    ("come_back", "status", "says"),
    [
        (_too_late, 400, "took a little long"),
        (_denied, 403, "did not agree"),
        (_changed_state, 400, "did not begin here"),
        (_no_state, 400, "did not begin here"),
        (_of_another_browser, 400, "did not begin here"),
        (_forged, 400, "did not begin here"),
        (_denied_and_forged, 400, "did not begin here"),
        (_empty, 400, "did not begin here"),
        (_code_used_elsewhere, 400, "did not accept this sign-in"),
        (_code_expired, 400, "did not accept this sign-in"),
        (_scope_missing, 403, "leave all boxes ticked"),
        (_not_registered, 403, "developer dashboard"),
        (_forbidden, 403, "refuses this account"),
        (_premium_lapsed, 503, "have Premium"),
        (_quota_spent, 503, "asks us to wait"),
        (_api_down, 503, "does not answer"),
        (_token_host_down, 503, "does not answer"),
        (_invalid_client, 503, "set up wrongly"),
    ],
)
def test_a_sign_in_that_fails_says_why_and_stores_nothing(
    client: Client,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    come_back: Callable[[Client, Simulator], Any],
    status: int,
    says: str,
) -> None:
    monkeypatch.setattr("syncify.spotify.calls._jitter", lambda _: 0.0)

    response = come_back(client, simulator)

    page = unescape(response.content.decode())
    assert response.status_code == status
    assert says in page
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


def test_only_allowed_users_come_in(client: Client, simulator: Simulator, settings: Any) -> None:
    settings.ALLOWED_USERS = ["ada"]

    refused = sign_in(client, simulator, "bea").response
    sign_in(client, simulator, "ada")

    assert refused.status_code == 403
    assert "by invitation" in refused.content.decode()
    assert "<code>bea</code>" in refused.content.decode()
    assert [user.spotify_id for user in User.objects.all()] == ["ada"]


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
    kept = [model for model in ours if model._default_manager.exists()]
    assert kept == [RateLimit]  # which names nobody
    assert set(client.session.keys()) == {"spotify_sign_ins", "spotify_show_dialog"}
    assert "bea" not in str(dict(client.session))


def test_a_blocked_listener_stays_out_and_their_tokens_as_they_were(
    client: Client, simulator: Simulator, ada: User
) -> None:
    User.objects.update(is_active=False)
    kept = ada.connection.access_token

    response = sign_in(client, simulator, "ada").response

    assert response.status_code == 403
    assert not is_signed_in(client)
    assert SpotifyConnection.objects.get().access_token == kept


def test_a_sign_in_with_a_scope_missing_leaves_the_old_consent(
    client: Client, simulator: Simulator, ada: User
) -> None:
    kept = ada.connection.refresh_token

    _scope_missing(client, simulator)

    held = SpotifyConnection.objects.get()
    assert (held.state, held.refresh_token) == ("connected", kept)


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


def test_more_than_is_needed_may_be_granted() -> None:
    assert set(SCOPES) < ALL_SCOPES


def test_permissions_that_were_granted_are_asked_for_again(client: Client, ada: User) -> None:
    SpotifyConnection.objects.update(scopes="user-library-read user-top-read")
    client.force_login(ada)

    scopes = asked(go_to_spotify(client))["scope"].split()

    assert sorted(scopes) == sorted([*SCOPES, "user-top-read"])


def test_signing_in_again_mends_a_missing_permission(
    client: Client, simulator: Simulator, ada: User
) -> None:
    some = simulator.authorize("ada", [scope for scope in SCOPES if scope != "user-library-read"])
    SpotifyConnection.objects.update(access_token=some["access_token"], scopes=some["scope"])
    assert run(ada).error_code == "scope_missing"
    assert "Sign in again" in card(client, ada)

    sign_in(client, simulator, "ada")

    assert run_again(ada).state == "succeeded"
    assert SpotifyConnection.objects.get().state == "connected"


# --- Leaving ----------------------------------------------------------------------------------


def test_signing_out_ends_this_session_only(client: Client, ada: User) -> None:
    elsewhere = Client()
    client.force_login(ada)
    elsewhere.force_login(ada)

    response = client.post("/accounts/logout/")

    assert response.headers["Location"] == "/"
    assert not is_signed_in(client)
    assert elsewhere.get("/accounts/delete/").status_code == 200


def test_signing_out_everywhere_ends_every_session_of_that_listener_only(
    client: Client, ada: User, bea: User
) -> None:
    elsewhere, beas = Client(), Client()
    client.force_login(ada)
    elsewhere.force_login(ada)
    beas.force_login(bea)

    client.post("/accounts/sessions/end/")

    assert client.get("/accounts/delete/").status_code == 302
    assert elsewhere.get("/accounts/delete/").status_code == 302
    assert beas.get("/accounts/delete/").status_code == 200


@pytest.mark.parametrize("confirm", [None, "", "yes"])
def test_an_account_is_not_deleted_without_a_clear_yes(
    client: Client, ada: User, confirm: str | None
) -> None:
    client.force_login(ada)

    response = client.post("/accounts/delete/", {} if confirm is None else {"confirm": confirm})

    assert response.status_code == 422
    assert User.objects.filter(pk=ada.pk).exists()


def test_deleting_an_account_takes_everything_of_theirs_and_nothing_else(
    client: Client, simulator: Simulator, ada: User, bea: User
) -> None:
    playlist_id = simulator.create_playlist("ada", "Mirror", simulator.liked("ada")[:3])
    track = Track.objects.create(id="t", name="Song", artists=["Somebody"])
    for user in (ada, bea):
        SavedTrack.objects.create(user=user, track=track, added_at=timezone.now())
        SyncRequest.objects.create(user=user)
    client.force_login(ada)

    asked_first = client.get("/accounts/delete/")
    response = client.post("/accounts/delete/", {"confirm": "delete"})

    assert b'name="confirm" value="delete"' in asked_first.content
    assert response.headers["Location"] == "/"
    assert not is_signed_in(client)
    assert list(User.objects.all()) == [bea]
    for model in (SpotifyConnection, Mirror, SavedTrack, SyncRequest):
        assert [row.user_id for row in model.objects.all()] == [bea.pk]  # type: ignore[attr-defined]
    assert len(simulator.playlist_uris(playlist_id)) == 3
    assert simulator.requests == []


def test_a_deleted_listener_may_come_back_as_a_new_one(
    client: Client, simulator: Simulator, connected: list[Any]
) -> None:
    sign_in(client, simulator, "ada")
    client.post("/accounts/delete/", {"confirm": "delete"})
    sign_in(client, simulator, "ada")

    assert connected == [("ada", True), ("ada", True)]


@pytest.mark.parametrize("name", ["login", "logout", "sessions/end"])
def test_what_changes_something_takes_a_post(client: Client, ada: User, name: str) -> None:
    client.force_login(ada)

    assert client.get(f"/accounts/{name}/").status_code == 405


@pytest.mark.parametrize("name", ["login", "logout", "sessions/end", "delete"])
def test_what_changes_something_cannot_be_sent_from_elsewhere(ada: User, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    response = client.post(f"/accounts/{name}/", {"confirm": "delete"})

    assert response.status_code == 403
    assert User.objects.filter(pk=ada.pk).exists()


@pytest.mark.parametrize("name", ["sessions/end", "delete"])
def test_strangers_are_sent_to_the_start(client: Client, name: str, db: None) -> None:
    make_user("ada")

    response = client.post(f"/accounts/{name}/", {"confirm": "delete"})

    assert response.headers["Location"].startswith("/?")
    assert User.objects.count() == 1
