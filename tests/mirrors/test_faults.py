"""Whatever Spotify answers: what becomes of the sync, the playlist, and the listener's page."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import SpotifyConnection, User
from sync.mirrors import services
from sync.mirrors import writer as playlists
from sync.models import Library, Mirror, MirrorTrack, Playlist, SyncRequest
from sync.queue import store as queue
from sync.queue.job import Job
from syncify.simulator.grants import SCOPES
from syncify.simulator.server import Simulator
from syncify.simulator.state import Recorded
from syncify.spotify.client import SpotifyClient
from syncify.spotify.models import ApiHour, Block
from syncify.spotify.quota import lift_operator_block
from tests import driving
from tests.accounts.signing_in import sign_in
from tests.builders import at_playlist, connect
from tests.driving import (
    a_day_later,
    a_week_later,
    card,
    mirrored,
    outcome,
    run_again,
    time_for_a_second_look,
    wait_of,
    worker,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]

DONE = ("succeeded", "", 0)


def run(user: User, trigger: str = "scheduled") -> SyncRequest:
    """Without the look that a person gets who asks for a sync."""
    return driving.run(user, trigger)


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a sync would have waited between two requests."""
    naps: list[float] = []
    monkeypatch.setattr(playlists, "SETTLE", 0)
    monkeypatch.setattr(Job, "sleep", lambda _, seconds: naps.append(seconds))
    return naps


@pytest.fixture
def emil(db: None, simulator: Simulator) -> User:
    """Likes ten songs."""
    simulator.set_liked("emil", *(simulator.new_track() for _ in range(10)))
    return connect(simulator, "emil")


@pytest.fixture
def bea(bea: User, simulator: Simulator) -> User:
    """Likes five songs."""
    simulator.set_liked("bea", *(simulator.new_track() for _ in range(5)))
    return bea


@pytest.fixture
def mirror_of_emil(emil: User, simulator: Simulator) -> str:
    """The id of the playlist that a first sync has made; nothing is recorded of that."""
    assert outcome(run(emil)) == DONE
    simulator.forget_requests()
    [playlist_id] = simulator.playlists("emil")
    return playlist_id


def fault(simulator: Simulator, trouble: str, **keys: Any) -> None:
    """``trouble`` as on the simulator's command line, with further keys."""
    more = ",".join(f"{name}={value}" for name, value in keys.items())
    simulator.fault(f"{trouble}{',' if ':' in trouble else ':'}{more}")


def token_requests(simulator: Simulator) -> int:
    return simulator.count("POST", "/api/token")


def connection_of(user: User) -> SpotifyConnection:
    return SpotifyConnection.objects.get(user=user)


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


@pytest.mark.parametrize("trouble", NO_ANSWER)
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


@pytest.mark.parametrize("trouble", NO_ANSWER)
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
    monkeypatch.setattr(tokens, "SpotifyClient", partial(SpotifyClient, timeout=(1, 0.2)))
    simulator.fault("hang", seconds=1, path="/me/tracks")
    simulator.fault("hang", seconds=1, path="/items", when="after")

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


def like_one(simulator: Simulator) -> None:
    simulator.like("emil", simulator.new_track())


def unlike_one(simulator: Simulator) -> None:
    simulator.unlike("emil", simulator.liked("emil")[4])


def like_again(simulator: Simulator) -> None:
    simulator.like("emil", simulator.liked("emil")[7])


def write_anew(simulator: Simulator) -> None:
    simulator.insert(simulator.playlists("emil")[0], None, position=3)
    services.rewrite_playlist(Mirror.objects.get(user__spotify_id="emil"))


#: What brings on each kind of edit, its method, and how many calls the sync then takes.
EDITS = [
    pytest.param(like_one, "POST", 3, id="add"),
    pytest.param(unlike_one, "DELETE", 3, id="remove"),
    pytest.param(like_again, "PUT", 3, id="move"),
    pytest.param(write_anew, "PUT", 5, id="replace"),
]
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


@pytest.mark.parametrize(("arrange", "method", "calls"), EDITS)
@pytest.mark.parametrize("trouble", UNAPPLIED + APPLIED)
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


@pytest.mark.parametrize("trouble", UNAPPLIED + APPLIED)
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


