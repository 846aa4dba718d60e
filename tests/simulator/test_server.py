"""The simulator as a server."""

import time

import pytest
import requests

from syncify.simulator.server import Simulator
from tests.simulator.callers import Caller


def test_a_stopped_server_ends_its_connections_and_comes_back_on_the_same_port() -> None:
    spotify = Simulator().start()
    ada, url = Caller(spotify, "ada"), spotify.api_url
    ada.get("me")

    spotify.stop()
    with pytest.raises(requests.ConnectionError):
        ada("GET", f"{url}me")
    with spotify:
        again = ada("GET", "me")

    assert again.json()["id"] == "ada"


def test_hundreds_of_requests_a_second_are_no_trouble(spotify: Simulator) -> None:
    """Not a measurement: a server without TCP_NODELAY would need 40 ms for nearly each of these."""
    cleo, took = Caller(spotify, "cleo"), []

    for offset in range(0, 10_500, 50):
        began = time.monotonic()
        cleo.get("me/tracks", limit=50, offset=offset)
        took.append(time.monotonic() - began)

    assert spotify.count() == 210
    assert sorted(took)[40] < 0.04  # the rest may wait for a busy machine
