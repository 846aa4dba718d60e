"""The simulator answers as Spotify is known to answer, over real HTTP."""

import base64
import hashlib
import html
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from syncify.simulator import faults, shapes
from syncify.simulator.grants import Client
from syncify.simulator.playlists import Row
from syncify.simulator.server import Simulator
from syncify.simulator.state import local_file
from syncify.simulator.wire import ApiError

REDIRECT = "http://127.0.0.1:8000/accounts/callback/"
SECRET = ("syncify-demo", "demo-secret")
PKCE = {"code_verifier": "v" * 43, "client_id": "syncify-demo"}
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LOCAL = local_file("Tante Jo", "Cellar Tapes", "Rain & Rust", timedelta(seconds=183))
UNKNOWN_ID = "0" * 22


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def spotify(running: Simulator) -> Simulator:
    running.reset()
    return running


class Caller:
    """One listener's HTTP client: paths of the API in, answers out."""

    def __init__(self, spotify: Simulator, listener: str, scopes: Any = None) -> None:
        self.url = spotify.api_url
        token = spotify.authorize(listener, **({} if scopes is None else {"scopes": scopes}))
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.url + path
        return self.session.request(method, url, timeout=5, **options)

    def get(self, path: str, **query: Any) -> Any:
        answer = self("GET", path, params=query)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def ada(spotify: Simulator) -> Iterator[Caller]:
    caller = Caller(spotify, "ada")
    yield caller
    caller.session.close()


@pytest.fixture
def letters(spotify: Simulator) -> dict[str, str]:
    """Uris of songs called a to h."""
    return {name: f"spotify:track:{spotify.new_track(name=name)}" for name in "abcdefgh"}


@pytest.fixture
def mixed(spotify: Simulator, letters: dict[str, str]) -> str:
    """A playlist of Ada's: a, b, a doubled, a null entry, a local file, c."""
    a, b, c = (letters[name] for name in "abc")
    return spotify.create_playlist("ada", "Mixed", [a, b, a, None, LOCAL, c])


def spelled(spotify: Simulator, playlist_id: str, letters: dict[str, str]) -> str:
    """The playlist as letters; - for a null entry, L for a local file."""
    names = {uri: name for name, uri in letters.items()} | {None: "-", LOCAL: "L"}
    return "".join(names[uri] for uri in spotify.playlist_uris(playlist_id))


# Signing in


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
        timeout=5,
    )


def code_of(answer: requests.Response) -> str:
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]


def ask_token(spotify: Simulator, *, secret: Any = SECRET, **form: str) -> requests.Response:
    url = f"{spotify.accounts_url}/api/token"
    return requests.post(url, data=form, auth=secret, timeout=5)


def redeem(spotify: Simulator, code: str, /, *, secret: Any = SECRET, **form: str) -> Any:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT} | form
    return ask_token(spotify, secret=secret, **form)


def refresh(spotify: Simulator, token: str, *, secret: Any = SECRET, **form: str) -> Any:
    return ask_token(
        spotify, secret=secret, grant_type="refresh_token", refresh_token=token, **form
    )


def test_signing_in_with_a_secret_gives_tokens_and_the_state_back(spotify: Simulator) -> None:
    answer = agree(spotify)

    token = redeem(spotify, code_of(answer)).json()

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{REDIRECT}?")
    assert "state=s1" in answer.headers["Location"]
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert token["scope"] == "user-library-read"
    me = requests.get(
        f"{spotify.api_url}me/",
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=5,
    )
    assert me.json()["id"] == "ada"


def test_signing_in_with_pkce_gives_refresh_tokens_that_work_once(spotify: Simulator) -> None:
    code = code_of(agree(spotify, code_challenge=CHALLENGE, code_challenge_method="S256"))
    first = redeem(spotify, code, secret=None, **PKCE).json()["refresh_token"]

    second = refresh(spotify, first, secret=None, client_id="syncify-demo").json()["refresh_token"]
    again = refresh(spotify, first, secret=None, client_id="syncify-demo")
    third = refresh(spotify, second, secret=None, client_id="syncify-demo")

    assert again.status_code == 400
    assert again.json() == {
        "error": "invalid_grant",
        "error_description": "Refresh token revoked",
    }
    assert third.ok


def test_cancelling_sends_the_refusal_back(spotify: Simulator) -> None:
    answer = requests.post(
        f"{spotify.accounts_url}/authorize",
        params={
            "client_id": "syncify-demo",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "state": "s1",
        },
        data={"listener": "ada", "answer": "cancel"},
        allow_redirects=False,
        timeout=5,
    )

    assert answer.headers["Location"] == f"{REDIRECT}?error=access_denied&state=s1"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"client_id": "other"}, "INVALID_CLIENT: Invalid client"),
        ({"redirect_uri": "http://127.0.0.1:8000/accounts/callback"}, "Invalid redirect URI"),
        ({"redirect_uri": "http://127.0.0.1:8000/Accounts/callback/"}, "Invalid redirect URI"),
        ({"redirect_uri": "https://example.org/accounts/callback/"}, "Invalid redirect URI"),
        ({"redirect_uri": "http://localhost:8000/accounts/callback/"}, "Insecure redirect URI"),
        ({"redirect_uri": "http://192.168.1.5/accounts/callback/"}, "Insecure redirect URI"),
        ({"redirect_uri": ""}, "Insecure redirect URI"),
        ({"response_type": "token"}, "response_type must be code"),
        ({"code_challenge": "x"}, "code_challenge_method must be S256"),
        ({"scope": "user-library-read everything"}, "INVALID_SCOPE"),
    ],
)
def test_a_wrong_authorization_request_is_told_on_a_page_and_not_redirected(
    spotify: Simulator, wrong: dict[str, str], told: str
) -> None:
    answer = agree(spotify, **wrong)

    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.parametrize(
    "uri", ["http://[::1]:9/accounts/callback/", "http://127.0.0.1/accounts/callback/"]
)
def test_a_loopback_address_may_come_with_any_port(spotify: Simulator, uri: str) -> None:
    assert agree(spotify, redirect_uri=uri).status_code == 302


