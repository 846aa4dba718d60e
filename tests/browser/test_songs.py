"""Songs, insights and history in a real browser: by mouse, by keyboard, without script."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, expect

from syncify.simulator.server import Simulator
from tests.browser.pages import NARROW, PHONE, barriers, follow, window
from tests.browser.states import State, cookies_for
from tests.library.rows import fill_library
from tests.processes import WebServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP = {"width": 1280, "height": 900}
PATHS = [
    *("/songs/", "/songs/?q=e&show=gone&sort=title", "/songs/?at=2025-05-01&since=2024-05-01"),
    *("/songs/again/", "/insights/", "/insights/2025/", "/sync/history/", "/"),
]


@pytest.fixture
def cookies(simulator: Simulator, process_env: dict[str, str]) -> Mapping[str, str]:
    """Of a listener with 240 songs, whose covers the simulator draws."""
    process_env["SPOTIFY_IMAGES_URL"] = simulator.accounts_url
    fill = lambda user: fill_library(user, songs=240, syncs=60, covers="https://i.scdn.co")  # noqa: E731
    return cookies_for(State("songs", arrange=fill))


@pytest.fixture
def site(cookies: Mapping[str, str], server: WebServer, process_env: dict[str, str]) -> str:
    return process_env["SYNCIFY_BASE_URL"]


def test_every_page_fits_every_screen_and_shuts_nobody_out(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    found: list[str] = []
    for size in (NARROW, PHONE, DESKTOP):
        page = window(browser, site, cookies, viewport=size)
        for path in PATHS:
            page.goto(f"{site}{path}")
            found += barriers(page)
        page.context.close()

    assert found == []


def test_search_answers_while_one_types_and_the_address_follows(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    page = window(browser, site, cookies)
    page.goto(f"{site}/songs/")
    name = page.locator(".like .song").nth(5).inner_text()

    box = page.get_by_role("searchbox", name="Search your songs")
    box.press_sequentially(name.upper(), delay=15)

    expect(page.locator(".like .song").first).to_have_text(name)
    expect(page).to_have_url(f"{site}/songs/?{urlencode({'q': name.upper()})}")
    expect(page.get_by_role("status")).to_have_text(re.compile(r"\b\d+ songs?\b"))
    expect(box).to_be_focused()
    page.reload()
    expect(page.locator(".like .song").first).to_have_text(name)

    box.fill("nothing is called that")
    expect(page.get_by_text("No songs found.")).to_be_visible()
    follow(page.get_by_role("link", name="Show all songs"))
    expect(page.locator(".like")).to_have_count(100)


def test_filters_apply_at_once_and_are_taken_away_by_their_chips(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    page = window(browser, site, cookies)
    page.goto(f"{site}/songs/")
    page.get_by_text("Sort, filter, earlier days").click()

    page.get_by_label("Explicit").select_option("yes")

    expect(page).to_have_url(f"{site}/songs/?explicit=yes")
    chip = page.get_by_role("link", name="Explicit only")
    follow(chip)
    expect(page).to_have_url(f"{site}/songs/")
    expect(page.get_by_label("Explicit")).to_have_value("")


def test_more_songs_come_as_one_scrolls_each_once_with_covers(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    page = window(browser, site, cookies)
    page.goto(f"{site}/songs/")
    rows = page.locator(".like")
    expect(rows).to_have_count(100)

    every = int(page.get_by_role("status").inner_text().split()[0])
    for count in (200, every):
        page.locator(".likes-more").scroll_into_view_if_needed()
        expect(rows).to_have_count(count)

    addresses = [row.get_attribute("href") for row in page.locator(".like > a").all()]
    assert len(set(addresses)) == every > 200
    expect(page.locator(".likes-more")).to_have_count(0)
    expect(page.locator("img.art").first).not_to_have_js_property("naturalWidth", 0)


def test_all_of_it_works_without_script(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    page = window(browser, site, cookies, java_script_enabled=False)
    page.goto(f"{site}/songs/")
    name = page.locator(".like .song").first.inner_text()

    follow(page.get_by_role("link", name="More songs"))
    expect(page.locator(".like")).to_have_count(100)
    expect(page).to_have_url(f"{site}/songs/?page=2")
    page.get_by_role("searchbox").fill(name)
    follow(page.get_by_role("button", name="Search"))
    expect(page.locator(".like .song").first).to_have_text(name)
    follow(page.get_by_role("link", name=f"About {name}").first)
    expect(page.get_by_role("heading", level=1)).to_have_text(name)

    follow(page.get_by_role("link", name="Insights"))
    follow(page.locator("#months + .heat td a").first)
    expect(page.get_by_role("list", name="Filters")).to_contain_text("Liked in")
    page.goto(f"{site}/sync/history/")
    expect(page.get_by_text("nothing new")).not_to_have_count(0)
    follow(page.get_by_role("link", name="With changes"))
    expect(page.get_by_text("nothing new")).to_have_count(0)


def test_all_of_it_works_by_keyboard(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    page = window(browser, site, cookies, viewport=DESKTOP)
    page.goto(f"{site}/insights/")

    def press_until(name: str) -> None:
        for _ in range(200):
            page.keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.textContent.trim()")
            if name in focused:
                return
        pytest.fail(f"{name} cannot be reached")

    press_until("As numbers")
    page.keyboard.press("Enter")
    expect(page.locator("table.numbers").first).to_be_visible()
    page.locator(".bars-labels a").first.focus()
    decade = page.locator(".bars-labels a .visually-hidden").first.inner_text().split("s:")[0]
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site}/songs/?decade={decade}")
    press_until("Sort, filter")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Sort by")).to_be_hidden()  # it was open: a filter is in force


@pytest.mark.parametrize("name", ["songs.csv", "transfer.csv", "songs.jspf"])
def test_a_list_is_downloaded_under_its_name(
    site: str, cookies: Mapping[str, str], browser: Browser, name: str
) -> None:
    page = window(browser, site, cookies)
    page.goto(f"{site}/songs/?q=e")
    page.get_by_text("Download these").click()

    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).click()

    saved = waiting.value
    assert saved.suggested_filename.startswith("liked-songs-of-songs-e-")
    text = saved.path().read_text(encoding="utf-8-sig")
    shown = int(page.get_by_role("status").inner_text().split()[0])
    lines = text.count("https://open.spotify.com/track/") or text.count("spotify:track:")
    assert lines in {shown, 2 * shown}


def test_a_phone_has_the_places_at_the_bottom(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    page = window(browser, site, cookies)
    page.goto(f"{site}/")

    box = page.get_by_role("navigation", name="Main").bounding_box()

    assert box is not None
    assert (round(box["x"]), round(box["y"] + box["height"])) == (0, 844)
    follow(page.get_by_role("link", name="Songs", exact=True))
    expect(page.locator("[aria-current=page]")).to_have_text("Songs")


def test_without_script_a_day_of_the_library_becomes_a_playlist(
    site: str, cookies: Mapping[str, str], browser: Browser
) -> None:
    page = window(browser, site, cookies, java_script_enabled=False)
    page.goto(f"{site}/songs/?at=2025-05-01")

    follow(page.get_by_role("link", name="Make a playlist of this"))
    expect(page.get_by_label("Name", exact=True)).to_have_value("My likes of 1 May 2025")
    follow(page.get_by_role("button", name="Make this playlist"))

    expect(page.get_by_role("heading", level=1)).to_have_text("My likes of 1 May 2025")
    expect(page.locator(".rule-sentence")).to_contain_text("as of 1 May 2025")
