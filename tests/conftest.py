"""Fixtures that many tests share: simulated Spotify, the cast, a child process's environment."""

import json
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

from accounts.models import User
from sync.mirrors import adoption, mirror_sync
from sync.mirrors.planner import plan_mirror
from syncify.simulator.server import Simulator
from syncify.spotify.calls import quiet_times
from tests.builders import connect
from tests.fake_model import FakeModel, serving
from tests.scratch import address_of

# A busy machine is no failure, and examples may share the rows of a fixture; all else is as
# Hypothesis has it, here or in CI.
hypothesis.register_profile(
    "unhurried",
    hypothesis.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis.load_profile("unhurried")


@pytest.fixture(scope="session")
def simulator_server() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_server: Simulator, settings: Any) -> Simulator:
    """Spotify as it is on the first day, with the settings pointing at it."""
    simulator_server.reset()
    quiet_times.forget()
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


@pytest.fixture
def inbox(settings: Any) -> Iterator[list[dict[str, str]]]:
    """What a receiver on this machine was sent; ALERT_URLS lead to it."""
    received: list[dict[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        settings.ALERT_URLS = [f"json://127.0.0.1:{server.server_port}/"]
        yield received
        server.shutdown()


@pytest.fixture
def llm(settings: Any) -> Iterator[FakeModel]:
    """The language model that the settings name."""
    with serving() as fake:
        settings.LLM_URL, settings.LLM_MODEL = fake.url, "small"
        yield fake


@pytest.fixture
def small_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A playlist takes 60 songs, and hands down 20."""
    small = partial(plan_mirror, capacity=60, hand_down=20)
    monkeypatch.setattr(mirror_sync, "plan_mirror", small)
    monkeypatch.setattr(adoption, "PLAYLIST_CAPACITY", 60)
