"""Covers: from one host, or drawn."""

import re
from typing import Any

import pytest
from django.test import Client

from sync.models import Album, SavedTrack, Track
from sync.templatetags.pictures import cover, mosaic
from tests.builders import make_user
from tests.library.rows import big_library

ALBUM = Album(id="al", name="Swept", cover_url="https://i.scdn.co/image/one")


def test_a_cover_has_a_fixed_size_comes_late_and_tells_nobody_of_the_page() -> None:
    picture = cover(ALBUM, 64, "Swept <b>")

    assert 'src="https://i.scdn.co/image/one"' in picture
    assert 'width="64" height="64"' in picture
    assert 'loading="lazy"' in picture
    assert 'referrerpolicy="no-referrer"' in picture
    assert 'alt="Swept &lt;b&gt;"' in picture


def test_tracks_and_likes_have_the_cover_of_their_album() -> None:
    track = Track(id="looped", name="Looped", artists=["Kiasmos"], album=ALBUM)

    assert cover(track, 64) == cover(SavedTrack(track=track), 64) == cover(ALBUM, 64)


def test_pictures_are_taken_from_the_host_of_the_setting(settings: Any) -> None:
    settings.SPOTIFY_IMAGES_URL = "http://127.0.0.1:9090"

    assert 'src="http://127.0.0.1:9090/image/one"' in cover(ALBUM, 64)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://elsewhere.example/image/one",
        "https://i.scdn.co.example/image/one",
        "http://i.scdn.co/image/one",
        "javascript:alert(1)",
        "//i.scdn.co/image/one",
    ],
)
def test_no_other_address_is_ever_loaded(address: str) -> None:
    assert cover(Album(id="al", cover_url=address), 64).startswith("<svg ")


def test_without_pictures_drawings_take_their_place(settings: Any) -> None:
    settings.PICTURES = False

    drawn = cover(ALBUM, 64, "Swept")

    assert drawn == cover(ALBUM, 64, "Swept")
    assert drawn.startswith('<svg class="art art-')
    assert 'role="img" aria-label="Swept"' in drawn
    assert "style" not in drawn
    others = {cover(Album(id=f"al{number}"), 64) for number in range(50)}
    assert len(others) > 20


def test_a_mosaic_is_of_the_first_four_different_covers() -> None:
    albums = [Album(id=key, cover_url=f"https://i.scdn.co/image/{key}") for key in "aabbcde"]

    picture = mosaic(albums, 96)

    assert re.findall(r"image/(\w)", picture) == ["a", "b", "c", "d"]
    assert picture.count('width="48" height="48"') == 4


def test_fewer_than_four_make_one_picture() -> None:
    assert mosaic([ALBUM, ALBUM], 96) == cover(ALBUM, 96)
    assert mosaic([], 96).startswith("<svg ")


@pytest.mark.django_db
def test_the_policy_names_the_one_host_of_pictures(client: Client) -> None:
    client.force_login(make_user("ada"))

    policy = client.get("/songs/").headers["Content-Security-Policy"]

    assert "img-src 'self' https://i.scdn.co;" in policy


@pytest.mark.django_db
def test_the_playlists_picture_is_a_mosaic_of_the_newest_covers(client: Client) -> None:
    ada = big_library("ada", songs=30, syncs=4, covers="https://i.scdn.co")
    client.force_login(ada)

    page = client.get("/").content.decode()

    newest = SavedTrack.objects.filter(user=ada, removed_at=None).order_by("-added_at", "rank")
    covers = dict.fromkeys(newest.values_list("track__album__cover_url", flat=True))
    shown = re.findall(r'<img class="art" src="(.*?)"', page)
    assert shown == list(covers)[:4]
    client.force_login(make_user("bea"))
    assert "img/cover.svg" in client.get("/").content.decode()
