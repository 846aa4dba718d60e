"""Whose account a profile is, who may use the installation, and signing out."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.access import MAY_USE_SQL, may_use, may_use_q, sql_params
from accounts.models import SpotifyConnection, User
from accounts.problems import WORDS, Problem, SignInFailed
from accounts.sign_in import connect_spotify, storable
from sync.pages.events import _listener_of
from syncify.simulator.server import Simulator
from syncify.spotify.accounts_host import Grant
from syncify.spotify.types import Profile
from tests.accounts.signing_in import is_signed_in, sign_in
from tests.builders import make_user
from tests.waiting import at_once

pytestmark = pytest.mark.django_db


def connect_as(spotify_id: str, account_id: str | None) -> User:
    grant = Grant("access", "refresh", None, timezone.now())
    profile = Profile(spotify_id, account_id, "")
    return connect_spotify(profile=profile, grant=grant).user


#: Sign-ins as (spotify_id, account_id, whose account it is), and the accounts that are left.
SIGN_INS = [
    pytest.param(
        [("ada", "A1", "ada"), ("ada-2", "A1", "ada")],
        {("ada-2", "A1")},
        id="another spotify_id",
    ),
    pytest.param(
        [("ada", None, "ada"), ("ada", "A1", "ada"), ("ada", None, "ada")],
        {("ada", "A1")},
        id="an account_id for the first time",
    ),
    pytest.param(
        [("ada", "A1", "ada"), ("ada", "B2", "stranger"), ("ada-2", "A1", "ada")],
        {("ada", "B2"), ("ada-2", "A1")},
        id="a spotify_id that was taken over",
    ),
    pytest.param(
        [("ada", "A1", "ada"), ("bea", "B2", "bea"), ("bea", "A1", "ada"), ("ada", "B2", "bea")],
        {("bea", "A1"), ("ada", "B2")},
        id="two who trade their spotify_ids",
    ),
]


@pytest.mark.parametrize(("sign_ins", "left"), SIGN_INS)
def test_an_account_follows_the_account_id(
    sign_ins: list[tuple[str, str | None, str]], left: set[tuple[str, str]]
) -> None:
    accounts: dict[str, User] = {}
    for spotify_id, account_id, whose in sign_ins:
        user = connect_as(spotify_id, account_id)
        assert accounts.setdefault(whose, user) == user

    assert len({user.pk for user in accounts.values()}) == len(accounts)
    assert set(User.objects.values_list("spotify_id", "account_id")) == left


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_finish_a_first_sign_in_at_once_make_one_listener(
    connected: list[Any],
) -> None:
    listeners = at_once(*[lambda: connect_as("ada", "A1")] * 4)

    assert len({listener.pk for listener in listeners}) == 1
    assert sorted(first for _, first in connected) == [False, False, False, True]


def test_only_allowed_users_come_in(client: Client, simulator: Simulator, settings: Any) -> None:
    settings.ALLOWED_USERS = ["ada"]

    refused = sign_in(client, simulator, "bea").response
    sign_in(client, simulator, "ada")

    assert refused.status_code == 403
    assert WORDS[Problem.NOT_INVITED].title in refused.content.decode()
    assert "<code>bea</code>" in refused.content.decode()
    assert [user.spotify_id for user in User.objects.all()] == ["ada"]


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


def test_a_blocked_listener_stays_out_and_their_tokens_as_they_were(
    client: Client, simulator: Simulator, ada: User
) -> None:
    User.objects.update(is_active=False)
    kept = ada.connection.access_token

    response = sign_in(client, simulator, "ada").response

    assert response.status_code == 403
    assert not is_signed_in(client)
    assert SpotifyConnection.objects.get().access_token == kept


# --- Odd profiles and grants --------------------------------------------------------------------

LONG = "x" * 300


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (("ada", "A1", LONG), ("ada", "A1", "x" * 255)),
        (("ada", LONG, "Ada"), ("ada", None, "Ada")),
        (("ada", "A\0", "Ada"), ("ada", None, "Ada")),
        (("ada", "", "Ada"), ("ada", None, "Ada")),
        (("ada", 7, "Ada"), ("ada", None, "Ada")),
        (("x" * 255, None, ""), ("x" * 255, None, "")),
    ],
)
def test_a_profile_is_stored_without_its_odd_fields(sent: Any, stored: Any) -> None:
    grant = Grant("access", "refresh", None, timezone.now())

    user = connect_spotify(profile=storable(Profile(*sent)), grant=grant).user

    assert (user.spotify_id, user.account_id, user.display_name) == stored


@pytest.mark.parametrize("spotify_id", [LONG, "", "a\0", "a\n", "\ud800"])
def test_a_profile_without_a_usable_id_signs_nobody_in(spotify_id: str) -> None:
    with pytest.raises(SignInFailed) as raised:
        storable(Profile(spotify_id, None, ""))

    assert raised.value.problem == Problem.UNREADABLE


def test_a_consent_that_cannot_be_renewed_replaces_none(ada: User) -> None:
    kept = ada.connection.refresh_token

    with pytest.raises(SignInFailed):
        connect_spotify(
            profile=Profile("ada", None, ""), grant=Grant("access", "", None, timezone.now())
        )

    assert SpotifyConnection.objects.get().refresh_token == kept


# --- Settings that name listeners ---------------------------------------------------------------


def is_signed_in_here(client: Client) -> bool:
    """By a page, and by the event stream's own look at the session."""
    by_page = client.get("/accounts/delete/").status_code == 200
    assert by_page == (_listener_of(client.session.session_key or "") is not None)
    return by_page


