"""All of Syncify as a listener meets it: real processes and browser, and a simulated Spotify."""

import signal
from datetime import timedelta
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect

from accounts.models import User
from sync.mirrors.services import pause_mirror
from syncify.simulator.server import Simulator
from tests.browser.pages import (
    elsewhere,
    follow,
    hear_errors,
    press,
    sign_in,
    sign_in_and_sync,
    until,
    window,
)
from tests.processes import WebServer, web_server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Of each answer of Spotify, so that a sync does not end before the test has seen it.
LONG = timedelta(seconds=2)


def test_a_listener_signs_in_watches_the_first_sync_and_gets_the_playlist(
    site: str, page: Page, simulator: Simulator
) -> None:
    def is_ours(line: ConsoleMessage) -> bool:
        return line.type == "error" and line.location["url"].startswith(site)

    complaints = hear_errors(page)
    page.on("console", lambda line: is_ours(line) and complaints.append(line.text))
    simulator.behaviour.latency = LONG

    page.goto(site)
    follow(page.get_by_role("button", name="Sign in with Spotify"))
    assert urlsplit(page.url).netloc == urlsplit(simulator.accounts_url).netloc
    page.get_by_role("radio", name="Bea").check()
    follow(page.get_by_role("button", name="Agree"))
    expect(page).to_have_url(f"{site}/")

    # Nobody has pressed a button, and nobody loads the page again.
    expect(page.get_by_role("progressbar")).to_be_visible()
    simulator.behaviour.latency = timedelta()
    expect(page.locator(".sentence")).to_contain_text("Your playlist is ready")
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    expect(page.get_by_text("1,250 songs, newest first")).to_be_visible()

    [playlist] = simulator.playlists("bea")
    liked = [f"spotify:track:{song.id}" for song in simulator.saved("bea")]
    assert simulator.playlist_uris(playlist) == liked
    link = page.get_by_role("link", name="Open in Spotify").get_attribute("href")
    assert link is not None
    assert link.endswith(f"/playlist/{playlist}")

    follow(page.get_by_role("button", name="Sign out"))
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
    """As from another device."""
    elsewhere(lambda: pause_mirror(User.objects.get()))


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
    sign_in_and_sync(page, site, "Bea")
    other = page.context.new_page()
    asked = asked_for(other)
    other.goto(site)
    other.get_by_role("button", name="Pause").focus()
    simulator.behaviour.latency = LONG

    page.get_by_role("button", name="Sync now").click()

    expect(other.get_by_role("button", name="Cancel")).to_be_visible()
    simulator.behaviour.latency = timedelta()
    expect(other.get_by_role("button", name="Sync now")).to_be_visible()
    # The card was replaced under it.
    expect(other.get_by_role("button", name="Pause")).to_be_focused()
    assert (asked.count("/events/"), len(cards_of(asked))) == (1, 0)

    follow(page.get_by_role("button", name="Sign out"))
    expect(other.get_by_role("button", name="Sign in with Spotify")).to_be_visible()


def test_a_refusal_is_shown_though_the_card_was_replaced_meanwhile(site: str, page: Page) -> None:
    def answer_after_the_next_card(route: Route) -> None:
        pause_elsewhere()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        route.continue_()

    sign_in_and_sync(page, site, "Ada")
    press(page, "Sync now")
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    page.route("**/sync/", answer_after_the_next_card)

    page.get_by_role("button", name="Sync now").click()

    expect(page.locator("#notice")).to_contain_text("Try again in")