def test_an_https_address_must_be_registered_exactly() -> None:
    client = Client(redirect_uris=("https://sync.example.org/accounts/callback/",))

    client.check_redirect("https://sync.example.org/accounts/callback/")
    with pytest.raises(ApiError, match="Invalid redirect URI"):
        client.check_redirect("https://sync.example.org:8443/accounts/callback/")


@pytest.mark.parametrize(
    ("pkce", "later", "secret", "changes", "error", "description"),
    [
        (False, 601, SECRET, {}, "invalid_grant", "Authorization code expired"),
        (False, 0, SECRET, {"code": "x"}, "invalid_grant", "Invalid authorization code"),
        (False, 0, SECRET, {"redirect_uri": "x"}, "invalid_grant", "Invalid redirect URI"),
        (False, 0, ("syncify-demo", "x"), {}, "invalid_client", "Invalid client secret"),
        (False, 0, ("other", "demo-secret"), {}, "invalid_client", "Invalid client"),
        (False, 0, None, {}, "invalid_client", "Invalid client"),
        (False, 0, None, {"client_id": "syncify-demo"}, "invalid_client", "Invalid client secret"),
        (True, 0, SECRET, PKCE, "invalid_request", "code_verifier"),
        (True, 0, SECRET, {}, "invalid_grant", "code_verifier was incorrect"),
        (True, 0, None, PKCE | {"code_verifier": "w" * 43}, "invalid_grant", "code_verifier was"),
        (True, 0, None, PKCE | {"code_verifier": "v" * 42}, "invalid_grant", "code_verifier was"),
        (False, 0, SECRET, {"grant_type": "password"}, "unsupported_grant_type", "grant_type"),
    ],
)
def test_a_code_is_refused(
    spotify: Simulator,
    pkce: bool,
    later: int,
    secret: Any,
    changes: dict[str, str],
    error: str,
    description: str,
) -> None:
    challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"} if pkce else {}
    code = code_of(agree(spotify, **challenge))
    spotify.advance(timedelta(seconds=later))

    answer = redeem(spotify, code, secret=secret, **changes)

    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"].startswith(description)


def test_a_code_works_once(spotify: Simulator) -> None:
    code = code_of(agree(spotify))

    assert redeem(spotify, code).ok
    assert redeem(spotify, code).json()["error_description"] == "Invalid authorization code"


def test_the_app_itself_gets_a_token_for_its_secret_that_opens_no_library(
    spotify: Simulator,
) -> None:
    answer = ask_token(spotify, grant_type="client_credentials")

    token = answer.json()
    assert (answer.status_code, token["token_type"], "refresh_token" in token) == (
        200,
        "Bearer",
        False,
    )
    me = requests.get(
        f"{spotify.api_url}me",
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=5,
    )
    assert me.status_code == 401


@pytest.mark.parametrize(
    ("secret", "form"), [(("syncify-demo", "x"), {}), (None, {"client_id": "syncify-demo"})]
)
def test_the_app_itself_gets_no_token_without_its_secret(
    spotify: Simulator, secret: Any, form: dict[str, str]
) -> None:
    answer = ask_token(spotify, secret=secret, grant_type="client_credentials", **form)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_consent_ends_after_six_months_however_often_it_was_refreshed(spotify: Simulator) -> None:
    token = spotify.authorize("ada")["refresh_token"]

    answers = []
    for _ in range(4):
        answers.append(refresh(spotify, token))
        spotify.advance(61 * DAY)

    assert [answer.status_code for answer in answers] == [200, 200, 200, 400]
    assert answers[3].json()["error_description"] == "Refresh token expired"


def test_a_revoked_consent_leaves_the_access_token_alive(spotify: Simulator) -> None:
    token = spotify.authorize("ada")
    spotify.revoke("ada")
    headers = {"Authorization": f"Bearer {token['access_token']}"}

    assert refresh(spotify, token["refresh_token"]).json()["error"] == "invalid_grant"
    assert requests.get(f"{spotify.api_url}me", headers=headers, timeout=5).ok


def test_a_refresh_omits_the_refresh_token_unless_told_to_bring_a_new_one(
    spotify: Simulator,
) -> None:
    token = spotify.authorize("ada")["refresh_token"]

    omitted = refresh(spotify, token).json()
    spotify.behaviour.rotate_refresh_token = True
    replaced = refresh(spotify, token).json()["refresh_token"]

    assert "refresh_token" not in omitted
    assert replaced != token
    assert not refresh(spotify, token).ok
    assert refresh(spotify, replaced).ok


def test_an_access_token_ends_after_an_hour(spotify: Simulator, ada: Caller) -> None:
    spotify.advance(HOUR)

    answer = ada("GET", "me")

    assert answer.status_code == 401
    assert answer.json() == {"error": {"status": 401, "message": "The access token expired"}}


# Who may do what


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

    answer = requests.get(f"{spotify.api_url}me", headers=headers, timeout=5)

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


# Liked Songs


@pytest.mark.parametrize(
    ("listener", "total"), [("dora", 0), ("emil", 3), ("ada", 180), ("bea", 1_250)]
)
def test_paging_by_next_yields_every_liked_song_once_newest_first(
    spotify: Simulator, listener: str, total: int
) -> None:
    caller, url, found = Caller(spotify, listener), "me/tracks?limit=50", []
    while url:
        page = caller.get(url)
        assert page["total"] == total
        found += [(entry["added_at"], entry["track"]["uri"]) for entry in page["items"]]
        url = page["next"]

    assert [uri for _, uri in found] == spotify.liked(listener)
    assert [at for at, _ in found] == sorted((at for at, _ in found), reverse=True)
    assert len(set(found)) == total
    assert spotify.count("GET", "/v1/me/tracks") == max(1, -(-total // 50))


def test_the_large_library_has_likes_saved_together(spotify: Simulator) -> None:
    saved = spotify.saved("cleo")

    assert len(saved) == len({one.id for one in saved}) == 10_500
    assert len({one.added_at for one in saved}) < 10_500
    assert all(re.fullmatch("[0-9A-Za-z]{22}", one.id) for one in saved)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=51", "Invalid limit"),
        ("limit=0", "Invalid limit"),
        ("limit=x", "Invalid limit"),
        ("offset=-1", "Invalid offset"),
    ],
)
def test_a_page_has_its_limits(
    spotify: Simulator, ada: Caller, mixed: str, query: str, message: str
) -> None:
    for path in ("me/tracks", "me/playlists", f"playlists/{mixed}/items"):
        answer = ada("GET", f"{path}?{query}")
        assert answer.json() == {"error": {"status": 400, "message": message}}
    assert ada("GET", "me/playlists?offset=100001").status_code == 400


