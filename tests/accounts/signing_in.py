"""Signing in as a browser does: to Spotify's consent page and back."""

from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client

from syncify.simulator.server import Simulator


class Return(NamedTuple):
    """What Spotify sent back, and Syncify's answer to it."""

    query: dict[str, str]
    response: Any

    @property
    def code(self) -> str:
        return self.query.get("code", "")


CALLBACK = "/accounts/callback/"


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def asked(address: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def go_to_spotify(client: Client, **form: Any) -> str:
    """Press "Sign in"; returns the address to which the listener is sent."""
    response = client.post("/accounts/login/", form)
    assert response.status_code == 302, response.content
    return str(response.headers["Location"])


def consent(address: str, listener: str, *, answer: str = "agree") -> dict[str, str]:
    """Answer Spotify's consent page; returns the query of the address that it leads back to."""
    parts = urlsplit(address)
    spotify = HTTPConnection(parts.netloc, timeout=60)
    form = urlencode({"listener": listener, "answer": answer})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    spotify.request("POST", f"{parts.path}?{parts.query}", form, kind)
    location = spotify.getresponse().headers["Location"]
    spotify.close()
    assert location.startswith("http://127.0.0.1:8000/accounts/callback/?")
    return asked(location)


def sign_in(client: Client, simulator: Simulator, listener: str) -> Return:
    query = consent(go_to_spotify(client), listener)
    return Return(query, client.get(CALLBACK, query))
