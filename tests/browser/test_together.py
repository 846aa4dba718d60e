"""Listeners in a browser: a friend's song becomes a like, two agree, and three keep a household."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from syncify.simulator.server import Simulator
from tests.browser.pages import (
    barriers,
    follow,
    in_spotify,
    press,
    reload_until_it_has,
    sign_in_and_sync,
    until,
    window,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _pictures(simulator: Simulator, process_env: dict[str, str]) -> None:
    """The simulator draws the covers."""
    process_env["SPOTIFY_IMAGES_URL"] = simulator.accounts_url


def signed_in(browser: Browser, site: str, name: str) -> Page:
    """A window of its own for a listener whose first sync has ended."""
    page = window(browser)
    sign_in_and_sync(page, site, name)
    return page


def status_of(page: Page, address: str) -> int:
    response = page.goto(address)
    assert response is not None
    return response.status


def test_song_of_a_friend_becomes_a_like_with_two_presses(
    site: str, browser: Browser, simulator: Simulator
) -> None:
    page = signed_in(browser, site, "Ada")
    [playlist] = simulator.playlists("ada")
    simulator.advance(timedelta(seconds=5))  # no song may seem as old as the last look
    friend = window(browser)
    friend.goto(f"{simulator.accounts_url}/playlist/{playlist}")
    follow(friend.get_by_role("button", name="adds a song here"))
    liked = len(simulator.liked("ada"))

    page.get_by_role("button", name="Sync now").click()
    # Nobody loads the page again.
    expect(page.locator("#inbox-count")).to_contain_text("1")
    follow(page.get_by_role("link", name="Inbox"))
    assert barriers(page) == []
    press(page, "Dismiss")
    expect(page.get_by_text("Dismissed", exact=True)).to_be_visible()
    expect(page.locator("#inbox-count .count")).to_have_count(0)
    press(page, "Undo")
    expect(page.locator("#inbox-count .count")).to_be_visible()

    # The first like asks for the permission.
    follow(page.get_by_role("button", name="Like"))
    follow(page.get_by_role("button", name="Open Spotify"))
    follow(page.get_by_role("button", name="Agree"))
    expect(page).to_have_url(f"{site}/inbox/")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    until(page, lambda: len(simulator.liked("ada")) == liked + 1)
    reload_until_it_has(page, page.get_by_text("Liked", exact=True))
    assert barriers(page) == []


def test_two_listeners_agree_and_a_third_sees_nothing(
    site: str, browser: Browser, simulator: Simulator
) -> None:
    shared = simulator.liked("ada")[:40]
    simulator.set_liked("emil", *shared[20:], *simulator.liked("emil"))
    simulator.set_liked("bea", *shared, *[simulator.new_track() for _ in range(30)])
    ada, bea, emil = (signed_in(browser, site, name) for name in ("Ada", "Bea", "Emil"))

    ada.goto(f"{site}/together/")
    follow(ada.get_by_role("button", name="Make an invitation"))
    assert barriers(ada) == []
    address = ada.get_by_label("Address", exact=True).input_value()
    bea.goto(address)
    expect(bea.get_by_role("heading")).to_contain_text("Ada")
    assert barriers(bea) == []
    follow(bea.get_by_role("button", name="Agree"))
    expect(bea.get_by_role("heading", name="40 songs in common")).to_be_visible()
    pair = bea.url
    follow(bea.get_by_role("button", name="Show my newest likes"))

    ada.goto(pair)
    follow(ada.get_by_role("button", name="The newest likes of each in turn"))
    expect(ada.get_by_text("The sync that starts now makes the playlist")).to_be_visible()
    whose = ada.get_by_text("Whose songs these are")
    reload_until_it_has(ada, whose)
    whose.click()
    expect(ada.locator(".whose li").first).to_be_visible()
    expect(ada.get_by_role("heading", name="Newest likes of")).to_be_visible()
    assert barriers(ada) == []

    for path in (pair, address):
        assert status_of(emil, path) == 404

    bea.reload()
    bea.get_by_text("End this…").click()
    follow(bea.get_by_role("button", name="End it with"))
    expect(bea.get_by_text("Ended.")).to_be_visible()
    assert status_of(ada, pair) == 404
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
    ada, bea, emil, dora = (
        signed_in(browser, site, name) for name in ("Ada", "Bea", "Emil", "Dora")
    )

    # Two presses: one starts it, one agrees.
    ada.goto(f"{site}/together/")
    follow(ada.get_by_role("button", name="Start a household"))
    address = ada.get_by_label("Address", exact=True).input_value()
    assert barriers(ada) == []
    bea.goto(address)
    assert barriers(bea) == []
    follow(bea.get_by_role("button", name="Agree"))
    expect(bea.get_by_text("You are a member.")).to_be_visible()
    household = bea.url
    wait_for_songs(ada, simulator, "Household of Ada: newest likes", "ada", "bea")

    # Emil waits until Bea agrees to him.
    ada.goto(household)
    follow(ada.get_by_role("button", name="Invite somebody"))
    address = ada.get_by_label("Address", exact=True).input_value()
    emil.goto(address)
    follow(emil.get_by_role("button", name="Agree"))
    expect(emil.get_by_text("waits until all agree")).to_be_visible()
    expect(emil.get_by_role("button", name="Everybody’s, newest first")).to_have_count(0)
    bea.reload()
    assert barriers(bea) == []
    follow(bea.get_by_role("button", name="Agree to share with them"))
    wait_for_songs(ada, simulator, "Household of Ada: newest likes", "ada", "bea", "emil")
    emil.reload()
    expect(emil.get_by_role("button", name="Everybody’s, newest first")).to_be_visible()

    # The page shows what the sync stores, which is after what it writes to Spotify.
    owners = ada.locator(".whose .small")
    ada.goto(household)
    reload_until_it_has(ada, owners.get_by_text("Emil", exact=True))
    ada.get_by_text("Whose songs these are").click()
    for owner, count in (("You", 4), ("Bea", 6), ("Emil", 3)):
        expect(owners.get_by_text(owner, exact=True)).to_have_count(count)
    assert barriers(ada) == []

    for path in (household, address):
        assert status_of(dora, path) == 404

    bea.reload()
    bea.get_by_text("Leave…").click()
    follow(bea.get_by_role("button", name="Leave it"))
    expect(bea.get_by_text("You left.")).to_be_visible()
    wait_for_songs(ada, simulator, "Household of Ada: newest likes", "ada", "emil")

    ada.reload()
    ada.get_by_text("End this household…").click()
    follow(ada.get_by_role("button", name="End it"))
    wait_for_songs(ada, simulator, "Household of Ada: newest likes")
    assert status_of(emil, household) == 404
