"""Listeners in a browser: a friend's song becomes a like, two agree, and three keep a household."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from syncify.simulator.server import Simulator
from tests.browser.conftest import started, until
from tests.browser.states import PHONE
from tests.browser.test_playlists import in_spotify

pytestmark = [pytest.mark.browser, pytest.mark.slow]

A_WHILE = 60_000  # milliseconds
CAST = ("Ada", "Bea", "Emil", "Dora")


@pytest.fixture(autouse=True)
def _pictures(simulator: Simulator, process_env: dict[str, str]) -> None:
    """The simulator draws the covers."""
    process_env["SPOTIFY_IMAGES_URL"] = simulator.accounts_url


@pytest.fixture
def browser(site: str, chromium: str) -> Iterator[Browser]:
    """Comes after ``site``, so that it ends before."""
    with started(chromium) as browser:
        yield browser


def signed_in(browser: Browser, site: str, name: str) -> Page:
    """A window of its own for a listener whose first sync has ended."""
    page = browser.new_context(viewport=PHONE).new_page()
    page.goto(site)
    page.get_by_role("button", name="Sign in with Spotify").click()
    page.get_by_role("radio", name=name).check()
    page.get_by_role("button", name="Agree").click()
    expect(page.get_by_role("button", name="Sync now")).to_be_visible(timeout=A_WHILE)
    return page


def barriers(page: Page) -> list[str]:
    """What axe finds in light and dark, and whether a phone has to be moved sideways."""
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [
            f"{scheme}: {violation['id']} {[n['html'][:120] for n in violation['nodes']][:3]}"
            for violation in Axe().run(page).response["violations"]
        ]
    page.set_viewport_size({"width": 320, "height": 640})
    if (width := page.evaluate("document.documentElement.scrollWidth")) > 320:
        found.append(f"{width} pixels wide")
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="light")
    return found


def test_song_of_a_friend_becomes_a_like_with_two_presses(
    site: str, browser: Browser, simulator: Simulator
) -> None:
    page = signed_in(browser, site, "Ada")
    [playlist] = simulator.playlists("ada")
    simulator.advance(timedelta(seconds=5))  # no song may seem as old as the last look
    friend = browser.new_page()
    friend.goto(f"{simulator.accounts_url}/playlist/{playlist}")
    friend.get_by_role("button", name="adds a song here").click()
    liked = len(simulator.liked("ada"))

    page.get_by_role("button", name="Sync now").click()
    # Nobody loads the page again.
    expect(page.locator("#inbox-count")).to_contain_text("1", timeout=A_WHILE)
    page.get_by_role("link", name="Inbox").click()
    assert barriers(page) == []
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("Dismissed", exact=True)).to_be_visible()
    expect(page.locator("#inbox-count .count")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#inbox-count .count")).to_be_visible()

    # The first like asks for the permission.
    page.get_by_role("button", name="Like").click()
    page.get_by_role("button", name="Open Spotify").click()
    page.get_by_role("button", name="Agree").click()
    expect(page).to_have_url(f"{site}/inbox/")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    until(page, lambda: len(simulator.liked("ada")) == liked + 1)
    until(page, lambda: page.reload() and page.get_by_text("Liked", exact=True).is_visible())
    assert barriers(page) == []


def test_two_listeners_agree_and_a_third_sees_nothing(
    site: str, browser: Browser, simulator: Simulator
) -> None:
    shared = simulator.liked("ada")[:40]
    simulator.set_liked("emil", *shared[20:], *simulator.liked("emil"))
    simulator.set_liked("bea", *shared, *[simulator.new_track() for _ in range(30)])
    ada, bea, emil = (signed_in(browser, site, name) for name in ("Ada", "Bea", "Emil"))

    ada.goto(f"{site}/together/")
    ada.get_by_role("button", name="Make an invitation").click()
    assert barriers(ada) == []
    address = ada.get_by_label("Address", exact=True).input_value()
    bea.goto(address)
    expect(bea.get_by_role("heading")).to_contain_text("Ada")
    assert barriers(bea) == []
    bea.get_by_role("button", name="Agree").click()
    expect(bea.get_by_role("heading", name="40 songs in common")).to_be_visible()
    pair = bea.url
    bea.get_by_role("button", name="Show my newest likes").click()

    ada.goto(pair)
    ada.get_by_role("button", name="The newest likes of each in turn").click()
    expect(ada.get_by_text("The sync that starts now makes the playlist")).to_be_visible()
    whose = ada.get_by_text("Whose songs these are")
    until(ada, lambda: ada.reload() and whose.is_visible())
    whose.click()
    expect(ada.locator(".whose li").first).to_be_visible()
    expect(ada.get_by_role("heading", name="Newest likes of")).to_be_visible()
    assert barriers(ada) == []

    for path in (pair, address):
        response = emil.goto(path)
        assert response is not None
        assert response.status == 404

    bea.reload()
    bea.get_by_text("End this…").click()
    bea.get_by_role("button", name="End it with").click()
    expect(bea.get_by_text("Ended.")).to_be_visible()
    response = ada.goto(pair)
    assert response is not None
    assert response.status == 404
    [both, _] = simulator.playlists("ada")
    until(ada, lambda: simulator.playlist_uris(both) == [])


def wait_for_songs(page: Page, simulator: Simulator, name: str, *owners: str) -> None:
    """Until the playlist of Ada holds the likes of exactly these listeners."""
    wanted = {uri for owner in owners for uri in simulator.liked(owner)}
    until(page, lambda: set(in_spotify(simulator, name)) == wanted)


def test_three_keep_a_household_and_a_fourth_sees_nothing(
    site: str, browser: Browser, simulator: Simulator
) -> None:
    for name, size in (("ada", 4), ("bea", 6), ("emil", 3), ("dora", 2)):
        simulator.set_liked(name, *[simulator.new_track() for _ in range(size)])
    ada, bea, emil, dora = (signed_in(browser, site, name) for name in CAST)

    # Two presses: one starts it, one agrees.
    ada.goto(f"{site}/together/")
    ada.get_by_role("button", name="Start a household").click()
    address = ada.get_by_label("Address", exact=True).input_value()
    assert barriers(ada) == []
    bea.goto(address)
    assert barriers(bea) == []
    bea.get_by_role("button", name="Agree").click()
    expect(bea.get_by_text("You are a member.")).to_be_visible()
    household = bea.url
    wait_for_songs(ada, simulator, "Household of Ada: newest likes", "ada", "bea")

    # Emil waits until Bea agrees to him.
    ada.goto(household)
    ada.get_by_role("button", name="Invite somebody").click()
    address = ada.get_by_label("Address", exact=True).input_value()
    emil.goto(address)
    emil.get_by_role("button", name="Agree").click()
    expect(emil.get_by_text("waits until all agree")).to_be_visible()
    expect(emil.get_by_role("button", name="Everybody’s, newest first")).to_have_count(0)
    bea.reload()
    assert barriers(bea) == []
    bea.get_by_role("button", name="Agree to share with them").click()
    wait_for_songs(ada, simulator, "Household of Ada: newest likes", "ada", "bea", "emil")
    emil.reload()
    expect(emil.get_by_role("button", name="Everybody’s, newest first")).to_be_visible()

    ada.goto(household)
    ada.get_by_text("Whose songs these are").click()
    for owner, count in (("You", 4), ("Bea", 6), ("Emil", 3)):
        expect(ada.locator(".whose .small").get_by_text(owner, exact=True)).to_have_count(count)
    assert barriers(ada) == []

    for path in (household, address):
        response = dora.goto(path)
        assert response is not None
        assert response.status == 404

    bea.reload()
    bea.get_by_text("Leave…").click()
    bea.get_by_role("button", name="Leave it").click()
    expect(bea.get_by_text("You left.")).to_be_visible()
    wait_for_songs(ada, simulator, "Household of Ada: newest likes", "ada", "emil")

    ada.reload()
    ada.get_by_text("End this household…").click()
    ada.get_by_role("button", name="End it").click()
    wait_for_songs(ada, simulator, "Household of Ada: newest likes")
    response = emil.goto(household)
    assert response is not None
    assert response.status == 404