def test_a_hidden_page_holds_no_stream_and_catches_up_when_it_is_seen(
    site: str, page: Page, simulator: Simulator
) -> None:
    sign_in_and_sync(page, site, "Bea")

    with page.expect_event("requestfailed", is_failed_stream):
        hide(page, hidden=True)
    pause_elsewhere()
    hide(page, hidden=False)

    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_page_survives_a_restart_of_the_web_server(
    server: WebServer, site: str, page: Page, process_env: dict[str, str], tmp_path: Path
) -> None:
    sign_in_and_sync(page, site, "Bea")

    server.send(signal.SIGTERM)
    server.ends()
    pause_elsewhere()

    with web_server(tmp_path / "again.log", process_env, server.port):
        expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_page_without_a_stream_polls(site: str, page: Page, simulator: Simulator) -> None:
    page.route("**/events/?*", lambda route: route.fulfill(status=503))
    asked, began = asked_for(page), monotonic()
    simulator.behaviour.latency = LONG
    sign_in(page, site, "Bea")

    until(page, lambda: cards_of(asked))
    simulator.behaviour.latency = timedelta()
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    # Soon after the stream failed, and then every ten seconds.
    assert len(cards_of(asked)) <= 2 + (monotonic() - began) / 10


def test_a_first_visit_to_the_dashboard_is_light(site: str, browser: Browser, page: Page) -> None:
    sign_in_and_sync(page, site, "Bea")
    newcomer = window(browser, storage_state=page.context.storage_state())
    wire, received = newcomer.context.new_cdp_session(newcomer), list[float]()
    wire.send("Network.enable")
    for event in ("Network.loadingFinished", "Network.loadingFailed"):
        wire.on(event, lambda each: received.append(each.get("encodedDataLength", 0)))

    newcomer.goto(site, wait_until="load")
    expect(newcomer.locator(".cover")).to_be_visible()

    # The browser may tell of the last ones late.
    parts = 1 + newcomer.evaluate("performance.getEntriesByType('resource').length")
    until(newcomer, lambda: len(received) >= parts)
    assert sum(size > 0 for size in received) >= 5  # page, stylesheet, two scripts, pictures
    assert sum(received) <= 60_000


def test_everything_works_without_script(site: str, browser: Browser, simulator: Simulator) -> None:
    plain = window(browser, java_script_enabled=False)
    simulator.behaviour.latency = LONG
    sign_in(plain, site, "Bea")

    progress = plain.get_by_role("link", name="Show the progress")
    follow(progress)
    simulator.behaviour.latency = timedelta()
    until(plain, lambda: progress.is_hidden() or follow(progress))
    expect(plain.get_by_role("button", name="Sync now")).to_be_visible()
    expect(plain.locator(".sentence")).to_have_text("Your playlist is ready")

    follow(plain.get_by_role("button", name="Pause"))
    expect(plain.locator(".sentence")).to_have_text("Paused")
    follow(plain.get_by_role("button", name="Resume"))
    follow(plain.get_by_role("link", name="Settings"))
    plain.get_by_label("Name", exact=True).fill("Hearts")
    follow(plain.get_by_role("button", name="Save"))
    expect(plain.get_by_text("Saved.")).to_be_visible()
    follow(plain.get_by_role("navigation", name="Main").get_by_role("link", name="Home"))
    follow(plain.get_by_role("link", name="All syncs"))
    expect(plain.get_by_text("First copy: 1,250 new")).to_be_visible()
    follow(plain.get_by_role("button", name="Sign out"))
    expect(plain.get_by_role("button", name="Sign in with Spotify")).to_be_visible()


def test_the_keyboard_alone_is_enough(site: str, page: Page, simulator: Simulator) -> None:
    def press_until(name: str) -> None:
        """Move on with Tab to the button called ``name``, and press it."""
        expect(page.get_by_role("button", name=name)).to_be_visible()
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == name:
                page.keyboard.press("Enter")
                return
        raise AssertionError(f"{name} cannot be reached")

    page.goto(site)
    with page.expect_navigation():
        press_until("Sign in with Spotify")
    with page.expect_navigation():
        press_until("Agree")  # as Ada, who is chosen at first
    expect(page).to_have_url(f"{site}/")
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    simulator.behaviour.latency = LONG

    press_until("Sync now")

    # The button is gone; what became of it is read out, and is where the keyboard goes on.
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.locator(".sentence")).to_be_focused()
    expect(page.locator("#announcer")).not_to_be_empty()
    press_until("Cancel")
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    expect(page.locator(".sentence")).to_be_focused()
