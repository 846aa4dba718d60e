"""A second app at Spotify, which another person lends: with seats and a quota of its own."""

from typing import Any

from accounts.models import SpotifyApp, SpotifyConnection, User
from syncify.simulator.grants import Client as SpotifyClient
from syncify.simulator.server import Simulator
from tests.builders import make_user

SECRET = "lent-secret"
LENT = SpotifyClient(
    "lent-app", SECRET, developer="grandma", allow_list=frozenset({"bea", "emil", "cleo"})
)
FORM = {
    "label": "Flat 3",
    "developer": "Grandma",
    "client_id": LENT.id,
    "client_secret": SECRET,
}


def lend(simulator: Simulator) -> SpotifyApp:
    """The lent app, at Spotify and here."""
    simulator.add_app(LENT)
    return SpotifyApp.objects.create(
        label="Flat 3", client_id=LENT.id, secret=SECRET, developer="Grandma"
    )


def belong(simulator: Simulator, user: User, client_id: str) -> None:
    """Let the listener have signed in with the app."""
    token = simulator.authorize(user.spotify_id, client_id=client_id)
    held = SpotifyConnection.objects.get(user=user)
    held.access_token, held.refresh_token = token["access_token"], token["refresh_token"]
    held.client_id = client_id
    held.save()


def fill(count: int, client_id: str, name: str = "guest") -> None:
    """So many listeners at the app."""
    for number in range(count):
        user = make_user(f"{name}{number}")
        SpotifyConnection.objects.filter(user=user).update(client_id=client_id)


def held_by(user: User) -> Any:
    return SpotifyConnection.objects.get(user=user)
