"""Fixtures of the tests of accounts."""

from collections.abc import Iterator

import pytest

from accounts.models import User
from accounts.signals import spotify_connected
from tests.stand_in import stand_in


@pytest.fixture
def connected() -> Iterator[list[tuple[str, bool]]]:
    """Each ``spotify_connected``: who, and whether for the first time."""
    heard: list[tuple[str, bool]] = []

    def hear(user: User, first: bool, **_: object) -> None:
        heard.append((user.spotify_id, first))

    spotify_connected.connect(hear)
    yield heard
    spotify_connected.disconnect(hear)


__all__ = ["connected", "stand_in"]
