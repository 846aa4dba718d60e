"""Who may do what, and which routes there are."""

from typing import Any

import pytest
import requests

from syncify.simulator.server import Simulator
from tests.simulator.callers import (
    UNKNOWN_ID,
    Caller,
)


@pytest.mark.parametrize(
    ("header", "status", "message"),
    [
        (None, 401, "No token provided"),
        ("Bearer nonsense", 401, "Invalid access token"),
        ("Basic eDp5", 400, "Only valid bearer authentication supported"),
    ],
)
def test_a_call_without_a_good_token_is_refused(
    spotify: Simulator, header: str | None, status: int, message: str
) -> None:
    headers = {"Authorization": header} if header else {}

    answer = requests.get(f"{spotify.api_url}me", headers=headers, timeout=60)

    assert answer.json() == {"error": {"status": status, "message": message}}


PLAYLIST_BODY = {"uris": [f"spotify:track:{UNKNOWN_ID}"]}
SCOPED: list[tuple[str, str, Any, str]] = [
    ("GET", "me/tracks", None, "user-library-read"),
    ("PUT", f"me/library?uris=spotify:track:{UNKNOWN_ID}", None, "user-library-modify"),
    ("DELETE", f"me/library?uris=spotify:track:{UNKNOWN_ID}", None, "user-library-modify"),
    ("GET", f"me/library/contains?uris=spotify:track:{UNKNOWN_ID}", None, "user-library-read"),
    ("GET", "me/library/contains?uris=spotify:playlist:{public}", None, "playlist-read-private"),
    ("DELETE", "me/library?uris=spotify:playlist:{public}", None, "playlist-modify-public"),
    ("DELETE", "me/library?uris=spotify:playlist:{private}", None, "playlist-modify-private"),
    ("GET", "me/playlists", None, "playlist-read-private"),
    ("POST", "me/playlists", {"name": "x"}, "playlist-modify-public"),
    ("POST", "me/playlists", {"name": "x", "public": False}, "playlist-modify-private"),
    ("PUT", "playlists/{public}", {"name": "x"}, "playlist-modify-public"),
    ("PUT", "playlists/{private}", {"name": "x"}, "playlist-modify-private"),
    ("GET", "playlists/{public}/items", None, "playlist-read-private"),
    ("POST", "playlists/{public}/items", PLAYLIST_BODY, "playlist-modify-public"),
    ("PUT", "playlists/{private}/items", PLAYLIST_BODY, "playlist-modify-private"),
    ("DELETE", "playlists/{private}/items", PLAYLIST_BODY, "playlist-modify-private"),
]


@pytest.mark.parametrize(("method", "path", "body", "scope"), SCOPED)
def test_a_call_needs_its_scope(
    spotify: Simulator, method: str, path: str, body: Any, scope: str
) -> None:
    path = path.format(
        public=spotify.create_playlist("ada", "Public"),
        private=spotify.create_playlist("ada", "Private", public=False),
    )
    without = Caller(spotify, "ada", every_scope() - {scope})
    having = Caller(spotify, "ada", {scope})

    refused = without(method, path, json=body)

    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == "Insufficient client scope"
    assert having(method, path, json=body).status_code != 403


def every_scope() -> frozenset[str]:
    return frozenset(scope for *_, scope in SCOPED)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "playlists/{id}/tracks"),
        ("POST", "playlists/{id}/tracks"),
        ("DELETE", "playlists/{id}/followers"),
        ("POST", "users/ada/playlists"),
        ("GET", "users/ada"),
        ("PUT", "me/tracks"),
        ("DELETE", "me/tracks"),
        ("GET", "me/tracks/contains"),
        ("GET", "tracks?ids=x"),
        ("GET", "browse/new-releases"),
    ],
)
def test_a_route_that_development_mode_lost_is_forbidden(
    spotify: Simulator, ada: Caller, method: str, path: str
) -> None:
    answer = ada(method, path.format(id=spotify.create_playlist("ada", "Mine")))

    assert answer.status_code == 403
    assert answer.json() == {"error": {"status": 403, "message": "Forbidden"}}


def test_what_never_existed_is_not_found(ada: Caller) -> None:
    assert ada("GET", "me/horoscope/today").status_code == 404
    assert ada("GET", f"playlists/{UNKNOWN_ID}").json()["error"]["message"] == "Resource not found"
    assert ada("GET", "playlists/nonsense").json()["error"]["message"] == "Invalid base62 id"
    assert ada("POST", "me/").status_code == 405


def test_only_listeners_on_the_allow_list_are_served(spotify: Simulator, ada: Caller) -> None:
    spotify.behaviour.allow_list -= {"ada"}

    answer = ada("GET", "me")

    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "User not registered in the Developer Dashboard"


def test_a_lapsed_premium_is_told_in_plain_text(spotify: Simulator, ada: Caller) -> None:
    spotify.behaviour.premium_lapsed = True

    answer = ada("GET", "me")

    assert answer.status_code == 403
    assert answer.text.startswith("Active premium subscription required for the owner of the app.")
