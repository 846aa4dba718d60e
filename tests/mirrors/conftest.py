"""Fixtures of whole syncs."""

from collections.abc import Iterator

import pytest

from syncify.simulator.server import Simulator
from tests.mirrors.bystander import Bystander


@pytest.fixture
def bystander(db: None, simulator: Simulator) -> Iterator[Bystander]:
    """Likes twenty of Ada's songs; must be as before when the test ends."""
    bystander = Bystander(simulator, *simulator.liked("ada")[::9])
    yield bystander
    bystander.assert_untouched()