def test_a_like_in_the_middle_of_reading_shifts_the_pages(spotify: Simulator, ada: Caller) -> None:
    spotify.after_request(1, lambda: spotify.like("ada", spotify.new_track()))

    first = ada.get("me/tracks", limit=50)
    second = ada.get(first["next"])

    assert (first["total"], second["total"]) == (180, 181)
    assert second["items"][0] == first["items"][49]


def test_a_hook_waits_for_the_request_that_fits(spotify: Simulator, ada: Caller) -> None:
    spotify.after_request(
        lambda one: one.query.get("offset") == "50", lambda: spotify.unlike("ada", newest)
    )
    newest = spotify.liked("ada")[0]

    totals = [ada.get("me/tracks", offset=offset)["total"] for offset in (0, 50, 100)]

    assert totals == [180, 180, 179]


def test_the_library_saves_and_forgets_songs_by_uris_in_the_query(
    spotify: Simulator, letters: dict[str, str]
) -> None:
    emil, (a, b) = Caller(spotify, "emil"), [letters["a"], letters["b"]]
    start = spotify.liked("emil")

    saved = emil("PUT", "me/library", params={"uris": f"{a},{b}"})
    after_saving = spotify.liked("emil")
    emil("DELETE", "me/library", params={"uris": a})
    contains = emil.get("me/library/contains", uris=f"{a},{b}")

    assert (saved.status_code, saved.text) == (200, "")
    assert after_saving == [a, b, *start]
    assert spotify.saved("emil")[0].added_at > datetime(2026, 6, 1, tzinfo=UTC)
    assert contains == [False, True]


@pytest.mark.parametrize(
    ("uris", "message"),
    [
        (None, "Missing required field: uris"),
        ("spotify:track:short", "Invalid uri"),
        ("https://open.spotify.com/track/1", "Invalid uri"),
        (",".join([f"spotify:track:{UNKNOWN_ID}"] * 41), "Too many uris"),
        (f"spotify:artist:{UNKNOWN_ID}", "Unsupported uri type"),
    ],
)
def test_the_library_refuses_bad_uris(
    spotify: Simulator, ada: Caller, uris: str | None, message: str
) -> None:
    body = {"uris": [f"spotify:track:{UNKNOWN_ID}"]}  # which nobody reads

    answer = ada("PUT", "me/library", params={"uris": uris} if uris else None, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)


# Playlists


def test_a_playlist_is_made_changed_left_and_found_again(spotify: Simulator, ada: Caller) -> None:
    body = {"name": "Mirror", "public": False, "description": 'Songs & "more" <3'}
    made = ada("POST", "me/playlists", json=body)
    one = made.json()["id"]
    uri = f"spotify:playlist:{one}"

    ada("PUT", f"playlists/{one}", json={"name": "Renamed"})
    ada("DELETE", "me/library", params={"uris": uri})
    listed_after_leaving = ada.get("me/playlists")["items"]
    readable = ada.get(f"playlists/{one}")
    contained = ada.get("me/library/contains", uris=uri)
    ada("PUT", "me/library", params={"uris": uri})

    assert made.status_code == 201
    assert listed_after_leaving == []
    assert readable["name"] == "Renamed"
    assert html.unescape(readable["description"]) == body["description"] != readable["description"]
    assert readable["snapshot_id"] != made.json()["snapshot_id"]
    assert contained == [False]
    assert spotify.playlists("ada") == [one]


@pytest.mark.parametrize(("ignored", "public"), [(True, True), (False, False)])
def test_the_wish_for_privacy_is_ignored_or_not(
    spotify: Simulator, ada: Caller, ignored: bool, public: bool
) -> None:
    spotify.behaviour.public_ignored = ignored

    made = ada("POST", "me/playlists", json={"name": "Mirror", "public": False}).json()
    ada("PUT", f"playlists/{made['id']}", json={"public": False})

    assert made["public"] == ada.get(f"playlists/{made['id']}")["public"] == public


@pytest.mark.parametrize(
    "body",
    [{}, {"name": " "}, {"name": 5}, {"name": "x", "collaborative": True, "public": True}],
)
def test_a_playlist_with_wrong_details_is_refused(
    spotify: Simulator, ada: Caller, body: dict[str, Any]
) -> None:
    assert ada("POST", "me/playlists", json=body).status_code == 400
    assert spotify.playlists("ada") == []


def test_a_description_with_a_link_can_be_refused(spotify: Simulator, ada: Caller) -> None:
    spotify.behaviour.refuse_links_in_description = True
    body = {"name": "Mirror", "description": "made by https://example.org/"}

    assert ada("POST", "me/playlists", json=body).status_code == 400


@pytest.mark.parametrize(("refuses", "status"), [(True, 400), (False, 200)])
def test_clearing_a_description_can_be_refused(
    spotify: Simulator, ada: Caller, refuses: bool, status: int
) -> None:
    spotify.behaviour.refuse_empty_description = refuses
    playlist_id = spotify.create_playlist("ada", "Mirror", description="Mine")

    answer = ada("PUT", f"playlists/{playlist_id}", json={"description": ""})

    assert answer.status_code == status


