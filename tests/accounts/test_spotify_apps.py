"""Several apps at Spotify: which one a listener belongs to, and what concerns only that one."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.connections import reconnect_returned
from accounts.models import SpotifyApp, SpotifyConnection, User
from accounts.spotify_apps import (
    NotChanged,
    Source,
    all_apps,
    app_of,
    ask_to_move,
    delete_app,
    first_app,
    free_app,
    keep_app,
    listeners_by_app,
    seats_by_app,
)
from accounts.token_keys import rotate_secrets
from accounts.tokens import ConnectionTokens, spotify_client_for
from sync.sharing.invitations import invite
from syncify.redirect import Case
from syncify.simulator.server import Simulator
from syncify.spotify.errors import Blocked, BudgetSpent, SignInNeeded
from syncify.spotify.models import Block
from syncify.spotify.quota import calls_last_day, current_block, lift_operator_block
from syncify.spotify_apps import ListedApp
from tests.accounts.signing_in import CALLBACK, asked, consent, go_to_spotify, is_signed_in, sign_in
from tests.builders import make_user
from tests.lent_app import LENT, SECRET, belong, fill, held_by, lend

pytestmark = pytest.mark.django_db

OWN = "syncify-demo"


def listed(client_id: str, label: str = "Listed", secret: str = "") -> ListedApp:
    return ListedApp(label, client_id, secret, "Bob")


def expire(user: User) -> None:
    SpotifyConnection.objects.filter(user=user).update(access_expires_at=timezone.now())


# --- Which apps there are ---------------------------------------------------------------------


def test_the_environment_comes_first_and_wins_for_its_own_id(settings: Any, db: None) -> None:
    settings.SPOTIFY_APPS = [listed(OWN, "Mine", "other"), listed("listed"), listed("both")]
    SpotifyApp.objects.create(label="Kept", client_id="both", secret="x")
    SpotifyApp.objects.create(label="Entered", client_id="entered", secret="x")

    found = [(app.client_id, app.source, app.credentials.key) for app in all_apps()]

    assert found == [
        (OWN, Source.ENVIRONMENT, ""),
        ("listed", Source.LIST, "listed"),
        ("both", Source.LIST, "both"),
        ("entered", Source.PAGE, "entered"),
    ]
    assert app_of("") == app_of(OWN) == first_app()
    assert app_of(OWN).credentials.secret == "demo-secret"


@pytest.mark.parametrize("from_list", [True, False])
def test_without_a_setting_the_first_of_the_others_is_the_first(
    settings: Any, db: None, from_list: bool
) -> None:
    settings.SPOTIFY_CLIENT_ID = ""
    assert first_app() is None
    settings.SPOTIFY_APPS = [listed("listed")] if from_list else []
    SpotifyApp.objects.create(label="Entered", client_id="entered", secret="x")

    first = app_of("")

    assert first.client_id == ("listed" if from_list else "entered")
    assert first.credentials.key == ""


def test_one_app_needs_no_query(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert app_of("") == app_of(OWN)


def test_a_secret_is_encrypted_and_its_key_rotates(settings: Any, db: None) -> None:
    keep_app(label="Flat 3", client_id="lent", secret=SECRET, developer="", by=None)
    settings.TOKEN_KEYS = [Fernet.generate_key().decode(), *settings.TOKEN_KEYS]

    assert rotate_secrets() == (1, 0)

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM spotify_apps")
        [(stored,)] = cursor.fetchall()
    assert SECRET not in stored
    settings.TOKEN_KEYS = settings.TOKEN_KEYS[:1]
    assert app_of("lent").credentials.secret == SECRET
    assert SECRET not in repr(app_of("lent"))


def test_an_app_is_replaced_by_its_id_and_settings_are_not(settings: Any, db: None) -> None:
    keep_app(label="Flat 3", client_id="lent", secret="old", developer="Grandma", by=None)
    keep_app(label="Flat 4", client_id="lent", secret="new", developer="grandma", by=None)
    keep_app(label="Flat 5", client_id="lent-2", secret="new", developer="GRANDMA", by=None)

    assert [(app.label, app.developer) for app in all_apps()[1:]] == [
        ("Flat 4", "Grandma"),
        ("Flat 5", "Grandma"),
    ]
    with pytest.raises(NotChanged, match="they win"):
        keep_app(label="Mine", client_id=OWN, secret="x", developer="", by=None)
    with pytest.raises(NotChanged, match="label"):
        keep_app(label="flat 4", client_id="lent-3", secret="x", developer="", by=None)


# --- Seats ------------------------------------------------------------------------------------


def test_seats_are_counted_from_connections_invitations_and_moves(simulator: Simulator) -> None:
    lend(simulator)
    operator = make_user("olga")  # of an older version: at the first app
    fill(2, LENT.id)
    fill(1, OWN, "mover")
    SpotifyConnection.objects.filter(user__spotify_id="mover0").update(move_to=LENT.id)
    refused = make_user("refused")
    SpotifyConnection.objects.filter(user=refused).update(state_reason="not_registered")
    invite(operator, LENT.id)
    invite(operator)

    assert dict(listeners_by_app()) == {OWN: 2, LENT.id: 2}
    assert dict(seats_by_app()) == {OWN: 3, LENT.id: 4}
    fill(1, LENT.id, "last")
    assert free_app(all_apps()) == app_of(OWN)
    assert free_app([app_of(LENT.id)]) is None


# --- Which app a sign-in uses -----------------------------------------------------------------


def app_asked(client: Client, **form: str) -> str:
    return asked(go_to_spotify(client, **form))["client_id"]


def test_a_stranger_is_asked_at_the_first_app_with_a_free_seat(simulator: Simulator) -> None:
    lend(simulator)
    assert app_asked(Client()) == OWN

    fill(5, OWN)
    assert app_asked(Client()) == LENT.id

    fill(5, LENT.id, "more")
    assert app_asked(Client()) == OWN


def test_a_resting_app_takes_nobody(simulator: Simulator, settings: Any) -> None:
    settings.SPOTIFY_CLIENT_ID = ""
    lent = lend(simulator)
    SpotifyApp.objects.filter(pk=lent.pk).update(is_resting=True)
    SpotifyApp.objects.create(label="Next", client_id="next", secret="x")

    assert app_asked(Client()) == "next"


def test_a_person_is_asked_at_the_app_that_knows_them(simulator: Simulator) -> None:
    lend(simulator)
    fill(5, OWN)
    bea = Client()
    assert is_signed_in(bea) or sign_in(bea, simulator, "bea").response.status_code == 302
    assert User.objects.get(spotify_id="bea").connection.client_id == LENT.id
    SpotifyConnection.objects.filter(client_id=OWN).delete()

    assert app_asked(bea) == LENT.id  # by the connection
    bea.post("/accounts/logout/")
    assert app_asked(bea) == LENT.id  # by the browser
    assert app_asked(Client()) == OWN
    assert app_asked(bea, app=OWN) == OWN  # by a button
    assert app_asked(bea, app="no-such-app") == LENT.id


def test_with_one_app_the_browser_keeps_no_choice(client: Client, simulator: Simulator) -> None:
    sign_in(client, simulator, "ada")

    assert "spotify-app" not in client.cookies
    assert User.objects.get().connection.client_id == OWN


@pytest.mark.parametrize("by_paste", [False, True])
def test_a_code_is_redeemed_by_the_app_that_asked(
    client: Client, simulator: Simulator, by_paste: bool
) -> None:
    lend(simulator)
    address = go_to_spotify(client, app=LENT.id)
    query = consent(address, "bea")
    fill(5, LENT.id)  # the choice is that of the beginning

    if by_paste:
        pasted = f"http://127.0.0.1:8000{CALLBACK}?code={query['code']}&state={query['state']}"
        client.post("/accounts/callback/paste/", {"address": pasted})
    else:
        client.get(CALLBACK, query)

    assert is_signed_in(client)
    assert User.objects.get(spotify_id="bea").connection.client_id == LENT.id


def test_pasting_keeps_the_choice(client: Client, settings: Any, simulator: Simulator) -> None:
    lend(simulator)
    settings.SPOTIFY_REDIRECT_CASE = Case.PASTE_BACK

    explained = client.post("/accounts/login/", {"app": LENT.id}).headers["Location"]
    page = client.get(explained).content.decode()

    assert f'<input type="hidden" name="app" value="{LENT.id}">' in page
    assert app_asked(client, app=LENT.id, explained="yes") == LENT.id


def test_another_name_of_this_machine_keeps_the_choice(simulator: Simulator) -> None:
    lend(simulator)
    client = Client(headers={"host": "localhost:8000"})

    there = client.post("/accounts/login/", {"app": LENT.id}).headers["Location"]
    path = there.removeprefix("http://127.0.0.1:8000")
    address = Client().get(path, headers={"host": "127.0.0.1:8000"}).headers["Location"]

    assert asked(address)["client_id"] == LENT.id


def test_an_app_that_is_deleted_meanwhile_ends_the_sign_in(
    client: Client, simulator: Simulator
) -> None:
    lent = lend(simulator)
    query = consent(go_to_spotify(client, app=LENT.id), "bea")
    delete_app(lent.pk)

    page = client.get(CALLBACK, query)

    assert page.status_code == 400
    assert "for another Spotify app" in page.content.decode()
    assert not User.objects.exists()


def test_not_registered_names_the_app_and_its_owner_and_offers_the_others(
    client: Client, simulator: Simulator
) -> None:
    lend(simulator)

    refused = client.get(CALLBACK, consent(go_to_spotify(client, app=LENT.id), "ada"))

    said = refused.content.decode()
    assert refused.status_code == 403
    assert "the Spotify app “Flat 3”" in said
    assert "Only Grandma can add you there" in said
    assert f'name="app" value="{OWN}"' in said
    client.get(CALLBACK, consent(go_to_spotify(client, app=OWN), "ada"))
    assert is_signed_in(client)


# --- Tokens, quota and refusals ---------------------------------------------------------------


def test_each_listener_is_refreshed_by_their_own_app(
    ada: User, bea: User, simulator: Simulator
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    expire(ada)
    expire(bea)

    assert spotify_client_for(ada, reserve=True).me().id == "ada"
    assert spotify_client_for(bea, reserve=True).me().id == "bea"

    assert (calls_last_day(), calls_last_day("Grandma")) == (1, 1)
    # An upgraded connection says from now on where it belongs.
    assert (held_by(ada).client_id, held_by(bea).client_id) == (OWN, LENT.id)


def test_a_quota_that_is_spent_stops_the_listeners_of_one_developer(
    ada: User, bea: User, simulator: Simulator
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    second = SpotifyApp.objects.create(
        label="Attic", client_id="attic", secret="x", developer="Grandma"
    )
    simulator.fault("quota", developer="grandma")

    with pytest.raises(Blocked, match="quota"):
        spotify_client_for(bea, reserve=True).me()

    assert spotify_client_for(ada, reserve=True).me().id == "ada"
    assert current_block() is None
    for client_id in (LENT.id, second.client_id):
        block = current_block(app_of(client_id).credentials)
        assert block is not None
        assert block.incident == "block:quota:Grandma"
    lift_operator_block()
    with pytest.raises(Blocked):
        spotify_client_for(bea, reserve=True).me()
    assert simulator.count() == 2


@pytest.mark.parametrize("of_first", [True, False])
def test_a_budget_is_that_of_one_developer(
    ada: User, bea: User, simulator: Simulator, settings: Any, of_first: bool
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    settings.SPOTIFY_DAILY_QUOTA = 1
    spender, other = (ada, bea) if of_first else (bea, ada)
    spotify_client_for(spender, reserve=True).me()

    with pytest.raises(BudgetSpent):
        spotify_client_for(spender, reserve=True).me()

    assert spotify_client_for(other, reserve=True).me().id == other.spotify_id


def test_premium_that_has_lapsed_stops_the_listeners_of_one_app(
    ada: User, bea: User, simulator: Simulator
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    simulator.behaviour.lapsed_developers = frozenset({"grandma"})

    with pytest.raises(Blocked, match="premium"):
        spotify_client_for(bea, reserve=True).me()

    assert spotify_client_for(ada, reserve=True).me().id == "ada"
    simulator.behaviour.lapsed_developers = frozenset()
    with pytest.raises(Blocked, match="premium"):
        spotify_client_for(bea, reserve=True).me()
    lift_operator_block()
    assert spotify_client_for(bea, reserve=True).me().id == "bea"


@pytest.mark.parametrize("wrong", [OWN, LENT.id])
def test_a_wrong_secret_stops_the_listeners_of_one_app(
    ada: User, bea: User, simulator: Simulator, settings: Any, wrong: str
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    expire(ada)
    expire(bea)
    if wrong == OWN:
        settings.SPOTIFY_CLIENT_SECRET = "changed at Spotify"
    else:
        SpotifyApp.objects.update(secret="changed at Spotify")
    stopped, other = (ada, bea) if wrong == OWN else (bea, ada)

    with pytest.raises(Blocked, match="credentials"):
        ConnectionTokens(stopped.pk).current()

    assert spotify_client_for(other, reserve=True).me().id == other.spotify_id
    assert held_by(stopped).state == "connected"
    assert held_by(stopped).refresh_token


def test_a_block_of_an_older_version_holds_for_the_first_app(
    ada: User, bea: User, simulator: Simulator
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    Block.objects.create(until=timezone.now() + timedelta(hours=1), because="quota")

    with pytest.raises(Blocked):
        spotify_client_for(ada, reserve=True).me()
    assert spotify_client_for(bea, reserve=True).me().id == "bea"


@pytest.mark.parametrize("is_fresh", [True, False])
def test_who_belongs_to_an_app_that_is_gone_has_to_sign_in_and_loses_no_token(
    ada: User, simulator: Simulator, is_fresh: bool
) -> None:
    SpotifyConnection.objects.filter(user=ada).update(client_id="gone")
    if not is_fresh:
        expire(ada)

    with pytest.raises(SignInNeeded):
        ConnectionTokens(ada.pk).current()

    held = held_by(ada)
    assert (held.state, held.state_reason) == ("sign_in_needed", "app_gone")
    assert held.refresh_token
    assert simulator.count() == 0


def test_a_worker_connects_those_whose_app_is_back(
    ada: User, bea: User, simulator: Simulator
) -> None:
    for user in (ada, bea):
        belong(simulator, user, LENT.id)
        with pytest.raises(SignInNeeded):
            ConnectionTokens(user.pk).current()
    SpotifyConnection.objects.filter(user=bea).update(refresh_token="")

    reconnect_returned()
    assert held_by(ada).state == "sign_in_needed"
    lend(simulator)
    reconnect_returned()

    assert (held_by(ada).state, held_by(ada).state_reason) == ("connected", "")
    assert held_by(bea).state == "sign_in_needed"


# --- Moving and deleting ----------------------------------------------------------------------


def test_an_app_is_deleted_only_when_nobody_is_on_it(bea: User, simulator: Simulator) -> None:
    lent = lend(simulator)
    belong(simulator, bea, LENT.id)
    with pytest.raises(NotChanged, match="Move them"):
        delete_app(lent.pk)
    assert SpotifyApp.objects.exists()

    SpotifyConnection.objects.filter(user=bea).update(client_id=OWN, move_to=LENT.id)
    delete_app(lent.pk)

    assert not SpotifyApp.objects.exists()
    assert held_by(bea).move_to == ""


def test_a_move_needs_a_free_seat_and_can_be_taken_back(bea: User, simulator: Simulator) -> None:
    lend(simulator)
    fill(5, LENT.id)
    with pytest.raises(NotChanged, match="no free seat"):
        ask_to_move(bea.pk, app_of(LENT.id))
    User.objects.filter(spotify_id="guest0").delete()

    ask_to_move(bea.pk, app_of(LENT.id))
    assert held_by(bea).move_to == LENT.id
    ask_to_move(bea.pk, app_of(LENT.id))  # again: the seat is theirs
    ask_to_move(bea.pk, app_of(OWN))
    assert held_by(bea).move_to == ""
