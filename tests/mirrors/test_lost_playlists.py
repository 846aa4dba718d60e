"""Playlists that left the library, or no longer exist."""

from datetime import timedelta

import pytest

from accounts.models import User
from sync.mirrors import services
from sync.models import Mirror, Playlist
from syncify.simulator.server import Simulator
from tests.driving import (
    a_day_later,
    mirrored,
    outcome,
    run_again,
    time_for_a_second_look,
    wait_of,
)
from tests.mirrors.faults import DONE, HOUR, fault, like_one, run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]

# --- The playlist is not where it was ------------------------------------------------------------


def unfollow(simulator: Simulator, playlist_id: str) -> None:
    simulator.unfollow("emil", playlist_id)


def destroy(simulator: Simulator, playlist_id: str) -> None:
    simulator.destroy_playlist(playlist_id)


def test_a_playlist_that_left_the_library_rests_until_a_person_wants_it_back(
    emil: User, mirror_of_emil: str, simulator: Simulator
) -> None:
    simulator.unfollow("emil", mirror_of_emil)
    a_day_later()

    request = run(emil)

    assert outcome(request) == ("queued", "confirming_gone", 0)
    assert abs(wait_of(request) - HOUR) < timedelta(minutes=1)
    assert request.api_requests == simulator.count() == 2
    # A look before the hour is over is no second one.
    assert outcome(run_again(emil)) == ("queued", "confirming_gone", 0)
    time_for_a_second_look()
    assert outcome(run_again(emil)) == ("dead", "playlist_removed", 1)
    assert Mirror.objects.get(user=emil).state == "removed"
    assert simulator.playlists("emil") == []

    # No sync that a person asks for otherwise brings it back.
    services.request_sync(user=emil)
    run_again(emil)
    assert simulator.playlists("emil") == []

    like_one(simulator)
    services.bring_back(Mirror.objects.get(user=emil))

    assert outcome(run_again(emil)) == DONE
    assert Mirror.objects.get(user=emil).state == "active"
    assert simulator.playlists("emil") == [mirror_of_emil]
    assert mirrored(simulator, emil) == simulator.liked("emil")


@pytest.mark.parametrize("trigger", ["scheduled", "manual"])
def test_a_playlist_that_is_gone_is_made_anew_only_when_the_listener_says_so(
    emil: User, mirror_of_emil: str, simulator: Simulator, trigger: str
) -> None:
    simulator.destroy_playlist(mirror_of_emil)
    a_day_later()

    assert outcome(run(emil, trigger)) == ("queued", "confirming_gone", 0)
    time_for_a_second_look()
    code = "playlist_gone" if trigger == "manual" else "playlist_removed"
    assert outcome(run_again(emil)) == ("dead", code, 1)
    assert simulator.playlists("emil") == []
    assert Playlist.objects.get(mirror__user=emil).spotify_id == mirror_of_emil

    services.make_new_playlist(Mirror.objects.get(user=emil))

    assert outcome(run_again(emil)) == DONE
    [playlist_id] = simulator.playlists("emil")
    assert playlist_id != mirror_of_emil
    assert mirrored(simulator, emil) == simulator.liked("emil")


@pytest.mark.parametrize("trigger", ["scheduled", "manual"])
def test_one_404_of_a_playlist_that_is_in_the_library_is_passing_trouble(
    emil: User, mirror_of_emil: str, simulator: Simulator, trigger: str
) -> None:
    like_one(simulator)
    a_day_later()
    fault(simulator, "status:code=404", path=f"/playlists/{mirror_of_emil}", times=1)

    assert outcome(run(emil, trigger)) == ("queued", "not_found", 1)
    assert Playlist.objects.get(mirror__user=emil).missing_since is None
    assert outcome(run_again(emil)) == ("succeeded", "", 1)

    assert simulator.playlists("emil") == [mirror_of_emil]
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")


def test_a_playlist_destroyed_between_the_look_and_the_write_counts_as_gone_after_an_hour(
    emil: User, mirror_of_emil: str, simulator: Simulator
) -> None:
    like_one(simulator)
    simulator.after_request(
        lambda one: one.path == f"/v1/playlists/{mirror_of_emil}",
        lambda: simulator.destroy_playlist(mirror_of_emil),
    )

    assert outcome(run(emil)) == ("queued", "not_found", 1)
    assert outcome(run_again(emil)) == ("queued", "confirming_gone", 1)
    time_for_a_second_look()
    assert run_again(emil).state == "dead"
    assert simulator.playlists("emil") == []