def test_another_listeners_playlist_shows_its_details_and_no_items(
    spotify: Simulator, mixed: str, letters: dict[str, str]
) -> None:
    bea = Caller(spotify, "bea")

    details = bea.get(f"playlists/{mixed}")
    answers = [
        bea("GET", f"playlists/{mixed}/items"),
        bea("POST", f"playlists/{mixed}/items", json={"uris": [letters["d"]]}),
        bea("PUT", f"playlists/{mixed}", json={"name": "Bea's"}),
    ]

    assert details["name"] == "Mixed"
    assert not {"items", "tracks"} & details.keys()
    assert {answer.status_code for answer in answers} == {403}
    assert spelled(spotify, mixed, letters) == "aba-Lc"


# Playlist items: each case starts from "aba-Lc".


@pytest.mark.parametrize(
    ("method", "body", "status", "result"),
    [
        ("POST", {"uris": "de"}, 201, "aba-Lcde"),
        ("POST", {"uris": "de", "position": 0}, 201, "deaba-Lc"),
        ("POST", {"uris": "aa", "position": 4}, 201, "aba-aaLc"),
        ("POST", {"uris": "d", "position": 7}, 400, "aba-Lc"),
        ("POST", {"uris": "d", "position": -1}, 400, "aba-Lc"),
        ("PUT", {"uris": "dab"}, 200, "dab"),
        ("PUT", {"uris": ""}, 200, ""),
        ("PUT", {"range_start": 0, "insert_before": 6}, 200, "ba-Lca"),
        ("PUT", {"range_start": 5, "insert_before": 0}, 200, "caba-L"),
        ("PUT", {"range_start": 1, "insert_before": 5, "range_length": 3}, 200, "aLba-c"),
        ("PUT", {"range_start": 3, "insert_before": 1, "range_length": 2}, 200, "a-Lbac"),
        ("PUT", {"range_start": 1, "insert_before": 2}, 200, "aba-Lc"),
        ("PUT", {"range_start": 0, "insert_before": 1, "range_length": 3}, 400, "aba-Lc"),
        ("PUT", {"range_start": 5, "insert_before": 0, "range_length": 2}, 400, "aba-Lc"),
        ("PUT", {"range_start": 0, "insert_before": 7}, 400, "aba-Lc"),
        ("PUT", {"range_start": 0}, 400, "aba-Lc"),
        ("PUT", {"uris": "a", "range_start": 0, "insert_before": 1}, 400, "aba-Lc"),
        ("PUT", {}, 400, "aba-Lc"),
        ("DELETE", {"items": "a"}, 200, "b-Lc"),
        ("DELETE", {"items": "ac"}, 200, "b-L"),
        ("DELETE", {"items": "h"}, 200, "aba-Lc"),
        ("DELETE", {"items": ""}, 400, "aba-Lc"),
        ("DELETE", {"tracks": "a"}, 400, "aba-Lc"),
        ("DELETE", {"items": "a", "snapshot_id": "stale"}, 400, "aba-Lc"),
    ],
)
def test_an_edit_changes_the_playlist(
    spotify: Simulator,
    ada: Caller,
    mixed: str,
    letters: dict[str, str],
    method: str,
    body: dict[str, Any],
    status: int,
    result: str,
) -> None:
    before = spotify.playlist(mixed).snapshot_id(spotify.now)
    sent = dict(body)
    if "uris" in body:
        sent["uris"] = [letters[name] for name in body["uris"]]
    for key in {"items", "tracks"} & body.keys():
        sent[key] = [{"uri": letters[name], "positions": [0]} for name in body[key]]

    answer = ada(method, f"playlists/{mixed}/items", json=sent)

    after = spotify.playlist(mixed).snapshot_id(spotify.now)
    assert answer.status_code == status
    assert spelled(spotify, mixed, letters) == result
    assert (answer.json().get("snapshot_id") == after) == (before != after) == (status < 300)


@pytest.mark.parametrize(
    ("body", "query", "status", "message"),
    [
        ({"uris": []}, "", 400, "No uris provided"),
        ({}, "", 400, "No uris provided"),
        ({"uris": ["{d}"] * 101}, "", 400, "You can add a maximum of 100 tracks per request."),
        ({"uris": [LOCAL]}, "", 400, "Invalid track uri"),
        ({"uris": ["spotify:album:" + UNKNOWN_ID]}, "", 400, "Invalid track uri"),
        ({"uris": [None]}, "", 400, "Invalid track uri"),
        ({"uris": ["spotify:track:" + UNKNOWN_ID]}, "", 400, "Payload contains a non-existing ID"),
        ({"uris": ["nonsense"]}, "uris={d}&position=0", 201, ""),
        (["{d}"], "position=0", 201, ""),
    ],
)
def test_adding_songs_has_its_limits(
    spotify: Simulator,
    ada: Caller,
    mixed: str,
    letters: dict[str, str],
    body: Any,
    query: str,
    status: int,
    message: str,
) -> None:
    d = letters["d"]
    uris = body if isinstance(body, list) else body.get("uris", [])
    uris[:] = [d if uri == "{d}" else uri for uri in uris]

    answer = ada("POST", f"playlists/{mixed}/items?{query.format(d=d)}", json=body)

    assert answer.status_code == status
    assert answer.json().get("error", {}).get("message", "").startswith(message)
    assert spelled(spotify, mixed, letters) == ("daba-Lc" if status == 201 else "aba-Lc")


def test_a_playlist_takes_ten_thousand_songs(
    spotify: Simulator, ada: Caller, letters: dict[str, str]
) -> None:
    a = letters["a"]
    full = spotify.create_playlist("ada", "Full", [a] * 9_999)

    two = ada("POST", f"playlists/{full}/items", json={"uris": [a, a]})
    one = ada("POST", f"playlists/{full}/items", json={"uris": [a]})

    assert (two.status_code, one.status_code) == (403, 201)
    assert len(spotify.playlist_uris(full)) == 10_000


