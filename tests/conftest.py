"""Fixtures that many tests share: simulated Spotify, the cast, a child process's environment."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from syncify.simulator.server import Simulator
from tests.builders import connect
from tests.scratch import address_of


@pytest.fixture(scope="session")
def simulator_server() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_server: Simulator, settings: Any) -> Simulator:
    """Spotify as it is on the first day, with the settings pointing at it."""
    simulator_server.reset()
    settings.SPOTIFY_API_URL = simulator_server.api_url
    settings.SPOTIFY_ACCOUNTS_URL = simulator_server.accounts_url
    settings.SPOTIFY_AUTHORIZE_URL = f"{simulator_server.accounts_url}/authorize"
    return simulator_server


@pytest.fixture
def ada(db: None, simulator: Simulator) -> User:
    """Owns 180 Liked Songs and the mirror under test."""
    return connect(simulator, "ada")


@pytest.fixture
def bea(db: None, simulator: Simulator) -> User:
    """Must never see what is Ada's."""
    return connect(simulator, "bea")


@pytest.fixture
def process_env(simulator: Simulator, transactional_db: None) -> dict[str, str]:
    """The environment of a child process that shares the test's database and Spotify."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "syncify.settings",
        "DATABASE_URL": address_of(connection.settings_dict["NAME"]),
        "SPOTIFY_API_URL": simulator.api_url,
        "SPOTIFY_ACCOUNTS_URL": simulator.accounts_url,
        "PYTHONUNBUFFERED": "1",
    }
