"""Ended consents, blocks of all calls, and refusals for one listener."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import Library, Mirror, SyncRequest
from sync.queue import store as queue
from syncify.simulator.grants import SCOPES
from syncify.simulator.server import Simulator
from syncify.spotify.models import ApiHour, Block
from syncify.spotify.quota import lift_operator_block
from tests.accounts.signing_in import sign_in
from tests.driving import (
    card,
    mirrored,
    outcome,
    run_again,
    wait_of,
    worker,
)
from tests.mirrors.faults import (
    DONE,
    EDITS,
    HOUR,
    connection_of,
    fault,
    like_one,
    run,
    token_requests,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]


@pytest.fixture
def bea(bea: User, simulator: Simulator) -> User:
    """Likes five songs."""
    simulator.set_liked("bea", *(simulator.new_track() for _ in range(5)))
    return bea


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
