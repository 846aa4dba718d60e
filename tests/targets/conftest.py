"""A listener, and the stand-in of each service, which the settings name."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from syncify.simulator.listenbrainz import ListenBrainz
from syncify.simulator.subsonic import MusicServer
from tests.builders import make_user
from tests.targets.scenes import song


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada")


@pytest.fixture
def server(settings: Any) -> Iterator[MusicServer]:
    """Has the songs 0 to 19."""
    with MusicServer([song(number) for number in range(20)]) as running:
        settings.OFFERED_SERVER = running.url
        yield running


@pytest.fixture
def service(settings: Any) -> Iterator[ListenBrainz]:
    """Knows the songs 0 to 129."""
    with ListenBrainz() as running:
        settings.LISTENBRAINZ_URL = running.url
        for number in range(130):
            running.add(f"Song {number}", "Kiasmos")
        yield running