def test_a_move_keeps_dates_and_a_replacement_loses_them_unless_told_otherwise(
    spotify: Simulator, ada: Caller, letters: dict[str, str]
) -> None:
    a, b = letters["a"], letters["b"]
    one = spotify.create_playlist("ada", "Dated", [a, b])
    old = datetime(2020, 1, 1, tzinfo=UTC)
    spotify.playlist(one).rows = [Row(a, old, "bea"), Row(b, None, None)]
    path = f"playlists/{one}/items"

    ada("PUT", path, json={"range_start": 0, "insert_before": 2})
    moved = ada.get(path)["items"]
    spotify.behaviour.replace_loses_dates = False
    ada("PUT", path, json={"uris": [a]})
    kept = ada.get(path)["items"]
    spotify.behaviour.replace_loses_dates = True
    ada("PUT", path, json={"uris": [a]})
    lost = ada.get(path)["items"]

    assert [(row["added_at"], row["added_by"] and row["added_by"]["id"]) for row in moved] == [
        (None, None),
        ("2020-01-01T00:00:00Z", "bea"),
    ]
    assert kept[0]["added_at"] == "2020-01-01T00:00:00Z"
    assert lost[0]["added_at"] > "2026"
    assert lost[0]["added_by"]["id"] == "ada"


def test_rows_without_a_song_have_their_places(spotify: Simulator, ada: Caller, mixed: str) -> None:
    rows = ada.get(f"playlists/{mixed}/items", limit=50)["items"]
    refused = ada("DELETE", f"playlists/{mixed}/items", json={"items": [{"uri": LOCAL}]})

    assert rows[3]["item"] is None
    assert rows[4]["is_local"] is rows[4]["item"]["is_local"] is True
    assert (rows[4]["item"]["id"], rows[4]["item"]["uri"]) == (None, LOCAL)
    assert rows[4]["item"]["name"] == "Rain & Rust"
    assert refused.status_code == 400


def test_an_episode_comes_in_the_guise_of_a_track_to_those_who_do_not_ask(
    spotify: Simulator, ada: Caller
) -> None:
    one = spotify.create_playlist("ada", "Talk", [spotify.new_episode(name="Pilot")])

    (plain,) = ada.get(f"playlists/{one}/items")["items"]
    (asked,) = ada.get(f"playlists/{one}/items", additional_types="track,episode")["items"]

    assert plain["item"]["type"] == asked["item"]["type"] == "episode"
    assert "album" in plain["item"]
    assert "show" in asked["item"]


def test_an_edit_by_hand_is_a_new_version(spotify: Simulator, letters: dict[str, str]) -> None:
    one = spotify.create_playlist("ada", "Mine", [letters[name] for name in "abc"])
    seen = [spotify.playlist(one).snapshot_id(spotify.now)]

    edits: list[Callable[[], None]] = [
        lambda: spotify.insert(one, letters["d"], LOCAL, None, position=1),
        lambda: spotify.remove_positions(one, 0, 3),
        lambda: spotify.move(one, 0, 4),
        lambda: spotify.rename(one, "Ours"),
    ]
    for edit in edits:
        edit()
        seen.append(spotify.playlist(one).snapshot_id(spotify.now))

    assert spelled(spotify, one, letters) == "Lbcd"
    assert spotify.playlist(one).name == "Ours"
    assert len(set(seen)) == 5


def test_a_lagging_snapshot_id_shows_the_version_before(
    spotify: Simulator, ada: Caller, mixed: str, letters: dict[str, str]
) -> None:
    spotify.behaviour.snapshot_lag = timedelta(seconds=30)
    before = ada.get(f"playlists/{mixed}")["snapshot_id"]

    body = {"uris": [letters["d"]]}
    written = ada("POST", f"playlists/{mixed}/items", json=body).json()["snapshot_id"]
    at_once = ada.get(f"playlists/{mixed}")
    spotify.advance(timedelta(seconds=31))
    later = ada.get(f"playlists/{mixed}")

    assert (at_once["snapshot_id"], at_once["items"]["total"]) == (before, 7)
    assert later["snapshot_id"] == written != before


@pytest.mark.parametrize(
    ("names", "of_playlist", "of_entry"),
    [
        ("new", {"items"}, {"item"}),
        ("both", {"items", "tracks"}, {"item", "track"}),
        ("old", {"tracks"}, {"track"}),
    ],
)
def test_old_and_new_names_can_be_switched(
    spotify: Simulator,
    ada: Caller,
    mixed: str,
    names: Any,
    of_playlist: set[str],
    of_entry: set[str],
) -> None:
    spotify.behaviour.names = names

    whole, listed = ada.get(f"playlists/{mixed}"), ada.get("me/playlists")["items"][0]
    entry = ada.get(f"playlists/{mixed}/items")["items"][0]

    for playlist in (whole, listed):
        assert {"items", "tracks"} & playlist.keys() == of_playlist
    assert {"item", "track"} & entry.keys() == of_entry


SAMPLE = {"a": 1, "b": {"c": 2, "d": {"e": 3, "f": 4}}, "l": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ("a", {"a": 1}),
        ("a,missing", {"a": 1}),
        ("b.c", {"b": {"c": 2}}),
        ("b.c,b.d.e", {"b": {"c": 2, "d": {"e": 3}}}),
        ("b(c,d(f))", {"b": {"c": 2, "d": {"f": 4}}}),
        ("b.d(e),a", {"b": {"d": {"e": 3}}, "a": 1}),
        ("l(x)", {"l": [{"x": 1}, {"x": 3}]}),
        ("l.y", {"l": [{"y": 2}, {"y": 4}]}),
        ("!b,!l", {"a": 1}),
        ("b(!d)", {"b": {"c": 2}}),
        ("b(!c,d(!e))", {"b": {"d": {"f": 4}}}),
    ],
)
def test_the_fields_filter_leaves_what_was_named(fields: str, left: dict[str, Any]) -> None:
    assert shapes.pick(SAMPLE, shapes.parse_fields(fields)) == left


