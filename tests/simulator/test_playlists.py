"""Playlists and what is in them."""

import html
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncify.simulator.playlists import Row
from syncify.simulator.server import Simulator
from tests.simulator.callers import (
    LOCAL,
    UNKNOWN_ID,
    Caller,
    spelled,
)


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
