"""Covers: chosen on their page, sent to the simulated Spotify by a sync, once per change."""

import io
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from accounts.models import SpotifyConnection, User
from sync.mirrors.covers import choose_cover, is_due
from sync.mirrors.services import change_settings, make_new_playlist
from sync.models import Mirror
from syncify.simulator.grants import SCOPES
from syncify.simulator.server import Simulator
from tests.builders import at_playlist, main_mirror
from tests.driving import run, run_again

pytestmark = pytest.mark.django_db


@pytest.fixture
def painter(ada: User) -> User:
    """Ada, who granted all there is and has a playlist."""
    assert run(ada).state == "succeeded"
    return ada


def grant(user: User, simulator: Simulator, scopes: frozenset[str]) -> None:
    token = simulator.authorize(user.spotify_id, scopes)
    SpotifyConnection.objects.filter(user=user).update(
        access_token=token["access_token"],
        refresh_token=token["refresh_token"],
        scopes=token["scope"],
    )


def covers_of(simulator: Simulator, user: User) -> tuple[int, bytes]:
    """How often a cover was sent, and the latest."""
    [playlist] = simulator.playlists(user.spotify_id)
    stored = simulator.playlist(playlist)
    return stored.covers, stored.cover


def test_the_chosen_cover_is_sent_once_and_again_with_a_new_name(
    painter: User, simulator: Simulator
) -> None:
    assert covers_of(simulator, painter) == (0, b"")

    choose_cover(mirror=main_mirror(painter), palette="lagoon")
    assert is_due(main_mirror(painter))
    assert run_again(painter).note == ""
    assert run(painter).state == "succeeded"

    count, picture = covers_of(simulator, painter)
    assert count == 1
    assert Image.open(io.BytesIO(picture)).size == (640, 640)
    change_settings(mirror=main_mirror(painter), name="Songs of mine")
    assert run_again(painter).state == "succeeded"
    assert covers_of(simulator, painter)[0] == 2
    assert covers_of(simulator, painter)[1] != picture


def test_a_playlist_that_is_made_anew_gets_its_cover_again(
    painter: User, simulator: Simulator
) -> None:
    choose_cover(mirror=main_mirror(painter), palette="lagoon")
    run_again(painter)
    [first] = simulator.playlists(painter.spotify_id)

    make_new_playlist(main_mirror(painter))
    assert run_again(painter).state == "succeeded"

    [new] = [each for each in simulator.playlists(painter.spotify_id) if each != first]
    assert simulator.playlist(new).covers == 1
    assert simulator.playlist(new).cover == simulator.playlist(first).cover


def test_without_the_permission_nothing_is_sent_and_the_history_says_why(
    ada: User, simulator: Simulator
) -> None:
    grant(ada, simulator, SCOPES - {"ugc-image-upload"})
    assert run(ada).state == "succeeded"
    choose_cover(mirror=main_mirror(ada), palette="dusk")

    request = run_again(ada)

    assert (request.state, covers_of(simulator, ada)[0]) == ("succeeded", 0)
    assert "you have not allowed Syncify to change it" in request.note
    grant(ada, simulator, SCOPES)
    assert run(ada).note == ""
    assert covers_of(simulator, ada)[0] == 1


@pytest.mark.parametrize(
    ("fault", "says", "is_sent_again"),
    [
        ("status:code=413", "the picture is too large", False),
        ("status:code=401,message=Unauthorized.", "you have not allowed", False),
        ("burst:retry_after=3600", "takes no more covers at present", True),
        ("status:code=400", "choose it once more", False),
        ("status:code=404", "choose it once more", False),
    ],
)
def test_a_refused_cover_spoils_no_sync(
    painter: User, simulator: Simulator, fault: str, says: str, is_sent_again: bool
) -> None:
    choose_cover(mirror=main_mirror(painter), palette="paper")
    simulator.fault(f"{fault},path=/images,times=0")

    request = run_again(painter)

    assert request.state == "succeeded"
    assert says in request.note
    assert is_due(main_mirror(painter)) is is_sent_again


def test_the_page_shows_five_covers_and_saves_the_choice(painter: User, client: Client) -> None:
    client.force_login(painter)
    page = client.get(at_playlist(painter, "cover/")).content.decode()
    assert page.count("cover.jpg?palette=") == 5
    assert "one more permission" not in page

    answer: Any = client.post(at_playlist(painter, "cover/"), {"palette": "meadow"}, follow=True)

    assert "The cover appears in Spotify" in answer.content.decode()
    assert main_mirror(painter).cover == "meadow"
    picture = client.get(at_playlist(painter, "cover.jpg"))
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert "cover.jpg?palette=meadow" in client.get("/").content.decode()
    client.post(at_playlist(painter, "cover/"), {"palette": ""})
    assert not is_due(main_mirror(painter))


@pytest.mark.parametrize("fields", [{}, {"palette": "no-such"}, {"palette": "x" * 1000}])
def test_an_unknown_palette_changes_nothing(
    painter: User, client: Client, fields: dict[str, str]
) -> None:
    client.force_login(painter)

    assert client.post(at_playlist(painter, "cover/"), fields).status_code == 422
    assert main_mirror(painter).cover == ""
    assert client.get(at_playlist(painter, "cover.jpg"), {"palette": "no"}).status_code == 404


def test_without_the_permission_the_page_leads_to_it(
    ada: User, simulator: Simulator, client: Client
) -> None:
    grant(ada, simulator, SCOPES - {"ugc-image-upload"})
    client.force_login(ada)
    Mirror.objects.filter(user=ada).update(cover="dusk")

    page = client.get(at_playlist(ada, "cover/")).content.decode()

    assert "/accounts/permissions/?scope=ugc-image-upload" in page
