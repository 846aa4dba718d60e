"""What the browser tests do with pages: open, follow, wait, sign in, and look for barriers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db.models import F
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from accounts.models import User
from sync.models import SyncRequest
from syncify.simulator.server import Simulator
from tests.builders import as_user
from tests.waiting import PATIENCE, at_once, wait_until

PHONE: ViewportSize = {"width": 390, "height": 844}
#: The narrowest phone, which is also a desktop window at 400 % zoom.
NARROW: ViewportSize = {"width": 320, "height": 640}

expect.set_options(timeout=PATIENCE * 1000)

#: The browser is to speak to this machine alone.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# --- Windows -------------------------------------------------------------------------------------


@contextmanager
def started(chromium: str, *flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags])
        yield browser
        browser.close()


def window(
    browser: Browser, site: str = "", cookies: Mapping[str, str] | None = None, **options: Any
) -> Page:
    """A page with a context of its own; ``cookies`` are sent to ``site``."""
    # Without animations: axe would report colours that are shown for a moment only.
    calm = {"viewport": PHONE, "reduced_motion": "reduce"}
    context = browser.new_context(**{**calm, **options})
    context.set_default_timeout(PATIENCE * 1000)
    give(context, site, cookies or {})
    return context.new_page()


def cookies_of(user: User) -> dict[str, str]:
    """The cookies of a browser in which ``user`` is signed in."""
    name = settings.SESSION_COOKIE_NAME
    return {name: as_user(user).cookies[name].value}


def give(context: BrowserContext, site: str, cookies: Mapping[str, str]) -> None:
    context.add_cookies([{"name": k, "value": v, "url": site} for k, v in cookies.items()])


def hear_errors(page: Page) -> list[str]:
    """The errors of the scripts of ``page`` from now on."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


# --- Waiting -------------------------------------------------------------------------------------


def until(page: Page, is_so: Callable[[], object]) -> None:
    """Wait until it is so, while the browser goes on."""
    wait_until(is_so, pause=lambda _: page.wait_for_timeout(250))


def reload_until_it_has(page: Page, sought: Locator) -> None:
    until(page, lambda: page.reload() and sought.count())


def follow(locator: Locator) -> None:
    """Click on what leads to another page, and wait until that is loaded.

    A click alone does not wait for the navigation that it starts: whatever comes next would
    meet the old page.
    """
    with locator.page.expect_navigation():
        locator.click()


def settled(page: Page) -> None:
    """Wait until the page is loaded, and htmx has put in what it asked for and hears it pressed."""
    page.wait_for_load_state()
    busy = page.locator(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")
    expect(busy).to_have_count(0)


def press(page: Page, name: str) -> None:
    """Press a button whose answer htmx puts into the page, and wait for that."""
    page.get_by_role("button", name=name).click()
    settled(page)


def elsewhere[T](work: Callable[[], T]) -> T:
    """Use the database; in a thread, as Django refuses it to the thread of Playwright."""
    [done] = at_once(work)
    return done


def previewed(page: Page) -> None:
    """Wait for the preview that a page asks for a moment after its last change.

    Call ``page.clock.install()`` before: here the moment passes.
    """
    settled(page)
    page.clock.run_for(500)
    settled(page)


# --- A listener ----------------------------------------------------------------------------------


def sign_in(page: Page, site: str, name: str) -> None:
    """Sign in as ``name`` of the cast of the simulator; the first sync begins."""
    page.goto(site)
    follow(page.get_by_role("button", name="Sign in with Spotify"))
    page.get_by_role("radio", name=name).check()
    follow(page.get_by_role("button", name="Agree"))
    expect(page).to_have_url(f"{site}/")


def sign_in_and_sync(page: Page, site: str, name: str) -> None:
    """Sign in as ``name``, and wait until the first sync has ended."""
    sign_in(page, site, name)
    expect(page.locator(".sentence")).to_have_text("Your playlist is ready")
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()


def let_the_button_rest() -> None:
    """Make the last sync old enough for the next press of “Sync now”."""
    elsewhere(lambda: SyncRequest.objects.update(created=F("created") - timedelta(minutes=2)))


def in_spotify(simulator: Simulator, name: str) -> list[str | None]:
    """What the playlist of Ada with this name holds."""
    for playlist_id in simulator.playlists("ada"):
        if simulator.playlist(playlist_id).name == name:
            return simulator.playlist_uris(playlist_id)
    return []


# --- Barriers ------------------------------------------------------------------------------------


def barriers(page: Page) -> list[str]:
    """What axe finds, light and dark, and whether the page has to be moved sideways.

    The width is looked at in the window as it is, and in the narrowest.
    """
    settled(page)
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for violation in Axe().run(page).response["violations"]:
            places = [node["html"][:120] for node in violation["nodes"]]
            found.append(f"{page.url}, {scheme}: {violation['id']} {places}")
    page.emulate_media(color_scheme="null")
    usual = page.viewport_size
    assert usual is not None
    for size in (NARROW, usual):
        page.set_viewport_size(size)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > size["width"]:
            found.append(f"{page.url}: {width} pixels wide, in a window of {size['width']}")
    return found