# --- Tokens and consent --------------------------------------------------------------------------


def test_an_access_token_that_has_ended_is_renewed_once(
    emil: User, mirror_of_emil: str, simulator: Simulator
) -> None:
    simulator.expire_access_tokens("emil")
    like_one(simulator)

    request = run(emil)

    assert outcome(request) == DONE
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    assert token_requests(simulator) == 1
    assert request.api_requests == simulator.count() == 3 + 1


@pytest.mark.parametrize(("arrange", "method", "calls"), EDITS)
def test_a_write_that_met_a_spurious_401_is_sent_again(
    emil: User,
    mirror_of_emil: str,
    simulator: Simulator,
    arrange: Callable[[Simulator], None],
    method: str,
    calls: int,
) -> None:
    arrange(simulator)
    fault(simulator, "unauthorized", path="/items", method=method)

    assert outcome(run(emil)) == DONE

    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    assert (simulator.count(), token_requests(simulator)) == (calls + 1, 1)


@pytest.mark.parametrize("known_here", [True, False], ids=["token ended", "token still good here"])
def test_consent_that_ended_asks_for_a_sign_in_and_keeps_everything_else(
    emil: User, mirror_of_emil: str, simulator: Simulator, client: Client, known_here: bool
) -> None:
    Mirror.objects.filter(user=emil).update(description="Mine")
    Library.objects.filter(user=emil).update(interval="weekly")
    simulator.revoke("emil")
    simulator.expire_access_tokens("emil")
    if known_here:
        SpotifyConnection.objects.update(access_expires_at=timezone.now())

    request = run(emil, "scheduled")

    assert outcome(request) == ("dead", "sign_in_needed", 1)
    assert request.api_requests == simulator.count() == (0 if known_here else 1)
    assert token_requests(simulator) == 1
    held = connection_of(emil)
    assert (held.state, held.access_token, held.refresh_token) == ("sign_in_needed", "", "")
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    page = card(client, emil)
    assert "Spotify's permission has ended Your playlist and its link stay" in page
    assert "Sign in again" in page

    like_one(simulator)
    sign_in(client, simulator, "emil")
    [queued] = SyncRequest.objects.filter(user=emil, completed=None)
    assert outcome(queued) == ("queued", "", 0)
    assert outcome(run_again(emil)) == DONE
    assert simulator.playlists("emil") == [mirror_of_emil]
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    mirror = Mirror.objects.get(user=emil)
    assert (mirror.description, mirror.state) == ("Mine", "active")
    assert Library.objects.get(user=emil).interval == "weekly"


def test_a_token_host_that_fails_is_passing_trouble(
    emil: User, simulator: Simulator, client: Client
) -> None:
    SpotifyConnection.objects.update(access_expires_at=timezone.now())
    simulator.fault("status", code=503, path="/api/token", plain=True)

    request = run(emil)

    assert outcome(request) == ("queued", "unavailable", 1)
    assert simulator.count() == 0
    assert connection_of(emil).state == "connected"
    assert outcome(run_again(emil)) == ("succeeded", "", 1)


# --- What parks everybody ------------------------------------------------------------------------


def quota_for_hours(simulator: Simulator) -> None:
    simulator.fault("quota", retry_after=7200)


def quota_without_header(simulator: Simulator) -> None:
    simulator.fault("bare429", times=0)


def premium_lapsed(simulator: Simulator) -> None:
    simulator.behaviour.premium_lapsed = True


def credentials_refused(simulator: Simulator) -> None:
    SpotifyConnection.objects.update(access_expires_at=timezone.now())
    simulator.fault("oauth", error="invalid_client", message="Invalid client", times=0)


def mend(simulator: Simulator) -> None:
    simulator.clear_faults()
    simulator.behaviour.premium_lapsed = False


