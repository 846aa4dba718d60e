"""A simulator for each module, Ada as its caller, and songs called a to h."""

from collections.abc import Iterator

import pytest

from syncify.simulator.server import Simulator
from tests.simulator.callers import LOCAL, Caller


@pytest.fixture(scope="package")
def running() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def spotify(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def ada(spotify: Simulator) -> Iterator[Caller]:
    caller = Caller(spotify, "ada")
    yield caller
    caller.session.close()


@pytest.fixture
def letters(spotify: Simulator) -> dict[str, str]:
    """Uris of songs called a to h."""
    return {name: f"spotify:track:{spotify.new_track(name=name)}" for name in "abcdefgh"}


@pytest.fixture
def mixed(spotify: Simulator, letters: dict[str, str]) -> str:
    """A playlist of Ada's: a, b, a doubled, a null entry, a local file, c."""
    a, b, c = (letters[name] for name in "abc")
    return spotify.create_playlist("ada", "Mixed", [a, b, a, None, LOCAL, c])
