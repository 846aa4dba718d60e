"""The calls of the gateway over real HTTP against the simulator, and what they return."""

from datetime import UTC, datetime
from typing import Any

import pytest

from syncify.simulator.server import Simulator
from syncify.spotify.errors import Unavailable
from syncify.spotify.types import Profile
from tests.spotify.clients import Spotify


def test_profile_carries_both_ids(spotify: Spotify, simulator: Simulator) -> None:
    profile = spotify.me()

    account_id = simulator.listeners["ada"].account_id
    assert profile == Profile(id="ada", account_id=account_id, display_name="Ada")
    assert spotify.calls == spotify.gate.admitted == simulator.count() == 1


def test_saved_tracks_come_in_pages_of_fifty(spotify: Spotify, simulator: Simulator) -> None:
    pages = [spotify.saved_tracks(offset) for offset in (0, 50, 150)]

    assert [len(page.items) for page in pages] == [50, 50, 30]
    assert {page.total for page in pages} == {180}
    liked = simulator.liked("ada")
    assert [item.song.uri for item in pages[2].items if item.song] == liked[150:]
    assert not any("market" in one.query for one in simulator.requests)


def test_a_song_is_told_in_full(spotify: Spotify, simulator: Simulator) -> None:
    new = simulator.new_track(name="Ember & Ash", isrc="GBAYE0000001", explicit=True)
    at = datetime(2026, 11, 20, 18, 3, 11, tzinfo=UTC)
    simulator.set_liked("ada", new, at=at)

    (item,) = spotify.saved_tracks(0).items

    assert item.added_at == at
    assert item.song is not None
    assert item.song.id == new
    assert item.song.uri == f"spotify:track:{new}"
    assert (item.song.name, item.song.isrc, item.song.explicit) == (
        "Ember & Ash",
        "GBAYE0000001",
        True,
    )
    assert item.song.artists
    assert item.song.album
    assert item.song.release_date
    assert item.song.duration_ms > 0


@pytest.mark.parametrize("names", ["new", "both", "old"])
def test_entries_are_read_under_either_name(
    spotify: Spotify, simulator: Simulator, playlist_id: str, names: Any
) -> None:
    simulator.behaviour.names = names
    simulator.insert(playlist_id, None, simulator.new_episode(), position=1)

    assert spotify.playlist_uris(playlist_id) == simulator.playlist_uris(playlist_id)
    assert spotify.playlist(playlist_id).total == 122
    assert simulator.count("GET") == 4


def test_a_page_of_null_entries_stays_one_of_nulls(spotify: Spotify, simulator: Simulator) -> None:
    playlist_id = simulator.create_playlist("ada", "Odd", [None, None])

    assert spotify.playlist_uris(playlist_id) == [None, None]


def test_reading_a_playlist_begins_again_when_it_changes(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.after_request(1, lambda: simulator.remove_positions(playlist_id, 0))

    uris = spotify.playlist_uris(playlist_id)

    assert uris == simulator.playlist_uris(playlist_id)
    assert simulator.count("GET") == 3 + 3  # the odd page is read once more


def test_reading_a_playlist_gives_up_when_it_never_holds_still(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    for call in (1, 4, 7):
        simulator.after_request(call, lambda: simulator.remove_positions(playlist_id, 0))

    with pytest.raises(Unavailable):
        spotify.playlist_uris(playlist_id)


def test_playlist_details_are_as_people_wrote_them(spotify: Spotify) -> None:
    text = 'Ada\'s <songs> & "more"'

    made = spotify.create_playlist(name="Liked & loved", description=text, public=True)

    assert made == spotify.playlist(made.id)
    assert (made.name, made.description, made.owner_id, made.total) == (
        "Liked & loved",
        text,
        "ada",
        0,
    )
    assert made.public is True


def test_changed_details_are_those_that_were_given(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.behaviour.public_ignored = False
    spotify.change_details(playlist_id, name="New", description="", public=False)
    spotify.change_details(playlist_id, name="Newer")

    after = spotify.playlist(playlist_id)
    assert (after.name, after.description, after.public) == ("Newer", "", False)


def test_edits_do_what_they_say(spotify: Spotify, simulator: Simulator, playlist_id: str) -> None:
    before = simulator.playlist_uris(playlist_id)
    fresh = simulator.liked("ada")[120:123]

    spotify.add_items(playlist_id, fresh, 1)
    assert simulator.playlist_uris(playlist_id) == [*before[:1], *fresh, *before[1:]]
    spotify.remove_items(playlist_id, fresh)
    assert simulator.playlist_uris(playlist_id) == before
    spotify.move_items(playlist_id, start=0, length=2, before=5)
    assert simulator.playlist_uris(playlist_id) == [*before[2:5], *before[:2], *before[5:]]
    spotify.replace_items(playlist_id, fresh)
    assert simulator.playlist_uris(playlist_id) == fresh
    snapshot_id = spotify.replace_items(playlist_id, [])
    assert simulator.playlist_uris(playlist_id) == []
    assert snapshot_id == spotify.playlist(playlist_id).snapshot_id


def test_an_unfollowed_playlist_is_told_apart_and_restored(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    kept = simulator.create_playlist("ada", "Kept")
    simulator.unfollow("ada", playlist_id)
    uris = [f"spotify:playlist:{one}" for one in (playlist_id, kept)]

    assert spotify.in_library(uris) == [False, True]
    spotify.save_to_library(uris[0])
    assert spotify.in_library(uris) == [True, True]


def test_own_playlists_are_listed_to_the_last(spotify: Spotify, simulator: Simulator) -> None:
    made = [simulator.create_playlist("ada", f"Number {number}") for number in range(51)]
    followed = simulator.create_playlist("bea", "Bea's")
    simulator.follow("ada", followed)

    listed = {one.id: one.owner_id for one in spotify.own_playlists()}

    assert listed == dict.fromkeys(made, "ada") | {followed: "bea"}
    assert simulator.count("GET") == 2


def test_no_call_uses_a_route_that_was_removed(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    uris = simulator.liked("ada")[:2]
    spotify.me()
    spotify.saved_tracks(0)
    spotify.playlist_uris(playlist_id)
    spotify.add_items(playlist_id, uris, 0)
    spotify.remove_items(playlist_id, uris)
    list(spotify.own_playlists())

    paths = {one.path for one in simulator.requests}
    items = f"/v1/playlists/{playlist_id}/items"
    assert paths == {"/v1/me", "/v1/me/tracks", items, "/v1/me/playlists"}