SPENT = "Spotify asks us to wait Its quota of requests for today is used up."
LAPSED = "Spotify has stopped this Syncify for now Spotify requires the operator to have Premium"
BROKEN = "This Syncify's own access to Spotify is broken Please tell the operator."
HOUR = timedelta(hours=1)
#: Cause, its code, how long nobody calls, calls of both hosts, the sentence.
PARKED = [
    pytest.param(quota_for_hours, "quota", 2.2 * HOUR, (1, 0), SPENT, id="quota for hours"),
    pytest.param(quota_without_header, "quota", HOUR, (1, 0), SPENT, id="quota without header"),
    pytest.param(premium_lapsed, "premium", HOUR, (1, 0), LAPSED, id="premium"),
    pytest.param(credentials_refused, "credentials", HOUR, (0, 1), BROKEN, id="credentials"),
]


@pytest.mark.parametrize(("break_it", "because", "wait", "calls", "sentence"), PARKED)
def test_what_concerns_everybody_parks_everybody_and_is_nobodys_failure(
    emil: User,
    bea: User,
    simulator: Simulator,
    client: Client,
    break_it: Callable[[Simulator], None],
    because: str,
    wait: timedelta,
    calls: tuple[int, int],
    sentence: str,
) -> None:
    break_it(simulator)
    tokens = list(SpotifyConnection.objects.values_list("access_token", "refresh_token"))

    request = run(emil)

    assert outcome(request) == ("queued", because, 0)
    block = Block.objects.get()
    assert (block.because, block.until) == (because, request.run_at)
    assert abs(wait_of(request) - wait) < timedelta(minutes=1)
    assert (simulator.count(), token_requests(simulator)) == calls
    assert request.api_requests == calls[0]

    # Nobody calls again: neither for another listener, nor after a restart, nor at a click.
    assert outcome(run(bea)) == outcome(run_again(emil)) == ("queued", because, 0)
    assert (simulator.count(), token_requests(simulator)) == calls
    for user in (emil, bea):
        page = card(client, user)
        assert sentence in page
        assert "Sync now" not in page
        client.post("/sync/")
    assert not SyncRequest.objects.filter(user__in=[emil, bea], run_at__lt=block.until)
    assert list(SpotifyConnection.objects.values_list("access_token", "refresh_token")) == tokens
    assert not SpotifyConnection.objects.exclude(state="connected")

    mend(simulator)
    Block.objects.update(until=timezone.now())
    for user in (emil, bea):
        assert outcome(run_again(user)) == DONE
        assert mirrored(simulator, user) == simulator.liked(user.spotify_id)


@pytest.mark.parametrize("break_it", [premium_lapsed, credentials_refused])
def test_a_restart_asks_spotify_once_whether_the_operator_has_mended_it(
    emil: User, bea: User, simulator: Simulator, break_it: Callable[[Simulator], None]
) -> None:
    break_it(simulator)
    run(emil)
    run(bea)
    asked = simulator.count(path_prefix="/")

    lift_operator_block()
    assert queue.unpark() == 2
    ours = worker()
    assert (ours.run_one(), ours.run_one(), ours.run_one()) == (True, True, False)

    assert simulator.count(path_prefix="/") == asked + 1
    mend(simulator)
    lift_operator_block()
    assert outcome(run_again(bea)) == outcome(run_again(emil)) == DONE


def test_no_restart_ends_a_wait_that_spotify_asked_for(emil: User, simulator: Simulator) -> None:
    simulator.fault("quota", retry_after=7200)
    run(emil)

    lift_operator_block()
    run_again(emil)

    assert simulator.count() == 1


@pytest.mark.parametrize(("arrange", "method", "calls"), EDITS)
def test_a_burst_limit_is_waited_for(
    emil: User,
    mirror_of_emil: str,
    simulator: Simulator,
    naps: list[float],
    arrange: Callable[[Simulator], None],
    method: str,
    calls: int,
) -> None:
    arrange(simulator)
    fault(simulator, "burst:retry_after=7", path="/me/tracks")
    fault(simulator, "burst:retry_after=9", path="/items", method=method)

    request = run(emil)

    assert outcome(request) == DONE
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    assert request.api_requests == simulator.count() == calls + 2
    assert [round(nap) for nap in naps] == [8, 10]
    assert not Block.objects.exists()


