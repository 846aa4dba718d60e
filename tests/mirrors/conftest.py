"""Fixtures of whole syncs."""

from collections.abc import Iterator

import pytest

from accounts.models import User
from sync.mirrors import writer as playlists
from sync.queue.job import Job
from syncify.simulator.server import Simulator
from tests.builders import connect
from tests.driving import run
from tests.mirrors.bystander import Bystander


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a sync would have waited between two requests: nobody does."""
    naps: list[float] = []
    monkeypatch.setattr(playlists, "SETTLE", 0)
    monkeypatch.setattr(Job, "sleep", lambda _, seconds: naps.append(seconds))
    return naps


@pytest.fixture
def bystander(db: None, simulator: Simulator) -> Iterator[Bystander]:
    """Likes twenty of Ada's songs; must be as before when the test ends."""
    bystander = Bystander(simulator, *simulator.liked("ada")[::9])
    yield bystander
    bystander.assert_untouched()


@pytest.fixture
def emil(db: None, simulator: Simulator) -> User:
    """Likes ten songs."""
    simulator.set_liked("emil", *(simulator.new_track() for _ in range(10)))
    return connect(simulator, "emil")


@pytest.fixture
def mirror_of_emil(emil: User, simulator: Simulator) -> str:
    """The id of the playlist that a first sync has made; nothing is recorded of that."""
    assert run(emil, "scheduled").state == "succeeded"
    simulator.forget_requests()
    [playlist_id] = simulator.playlists("emil")
    return playlist_id
