"""What people see, and what other processes can do."""

import pytest
import requests

from syncify.simulator.server import Simulator
from tests.simulator.callers import (
    REDIRECT,
    UNKNOWN_ID,
    Caller,
    agree,
    code_of,
    page,
    redeem,
)


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
        return requests.post(url, data=form | {"then": here}, timeout=60)

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
    requests.post(f"{url}/faults", data={"fault": "status:code=502,times=0"}, timeout=60)
    struck = ada("GET", "me").status_code
    requests.delete(f"{url}/faults", timeout=60)
    after = ada("GET", "me").status_code
    record = page(spotify, "/simulator/requests", params={"since": 1}).json()
    refused = requests.post(f"{url}/faults", json={"fault": "typhoon"}, timeout=60)

    assert page(spotify, "/simulator/health").ok
    assert inside["liked"] == spotify.liked("ada")
    assert inside["playlists"][0]["uris"] == spotify.playlist_uris(mixed)
    assert inside["playlists"][0]["items"][0]["added_by"] == "ada"
    assert (struck, after, refused.status_code) == (502, 200, 400)
    assert [one["status"] for one in record["requests"]] == [200]
    assert page(spotify, "/simulator/listeners/nobody").status_code == 404