@pytest.mark.parametrize("fields", ["a(", "a)", "a,,b", "(a)", "a b=c", "a.", "!", "a(b"])
def test_a_broken_fields_filter_is_refused(ada: Caller, mixed: str, fields: str) -> None:
    assert ada("GET", f"playlists/{mixed}", params={"fields": fields}).status_code == 400


def test_the_fields_filter_stays_in_the_address_of_the_next_page(ada: Caller, mixed: str) -> None:
    fields = "next,items(item(uri))"

    page = ada.get(f"playlists/{mixed}/items", fields=fields, limit=2)
    second = ada.get(page["next"])

    assert page.keys() == second.keys() == {"next", "items"}
    assert second["items"][1] == {"item": None}


# Trouble


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["status", "drop", "hang:seconds=0.05", "truncated", "nonjson"])
def test_a_fault_strikes_before_or_after_the_write(
    spotify: Simulator, ada: Caller, letters: dict[str, str], kind: str, when: str
) -> None:
    one = spotify.create_playlist("ada", "Mine")
    join = "," if ":" in kind else ":"
    spotify.fault(f"{kind}{join}method=POST,path=/items,when={when},code=503")

    def add() -> requests.Response:
        return ada("POST", f"playlists/{one}/items", json={"uris": [letters["a"]]})

    if kind in ("status", "nonjson"):
        answer = add()
        assert answer.status_code == (503 if kind == "status" else 200)
        with pytest.raises((requests.JSONDecodeError, KeyError)):
            answer.json()["snapshot_id"]
    else:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            add()
    applied = len(spotify.playlist_uris(one))
    struck = spotify.requests[-1]
    again = add()

    assert applied == (when == "after")
    assert struck.outcome == f"fault: {kind.partition(':')[0]}"
    assert again.status_code == 201


@pytest.mark.parametrize(
    ("fault", "status", "retry_after", "text"),
    [
        ("burst:retry_after=3", 429, "3", "API rate limit exceeded"),
        ("bare429", 429, None, "Too many requests"),
        ("unauthorized", 401, None, "Access token missing"),
        ("status:code=403,message=Forbidden", 403, None, '"message":"Forbidden"'),
        ("status:code=403,message=Nope,plain=true", 403, None, "Nope"),
        ("latency:seconds=0.01", 200, None, '"id":"ada"'),
    ],
)
def test_a_fault_answers_in_its_own_way_and_once(
    spotify: Simulator,
    ada: Caller,
    fault: str,
    status: int,
    retry_after: str | None,
    text: str,
) -> None:
    spotify.fault(fault)

    answer, after = ada("GET", "me"), ada("GET", "me")

    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    assert text in answer.text
    assert after.status_code == 200


def test_a_spent_quota_refuses_everybody_until_it_has_run_out(
    spotify: Simulator, ada: Caller
) -> None:
    bea = Caller(spotify, "bea")
    spotify.fault("quota", retry_after=7200)

    first = ada("GET", "me")
    spotify.advance(HOUR - timedelta(minutes=1))
    second = bea("GET", "me")
    spotify.advance(HOUR + timedelta(minutes=2))
    spotify.expire_access_tokens("bea")

    assert first.json()["error"] == {
        "status": 429,
        "message": "Too many requests",
        "reason": "QUOTA_EXCEEDED",
    }
    assert int(first.headers["Retry-After"]) == pytest.approx(7200, abs=2)
    assert int(second.headers["Retry-After"]) == pytest.approx(3660, abs=5)
    assert Caller(spotify, "bea")("GET", "me").status_code == 200


def test_a_poisoned_song_fails_every_write_that_adds_it(
    spotify: Simulator, ada: Caller, letters: dict[str, str]
) -> None:
    one = spotify.create_playlist("ada", "Mine")
    spotify.fault("poison", uri=letters["b"], code=400)

    def add(names: str) -> int:
        body = {"uris": [letters[name] for name in names]}
        return ada("POST", f"playlists/{one}/items", json=body).status_code

    assert [add("abc"), add("a"), add("b"), add("c")] == [400, 201, 400, 201]
    assert spelled(spotify, one, letters) == "ac"


def test_the_token_endpoint_can_fail_too(spotify: Simulator) -> None:
    token = spotify.authorize("ada")["refresh_token"]
    spotify.fault("oauth", error="invalid_client", message="Invalid client secret")

    answer, after = refresh(spotify, token), refresh(spotify, token)

    assert answer.json()["error"] == "invalid_client"
    assert after.ok


@pytest.mark.parametrize(
    ("keys", "struck"),
    [
        ("times=2", [True, True, False, False, False]),
        ("skip=1", [False, True, False, False, False]),
        ("times=0", [True] * 5),
        ("times=0,listener=bea", [False] * 5),
        ("times=0,method=put", [False] * 5),
        ("times=0,path=/me/tracks", [False] * 5),
    ],
)
def test_a_fault_strikes_whom_it_is_meant_for(
    spotify: Simulator, ada: Caller, keys: str, struck: list[bool]
) -> None:
    spotify.fault(f"status:{keys}")

    assert [ada("GET", "me").status_code == 500 for _ in struck] == struck


@pytest.mark.parametrize(
    "written",
    ["typhoon", "status:colour=red", "status:code", "drop:when=1", "poison", "status:met=1"],
)
def test_an_unknown_fault_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        faults.parse(written)


def test_chaos_strikes_its_share_and_the_same_for_the_same_seed(
    spotify: Simulator, ada: Caller
) -> None:
    def outcomes() -> list[str]:
        spotify.forget_requests()
        spotify.chaos(7, 0.3, ways=("status:code=502", "unauthorized", "bare429"))
        for _ in range(100):
            ada("GET", "me")
        return [one.outcome for one in spotify.requests]

    first, second = outcomes(), outcomes()

    assert first == second
    assert 15 <= sum(one.startswith("fault") for one in first) <= 45
    assert len(set(first)) == 4


