"""Real processes, a real browser, and a walk through all there is to see."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sync.models import Process
from tests.browser.states import PHONE, STATES, Stop, cookies_for, stops
from tests.processes import ROOT, Child, WebServer, free_port, web_server
from tests.waiting import wait_until

# A busy machine is no failure.
expect.set_options(timeout=20_000)

#: It is to speak to this machine alone.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


@contextmanager
def started(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def until(page: Page, is_so: Callable[[], object]) -> None:
    """Wait until it is so, while the browser goes on."""
    wait_until(is_so, pause=lambda _: page.wait_for_timeout(250))


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with started(chromium) as browser:
        yield browser.new_context(viewport=PHONE).new_page()


@pytest.fixture
def walk(server: WebServer, process_env: dict[str, str], chromium: str) -> Iterator[Iterator[Stop]]:
    """Every page and state of ``states.py``, one after the other, each as a ``Stop``."""
    Process.objects.create(kind="worker", name="seems to run")
    # All rows come first: Django refuses the database to a thread in which Playwright runs.
    arranged = [(state, cookies_for(state)) for state in STATES]
    with started(chromium) as browser:
        yield stops(browser, process_env["SYNCIFY_BASE_URL"], arranged)