def test_the_daily_budget_keeps_a_reserve_for_people(
    emil: User, mirror_of_emil: str, simulator: Simulator, client: Client, settings: Any
) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    ApiHour.objects.update_or_create(hour=hour, defaults={"calls": 80})
    like_one(simulator)

    request = run(emil, "scheduled")

    assert outcome(request) == ("queued", "budget", 0)
    assert timedelta(hours=23) < wait_of(request) <= timedelta(hours=25)
    assert simulator.count() == 0
    assert "Today's budget of requests to Spotify is spent" in card(client, emil)

    client.post("/sync/")
    assert outcome(run_again(emil)) == DONE
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    assert simulator.count() == 4


def test_a_budget_that_ends_in_the_middle_loses_no_page(
    ada: User, simulator: Simulator, client: Client, settings: Any
) -> None:
    ApiHour.objects.all().delete()
    settings.SPOTIFY_DAILY_QUOTA = 3

    request = run(ada, "first")

    assert outcome(request) == ("queued", "budget", 0)
    assert simulator.count() == request.api_requests == 3
    ApiHour.objects.all().delete()
    settings.SPOTIFY_DAILY_QUOTA = 0
    request = run_again(ada)
    assert outcome(request) == DONE
    assert mirrored(simulator, ada) == simulator.liked("ada")
    # Four pages and the first one again, the playlist, two writes.
    assert request.api_requests == simulator.count() == 4 + 1 + 1 + 2


# --- What is refused to one listener -------------------------------------------------------------


def not_registered(simulator: Simulator) -> None:
    simulator.behaviour.allow_list -= {"emil"}


def scope_missing(simulator: Simulator) -> None:
    token = simulator.authorize("emil", SCOPES - {"user-library-read"})
    SpotifyConnection.objects.filter(user__spotify_id="emil").update(
        access_token=token["access_token"], refresh_token=token["refresh_token"]
    )


def forbidden(simulator: Simulator) -> None:
    fault(simulator, "status:code=403,message=Forbidden", listener="emil", times=0)


REFUSALS = [
    pytest.param(
        not_registered,
        "not_registered",
        "Ask its operator to add you, then try again.",
        "Try again",
        id="not registered",
    ),
    pytest.param(
        scope_missing,
        "scope_missing",
        "A permission is missing Sign in again and agree to all",
        "Sign in again",
        id="scope missing",
    ),
    pytest.param(
        forbidden,
        "forbidden",
        "Spotify refuses access without a reason",
        "Try again",
        id="forbidden",
    ),
]


@pytest.mark.parametrize(("refuse", "reason", "sentence", "button"), REFUSALS)
def test_a_refusal_names_its_cause_and_touches_nobody_else(
    emil: User,
    mirror_of_emil: str,
    bea: User,
    simulator: Simulator,
    client: Client,
    refuse: Callable[[Simulator], None],
    reason: str,
    sentence: str,
    button: str,
) -> None:
    refuse(simulator)

    request = run(emil)

    assert outcome(request) == ("dead", reason, 1)
    assert request.api_requests == simulator.count() == 1
    held = connection_of(emil)
    assert (held.state, held.state_reason) == ("refused", reason)
    assert held.refresh_token
    page = card(client, emil)
    assert sentence in page
    assert button in page
    assert not Block.objects.exists()
    assert outcome(run(bea)) == DONE

    # Cured, a click is enough; a missing permission is granted by a sign-in.
    mend(simulator)
    simulator.behaviour.allow_list |= {"emil"}
    like_one(simulator)
    if reason == "scope_missing":
        sign_in(client, simulator, "emil")
    else:
        client.post("/sync/")
    assert outcome(run_again(emil)) == DONE
    assert connection_of(emil).state == "connected"
    assert simulator.playlist_uris(mirror_of_emil) == simulator.liked("emil")
    assert "In step with your Liked Songs" in card(client, emil)


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
@pytest.mark.parametrize("real", [True, False], ids=["real", "a slip of Spotify's"])
def test_a_mass_removal_is_believed_only_when_seen_twice(
    ada: User,
    simulator: Simulator,
    client: Client,
    left: int,
    wait: timedelta,
    real: bool,
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

    if not real:
        simulator.set_liked("ada", *before)
    time_for_a_second_look()
    simulator.forget_requests()
    request = run_again(ada)

    assert outcome(request) == DONE
    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert request.removed == (180 - left if real else 0)
    assert simulator.count("DELETE") + simulator.count("PUT") == (1 if real else 0)


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