def test_the_rolling_window_and_the_daily_quota_count(spotify: Simulator, ada: Caller) -> None:
    spotify.behaviour.window_limit, spotify.behaviour.daily_quota = 3, 5

    def calls(number: int) -> list[int]:
        return [ada("GET", "me").status_code for _ in range(number)]

    first = calls(4)
    spotify.advance(timedelta(seconds=31))
    second = calls(2)
    last = ada("GET", "me")
    spotify.advance(DAY)

    assert (first, second) == ([200, 200, 200, 429], [200, 200])
    assert last.json()["error"]["reason"] == "QUOTA_EXCEEDED"
    assert int(last.headers["Retry-After"]) == pytest.approx(86_400 - 31, abs=5)
    assert Caller(spotify, "ada")("GET", "me").status_code == 200


def test_every_request_is_on_record(spotify: Simulator, ada: Caller) -> None:
    ada("GET", "me/tracks", params={"limit": 1})
    ada("POST", "me/playlists", json={"name": ""})

    first, second = spotify.requests

    assert (first.method, first.path, first.query) == ("GET", "/v1/me/tracks", {"limit": "1"})
    assert (first.status, first.outcome, first.listener) == (200, "ok", "ada")
    assert (second.status, second.outcome) == (400, "Missing required field: name")
    assert second.size == len('{"name": ""}')
    assert (spotify.count(), spotify.count("POST"), spotify.count(path_prefix="/api")) == (2, 1, 0)


def test_a_reset_forgets_everything(spotify: Simulator, ada: Caller, mixed: str) -> None:
    start = spotify.liked("ada")
    spotify.like("ada", spotify.new_track())
    spotify.fault("status:times=0")
    spotify.behaviour.premium_lapsed = True
    spotify.advance(DAY)

    spotify.reset()

    assert spotify.liked("ada") == start
    assert spotify.playlists("ada") == []
    assert Caller(spotify, "ada")("GET", "me").status_code == 200
    assert ada("GET", "me").status_code == 401
    assert abs(spotify.now - datetime.now(UTC)) < HOUR


# For people and other processes


def page(spotify: Simulator, path: str, **options: Any) -> requests.Response:
    return requests.get(spotify.accounts_url + path, timeout=5, **options)


def test_the_consent_page_names_the_listeners_and_says_that_it_is_a_stand_in(
    spotify: Simulator,
) -> None:
    asked = {"client_id": "syncify-demo", "response_type": "code", "redirect_uri": REDIRECT}

    shown = page(spotify, "/authorize", params=asked | {"state": '"><script>'})

    assert shown.status_code == 200
    for text in ("stand-in", "Cleo", "10,500 liked songs", "Agree", "Cancel"):
        assert text in shown.text
    assert "<script" not in shown.text


@pytest.mark.parametrize(("show_dialog", "status"), [("false", 302), ("true", 200)])
def test_a_browser_that_agreed_before_is_sent_straight_back(
    spotify: Simulator, show_dialog: str, status: int
) -> None:
    answer = agree(spotify, "bea")
    redeem(spotify, code_of(answer))
    asked = {
        "client_id": "syncify-demo",
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "user-library-read",
        "show_dialog": show_dialog,
    }

    back = page(spotify, "/authorize", params=asked, cookies=answer.cookies, allow_redirects=False)
    stranger = page(spotify, "/authorize", params=asked, allow_redirects=False)

    assert (back.status_code, stranger.status_code) == (status, 200)


def test_a_visitor_likes_and_unlikes_songs_with_plain_forms(spotify: Simulator) -> None:
    here, path = "/simulator/?listener=emil", "/simulator/listeners/emil"
    start = spotify.liked("emil")

    def press(button: str, **form: str) -> requests.Response:
        url = f"{spotify.accounts_url}{path}/{button}"
        return requests.post(url, data=form | {"then": here}, timeout=5)

    liked = press("like")
    new = spotify.liked("emil")[0]
    press("unlike", id=start[1].removeprefix("spotify:track:"))

    assert liked.url.endswith(here)
    assert "4 songs" in liked.text
    assert spotify.liked("emil") == [new, start[0], start[2]]


def test_a_playlist_has_a_page(spotify: Simulator, mixed: str) -> None:
    spotify.rename(mixed, "<b>Mixed</b>")

    shown = page(spotify, f"/playlist/{mixed}")

    assert "&lt;b&gt;Mixed&lt;/b&gt;" in shown.text
    assert "6 songs" in shown.text
    assert page(spotify, f"/playlist/{UNKNOWN_ID}").status_code == 404


def test_another_process_can_look_inside_and_cause_trouble(
    spotify: Simulator, ada: Caller, mixed: str
) -> None:
    url = f"{spotify.accounts_url}/simulator"

    inside = page(spotify, "/simulator/listeners/ada").json()
    requests.post(f"{url}/faults", data={"fault": "status:code=502,times=0"}, timeout=5)
    struck = ada("GET", "me").status_code
    requests.delete(f"{url}/faults", timeout=5)
    after = ada("GET", "me").status_code
    record = page(spotify, "/simulator/requests", params={"since": 1}).json()
    refused = requests.post(f"{url}/faults", json={"fault": "typhoon"}, timeout=5)

    assert page(spotify, "/simulator/health").ok
    assert inside["liked"] == spotify.liked("ada")
    assert inside["playlists"][0]["uris"] == spotify.playlist_uris(mixed)
    assert inside["playlists"][0]["items"][0]["added_by"] == "ada"
    assert (struck, after, refused.status_code) == (502, 200, 400)
    assert [one["status"] for one in record["requests"]] == [200]
    assert page(spotify, "/simulator/listeners/nobody").status_code == 404


def test_a_stopped_server_ends_its_connections_and_comes_back_on_the_same_port() -> None:
    spotify = Simulator().start()
    ada, url = Caller(spotify, "ada"), spotify.api_url
    ada.get("me")

    spotify.stop()
    with pytest.raises(requests.ConnectionError):
        ada("GET", f"{url}me")
    with spotify:
        again = ada("GET", "me")

    assert again.json()["id"] == "ada"


