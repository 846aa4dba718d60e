"""Each trouble that the demo can cause has its page state, and passes once all is well again."""

from datetime import timedelta

import pytest
import requests
from django.db.models import F
from django.test import Client
from django.utils import timezone

from accounts.models import User
from sync.models import SyncRequest
from sync.operations.unblock import ask_spotify_now
from syncify.demo import end_block_once_mended
from syncify.simulator.server import Simulator
from syncify.simulator.troubles import TROUBLES
from tests.accounts.signing_in import sign_in
from tests.builders import connect
from tests.driving import a_day_later, card, mirrored, run, run_again

pytestmark = pytest.mark.django_db

HALF_AN_HOUR = timedelta(minutes=30)

#: What is caused, the trigger of the sync that meets it, and the words and button that follow.
STATES = [
    ("down", "manual", "Spotify did not answer Your playlist stays as it is", "Try now"),
    ("quota", "manual", "Spotify asks us to wait Its quota of requests for today is", "Cancel"),
    ("premium", "manual", "Spotify has stopped this Syncify for now Spotify requires", "Cancel"),
    ("unlisted", "manual", "Spotify does not let you in here yet Your account", "Try again"),
    ("consent", "manual", "Spotify's permission has ended Your playlist and", "Sign in again"),
    ("playlist", "scheduled", "the playlist is no longer in your library Syncify looks", "Cancel"),
]


@pytest.fixture
def emil(db: None, simulator: Simulator) -> User:
    user = connect(simulator, "emil")
    run(user)
    a_day_later()
    return user


def cause(simulator: Simulator, what: str) -> int:
    address = f"{simulator.accounts_url}/simulator/listeners/emil/trouble"
    return requests.post(address, data={"what": what}, timeout=60).status_code


def test_every_trouble_has_its_state() -> None:
    assert {what for what, *_ in STATES} == TROUBLES.keys() - {"none"}


@pytest.mark.parametrize(("what", "trigger", "words", "button"), STATES)
def test_a_trouble_is_told_in_words_and_passes(
    emil: User,
    simulator: Simulator,
    client: Client,
    what: str,
    trigger: str,
    words: str,
    button: str,
) -> None:
    assert cause(simulator, what) == 200
    run(emil, trigger)

    page = card(client, emil)

    assert words in page
    assert button in page

    # The demo looks every half a second, before and after.
    mended = end_block_once_mended(simulator.accounts_url, 0)
    assert words in card(client, emil)
    assert cause(simulator, "none") == 200
    end_block_once_mended(simulator.accounts_url, mended)
    if what == "consent":
        sign_in(client, simulator, "emil")
    elif not SyncRequest.objects.filter(user=emil, completed=None).exists():
        ended = SyncRequest.objects.exclude(completed=None)
        ended.update(created=F("created") - timedelta(minutes=2))  # the button has rested
        client.post("/sync/")
    run_again(emil)
    assert "In step with your Liked Songs" in card(client, emil)
    assert mirrored(simulator, emil) == simulator.liked("emil")


@pytest.mark.parametrize("what", ["quota", "premium"])
def test_what_waits_for_a_block_starts_by_itself_when_all_is_well(
    emil: User, simulator: Simulator, client: Client, what: str
) -> None:
    cause(simulator, what)
    run(emil)
    assert SyncRequest.objects.filter(completed=None, run_at__gt=timezone.now() + HALF_AN_HOUR)
    cause(simulator, "none")

    mended = end_block_once_mended(simulator.accounts_url, 0)

    waiting = SyncRequest.objects.get(completed=None)
    assert waiting.run_at <= timezone.now()
    assert end_block_once_mended(simulator.accounts_url, mended) == mended == 1


def test_a_spotify_that_still_wants_silence_is_believed_again(
    emil: User, simulator: Simulator
) -> None:
    cause(simulator, "quota")
    run(emil)
    simulator.forget_requests()

    assert ask_spotify_now() == 1
    run_again(emil)

    assert simulator.count() == 1
    assert SyncRequest.objects.filter(completed=None, run_at__gt=timezone.now() + HALF_AN_HOUR)


def test_a_simulator_that_does_not_answer_ends_no_block() -> None:
    assert end_block_once_mended("http://127.0.0.1:1", 3) == 3


def test_a_trouble_that_does_not_exist_is_refused(simulator: Simulator) -> None:
    assert cause(simulator, "earthquake") == 400
