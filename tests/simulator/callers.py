"""How tests speak to the simulator: as a listener, as an app that signs in, as a browser."""

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from syncify.simulator.grants import SCOPES
from syncify.simulator.server import Simulator
from syncify.simulator.state import local_file

REDIRECT = "http://127.0.0.1:8000/accounts/callback/"
SECRET = ("syncify-demo", "demo-secret")
PKCE = {"code_verifier": "v" * 43, "client_id": "syncify-demo"}
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LOCAL = local_file("Tante Jo", "Cellar Tapes", "Rain & Rust", timedelta(seconds=183))
UNKNOWN_ID = "0" * 22


class Caller:
    """One listener's HTTP client: paths of the API in, answers out."""

    def __init__(
        self, spotify: Simulator, listener: str, scopes: Any = SCOPES, *, client_id: str = ""
    ) -> None:
        self.url = spotify.api_url
        token = spotify.authorize(listener, scopes, client_id=client_id)
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.url + path
        return self.session.request(method, url, timeout=60, **options)

    def get(self, path: str, **query: Any) -> Any:
        answer = self("GET", path, params=query)
        answer.raise_for_status()
        return answer.json()


def spelled(spotify: Simulator, playlist_id: str, letters: dict[str, str]) -> str:
    """The playlist as letters; - for a null entry, L for a local file."""
    names = {uri: name for name, uri in letters.items()} | {None: "-", LOCAL: "L"}
    return "".join(names[uri] for uri in spotify.playlist_uris(playlist_id))


def agree(spotify: Simulator, listener: str = "ada", **query: str) -> requests.Response:
    asked = {
        "client_id": "syncify-demo",
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "user-library-read",
        "state": "s1",
    } | query
    form = {"listener": listener, "answer": "agree"}
    return requests.post(
        f"{spotify.accounts_url}/authorize",
        params=asked,
        data=form,
        allow_redirects=False,
        timeout=60,
    )


def code_of(answer: requests.Response) -> str:
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]


def ask_token(spotify: Simulator, *, secret: Any = SECRET, **form: str) -> requests.Response:
    url = f"{spotify.accounts_url}/api/token"
    return requests.post(url, data=form, auth=secret, timeout=60)


def redeem(spotify: Simulator, code: str, /, *, secret: Any = SECRET, **form: str) -> Any:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT} | form
    return ask_token(spotify, secret=secret, **form)


def refresh(spotify: Simulator, token: str, *, secret: Any = SECRET, **form: str) -> Any:
    return ask_token(
        spotify, secret=secret, grant_type="refresh_token", refresh_token=token, **form
    )


def page(spotify: Simulator, path: str, **options: Any) -> requests.Response:
    return requests.get(spotify.accounts_url + path, timeout=60, **options)
