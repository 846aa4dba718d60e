"""A call ends in time, however slowly its answer comes in."""

import threading
import time
from collections.abc import Iterator

import pytest
import requests

from syncify.simulator.server import Simulator
from syncify.spotify.calls import READ_TRIES
from syncify.spotify.deadline import DeadlineSession
from syncify.spotify.errors import OutcomeUnknown, Unavailable
from syncify.spotify.waits import CALL_DEADLINE
from tests.spotify.clients import Spotify
from tests.waiting import PATIENCE

#: Much later than the deadlines below, and much sooner than the answers would be whole.
SOON = 15.0


@pytest.fixture
def session() -> Iterator[DeadlineSession]:
    with DeadlineSession(0.4) as session:
        yield session


def test_a_call_may_take_half_a_minute() -> None:
    assert CALL_DEADLINE == 30


def test_an_answer_that_drips_ends_at_the_deadline(
    session: DeadlineSession, simulator: Simulator
) -> None:
    simulator.fault("drip", seconds=0.2, path="/v1/me")  # headers alone would take 40 s
    started, threads = time.monotonic(), threading.active_count()

    with pytest.raises(requests.RequestException):
        session.get(f"{simulator.api_url}me", timeout=(1, 5))

    assert 0.3 < time.monotonic() - started < SOON
    assert threading.active_count() <= threads + 1  # the simulator's own, that still drips


def test_a_body_that_drips_ends_at_the_deadline(
    session: DeadlineSession, simulator: Simulator
) -> None:
    simulator.fault("drip", seconds=0.001, path="/v1/me")  # headers come, 2 kB of body do not
    headers = {"Authorization": f"Bearer {simulator.authorize('ada')['access_token']}"}
    started = time.monotonic()

    with pytest.raises(requests.RequestException):
        session.get(f"{simulator.api_url}me/tracks", headers=headers, timeout=(1, 5))

    assert time.monotonic() - started < SOON


def test_an_answer_that_comes_in_time_is_whole(
    session: DeadlineSession, simulator: Simulator
) -> None:
    for _ in range(3):  # over one connection, too
        answer = session.get(f"{simulator.api_url}me", timeout=(1, 5))
        assert answer.json()["error"]["message"] == "No token provided"


def test_a_timeout_between_two_bytes_still_counts(simulator: Simulator) -> None:
    simulator.fault("hang", seconds=PATIENCE, path="/v1/me")
    started = time.monotonic()

    with DeadlineSession() as session, pytest.raises(requests.ReadTimeout):
        session.get(f"{simulator.api_url}me", timeout=(1, 0.2))

    assert time.monotonic() - started < SOON


def test_a_redirect_is_not_followed(session: DeadlineSession, simulator: Simulator) -> None:
    simulator.fault("status", code=302, path="/v1/me")

    assert session.get(f"{simulator.api_url}me", timeout=(1, 5)).status_code == 302


def test_dripping_answers_are_trouble_and_no_hanging_thread(
    simulator: Simulator, playlist_id: str
) -> None:
    spotify = Spotify(simulator, deadline=0.3, timeout=(1, 5))
    simulator.fault("drip", seconds=0.2, times=0)
    started = time.monotonic()

    with pytest.raises(Unavailable):
        spotify.me()
    with pytest.raises(OutcomeUnknown):
        spotify.add_items(playlist_id, simulator.liked("ada")[:1], 0)

    assert time.monotonic() - started < SOON
    assert spotify.calls == READ_TRIES + 1


def test_silence_ends_at_the_deadline_too(session: DeadlineSession, simulator: Simulator) -> None:
    simulator.fault("hang", seconds=PATIENCE, path="/v1/me")
    started = time.monotonic()

    with pytest.raises(requests.RequestException):
        session.get(f"{simulator.api_url}me", timeout=(1, 5))

    assert time.monotonic() - started < SOON
