"""All of Syncify as a listener meets it: real processes and browser, and a simulated Spotify."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from syncify.simulator.server import Simulator

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parent.parent.parent
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
PHONE = {"width": 390, "height": 844}
A_WHILE = 60_000  # milliseconds


@contextmanager
def process(*command: str, env: dict[str, str]) -> Iterator[None]:
    running = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env)  # noqa: S603
    try:
        yield
    finally:
        running.terminate()
        running.wait(20)


@pytest.fixture
def chromium() -> str:
    names = ["chromium", "chromium-browser", "google-chrome"]
    if found := next(filter(None, map(shutil.which, names)), None):
        return found
    reason = "no Chromium was found: install one to run the browser test"
    if os.environ.get("SYNCIFY_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def site(chromium: str, process_env: dict[str, str]) -> Iterator[str]:
    """The address of a web server that has a worker beside it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    env = {**process_env, "SYNCIFY_BASE_URL": address}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        cwd=ROOT,
        env=env,
        check=True,
    )
    with (
        process("-m", "gunicorn", f"--bind=127.0.0.1:{port}", env=env),
        process("manage.py", "runworker", env=env),
    ):
        with requests.Session() as session:
            patient = HTTPAdapter(max_retries=Retry(total=10, backoff_factor=0.1))
            session.mount("http://", patient)
            assert session.get(f"{address}/healthz", timeout=10).text == "ok\n"
        yield address


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser.new_page(viewport=PHONE)
        browser.close()


# ``page`` comes after ``site``, so that it ends before: Django refuses the database, which the
# fixtures of ``site`` clean, to a thread in which Playwright runs.
def test_a_listener_signs_in_watches_the_first_sync_and_gets_the_playlist(
    site: str, page: Page, simulator: Simulator
) -> None:
    def is_ours(line: ConsoleMessage) -> bool:
        return line.type == "error" and line.location["url"].startswith(site)

    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: is_ours(line) and complaints.append(line.text))
    simulator.behaviour.latency = timedelta(milliseconds=150)

    page.goto(site)
    page.get_by_role("button", name="Sign in with Spotify").click()
    assert urlsplit(page.url).netloc == urlsplit(simulator.accounts_url).netloc
    page.get_by_role("radio", name="Bea").check()
    page.get_by_role("button", name="Agree").click()
    expect(page).to_have_url(f"{site}/")

    # Nobody has pressed a button, and nobody loads the page again.
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=A_WHILE)
    expect(page.locator("#sentence")).to_contain_text("Your playlist is ready", timeout=A_WHILE)
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    expect(page.get_by_text("1,250 songs, newest first")).to_be_visible()

    [playlist] = simulator.playlists("bea")
    liked = [f"spotify:track:{song.id}" for song in simulator.saved("bea")]
    assert simulator.playlist_uris(playlist) == liked
    link = page.get_by_role("link", name="Open in Spotify").get_attribute("href")
    assert link is not None
    assert link.endswith(f"/playlist/{playlist}")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in with Spotify")).to_be_visible()
    assert complaints == []
