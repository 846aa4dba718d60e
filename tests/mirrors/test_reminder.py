"""The playlist's own description asks for a new sign-in in the last week of a consent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import CONSENT_LIFE, SpotifyConnection, User
from sync.mirrors.details import LONGEST, PLAIN, REMINDER, with_reminder
from sync.models import Library, Mirror, Playlist, SyncRequest
from sync.queue import scheduler as scheduling
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import sign_in
from tests.builders import connect
from tests.driving import a_day_later, run, run_again, set_details

DAY = timedelta(days=1)


@pytest.fixture
def emil(db: None, simulator: Simulator) -> User:
    """Three songs, and a playlist that holds them."""
    user = connect(simulator, "emil")
    run(user, "first")
    simulator.forget_requests()
    return user


def with_days_left(user: User, days: float) -> None:
    given = timezone.now() + days * DAY - CONSENT_LIFE
    SpotifyConnection.objects.filter(user=user).update(authorized_at=given)


def description(simulator: Simulator) -> str:
    return simulator.playlist(simulator.playlists("emil")[-1]).description


def writes(simulator: Simulator) -> int:
    return simulator.count("PUT", "/v1/playlists/")


@given(st.text(max_size=LONGEST))
def test_the_reminder_leaves_as_much_of_the_description_as_spotify_takes(own: str) -> None:
    text = with_reminder(own)

    assert text.startswith(REMINDER)
    assert len(text) <= LONGEST
    assert "://" not in REMINDER
    assert own.strip() in text or text.endswith("…")


@pytest.mark.parametrize("days", [8, 7.01])
def test_nothing_is_said_before_the_last_week(
    emil: User, simulator: Simulator, days: float
) -> None:
    with_days_left(emil, days)

    run(emil, "scheduled")

    assert REMINDER not in description(simulator)
    assert writes(simulator) == 0


@pytest.mark.parametrize(("own", "after"), [("From me & you", "From me & you"), ("", PLAIN)])
def test_it_is_written_once_and_taken_down_after_the_renewal(
    client: Client, emil: User, simulator: Simulator, own: str, after: str
) -> None:
    simulator.behaviour.refuse_empty_description = True
    if own:
        set_details(emil, description=own)
        run_again(emil)
    simulator.forget_requests()
    with_days_left(emil, 7)

    assert run(emil, "scheduled").api_requests == 4  # page 0, a look, the writing, a look
    assert description(simulator) == f"{REMINDER} {own}".strip()
    assert run(emil, "scheduled").api_requests == 1

    sign_in(client, simulator, "emil")
    assert run_again(emil).state == "succeeded"
    assert description(simulator) == after
    assert run(emil, "scheduled").api_requests == 1
    a_day_later()
    assert run(emil, "scheduled").api_requests == 3
    assert writes(simulator) == 2


@pytest.mark.usefixtures("small_volumes")
def test_only_the_first_volume_says_it(emil: User, simulator: Simulator) -> None:
    simulator.set_liked("emil", *(simulator.new_track() for _ in range(70)))
    with_days_left(emil, 5)

    run(emil)

    said = [
        simulator.playlist(volume.spotify_id or "").description
        for volume in Playlist.objects.order_by("number")
    ]
    assert said == [REMINDER, ""]


def test_a_playlist_made_in_the_last_week_says_it_at_once(db: None, simulator: Simulator) -> None:
    emil = connect(simulator, "emil")
    with_days_left(emil, 5)

    run(emil, "first")

    assert description(simulator) == REMINDER
    assert writes(simulator) == 0


def test_it_can_be_switched_off_and_on_again(emil: User, simulator: Simulator) -> None:
    with_days_left(emil, 5)
    set_details(emil, remind_in_spotify=False)
    run_again(emil)
    assert REMINDER not in description(simulator)

    set_details(emil, remind_in_spotify=True)
    run_again(emil)
    assert REMINDER in description(simulator)

    set_details(emil, remind_in_spotify=False)
    run_again(emil)
    assert REMINDER not in description(simulator)


@pytest.mark.parametrize("public", [True, False])
def test_what_was_given_in_spotify_stays(emil: User, simulator: Simulator, public: bool) -> None:
    simulator.behaviour.public_ignored = False
    [playlist_id] = simulator.playlists("emil")
    simulator.change(playlist_id, description="Given there", name="Theirs", public=public)
    with_days_left(emil, 5)

    run(emil)

    playlist = simulator.playlist(playlist_id)
    assert (playlist.name, playlist.public) == ("Theirs", public)
    assert playlist.description == f"{REMINDER} Given there"
    assert Mirror.objects.get().description == "Given there"


def _is_refused(simulator: Simulator) -> None:
    simulator.fault("status", code=400, method="PUT", path="/v1/playlists/", times=0)


def _is_altered(simulator: Simulator) -> None:
    def alter() -> None:
        simulator.change(simulator.playlists("emil")[-1], description="Something else")

    simulator.after_request(lambda one: one.method == "PUT", alter)


@pytest.mark.parametrize("trouble", [_is_refused, _is_altered])
def test_spotify_is_asked_once_whatever_it_makes_of_it(
    emil: User, simulator: Simulator, trouble: Callable[[Simulator], None]
) -> None:
    with_days_left(emil, 5)
    trouble(simulator)

    first = run(emil, "scheduled")
    asked = writes(simulator)

    assert (first.state, run(emil, "scheduled").state) == ("succeeded", "succeeded")
    assert 1 <= asked == writes(simulator) <= 2


# --- When it is written -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "days", "is_queued"),
    [
        ({}, 6.9, True),
        ({}, 7.1, False),
        ({"interval": "off", "next_due": None}, 6.9, False),
        ({"interval": "daily"}, 6.9, False),
        ({"state": "paused"}, 6.9, False),
        ({"remind_in_spotify": False}, 6.9, False),
    ],
)
def test_a_weekly_sync_comes_early_once(
    emil: User, fields: dict[str, Any], days: float, is_queued: bool
) -> None:
    SyncRequest.objects.update(created=F("created") - 30 * DAY)
    weekly = {"interval": "weekly", "next_due": timezone.now() + 5 * DAY}
    of_library = {name: value for name, value in fields.items() if name in weekly}
    Library.objects.update(**{**weekly, **of_library})
    if of_mirror := {name: value for name, value in fields.items() if name not in weekly}:
        Mirror.objects.update(**of_mirror)
    with_days_left(emil, days)

    scheduling.take_turn()
    queued = SyncRequest.objects.filter(completed=None)
    assert queued.exists() == is_queued

    # It ends without having written anything, and is not repeated.
    queued.update(state="dead", completed=timezone.now())
    for _ in range(2):
        scheduling.take_turn()
    assert not SyncRequest.objects.filter(completed=None).exists()


@pytest.mark.parametrize(
    ("latest", "mirror", "reminds", "is_queued"),
    [
        ("dead", "active", False, True),
        ("queued", "active", False, True),
        ("succeeded", "active", True, True),
        ("succeeded", "active", False, False),
        ("dead", "paused", True, False),
        ("dead", "removed", False, False),
    ],
)
def test_a_renewal_goes_on_at_once_with_what_waits_for_it(
    client: Client,
    emil: User,
    simulator: Simulator,
    latest: str,
    mirror: str,
    reminds: bool,
    is_queued: bool,
) -> None:
    later = timezone.now() + DAY
    ended = None if latest == "queued" else timezone.now()
    SyncRequest.objects.update(state=latest, completed=ended, run_at=later)
    Mirror.objects.update(state=mirror)
    Playlist.objects.update(reminds=reminds)

    sign_in(client, simulator, "emil")

    ready = SyncRequest.objects.filter(state="queued", run_at__lte=timezone.now())
    assert ready.exists() == is_queued
