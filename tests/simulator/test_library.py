"""Liked Songs."""

import re
from datetime import UTC, datetime

import pytest

from syncify.simulator.server import Simulator
from tests.simulator.callers import (
    UNKNOWN_ID,
    Caller,
)


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
