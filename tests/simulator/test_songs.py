"""The invented music: believable, and the same every time."""

import base64
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
import requests

from syncify.simulator import covers, songs
from syncify.simulator.server import Simulator
from syncify.simulator.songs import Song
from tests.simulator.callers import Caller, page


@pytest.fixture(scope="module")
def bea() -> list[Song]:
    return [songs.SEEDED[saved.id] for saved in songs.seeded("bea", 1_250)]


def test_a_library_is_the_same_in_every_process() -> None:
    code = "from syncify.simulator import songs; print(songs.seeded('ada', 180)[-1])"

    told = subprocess.run(  # noqa: S603 - runs nothing but ourselves
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert told.stdout == f"{songs.seeded('ada', 180)[-1]}\n"


@pytest.mark.parametrize(("listener", "size"), [("emil", 3), ("ada", 180), ("bea", 1_250)])
def test_a_library_is_newest_first_with_each_song_once(listener: str, size: int) -> None:
    saved = songs.seeded(listener, size)

    assert len({one.id for one in saved}) == len(saved) == size
    assert all(newer.added_at >= older.added_at for newer, older in pairwise(saved))


def test_likes_are_spread_over_years(bea: list[Song]) -> None:
    years = Counter(saved.added_at.year for saved in songs.seeded("bea", 1_250))

    assert set(range(2019, 2027)) <= set(years)
    assert all(years[year] > 50 for year in range(2019, 2026))


def test_charts_have_something_to_show(bea: list[Song]) -> None:
    artists = Counter(song.artists[0] for song in bea)
    decades = Counter(song.release_date[:3] for song in bea)
    albums = {(song.artists[0], song.album_id) for song in bea}

    assert artists.most_common(1)[0][1] >= 15
    assert len(artists) >= 200
    assert len(decades) >= 6
    assert sum(count >= 3 for count in Counter(artist for artist, _ in albums).values()) >= 30
    assert 0.02 < sum(song.explicit for song in bea) / len(bea) < 0.3
    assert {song.album_type for song in bea} == {"album", "single", "compilation"}


def test_the_same_song_is_liked_in_several_versions(bea: list[Song]) -> None:
    names = [song.name for song in bea]
    by_code = Counter(song.isrc for song in bea)
    by_title = Counter((song.name, song.artists, song.explicit) for song in bea)
    twins = {key[:2] for key in by_title if key[2]} & {key[:2] for key in by_title if not key[2]}

    assert any(re.search(r" - \d{4} Remaster$", name) for name in names)
    assert any(name.endswith(" - Live") for name in names)
    assert max(by_code.values()) == 2
    assert twins


def test_nothing_is_liked_before_it_came_out(bea: list[Song]) -> None:
    for saved in songs.seeded("bea", 1_250):
        assert songs.SEEDED[saved.id].release_date[:4] <= str(saved.added_at.year)


def test_listeners_share_some_songs_and_no_library_is_anothers() -> None:
    ada, bea, cleo = (
        {saved.id for saved in songs.seeded(name, size)}
        for name, size in (("ada", 180), ("bea", 1_250), ("cleo", 10_500))
    )

    assert ada & bea
    assert ada & cleo
    assert len(ada & bea) < 60


def test_artists_have_names_of_their_own_and_genres(spotify: Simulator, ada: Caller) -> None:
    known = songs.artists()
    assert len({one.name for one in known}) == len({one.id for one in known}) == len(known)

    answer = ada.get(f"artists/{known[5].id}")

    assert answer["name"] == known[5].name
    assert answer["genres"] == list(known[5].style.genres)
    assert ada("GET", f"artists/{'0' * 22}").status_code == 404


# --- Covers -------------------------------------------------------------------------------------


def test_every_cover_is_a_picture_of_its_own() -> None:
    drawn = [covers.svg(album.id) for album in songs.releases()[:200]]

    assert len(set(drawn)) == 200
    assert all(len(one) < 8_000 for one in drawn)
    for one in drawn:
        root = ET.fromstring(one)  # noqa: S314 - our own
        assert root.tag.endswith("svg")
        assert root.get("viewBox") == "0 0 300 300"
    assert b"<script" not in b"".join(drawn)


def test_covers_are_served_where_tracks_say(spotify: Simulator, ada: Caller) -> None:
    images = ada.get("me/tracks", limit=1)["items"][0]["track"]["album"]["images"]

    answers = [requests.get(image["url"], timeout=60) for image in images]

    assert [image["width"] for image in images] == [640, 300, 64]
    assert all(answer.headers["Content-Type"] == "image/svg+xml" for answer in answers)
    assert [re.search('width="(.+?)"', answer.text)[1] for answer in answers] == [
        "640",
        "300",
        "64",
    ]
    assert spotify.count() == 1


def encoded(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode()


JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 100


def test_a_playlist_shows_a_mosaic_until_it_gets_a_cover(spotify: Simulator, ada: Caller) -> None:
    one = spotify.create_playlist("ada", "Mirror", spotify.liked("ada")[:30])
    empty = spotify.create_playlist("ada", "Empty")
    mosaic = requests.get(ada.get(f"playlists/{one}/images")[0]["url"], timeout=60).text
    before = spotify.playlist(one).snapshot_id(spotify.now)

    refused = [
        ada("PUT", f"playlists/{one}/images", data=data).status_code
        for data in ("", "!!", "aGVsbG8=", f"{encoded(JPEG)}\n", encoded(JPEG * 400))
    ]
    taken = ada("PUT", f"playlists/{one}/images", data=encoded(JPEG))
    (image,) = ada.get(f"playlists/{one}")["images"]

    assert mosaic.count("<svg") == 5
    assert ada.get(f"playlists/{empty}")["images"] == []
    assert refused == [400, 400, 400, 400, 413]
    assert (taken.status_code, taken.text) == (202, "")
    assert requests.get(image["url"], timeout=60).content == JPEG
    assert spotify.playlist(one).snapshot_id(spotify.now) != before
    assert f"/image/{one}" in page(spotify, f"/playlist/{one}").text


@pytest.mark.parametrize("missing", ["ugc-image-upload", "playlist-modify-public"])
def test_a_cover_needs_two_scopes(spotify: Simulator, missing: str) -> None:
    one = spotify.create_playlist("ada", "Mirror")
    scopes = {"ugc-image-upload", "playlist-modify-public"} - {missing}

    answer = Caller(spotify, "ada", scopes)("PUT", f"playlists/{one}/images", data=encoded(JPEG))

    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "Unauthorized.")


def test_nobody_gives_a_cover_to_anothers_playlist(spotify: Simulator) -> None:
    one = spotify.create_playlist("ada", "Mirror")

    answer = Caller(spotify, "bea")("PUT", f"playlists/{one}/images", data=encoded(JPEG))

    assert answer.status_code == 403
