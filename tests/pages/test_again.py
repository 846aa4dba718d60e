"""Liking lost songs again, against the simulated Spotify."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import SavedTrack, SyncRequest
from syncify.simulator.server import Simulator
from tests.builders import connect, make_user
from tests.library.rows import add_song, at, like

pytestmark = pytest.mark.django_db

READ, MODIFY = "user-library-read", "user-library-modify"


@pytest.fixture
def lost(client: Client, simulator: Simulator) -> list[str]:
    """Three songs that Ada likes no longer, the oldest like first; she is signed in."""
    ada = connect(simulator, "ada")
    client.force_login(ada)
    songs = []
    for number in range(3):
        song = simulator.new_track()
        add_song(song, name=f"Lost {number}")
        like(
            ada,
            song,
            at(f"202{number}-01-01"),
            removed_at=timezone.now(),
        )
        songs.append(song)
    return songs


def grant(simulator: Simulator, *scopes: str, really: bool = True) -> None:
    """Ada has granted these scopes; not ``really``: so we think, and Spotify does not."""
    token = simulator.authorize("ada", scopes if really else [READ])
    SpotifyConnection.objects.filter(user__spotify_id="ada").update(
        access_token=token["access_token"], scopes=" ".join(scopes)
    )


def page_of(client: Client, **params: str) -> str:
    response = client.get("/songs/again/", params)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_exact_songs_are_shown_before_the_oldest_first(client: Client, lost: list[str]) -> None:
    page = page_of(client)

    places = [page.index(f"Lost {number}") for number in range(3)]
    assert places == sorted(places)
    assert "today's date" in page
    assert all(f'value="{track}"' in page for track in lost)
    one = page_of(client, track=lost[1])
    assert ("Lost 1" in one, "Lost 0" in one) == (True, False)


def test_the_permission_is_asked_for_first(
    client: Client, simulator: Simulator, lost: list[str]
) -> None:
    grant(simulator, READ)
    before = simulator.liked("ada")
    assert "Ask for the permission" in page_of(client)

    response = client.post("/songs/again/", {"track": lost})

    assert response.status_code == 303
    assert response.headers["Location"].startswith("/accounts/permissions/?scope=user-library")
    assert simulator.liked("ada") == before
    grant(simulator, READ, MODIFY)
    assert "Ask for the permission" not in page_of(client)


def test_chosen_songs_are_liked_again_and_a_sync_is_queued(
    client: Client, simulator: Simulator, lost: list[str]
) -> None:
    grant(simulator, READ, MODIFY)
    before = simulator.liked("ada")

    response = client.post("/songs/again/", {"track": [lost[2], lost[0]]}, follow=True)

    uris = [f"spotify:track:{track}" for track in (lost[2], lost[0])]
    assert simulator.liked("ada") == [*uris, *before]
    assert "Liked again: 2 songs, with today&#x27;s date." in response.content.decode()
    assert SyncRequest.objects.get().trigger == "manual"


def test_only_lost_likes_of_ones_own_are_liked(
    client: Client, simulator: Simulator, lost: list[str]
) -> None:
    grant(simulator, READ, MODIFY)
    ada, bea = User.objects.get(spotify_id="ada"), make_user("bea")
    like(ada, add_song("held"), at("2024-01-01"))
    like(bea, add_song("hers"), at("2024-01-01"), removed_at=at("2025-01-01"))
    before, calls = simulator.liked("ada"), simulator.count()

    client.post("/songs/again/", {"track": ["held", "hers", "nowhere", "\0"]})

    assert (simulator.liked("ada"), simulator.count()) == (before, calls)
    assert not SyncRequest.objects.exists()


def test_when_spotify_refuses_nothing_changes_and_the_page_says_so(
    client: Client, simulator: Simulator, lost: list[str]
) -> None:
    grant(simulator, READ, MODIFY, really=False)

    response = client.post("/songs/again/", {"track": lost}, follow=True)

    assert "Nothing was changed" in response.content.decode()
    assert not SyncRequest.objects.exists()
    assert SavedTrack.objects.filter(removed_at=None).count() == 0


def test_without_a_lost_song_there_is_nothing_to_press(client: Client) -> None:
    client.force_login(make_user("ada"))

    page = page_of(client)

    assert "There is no song to like again" in page
    assert '<button type="submit" class="button primary"' not in page
