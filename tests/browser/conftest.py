"""Real processes, a real browser, and a walk through all there is to see."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page

from sync.models import Process
from tests.browser.pages import started, window
from tests.browser.states import STATES, Stop, cookies_for, stops
from tests.processes import ROOT, Child, WebServer, free_port, web_server


@pytest.fixture
def chromium() -> str:
    names = ["chromium", "chromium-browser", "google-chrome"]
    if found := next(filter(None, map(shutil.which, names)), None):
        return found
    reason = "no Chromium was found: install one to run the browser test"
    if os.environ.get("SYNCIFY_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def static_files() -> None:
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "syncify.settings"},
        check=True,
    )


@pytest.fixture
def server(
    chromium: str, static_files: None, process_env: dict[str, str], tmp_path: Path
) -> Iterator[WebServer]:
    port = free_port()
    process_env["SYNCIFY_BASE_URL"] = f"http://127.0.0.1:{port}"
    with web_server(tmp_path / "web.log", process_env, port) as server:
        yield server


@pytest.fixture
def site(server: WebServer, process_env: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The address of a web server that has a worker beside it."""
    worker = Child(tmp_path / "worker.log", process_env, "manage.py", "runworker")
    yield process_env["SYNCIFY_BASE_URL"]
    worker.close()


@pytest.fixture
def browser(site: str, chromium: str) -> Iterator[Browser]:
    """Ends before ``site``, whose fixtures clean the database: Django refuses it to Playwright."""
    with started(chromium) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Page:
    return window(browser)


@pytest.fixture
def walk(server: WebServer, process_env: dict[str, str], chromium: str) -> Iterator[Iterator[Stop]]:
    """Every page and state of ``states.py``, one after the other, each as a ``Stop``."""
    # It must seem to run until the walk is over, however slow the machine is.
    tomorrow = timezone.now() + timedelta(days=1)
    Process.objects.create(kind="worker", name="seems to run", alive_until=tomorrow)
    # All rows come first: Django refuses the database to a thread in which Playwright runs.
    arranged = [(state, cookies_for(state)) for state in STATES]
    with started(chromium) as browser:
        yield stops(browser, process_env["SYNCIFY_BASE_URL"], arranged)
