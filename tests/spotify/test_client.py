"""The calls of the gateway over real HTTP against the simulator, and what they return."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncify.simulator.grants import SCOPES
from syncify.simulator.server import Simulator
from syncify.spotify.calls import READ_TRIES
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    Blocked,
    CoverRefused,
    LibraryUnknown,
    Unavailable,
)
from syncify.spotify.types import Profile, SavedTrackItem
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
    assert simulator.count("GET") == 4 + 3  # what contradicts itself is read once more


def test_reading_a_playlist_gives_up_when_it_never_holds_still(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    for call in (1, 5, 9):
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


# --- Pages as Spotify sends them --------------------------------------------------------------


def test_an_odd_row_keeps_its_place_among_the_likes(spotify: Spotify, simulator: Simulator) -> None:
    simulator.fault("patch", at="items.1.track.id", value="null")
    simulator.fault("patch", at="items.2", skip=1)

    page = spotify.saved_tracks(0)
    same = spotify.saved_tracks(0)

    liked = simulator.liked("ada")
    assert [item.song.uri if item.song else None for item in page.items] == [
        liked[0],
        None,
        *liked[2:50],
    ]
    assert page.items[1].name
    assert same.items[2] == SavedTrackItem(None, None)
    assert simulator.count() == 2


def test_a_short_page_says_so(spotify: Spotify, simulator: Simulator) -> None:
    simulator.fault("shortpage", rows=20, times=0)

    first = spotify.saved_tracks(0)
    last = spotify.saved_tracks(170)

    assert (len(first.items), first.total, first.has_next) == (20, 180, True)
    assert (len(last.items), last.has_next) == (10, False)


def test_a_song_comes_with_its_album_and_a_cover(spotify: Spotify, simulator: Simulator) -> None:
    known = simulator.known_song(simulator.liked("ada")[0])

    song = spotify.saved_tracks(0).items[0].song

    assert song is not None
    assert song.artist_ids == tuple(artist_id for artist_id, _ in known.artists)
    assert (song.album_id, song.album_type) == (known.album_id, known.album_type)
    assert (song.disc_number, song.track_number) == (known.disc_number, known.track_number)
    assert song.cover_url == f"{simulator.accounts_url}/image/{known.album_id}?size=300"


def test_entries_tell_what_friends_added(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    new = simulator.new_track(name="From Bea", isrc="XSBEA2600001", duration_ms=60_000)
    simulator.insert(playlist_id, f"spotify:track:{new}", position=0, by="bea")

    first, second = spotify.playlist_items(playlist_id, 0).rows[:2]

    assert (first.name, first.added_by, first.isrc) == ("From Bea", "bea", "XSBEA2600001")
    assert (first.kind, first.duration_ms) == ("track", 60_000)
    assert first.artists
    assert first.cover_url
    assert first.added_at
    assert second.added_by == "ada"


@pytest.mark.parametrize(
    ("keys", "extra"),
    [
        ({"name": "shortpage", "rows": 30}, 1),
        ({"name": "total", "by": 60}, 1),
        ({"name": "total", "by": -40}, 1),
        ({"name": "patch", "at": "items.5"}, 0),
        ({"name": "patch", "at": "next", "drop": True}, 0),
    ],
    ids=["short", "too high", "too low", "null row", "no next"],
)
def test_every_entry_is_found_whatever_pages_say_of_them(
    spotify: Spotify, simulator: Simulator, playlist_id: str, keys: dict[str, Any], extra: int
) -> None:
    simulator.fault(**keys, path="/items", times=0)

    rows = spotify.playlist_rows(playlist_id)

    held = simulator.playlist_uris(playlist_id)
    assert len(rows) == len(held) == 120
    assert all(row.uri in {uri, None} for row, uri in zip(rows, held, strict=True))
    assert sum(row.uri is None for row in rows) <= 3
    assert simulator.count() == 3 + extra


@pytest.mark.parametrize(
    ("keys", "extra"),
    [
        ({"name": "emptypage", "offset": 50}, 1),
        ({"name": "emptypage", "offset": 0}, 1),
        ({"name": "total", "by": 3, "offset": 50}, 1),
        ({"name": "total", "by": 3, "offset": 100}, 1),
        ({"name": "total", "by": 3, "offset": 0}, 2),
        ({"name": "total", "by": -100, "offset": 0}, 1),
    ],
)
def test_one_odd_page_is_read_once_more(
    spotify: Spotify, simulator: Simulator, playlist_id: str, keys: dict[str, Any], extra: int
) -> None:
    simulator.fault(**keys, path="/items")

    assert spotify.playlist_uris(playlist_id) == simulator.playlist_uris(playlist_id)
    assert simulator.count() == 3 + extra


UNREADABLE: list[dict[str, Any]] = [
    {"at": "items", "drop": True},
    {"at": "items"},
    {"at": "items", "value": "{}"},
    {"at": "total"},
    {"at": "total", "value": '{"of": 3}'},
    {"at": "", "value": "[]"},
]


@pytest.mark.parametrize("keys", UNREADABLE)
def test_an_unreadable_look_at_a_playlist_is_no_look(
    spotify: Spotify, simulator: Simulator, playlist_id: str, keys: dict[str, Any]
) -> None:
    simulator.fault("patch", path="/items", **keys)

    assert spotify.playlist_uris(playlist_id) == simulator.playlist_uris(playlist_id)

    simulator.fault("patch", path="/items", times=0, **keys)
    with pytest.raises(Unavailable):
        spotify.playlist_uris(playlist_id)
    with pytest.raises(Unavailable):
        spotify.playlist_items(playlist_id, 0)


@pytest.mark.parametrize("offset", [0, 50, 100])
def test_a_part_that_is_never_shown_is_not_skipped(
    spotify: Spotify, simulator: Simulator, playlist_id: str, offset: int
) -> None:
    simulator.fault("emptypage", path="/items", offset=offset, times=0)

    with pytest.raises(Unavailable):
        spotify.playlist_rows(playlist_id)
    assert simulator.count() <= 3 + 2


def test_a_short_playlist_that_is_never_shown_is_not_empty(
    spotify: Spotify, simulator: Simulator
) -> None:
    playlist_id = simulator.create_playlist("ada", "One", simulator.liked("ada")[:1])
    simulator.fault("emptypage", path="/items", times=0)

    with pytest.raises(Unavailable):
        spotify.playlist_rows(playlist_id)


def test_a_playlist_without_end_is_given_up(
    spotify: Spotify, simulator: Simulator, playlist_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncify.spotify.client.MOST_ROWS", 200)
    simulator.fault("patch", path="/items", at="next", value='"again"', times=0)
    simulator.fault("patch", path="/me/playlists", at="next", value='"again"', times=0)

    with pytest.raises(Unavailable):
        spotify.playlist_rows(playlist_id)
    assert [one.id for one in spotify.own_playlists()] == [playlist_id]
    assert simulator.count() <= 8


@pytest.mark.parametrize(
    ("keys", "total"),
    [
        ({"at": "items.total"}, None),
        ({"at": "items.total", "value": '"120"'}, None),
        ({"at": "items.total", "drop": True}, None),
        ({"at": "items"}, None),
        ({"at": "items", "drop": True}, None),
        ({"at": "items.total", "value": "7"}, 7),
    ],
)
def test_a_playlists_total_is_told_or_unknown_never_zero(
    spotify: Spotify,
    simulator: Simulator,
    playlist_id: str,
    keys: dict[str, Any],
    total: int | None,
) -> None:
    simulator.fault("patch", path="/v1/playlists/", **keys)
    listed = {**keys, "at": f"items.*.{keys['at']}"}
    simulator.fault("patch", path="/me/playlists", **listed)

    assert spotify.playlist(playlist_id).total == total
    assert [one.total for one in spotify.own_playlists()] == [total]


def test_odd_playlists_in_the_library_hide_no_others(
    spotify: Spotify, simulator: Simulator
) -> None:
    made = [simulator.create_playlist("ada", f"Number {number}") for number in range(120)]
    simulator.fault("patch", path="/me/playlists", at="items.3")
    simulator.fault("patch", path="/me/playlists", at="items.0.id", value='"a/b"', offset=50)

    first = spotify.playlists_page(0)
    listed = [one.id for one in spotify.own_playlists()]

    newest_first = made[::-1]
    assert (first.received, len(first.playlists), first.total, first.has_next) == (
        50,
        49,
        120,
        True,
    )
    assert listed == newest_first[:50] + newest_first[51:]


def test_an_empty_page_of_playlists_is_read_once_more(
    spotify: Spotify, simulator: Simulator
) -> None:
    made = [simulator.create_playlist("ada", f"Number {number}") for number in range(120)]
    simulator.fault("emptypage", path="/me/playlists", offset=50)

    assert [one.id for one in spotify.own_playlists()] == made[::-1]
    assert simulator.count() == 3 + 1


def test_playlists_are_listed_by_what_is_received(spotify: Spotify, simulator: Simulator) -> None:
    made = [simulator.create_playlist("ada", f"Number {number}") for number in range(70)]
    simulator.fault("shortpage", path="/me/playlists", rows=30, times=0)

    assert [one.id for one in spotify.own_playlists()] == made[::-1]
    assert simulator.count() == 3


# --- The library ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "status:code=400",
        "status:code=403,message=Forbidden",
        "status:code=403,message=Insufficient client scope",
        "status:code=404",
        "patch:at=,value=[]",
        "patch:at=0",
        "patch:at=,value={}",
    ],
)
def test_a_library_that_does_not_tell_is_told_apart(
    spotify: Spotify, simulator: Simulator, playlist_id: str, fault: str
) -> None:
    simulator.fault(f"{fault},path=/contains")
    uris = [f"spotify:playlist:{playlist_id}"]

    with pytest.raises(LibraryUnknown):
        spotify.in_library(uris)

    assert simulator.count() == 1
    assert spotify.in_library(uris) == [True]


def test_songs_are_liked_and_unliked(spotify: Spotify, simulator: Simulator) -> None:
    before = simulator.liked("ada")
    new = [f"spotify:track:{simulator.new_track()}" for _ in range(40)]

    spotify.save_tracks(new)
    assert simulator.liked("ada") == new + before
    spotify.remove_tracks([*new[1:], before[0]])
    assert simulator.liked("ada") == [new[0], *before[1:]]
    with pytest.raises(BadRequest):
        spotify.save_tracks([*new, before[1]])


def test_liking_needs_its_own_permission(simulator: Simulator) -> None:
    spotify = Spotify(simulator, scopes=SCOPES - {"user-library-modify"})

    with pytest.raises(AccessRefused) as raised:
        spotify.save_tracks(simulator.liked("bea")[:1])

    assert raised.value.reason == "scope_missing"


def test_a_playlist_leaves_the_library_and_stays_readable(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    spotify.unfollow_playlist(playlist_id)

    assert simulator.playlists("ada") == []
    assert spotify.playlist(playlist_id).total == 120


# --- Covers -----------------------------------------------------------------------------------

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


def test_a_cover_is_taken_and_shown(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    spotify.upload_cover(playlist_id, JPEG)

    assert simulator.playlist(playlist_id).cover == JPEG
    assert simulator.count("PUT") == simulator.count() == 1


@pytest.mark.parametrize(
    ("jpeg", "fault", "reason"),
    [
        (JPEG * 20, "", "too_large"),
        (JPEG, "status:code=413", "too_large"),
        (JPEG, "status:code=401,message=Unauthorized.,times=0", "scope_missing"),
        (JPEG, "status:code=403,message=Insufficient client scope", "scope_missing"),
        (JPEG, "burst:retry_after=5", "too_often"),
        (JPEG, "burst:retry_after=5000", "too_often"),
        (JPEG, "bare429", "too_often"),
    ],
)
def test_a_cover_that_is_refused_says_why_and_stops_nobody(
    spotify: Spotify, simulator: Simulator, playlist_id: str, jpeg: bytes, fault: str, reason: str
) -> None:
    if fault:
        simulator.fault(f"{fault}{',' if ':' in fault else ':'}path=/images")

    with pytest.raises(CoverRefused) as raised:
        spotify.upload_cover(playlist_id, jpeg)

    assert raised.value.reason == reason
    assert bool(raised.value.wait) == (reason == "too_often")
    assert spotify.gate.blocks == []
    assert spotify.playlist(playlist_id).total == 120
    assert spotify.waits == []


def test_a_cover_without_the_scope_is_refused(simulator: Simulator, playlist_id: str) -> None:
    spotify = Spotify(simulator, scopes=SCOPES - {"ugc-image-upload"})

    with pytest.raises(CoverRefused) as raised:
        spotify.upload_cover(playlist_id, JPEG)

    assert raised.value.reason == "scope_missing"


def test_a_quota_that_is_spent_by_a_cover_is_everybodys(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.fault("quota", retry_after=3_600)

    with pytest.raises(Blocked):
        spotify.upload_cover(playlist_id, JPEG)

    assert len(spotify.gate.blocks) == 1


def test_a_filter_that_spotify_does_not_understand_hides_no_songs(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.fault("patch", path="/items", at="items.*.item", drop=True)

    page = spotify.playlist_items(playlist_id, 0)

    assert list(page.uris) == simulator.playlist_uris(playlist_id)[:50]
    assert ["fields" in one.query for one in simulator.requests] == [True, False]


ODD_PAGES = [
    {"name": "emptypage"},
    {"name": "shortpage", "rows": 7},
    {"name": "total", "by": 60},
    {"name": "total", "by": -3},
    {"name": "patch", "at": "items.0"},
    {"name": "patch", "at": "items.*.item"},
    {"name": "patch", "at": "items"},
    {"name": "patch", "at": "total"},
    {"name": "patch", "at": "next", "drop": True},
]


def test_a_playlist_is_seen_whole_or_not_at_all(spotify: Spotify, simulator: Simulator) -> None:
    songs = [f"spotify:track:{simulator.new_track()}" for _ in range(230)]

    @settings(max_examples=60)
    @given(
        size=st.integers(0, 230),
        keys=st.sampled_from(ODD_PAGES),
        offset=st.sampled_from([0, 50, 100, 150, 200]),
        lasts=st.booleans(),
    )
    def check(size: int, keys: dict[str, Any], offset: int, lasts: bool) -> None:
        playlist_id = simulator.create_playlist("ada", "Odd", songs[:size])
        simulator.clear_faults()
        simulator.forget_requests()
        simulator.fault(**keys, path="/items", offset=offset, times=0 if lasts else 1)
        pages = max(1, -(-size // 50))

        try:
            found = spotify.playlist_uris(playlist_id)
        except Unavailable:
            assert lasts
            assert simulator.count() <= 3 * (pages + READ_TRIES)
            return

        assert len(found) == size
        assert all(uri in {song, None} for uri, song in zip(found, songs, strict=False))
        assert keys["name"] == "patch" or None not in found
        assert simulator.count() <= pages + 2

    check()