def test_hundreds_of_requests_a_second_are_no_trouble(spotify: Simulator) -> None:
    """Not a measurement: a server without TCP_NODELAY would need 40 ms for each of these."""
    cleo, started = Caller(spotify, "cleo"), time.monotonic()

    for offset in range(0, 10_500, 50):
        cleo.get("me/tracks", limit=50, offset=offset)

    assert spotify.count() == 210
    assert time.monotonic() - started < 210 * 0.04


# Shapes: what the product relies on in the official schema, reduced to it. A type is required
# and of that kind, a tuple lists alternatives, a one-item list is an array, a string a pattern.

ID = "[0-9A-Za-z]{22}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
LINKS = {"spotify": r"https://open\.spotify\.com/.+"}
USER_REF = {"id": str, "type": "user", "uri": "spotify:user:.+", "external_urls": LINKS}
ARTIST = {"id": ID, "name": str, "type": "artist", "uri": f"spotify:artist:{ID}"}
ALBUM = {
    "id": ID,
    "name": str,
    "album_type": "album|single|compilation",
    "type": "album",
    "total_tracks": int,
    "release_date": r"\d{4}(-\d\d){0,2}",
    "release_date_precision": "year|month|day",
    "images": [{"url": str, "height": (int, None), "width": (int, None)}],
    "artists": [ARTIST],
    "uri": f"spotify:album:{ID}",
}
TRACK = {
    "id": ID,
    "uri": f"spotify:track:{ID}",
    "type": "track",
    "name": str,
    "duration_ms": int,
    "explicit": bool,
    "is_local": bool,
    "disc_number": int,
    "track_number": int,
    "external_ids": {"isrc": "[A-Z]{2}[A-Z0-9]{3}[0-9]{7}"},
    "artists": [ARTIST],
    "album": ALBUM,
    "external_urls": LINKS,
    "href": str,
}
PAGING = {
    "href": "http.+",
    "limit": int,
    "offset": int,
    "total": int,
    "next": ("http.+", None),
    "previous": ("http.+", None),
}
ENTRY = {"added_at": (TIME, None), "added_by": (USER_REF, None), "is_local": bool, "item": TRACK}
PLAYLIST = {
    "id": ID,
    "uri": f"spotify:playlist:{ID}",
    "type": "playlist",
    "name": str,
    "description": str,
    "public": (bool, None),
    "collaborative": bool,
    "snapshot_id": str,
    "owner": USER_REF | {"display_name": (str, None)},
    "images": [dict],
    "external_urls": LINKS,
    "href": str,
}
ME = USER_REF | {"account_id": str, "display_name": (str, None), "images": [dict], "href": str}

# Where reality, and so the simulator, differs from that schema:
#  - Development Mode leaves out what the schema only calls deprecated: a track's popularity,
#    available_markets, linked_from and preview_url, an album's available_markets (which the
#    schema even requires), a user's country, email, product and followers;
#  - a playlist's "tracks" and an entry's "track" are in the schema beside the new names, and
#    Development Mode may or may not send them: a switch here, new names only by default;
#  - an entry's song, date and adder may be null, a local file's id too; the schema knows no null;
#  - a description comes HTML-escaped; the schema says nothing of it;
#  - error bodies may be plain text, and a 429 may carry a reason: the schema has status and
#    message only;
#  - a playlist of another listener comes without items; there the schema always has them;
#  - only the simulator: an episode's show has a name and a publisher, and nothing else of its own.
GONE = {"popularity", "available_markets", "linked_from", "preview_url", "country", "email"}


def misfits(value: Any, shape: Any, at: str = "") -> Iterator[str]:
    """The paths at which ``value`` is not of the shape."""
    if isinstance(shape, tuple):
        found = [list(misfits(value, one, at)) for one in shape]
        if [] not in found:
            yield from found[0]
    elif isinstance(shape, dict) and isinstance(value, dict):
        for key in shape.keys() - value.keys() | GONE & value.keys():
            yield f"{at}.{key}"
        for key in shape.keys() & value.keys():
            yield from misfits(value[key], shape[key], f"{at}.{key}")
    elif isinstance(shape, list) and isinstance(value, list):
        for i, one in enumerate(value):
            yield from misfits(one, shape[0], f"{at}[{i}]")
    elif not fits(value, shape):
        yield at


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, str):
        return isinstance(value, str) and re.fullmatch(shape, value) is not None
    return value is shape or type(value) is shape


def test_the_checker_of_shapes_sees_what_is_wrong() -> None:
    shape = {"a": int, "b": [{"c": ("x+", None)}], "d": bool}
    good = {"a": 1, "b": [{"c": "xx"}, {"c": None}], "d": True}

    wrong = {"a": True, "b": [{"c": "y"}, 5], "email": ""}

    assert list(misfits(good, shape)) == []
    assert set(misfits(wrong, shape)) == {".a", ".b[0].c", ".b[1]", ".d", ".email"}


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("me/", ME),
        ("me/tracks", PAGING | {"items": [{"added_at": TIME, "track": TRACK}]}),
        ("me/playlists", PAGING | {"items": [PLAYLIST | {"items": {"href": str, "total": int}}]}),
        ("playlists/{id}", PLAYLIST | {"items": PAGING | {"items": [ENTRY]}}),
        ("playlists/{id}/items", PAGING | {"items": [ENTRY]}),
        ("tracks/{track}", TRACK),
    ],
)
def test_answers_have_the_shapes_of_the_schema(
    spotify: Simulator, ada: Caller, path: str, shape: Any
) -> None:
    one = spotify.create_playlist("ada", "Mirror", spotify.liked("ada"))
    track = spotify.saved("ada")[0].id

    answer = ada("GET", path.format(id=one, track=track))

    assert list(misfits(answer.json(), shape)) == []
    assert answer.headers["Content-Type"].startswith("application/json")