def test_allowed_users_hold_at_every_request(client: Client, ada: User, settings: Any) -> None:
    client.force_login(ada)
    assert is_signed_in_here(client)

    settings.ALLOWED_USERS = ["bea"]
    assert not is_signed_in_here(client)

    settings.ALLOWED_USERS = ["bea", "ada"]
    assert is_signed_in_here(client)


def test_operators_hold_at_every_request(client: Client, ada: User, settings: Any) -> None:
    client.force_login(ada)

    def sees_the_page() -> bool:
        return client.get("/operator/").status_code == 200

    assert not sees_the_page()
    settings.OPERATORS = ["ada"]
    assert sees_the_page()
    assert "/operator/" in client.get("/privacy/").content.decode()
    settings.OPERATORS = ["bea"]
    User.objects.update(is_operator_by_code=True)
    assert not sees_the_page()
    settings.OPERATORS = []
    assert sees_the_page()


def allowed_by_sql() -> set[int]:
    with connection.cursor() as cursor:
        statement = f"SELECT u.id FROM users AS u WHERE {MAY_USE_SQL}"  # noqa: S608 - a constant
        cursor.execute(statement, sql_params())
        return {pk for (pk,) in cursor.fetchall()}


@pytest.mark.parametrize(
    ("allowed", "who"),
    [
        ([], {"renamed", "stranger", "old", "plain"}),
        (["first"], {"renamed"}),  # the id by which the account was known here first
        (["second"], {"renamed"}),
        (["A1"], {"renamed"}),  # its account id
        (["B2"], {"stranger"}),
        (["old"], {"old"}),
        (["plain", "old"], {"old", "plain"}),
        (["blocked"], set()),
        (["nobody"], set()),
    ],
)
def test_a_setting_names_an_account_and_not_who_takes_over_its_id(
    settings: Any, allowed: list[str], who: set[str]
) -> None:
    people = {
        "renamed": connect_as("first", "A1"),
        "stranger": connect_as("first", "B2"),
        "old": make_user("old"),  # of a version that kept no ids
        "plain": connect_as("plain", None),
        "blocked": connect_as("blocked", "C3"),
    }
    assert connect_as("second", "A1") == people["renamed"]
    User.objects.filter(spotify_id="blocked").update(is_active=False)

    settings.ALLOWED_USERS = allowed

    now = {name: User.objects.get(pk=user.pk) for name, user in people.items()}
    assert {name for name, user in now.items() if may_use(user)} == who
    pks = {now[name].pk for name in who}
    assert set(User.objects.filter(may_use_q()).values_list("pk", flat=True)) == pks
    of_connections = SpotifyConnection.objects.filter(may_use_q("user__"))
    assert set(of_connections.values_list("pk", flat=True)) == pks
    assert allowed_by_sql() == pks


def test_who_takes_over_an_allowed_id_is_not_let_in(settings: Any) -> None:
    settings.ALLOWED_USERS = ["ada"]
    ada = connect_as("ada", "A1")

    with pytest.raises(SignInFailed) as raised:
        connect_as("ada", "B2")

    assert raised.value.problem == Problem.NOT_INVITED
    assert User.objects.get() == ada
    assert connect_as("ada-2", "A1") == ada
