"""The operator's page of Spotify apps, moves of listeners, and guests of a lent app."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import SpotifyApp, SpotifyConnection, User
from accounts.spotify_apps import app_of
from accounts.tokens import spotify_client_for
from sync.models import Incident, Invitation, Mirror, Playlist, SavedTrack
from sync.operations.alerts import check_incidents
from sync.sharing.invitations import seats_taken
from syncify.simulator.server import Simulator
from syncify.spotify.errors import Blocked
from syncify.spotify_apps import ListedApp
from tests.accounts.signing_in import CALLBACK, asked, consent, go_to_spotify, is_signed_in
from tests.builders import as_user, connect, make_user
from tests.driving import run
from tests.lent_app import FORM, LENT, SECRET, belong, fill, held_by, lend

pytestmark = pytest.mark.django_db


PAGE, LIST = "/operator/apps/", "/operator/invitations/"


@pytest.fixture
def ada(simulator: Simulator, db: None) -> User:
    return connect(simulator, "ada")


@pytest.fixture
def bea(simulator: Simulator, db: None) -> User:
    return connect(simulator, "bea")


@pytest.fixture
def operator(db: None) -> Client:
    user = make_user("olga")
    User.objects.filter(pk=user.pk).update(is_operator_by_code=True)
    return as_user(user)


def text_of(client: Client, path: str) -> str:
    text = re.sub(r"</?bdi>", "", client.get(path).content.decode())
    return " ".join(text.split())


# --- The list ---------------------------------------------------------------------------------


def test_an_operator_adds_an_app_that_spotify_knows(operator: Client, simulator: Simulator) -> None:
    simulator.add_app(LENT)
    assert 'data-copy="http://127.0.0.1:8000/accounts/callback/"' in text_of(operator, PAGE)

    assert operator.post(PAGE, FORM).status_code == 303

    kept = SpotifyApp.objects.get()
    assert (kept.label, kept.client_id, kept.secret) == ("Flat 3", LENT.id, SECRET)
    assert kept.created_by == User.objects.get(spotify_id="olga")
    shown = text_of(operator, PAGE)
    assert "Flat 3" in shown
    assert "0 of 5 seats taken" in shown
    assert "1 of 5 seats taken" in shown
    assert "Owner: Grandma." in shown


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"client_secret": "wrong"}, "Spotify does not accept this Client ID"),
        ({"label": "\0 "}, "label"),
        ({"label": "x" * 61}, "at most 60 characters"),
        ({"label": "First app"}, "Another app has this label."),
        (
            {"client_id": "syncify-demo", "client_secret": "demo-secret"},
            "The settings have this app",
        ),
    ],
)
def test_what_is_wrong_is_said_and_not_stored(
    operator: Client, simulator: Simulator, entered: dict[str, str], said: str
) -> None:
    simulator.add_app(LENT)

    answer = operator.post(PAGE, {**FORM, **entered})

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not SpotifyApp.objects.exists()


def test_secrets_are_on_no_page(
    operator: Client, simulator: Simulator, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SPOTIFY_APPS = [ListedApp("Listed", "listed", "listed-secret", "Bob")]
    simulator.add_app(LENT)
    operator.post(PAGE, FORM)
    refused = operator.post(PAGE, {**FORM, "client_id": "unknown"})
    olga = User.objects.get(spotify_id="olga")
    pages = [
        PAGE, LIST, "/", "/operator/", "/operator/checks/", "/settings/", "/accounts/export/",
        f"/operator/listeners/{olga.pk}/move/",
    ]  # fmt: skip

    shown = [operator.get(path) for path in pages]

    for answer in [refused, *shown]:
        content = answer.getvalue().decode()
        for secret in ("demo-secret", "listed-secret", SECRET):
            assert secret not in content
    assert SECRET not in caplog.text


def test_an_app_rests_and_is_deleted_when_nobody_is_on_it(
    operator: Client, bea: User, simulator: Simulator
) -> None:
    lent = lend(simulator)
    belong(simulator, bea, LENT.id)

    operator.post(f"{PAGE}{lent.pk}/rest/")
    assert app_of(LENT.id).is_resting
    operator.post(f"{PAGE}{lent.pk}/rest/", {"wake": "yes"})
    assert not app_of(LENT.id).is_resting

    answer = operator.post(f"{PAGE}{lent.pk}/delete/", follow=True)
    assert "Listeners use “Flat 3”." in answer.content.decode()
    bea.delete()
    operator.post(f"{PAGE}{lent.pk}/delete/")
    assert not SpotifyApp.objects.exists()


def test_the_operators_page_shows_each_account_and_each_block(
    operator: Client, ada: User, bea: User, simulator: Simulator
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    simulator.behaviour.lapsed_developers = frozenset({"grandma"})

    assert run(bea).error_code == "premium"
    assert run(ada).state == "succeeded"

    page = text_of(operator, "/operator/")
    assert page.count("“Flat 3”</span>") == 1
    assert page.count("“First app”</span>") == 2
    assert "Spotify requires the owner of the app “Flat 3” to have Premium." in page
    assert "Calls to Spotify by hour in the account of Grandma" in page
    assert page.count("thing to do") + page.count("things to do") == 1
    assert "Its owner has no Premium" in text_of(operator, PAGE)
    check_incidents()
    incident = Incident.objects.get(key=f"block:premium:{LENT.id}")
    assert "the owner of the app “Flat 3” to have Premium" in incident.message
    operator.post("/operator/ask-spotify/")
    assert "Its owner has no Premium" not in text_of(operator, PAGE)
    assert "the owner of your Spotify app" not in text_of(as_user(ada), "/")


def test_metrics_tell_developer_accounts_apart(
    ada: User, bea: User, simulator: Simulator, settings: Any
) -> None:
    settings.METRICS_TOKEN, settings.SPOTIFY_DAILY_QUOTA = "token", 100
    lend(simulator)
    belong(simulator, bea, LENT.id)
    spotify_client_for(ada, reserve=True).me()
    simulator.fault("quota", developer="grandma")
    with pytest.raises(Blocked):
        spotify_client_for(bea, reserve=True).me()

    shown = Client().get("/metrics", headers={"Authorization": "Bearer token"}).content.decode()

    assert "\nsyncify_api_calls_last_day 1.0\n" in shown
    assert '\nsyncify_api_calls_left{developer="Grandma"} 99.0\n' in shown
    assert "\nsyncify_blocked_until_timestamp_seconds 0.0\n" in shown
    assert '\nsyncify_blocked_until_timestamp_seconds{whose="Grandma"} ' in shown


def test_a_blocked_listener_is_told_whose_premium_has_ended(
    bea: User, simulator: Simulator
) -> None:
    lend(simulator)
    belong(simulator, bea, LENT.id)
    simulator.behaviour.lapsed_developers = frozenset({"grandma"})
    run(bea)

    shown = text_of(as_user(bea), "/")

    assert "Spotify requires the owner of your Spotify app to have Premium" in shown


def test_a_listener_without_a_seat_is_told_who_can_give_one(
    ada: User, simulator: Simulator
) -> None:
    lend(simulator)
    belong(simulator, ada, LENT.id)

    assert run(ada).error_code == "not_registered"

    shown = text_of(as_user(ada), "/")
    assert "may use the Spotify app “Flat 3”. Ask Grandma to add you, then try again." in shown
    SpotifyApp.objects.update(developer="")
    assert "“Flat 3”. Ask the operator to add you" in text_of(as_user(ada), "/")


# --- Moving -----------------------------------------------------------------------------------


def test_a_move_is_one_sign_in_that_keeps_everything(
    operator: Client, bea: User, simulator: Simulator
) -> None:
    lend(simulator)
    assert run(bea).state == "succeeded"
    playlists = list(Playlist.objects.values())
    mirrors, songs = list(Mirror.objects.values("pk", "name", "rule")), SavedTrack.objects.count()
    client = as_user(bea)
    assert "Please sign in again" not in text_of(client, "/")

    asks = text_of(operator, f"/operator/listeners/{bea.pk}/move/")
    assert "0 of 5 seats taken" in asks
    operator.post(f"/operator/listeners/{bea.pk}/move/", {"app": LENT.id})
    assert "Please sign in again" in text_of(client, "/")
    assert run(bea).state == "succeeded"  # with the app that they still belong to
    address = go_to_spotify(client)
    assert asked(address)["client_id"] == LENT.id
    client.get(CALLBACK, consent(address, "bea"))

    held = held_by(bea)
    assert (held.client_id, held.move_to) == (LENT.id, "")
    assert "Please sign in again" not in text_of(client, "/")
    assert list(Mirror.objects.values("pk", "name", "rule")) == mirrors
    assert SavedTrack.objects.count() == songs
    assert [row["spotify_id"] for row in Playlist.objects.values()] == [
        row["spotify_id"] for row in playlists
    ]
    written = simulator.count(method="POST")
    assert run(bea).state == "succeeded"
    assert simulator.count(method="POST") == written


def test_a_move_to_an_app_that_does_not_know_them_leaves_them_where_they_are(
    operator: Client, ada: User, simulator: Simulator
) -> None:
    lend(simulator)
    operator.post(f"/operator/listeners/{ada.pk}/move/", {"app": LENT.id})
    client = as_user(ada)

    refused = client.get(CALLBACK, consent(go_to_spotify(client), "ada"))

    assert "Only Grandma can add you there" in refused.content.decode()
    assert held_by(ada).state == "connected"
    assert run(ada).state == "succeeded"


def test_there_is_no_move_without_a_second_app_or_a_free_seat(
    operator: Client, bea: User, simulator: Simulator
) -> None:
    path = f"/operator/listeners/{bea.pk}/move/"
    assert operator.get(path).status_code == 404
    assert "Move</a>" not in text_of(operator, "/operator/")
    lend(simulator)
    fill(5, LENT.id)

    assert "Move</a>" in text_of(operator, "/operator/")
    answer = operator.post(path, {"app": LENT.id}, follow=True)

    assert "“Flat 3” has no free seat." in answer.content.decode()
    assert held_by(bea).move_to == ""


# --- Invitations ------------------------------------------------------------------------------


def test_a_guest_is_invited_to_an_app_and_signs_in_with_it(
    operator: Client, simulator: Simulator
) -> None:
    lend(simulator)
    assert "First app: 1 of 5 seats taken" in text_of(operator, LIST)

    page = operator.post(LIST, {"app": LENT.id}).content.decode()
    [path] = re.findall(r'value="http[^"]*(/invite/[^"]+)"', page)
    guest = Client()
    guest.post(path, {"email": "guest@bea.example"})
    assert "Ask Grandma to open the app “Flat 3”" in text_of(operator, LIST)
    [invitation] = Invitation.objects.all()
    operator.post(f"{LIST}{invitation.pk}/added/")
    assert seats_taken(app_of(LENT.id)) == 1
    assert "1 of the 5 seats of “Flat 3” is taken" in text_of(operator, LIST)

    # In another browser, and by the button of the start page in this one.
    shown = text_of(Client(), path)
    assert f'name="app" value="{LENT.id}"' in shown
    address = go_to_spotify(guest)
    assert asked(address)["client_id"] == LENT.id
    guest.get(CALLBACK, consent(address, "bea"))

    assert is_signed_in(guest)
    assert held_by(User.objects.get(spotify_id="bea")).client_id == LENT.id
    assert not Invitation.objects.exists()


def test_invitations_go_to_an_app_with_a_free_seat(operator: Client, simulator: Simulator) -> None:
    lent = lend(simulator)
    fill(4, "syncify-demo")

    operator.post(LIST)
    assert Invitation.objects.get().client_id == LENT.id
    refused = operator.post(LIST, {"app": "syncify-demo"}).content.decode()
    assert "That app has no free seat." in refused
    SpotifyApp.objects.filter(pk=lent.pk).update(is_resting=True)
    refused = operator.post(LIST).content.decode()
    assert "Your apps have no free seat." in refused
    assert Invitation.objects.count() == 1


def test_an_invitation_to_an_app_that_is_gone_does_not_open(
    operator: Client, simulator: Simulator
) -> None:
    lent = lend(simulator)
    page = operator.post(LIST, {"app": LENT.id}).content.decode()
    [path] = re.findall(r'value="http[^"]*(/invite/[^"]+)"', page)
    lent.delete()

    assert Client().get(path).status_code == 404
    assert operator.get(LIST).status_code == 200
    assert not SpotifyConnection.objects.filter(client_id=LENT.id).exists()
