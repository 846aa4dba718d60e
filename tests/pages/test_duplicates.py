"""The page of duplicates: what it shows, "different", unliking the others and its undo."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from accounts.scopes import NEEDED
from sync.mirrors.wanted import without_duplicates
from sync.models import DifferentSongs, Mirror, SavedTrack
from syncify.simulator.server import Simulator
from tests.builders import connect, main_mirror
from tests.library.rows import add_song, like
from tests.pages.test_playlists import hold, words

pytestmark = pytest.mark.django_db


MODIFY = "user-library-modify"


@pytest.fixture
def ada(simulator: Simulator, db: None) -> User:
    return connect(simulator, "ada")


@pytest.fixture
def bea(simulator: Simulator, db: None) -> User:
    return connect(simulator, "bea")


@pytest.fixture
def twice(client: Client, simulator: Simulator, ada: User) -> tuple[str, str]:
    """Two songs that Ada likes at Spotify too, and that count as one; the newest first."""
    new, old = (song.id for song in simulator.saved("ada")[:2])
    for key, days in ((new, 1), (old, 2)):
        song = add_song(key, name="Looped", artists=["Kiasmos"], album=f"Album {days}")
        like(ada, song, timezone.now() - timedelta(days=days))
    client.force_login(ada)
    return new, old


def grant(simulator: Simulator, user: User, *scopes: str, told: str | None = None) -> None:
    """Let the listener have granted ``scopes`` besides the needed ones; ``told`` is stored."""
    token = simulator.authorize("ada", [*NEEDED, *scopes])
    SpotifyConnection.objects.filter(user=user).update(
        access_token=token["access_token"], scopes=token["scope"] if told is None else told
    )


def liked(simulator: Simulator) -> list[str]:
    return [song.id for song in simulator.saved("ada")]


def test_a_group_shows_its_songs_and_which_playlists_hold_them(
    client: Client, ada: User, twice: tuple[str, str]
) -> None:
    hold(main_mirror(ada), twice[0])

    page = client.get("/duplicates/")

    for part in ("The same song", "Album 1", "Album 2", "In Liked Songs of Ada", "In no playlist"):
        assert part in words(page)


def test_songs_that_were_called_different_stay_apart_until_that_is_undone(
    client: Client, ada: User, twice: tuple[str, str]
) -> None:
    fields = {"one": twice[0], "other": twice[1]}
    strict = Mirror(user_id=ada.pk, keep_same="newest", keep_twin="both")
    uris = [f"spotify:track:{key}" for key in twice]

    before = without_duplicates(strict, uris)
    client.post("/duplicates/different/", fields)
    apart, page = without_duplicates(strict, uris), words(client.get("/duplicates/"))
    client.post("/duplicates/different/", fields | {"undo": "yes"})

    assert (before, apart) == (uris[:1], uris)
    assert "There are no duplicates" in page
    assert "Songs that you marked as different (1)" in page
    assert "The same song" in words(client.get("/duplicates/"))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"one": "x", "other": "y"},
        {"one": "\0", "other": "\0"},
    ],
)
def test_songs_that_are_not_the_listeners_are_not_told_apart(
    client: Client, twice: tuple[str, str], fields: dict[str, str]
) -> None:
    assert client.post("/duplicates/different/", fields).status_code == 404
    assert not DifferentSongs.objects.exists()


def test_unliking_asks_for_the_permission_first(
    client: Client, simulator: Simulator, ada: User, twice: tuple[str, str]
) -> None:
    grant(simulator, ada)
    fields = {"keep": twice[0], "other": twice[1]}
    before = liked(simulator)

    page = client.get("/duplicates/unlike/", fields)
    forced = client.post("/duplicates/unlike/", fields)

    assert "Unlike 1 song?" in words(page)
    assert f"scope={MODIFY}" in page.content.decode()
    assert forced.status_code == 422
    assert liked(simulator) == before


def test_the_others_are_unliked_and_liked_again(
    client: Client, simulator: Simulator, ada: User, twice: tuple[str, str]
) -> None:
    grant(simulator, ada, MODIFY)
    before = liked(simulator)

    client.post("/duplicates/unlike/", {"keep": twice[0], "other": twice[1]})
    without, page = liked(simulator), words(client.get("/duplicates/"))
    client.post("/duplicates/like-again/")

    assert without == [key for key in before if key != twice[1]]
    assert "1 song unliked." in page
    assert liked(simulator) == [twice[1], *without]
    assert ada.sync_requests.get().state == "queued"
    assert client.post("/duplicates/like-again/").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"keep": ["{new}"], "other": ["{old}", "else"]},
        {"keep": ["{new}"], "other": ["{new}"]},
        {"keep": ["{new}"]},
        {"keep": ["else"], "other": ["{old}"]},
    ],
)
def test_only_duplicates_are_unliked(
    client: Client, simulator: Simulator, ada: User, twice: tuple[str, str], fields: dict[str, Any]
) -> None:
    before = liked(simulator)

    sent = {
        name: [each.format(new=twice[0], old=twice[1]) for each in value]
        for name, value in fields.items()
    }
    assert client.post("/duplicates/unlike/", sent).status_code == 404
    assert liked(simulator) == before


def test_what_is_perhaps_the_same_is_never_unliked(
    client: Client, ada: User, twice: tuple[str, str]
) -> None:
    song = add_song("third", name="Looped", artists=["Kiasmos"], duration_ms=222_000)
    like(ada, song, timezone.now())

    assert "Perhaps the same" in words(client.get("/duplicates/"))
    answer = client.post("/duplicates/unlike/", {"keep": twice[0], "other": "third"})
    assert answer.status_code == 404


def test_a_refusal_is_told(
    client: Client, simulator: Simulator, ada: User, twice: tuple[str, str]
) -> None:
    grant(simulator, ada, told=MODIFY)

    client.post("/duplicates/unlike/", {"keep": twice[0], "other": twice[1]})

    assert "You have not allowed Syncify" in words(client.get("/duplicates/"))


def test_bea_sees_no_duplicate_of_adas(client: Client, bea: User, twice: tuple[str, str]) -> None:
    client.force_login(bea)
    fields = {"keep": twice[0], "other": twice[1], "one": twice[0]}

    assert "Looped" not in words(client.get("/duplicates/"))
    assert client.get("/duplicates/unlike/", fields).status_code == 404
    assert client.post("/duplicates/different/", fields).status_code == 404


def test_queries_do_not_grow_with_groups(client: Client, ada: User, twice: object) -> None:
    def queries() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as captured:
            client.get("/duplicates/")
        return len(captured)

    queries()
    few = queries()
    for number in range(12):
        song = add_song(f"{number}", name=f"Song {number // 2} of many", artists=["Kiasmos"])
        like(ada, song, timezone.now())

    assert queries() == few <= 10


def test_all_songs_are_compared_once_until_the_likes_change(
    client: Client, ada: User, twice: tuple[str, str]
) -> None:
    assert "Looped" in words(client.get("/duplicates/"))
    with CaptureQueriesContext(connection) as captured:
        assert "Looped" in words(client.get("/duplicates/"))
    assert len(captured) <= 8

    SavedTrack.objects.filter(user=ada, track=twice[0]).update(removed_at=timezone.now())
    assert "Looped" not in words(client.get("/duplicates/"))
    SavedTrack.objects.filter(user=ada, track=twice[0]).update(removed_at=None)
    assert "Looped" in words(client.get("/duplicates/"))
    client.post("/duplicates/different/", {"one": twice[0], "other": twice[1]})
    assert "The same recording" not in words(client.get("/duplicates/"))
