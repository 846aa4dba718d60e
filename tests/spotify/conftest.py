"""Ada's client, and a playlist of hers."""

from collections.abc import Iterator

import pytest

from syncify.simulator.server import Simulator
from tests.spotify.clients import Spotify
from tests.stand_in import stand_in

__all__ = ["stand_in"]


@pytest.fixture
def spotify(simulator: Simulator) -> Iterator[Spotify]:
    client = Spotify(simulator)
    yield client
    client.close()


@pytest.fixture
def playlist_id(simulator: Simulator) -> str:
    return simulator.create_playlist("ada", "Mirror", simulator.liked("ada")[:120])
