"""A database that goes away, comes back elsewhere, or takes no changes any more."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from sync.mirrors.services import request_sync
from sync.models import SyncRequest
from syncify.simulator.server import Simulator
from tests.builders import connect, make_user
from tests.driving import mirrored
from tests.forwarding import Forwarder
from tests.processes import Child, WebServer, free_port, web_server
from tests.scratch import address_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

#: Seconds: more than an answer takes on a busy machine, less than the 30 of psycopg's own timeout.
SOON = 15


@pytest.fixture
def forwarder() -> Iterator[Forwarder]:
    forwarder = Forwarder()
    forwarder.open()
    yield forwarder
    forwarder.close()


@pytest.fixture
def env(process_env: dict[str, str], forwarder: Forwarder) -> dict[str, str]:
    """A child process's environment, with two hosts: one is down, the other can be taken away."""
    name = connection.settings_dict["NAME"]
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{forwarder.port}"
    url = f"postgresql://postgres@{hosts}/{name}?target_session_attrs=read-write"
    return {**process_env, "DATABASE_URL": url}


def health(server: WebServer) -> tuple[int, float]:
    """Status of /healthz, and the seconds that it took."""
    asking, began = HTTPConnection("127.0.0.1", server.port, timeout=60), time.monotonic()
    try:
        asking.request("GET", "/healthz")
        return asking.getresponse().status, time.monotonic() - began
    finally:
        asking.close()


# --- A server that takes no changes -------------------------------------------------------------


@pytest.fixture
def read_only() -> Iterator[None]:
    """As on a standby, for all sessions from now on."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(address_of("postgres"), autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        connection.close()
        yield
        server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    connection.close()


def test_a_server_that_takes_no_changes_is_a_lost_database(read_only: None) -> None:
    with pytest.raises(OperationalError, match="read-only"):
        make_user("ada")

    assert connection.connection.closed


def test_a_transaction_on_it_is_rolled_back_and_the_next_one_finds_another_server(
    read_only: None,
) -> None:
    with pytest.raises(OperationalError, match="read-only"), transaction.atomic():
        make_user("ada")

    connection.close_if_unusable_or_obsolete()
    assert not SyncRequest.objects.exists()


def test_it_is_not_healthy(client: Client, read_only: None) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (503, b"database takes no changes\n")


def test_a_worker_waits_until_it_takes_changes(
    tmp_path: Path, process_env: dict[str, str], simulator: Simulator
) -> None:
    ada = connect(simulator, "ada")
    request_sync(user=ada)
    name = connection.settings_dict["NAME"]
    with psycopg.connect(address_of("postgres"), autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        connection.close()
        worker = Child(tmp_path / "log", process_env, "manage.py", "runworker", "--with-scheduler")
        try:
            worker.says("database lost step=start")
            worker.says("database lost step=schedule")

            server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
            # Its pauses may have grown to half a minute.
            wait_until(SyncRequest.objects.filter(state="succeeded").exists, lambda: worker.log)
        finally:
            server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
            worker.close()

    assert mirrored(simulator, ada) == simulator.liked("ada")


# --- Several hosts, and none --------------------------------------------------------------------


def test_a_command_finds_the_host_that_answers(
    tmp_path: Path, env: dict[str, str], simulator: Simulator
) -> None:
    ada = connect(simulator, "ada")
    request_sync(user=ada)
    worker = Child(tmp_path / "log", env, "manage.py", "runworker", "--drain")

    status = worker.ends()
    worker.close()

    assert status == 0, worker.log
    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_health_tells_soon_that_the_database_is_away_and_that_it_is_back(
    tmp_path: Path, env: dict[str, str], forwarder: Forwarder
) -> None:
    with web_server(tmp_path / "log", env) as server:
        forwarder.close()
        for _ in range(3):
            status, took = health(server)
            assert status == 503
            assert took < SOON
        time.sleep(5)  # long enough for pauses between attempts to grow

        forwarder.open()
        began = time.monotonic()
        wait_until(lambda: health(server)[0] == 200, lambda: server.log)
        assert time.monotonic() - began < 5
