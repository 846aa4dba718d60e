"""Trouble on request, limits, and the record of it all."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from syncify.simulator import faults
from syncify.simulator.server import Simulator
from tests.simulator.callers import (
    DAY,
    HOUR,
    Caller,
    refresh,
    spelled,
)


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
    assert int(first.headers["Retry-After"]) == pytest.approx(7200, abs=30)
    assert int(second.headers["Retry-After"]) == pytest.approx(3660, abs=60)
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
