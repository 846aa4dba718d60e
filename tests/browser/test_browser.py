"""All of Syncify as a listener meets it: real processes and browser, and a simulated Spotify."""

import signal
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, expect

from accounts.models import User
from sync.mirrors.services import pause_mirror
from syncify.simulator.server import Simulator
from tests.processes import WebServer, web_server
from tests.waiting import at_once

pytestmark = [pytest.mark.browser, pytest.mark.slow]

A_WHILE = 60_000  # milliseconds


def sign_in(page: Page, site: str) -> None:
    page.goto(site)
    page.get_by_role("button", name="Sign in with Spotify").click()
    page.get_by_role("radio", name="Bea").check()
    page.get_by_role("button", name="Agree").click()
    expect(page).to_have_url(f"{site}/")


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
    expect(page.locator(".sentence")).to_contain_text("Your playlist is ready", timeout=A_WHILE)
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


def cards_of(paths: list[str]) -> list[str]:
    return [path for path in paths if path.endswith("/card/")]


def asked_for(page: Page) -> list[str]:
    """The paths that a page asks for from now on."""
    paths: list[str] = []
    page.on("request", lambda request: paths.append(urlsplit(request.url).path))
    return paths


def is_failed_stream(request: Request) -> bool:
    return "/events/" in request.url


def pause_elsewhere() -> None:
    """As from another device; in a thread, as Django refuses the database to Playwright's."""

    at_once(lambda: pause_mirror(User.objects.get()))


def hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_a_page_shows_what_another_did_without_asking_for_it(
    site: str, page: Page, simulator: Simulator
) -> None:
    sign_in(page, site)
    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)
    other = page.context.new_page()
    asked = asked_for(other)
    other.goto(site)
    other.get_by_role("button", name="Pause").focus()
    simulator.behaviour.latency = timedelta(milliseconds=500)

    page.get_by_role("button", name="Sync now").click()

    expect(other.get_by_role("button", name="Cancel")).to_be_visible()
    expect(other.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)
    # The card was replaced under it.
    expect(other.get_by_role("button", name="Pause")).to_be_focused()
    assert (asked.count("/events/"), len(cards_of(asked))) == (1, 0)

    page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("button", name="Sign in with Spotify")).to_be_visible()


def test_a_hidden_page_holds_no_stream_and_catches_up_when_it_is_seen(
    site: str, page: Page, simulator: Simulator
) -> None:
    sign_in(page, site)
    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)

    with page.expect_event("requestfailed", is_failed_stream):
        hide(page, hidden=True)
    pause_elsewhere()
    hide(page, hidden=False)

    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_page_survives_a_restart_of_the_web_server(
    server: WebServer, site: str, page: Page, process_env: dict[str, str], tmp_path: Path
) -> None:
    sign_in(page, site)
    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)

    server.send(signal.SIGTERM)
    server.ends()
    pause_elsewhere()

    with web_server(tmp_path / "again.log", process_env, server.port):
        expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=A_WHILE)


def test_a_page_without_a_stream_polls(site: str, page: Page) -> None:
    page.route("**/events/?*", lambda route: route.fulfill(status=503))
    asked = asked_for(page)
    sign_in(page, site)

    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)
    assert 1 <= len(cards_of(asked)) <= 4


def test_a_first_visit_to_the_dashboard_is_light(site: str, page: Page) -> None:
    sign_in(page, site)
    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)
    browser = page.context.browser
    assert browser is not None
    newcomer = browser.new_context(storage_state=page.context.storage_state()).new_page()
    wire, received = newcomer.context.new_cdp_session(newcomer), list[float]()
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda each: received.append(each["encodedDataLength"]))

    newcomer.goto(site, wait_until="load")
    expect(newcomer.locator(".cover")).to_be_visible()

    assert len(received) >= 5  # the page, the stylesheet, two scripts, pictures
    assert sum(received) <= 60_000


def test_everything_works_without_script(site: str, page: Page, simulator: Simulator) -> None:
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False).new_page()
    simulator.behaviour.latency = timedelta(milliseconds=200)
    sign_in(plain, site)

    while plain.get_by_role("button", name="Sync now").is_hidden():
        plain.get_by_role("link", name="Show the progress").click()
    expect(plain.locator(".sentence")).to_have_text("Your playlist is ready")

    plain.get_by_role("button", name="Pause").click()
    expect(plain.locator(".sentence")).to_have_text("Paused")
    plain.get_by_role("button", name="Resume").click()
    plain.get_by_role("link", name="Settings").click()
    plain.get_by_label("Name", exact=True).fill("Hearts")
    plain.get_by_role("button", name="Save").click()
    expect(plain.get_by_text("Saved.")).to_be_visible()
    plain.get_by_role("navigation", name="Main").get_by_role("link", name="Home").click()
    plain.get_by_role("link", name="All syncs").click()
    expect(plain.get_by_text("First copy: 1,250 new")).to_be_visible()
    plain.get_by_role("button", name="Sign out").click()
    expect(plain.get_by_role("button", name="Sign in with Spotify")).to_be_visible()


def test_the_keyboard_alone_is_enough(site: str, page: Page, simulator: Simulator) -> None:
    def press_until(name: str) -> None:
        """Move on with Tab to the button called ``name``, and press it."""
        expect(page.get_by_role("button", name=name)).to_be_visible(timeout=A_WHILE)
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == name:
                page.keyboard.press("Enter")
                return
        raise AssertionError(f"{name} cannot be reached")

    page.goto(site)
    press_until("Sign in with Spotify")
    press_until("Agree")  # as Ada, who is chosen at first
    expect(page).to_have_url(f"{site}/")
    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)
    simulator.behaviour.latency = timedelta(milliseconds=500)

    press_until("Sync now")

    # The button is gone; what became of it is read out, and is where the keyboard goes on.
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.locator(".sentence")).to_be_focused()
    expect(page.locator("#announcer")).not_to_be_empty()
    press_until("Cancel")
    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)
    expect(page.locator(".sentence")).to_be_focused()
