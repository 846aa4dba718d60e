"""Faults of reads and writes: the result for the sync, the playlist and the page."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from django.test import Client

from accounts import tokens
from accounts.models import User
from sync.mirrors import writer as playlists
from sync.models import Mirror, MirrorTrack, Playlist
from syncify.simulator.server import Simulator
from syncify.simulator.state import Recorded
from syncify.spotify.client import SpotifyClient
from tests.builders import at_playlist
from tests.driving import (
    a_week_later,
    card,
    mirrored,
    outcome,
    run_again,
    time_for_a_second_look,
    wait_of,
)
from tests.mirrors.faults import (
    DONE,
    EDITS,
    connection_of,
    fault,
    like_one,
    run,
)
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]

# --- Reads ---------------------------------------------------------------------------------------

NO_ANSWER = [
    "status:code=500",
    "status:code=502",
    "status:code=503",
    "status:code=504",
    "drop",
    "hang:seconds=0.05",
    "truncated",
    "nonjson",
]
#: A status, no answer, and one that cannot be read. ``tests/spotify/test_calls.py`` has them all.
EACH_SORT = ["status:code=503", "drop", "nonjson"]


@pytest.mark.parametrize("trouble", EACH_SORT)
def test_passing_trouble_while_reading_is_sat_out(
    emil: User, simulator: Simulator, naps: list[float], client: Client, trouble: str
) -> None:
    fault(simulator, trouble, path="/me/tracks", times=2)

    request = run(emil)

    assert outcome(request) == DONE
    assert mirrored(simulator, emil) == simulator.liked("emil")
    assert request.api_requests == simulator.count() == 2 + 3
    assert len(naps) == 2
    assert "In step with your Liked Songs just now" in card(client, emil)


@pytest.mark.parametrize("trouble", EACH_SORT)
def test_lasting_trouble_while_reading_is_tried_again_later(
    emil: User, simulator: Simulator, client: Client, trouble: str
) -> None:
    fault(simulator, trouble, path="/me/tracks", times=0)

    request = run(emil)

    assert outcome(request) == ("queued", "unavailable", 1)
    assert timedelta(seconds=20) < wait_of(request) <= timedelta(seconds=36)
    assert request.api_requests == simulator.count() == 3
    assert simulator.playlists("emil") == []
    page = card(client, emil)
    assert "Spotify did not answer Your playlist stays as it is" in page
    assert "Try now" in page

    simulator.clear_faults()
    assert outcome(run_again(emil)) == ("succeeded", "", 1)
    assert mirrored(simulator, emil) == simulator.liked("emil")


def test_an_answer_that_takes_too_long_counts_as_none(
    emil: User, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "SpotifyClient", partial(SpotifyClient, timeout=(10, 1)))
    simulator.fault("hang", seconds=PATIENCE, path="/me/tracks")
    simulator.fault("hang", seconds=PATIENCE, path="/items", when="after")

    request = run(emil)

    assert outcome(request) == DONE
    assert mirrored(simulator, emil) == simulator.liked("emil")
    assert request.api_requests == simulator.count() == 3 + 2


def test_after_five_failures_a_sync_is_given_up_and_a_click_begins_another(
    emil: User, simulator: Simulator, client: Client
) -> None:
    simulator.fault("status", code=503, times=0)
    run(emil)
    for _ in range(3):
        run_again(emil)

    dead = run_again(emil)

    assert outcome(dead) == ("dead", "unavailable", 5)
    assert [error["attempt"] for error in dead.errors] == [1, 2, 3, 4, 5]
    assert simulator.count() == dead.api_requests == 5 * 3
    assert connection_of(emil).state == "connected"
    page = card(client, emil)
    assert "Spotify did not answer just now Syncify gave up after 5 tries." in page
    assert "Try again" in page

    simulator.clear_faults()
    client.post(at_playlist(emil, f"syncs/{dead.pk}/retry/"))
    assert outcome(run_again(emil)) == DONE
    assert mirrored(simulator, emil) == simulator.liked("emil")
    dead.refresh_from_db()
    assert dead.state == "dead"


# --- Writes whose outcome is unknown -------------------------------------------------------------

UNAPPLIED = [trouble for trouble in NO_ANSWER if trouble not in ("truncated", "nonjson")]
APPLIED = [
    "status:code=500,when=after",
    "status:code=502,when=after",
    "status:code=504,when=after",
    "drop:when=after",
    "hang:seconds=0.05,when=after",
    "truncated",
    "nonjson",
]


def test_an_edit_without_an_answer_gets_time_to_settle(
    emil: User, mirror_of_emil: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(playlists, "SETTLE", 2.0)
    monkeypatch.setattr(playlists, "time", SimpleNamespace(sleep=slept.append))
    like_one(simulator)
    fault(simulator, "drop:when=after", path="/items", method="POST")

    assert outcome(run(emil)) == DONE
    assert slept == [2.0]


#: Each trouble with one kind of edit, and each kind of edit with an applied and an unapplied one.
UNANSWERED = [
    pytest.param(*edit.values, trouble, id=f"{trouble}-{edit.id}")
    for number, trouble in enumerate(UNAPPLIED + APPLIED)
    for place, edit in enumerate(EDITS)
    if place == number % len(EDITS) or trouble in ("drop", "drop:when=after")
]


@pytest.mark.parametrize(("arrange", "method", "calls", "trouble"), UNANSWERED)
def test_an_edit_without_an_answer_is_settled_by_reading(
    emil: User,
    mirror_of_emil: str,
    simulator: Simulator,
    client: Client,
    arrange: Callable[[Simulator], None],
    method: str,
    calls: int,
    trouble: str,
) -> None:
    arrange(simulator)
    fault(simulator, trouble, path="/items", method=method)

    request = run(emil)

    assert outcome(request) == DONE
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    sent_again = trouble in UNAPPLIED
    assert simulator.count(method) == 1 + sent_again
    assert request.api_requests == simulator.count() == calls + 1 + sent_again
    assert Playlist.objects.get(mirror__user=emil).items_known
    assert "In step with your Liked Songs" in card(client, emil)

    # And there is nothing left to do.
    simulator.forget_requests()
    assert outcome(run(emil)) == DONE
    assert simulator.count() == 1


@pytest.mark.parametrize(("arrange", "method", "calls"), EDITS)
@pytest.mark.parametrize("trouble", ["status:code=503", "drop"])
def test_an_edit_that_never_gets_through_is_tried_again_later(
    emil: User,
    mirror_of_emil: str,
    simulator: Simulator,
    client: Client,
    arrange: Callable[[Simulator], None],
    method: str,
    calls: int,
    trouble: str,
) -> None:
    arrange(simulator)
    before = simulator.playlist_uris(mirror_of_emil)
    fault(simulator, trouble, path="/items", method=method, times=0)

    request = run(emil)

    assert outcome(request) == ("queued", "spotify_unavailable", 1)
    assert simulator.playlist_uris(mirror_of_emil) == before
    assert request.api_requests == simulator.count() == calls - 1 + 4
    assert "Spotify could not change the playlist Nothing is lost" in card(client, emil)

    # However long it lasts, no song is blamed for it.
    for _ in range(2):
        request = run_again(emil)
    assert outcome(request) == ("queued", "spotify_unavailable", 3)
    assert not MirrorTrack.objects.exclude(refused_at=None)
    simulator.clear_faults()
    assert outcome(run_again(emil)) == ("succeeded", "", 3)
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")


@pytest.mark.parametrize("trouble", [*EACH_SORT, "status:code=502,when=after", "drop:when=after"])
def test_no_playlist_is_created_twice(
    emil: User, simulator: Simulator, client: Client, trouble: str
) -> None:
    fault(simulator, trouble, path="/me/playlists", method="POST")

    request = run(emil)

    assert outcome(request) == ("queued", "outcome_unknown", 1)
    assert simulator.count() == request.api_requests == 2
    assert "Spotify did not confirm a change" in card(client, emil)

    request = run_again(emil)

    assert outcome(request) == ("succeeded", "", 1)
    assert len(simulator.playlists("emil")) == 1
    assert mirrored(simulator, emil) == simulator.liked("emil")
    # The first page, all playlists, the songs; and a creation, or proof that the playlist is empty,
    # the details and what they made.
    assert simulator.count() == 2 + 3 + (1 if trouble in UNAPPLIED else 3)


def test_a_playlist_whose_name_was_changed_meanwhile_is_not_created_twice(
    emil: User, simulator: Simulator, client: Client
) -> None:
    fault(simulator, "drop:when=after", path="/me/playlists", method="POST")
    run(emil)
    client.force_login(emil)
    client.post("/settings/", {"name": "Songs", "description": "", "interval": "daily"})

    assert outcome(run_again(emil)) == ("succeeded", "", 1)

    [playlist_id] = simulator.playlists("emil")
    assert simulator.playlist(playlist_id).name == "Songs"
    assert mirrored(simulator, emil) == simulator.liked("emil")


@pytest.mark.parametrize("trouble", ["status:code=500", "drop:when=after"])
def test_a_name_is_written_until_it_is_known_to_be_there(
    emil: User, mirror_of_emil: str, simulator: Simulator, client: Client, trouble: str
) -> None:
    client.force_login(emil)
    client.post("/settings/", {"name": "Songs", "description": "", "interval": "daily"})
    fault(simulator, trouble, path=f"/playlists/{mirror_of_emil}", method="PUT")

    assert outcome(run_again(emil)) == ("queued", "outcome_unknown", 1)
    assert outcome(run_again(emil)) == ("succeeded", "", 1)

    assert simulator.playlist(mirror_of_emil).name == Mirror.objects.get(user=emil).name == "Songs"


# --- Songs that Spotify does not take ------------------------------------------------------------


@pytest.mark.parametrize("code", [400, 502])
@pytest.mark.parametrize("size", [10, 120])
@pytest.mark.parametrize("places", [[0], [9], [4, 5], [2, 8]])
def test_songs_that_spotify_does_not_take_are_left_out_and_shown(
    emil: User, simulator: Simulator, client: Client, code: int, size: int, places: list[int]
) -> None:
    simulator.set_liked("emil", *(simulator.new_track() for _ in range(size)))
    bad = [simulator.liked("emil")[place] for place in places]
    for uri in bad:
        simulator.fault("poison", uri=uri, code=code)
    takeable = [uri for uri in simulator.liked("emil") if uri not in bad]

    request = run(emil)

    assert outcome(request) == DONE
    assert mirrored(simulator, emil) == takeable
    assert (request.added, request.skipped) == (len(takeable), len(bad))
    # Halving 100 songs takes seven steps of at most two writes, two looks, and the good half.
    assert request.api_requests == simulator.count() < 5 + len(bad) * 7 * 5
    refused = MirrorTrack.objects.exclude(refused_at=None)
    assert {f"spotify:track:{like.track_id}" for like in refused} == set(bad)
    page = card(client, emil)
    assert f"{len(bad)} refused by Spotify" in page
    assert all(like.track.name in page for like in refused)

    # They are left alone for a week, and then tried again: in vain, and a week later with success.
    simulator.forget_requests()
    assert outcome(run(emil)) == DONE
    assert simulator.count("POST") == 0
    assert all(like.track.name in card(client, emil) for like in refused)
    a_week_later()
    assert outcome(run(emil)) == DONE
    assert simulator.count("POST") > 0
    assert mirrored(simulator, emil) == takeable
    a_week_later()
    simulator.clear_faults()
    assert outcome(run(emil)) == DONE
    assert mirrored(simulator, emil) == simulator.liked("emil")
    assert not MirrorTrack.objects.exclude(refused_at=None)


@pytest.mark.parametrize("code", [400, 502])
def test_a_single_song_is_blamed_only_when_it_has_failed_often(
    emil: User, mirror_of_emil: str, simulator: Simulator, client: Client, code: int
) -> None:
    before = simulator.liked("emil")
    like_one(simulator)
    simulator.fault("poison", uri=simulator.liked("emil")[0], code=code)

    assert outcome(run(emil)) == ("queued", "spotify_unavailable", 1)
    assert outcome(run_again(emil)) == ("queued", "spotify_unavailable", 2)
    request = run_again(emil)

    assert outcome(request) == ("succeeded", "", 2)
    assert request.skipped == 1
    assert simulator.playlist_uris(mirror_of_emil) == before
    assert "1 song refused by Spotify" in card(client, emil)


# --- The Liked Songs do not hold still -----------------------------------------------------------


def is_second_page(one: Recorded) -> bool:
    return one.path == "/v1/me/tracks" and one.query["offset"] == "50"


def test_a_library_that_changes_between_two_pages_is_read_again(
    ada: User, simulator: Simulator
) -> None:
    simulator.after_request(
        is_second_page, lambda: simulator.unlike("ada", simulator.liked("ada")[3])
    )

    request = run(ada)

    assert outcome(request) == DONE
    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert len(simulator.liked("ada")) == 179


def test_a_library_that_goes_on_changing_is_left_for_later(
    ada: User, simulator: Simulator, client: Client
) -> None:
    def change() -> None:
        simulator.unlike("ada", simulator.liked("ada")[3])
        simulator.after_request(is_second_page, change)

    change()

    request = run(ada)

    assert outcome(request) == ("queued", "library_changing", 1)
    assert simulator.playlists("ada") == []
    assert "Your Liked Songs kept changing while Syncify was reading them" in card(client, ada)


@pytest.mark.parametrize(
    ("left", "wait"), [(80, timedelta(minutes=10)), (0, timedelta(hours=1))], ids=["some", "none"]
)
def test_a_mass_removal_is_believed_only_when_seen_twice(
    ada: User,
    simulator: Simulator,
    client: Client,
    left: int,
    wait: timedelta,
) -> None:
    run(ada)
    before = simulator.liked("ada")
    simulator.unlike("ada", *before[left:])

    request = run(ada)

    assert outcome(request) == ("queued", "confirming_removal", 0)
    assert mirrored(simulator, ada) == before
    assert abs(wait_of(request) - wait) < timedelta(minutes=1)
    assert f"Spotify shows {left} Liked Songs where there were 180 To be safe" in card(client, ada)
    # Too early, it changes nothing.
    assert outcome(run_again(ada)) == ("queued", "confirming_removal", 0)
    assert mirrored(simulator, ada) == before

    time_for_a_second_look()
    simulator.forget_requests()
    request = run_again(ada)

    assert outcome(request) == DONE
    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert request.removed == 180 - left
    assert simulator.count("DELETE") + simulator.count("PUT") == 1


# --- Logs ----------------------------------------------------------------------------------------


def test_no_log_of_any_level_has_a_token(
    emil: User, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    run(emil)
    for trouble in ("unauthorized", "status:code=500", "drop", "nonjson", "burst:retry_after=1"):
        fault(simulator, trouble)
        like_one(simulator)
        run(emil)
    simulator.revoke("emil")
    simulator.expire_access_tokens("emil")
    run(emil)

    grants = simulator.grants
    secrets = [*grants.access, *grants.refreshable, *grants.dead, grants.client.secret]
    text = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert len(secrets) >= 4
    assert "job claimed" in text
    assert not [secret for secret in secrets if secret in text]
    assert not re.search(r"Bearer|Basic ", text)
