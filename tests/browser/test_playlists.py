"""A listener makes a playlist by a sentence, and it follows their likes."""

from time import sleep

import pytest
from playwright.sync_api import Page, Route, expect

from syncify.simulator.server import Simulator
from tests.browser.pages import (
    barriers,
    follow,
    hear_errors,
    in_spotify,
    let_the_button_rest,
    press,
    previewed,
    settled,
    sign_in_and_sync,
    until,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NINETIES = ("1990", "2000")


def nineties(simulator: Simulator) -> list[str]:
    """Ada's likes that were released in the nineties, newest first."""
    songs = [simulator.known_song(saved.id) for saved in simulator.saved("ada")]
    first, last = NINETIES
    return [f"spotify:track:{song.id}" for song in songs if first <= song.release_date < last]


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).select_option(value)
    settled(page)


def answer_late(route: Route) -> None:
    sleep(1)
    route.continue_()


def test_a_playlist_is_made_by_a_sentence_and_follows_the_likes(
    site: str, page: Page, simulator: Simulator
) -> None:
    complaints = hear_errors(page)
    page.clock.install()
    for year in ("1991-03-01", "1994", "1999-12-31", "1989-12-31", "2000-01-01"):
        simulator.like("ada", simulator.new_track(release_date=year))
    sign_in_and_sync(page, site, "Ada")

    # By sentence, with a preview while one writes.
    follow(page.get_by_role("navigation", name="Main").get_by_role("link", name="Playlists"))
    page.get_by_label("Say what you want to hear").press_sequentially(
        "songs from the 90s", delay=10
    )
    count = str(len(nineties(simulator)))
    expect(page.locator("#box-preview [data-count]")).to_have_attribute("data-count", count)
    previewed(page)
    complaints += barriers(page)
    follow(page.get_by_role("button", name="Continue"))
    expect(page.get_by_text("Songs from 1990 to 1999.")).to_be_visible()
    page.get_by_label("Name").fill("Nineties")

    # A row more, and gone again, without leaving the page.
    press(page, "Add a condition")
    choose(page, "Test 2", "title contains")
    page.get_by_label("Text").fill("no title has this")
    expect(page.locator("#live-preview [data-count]")).to_have_attribute("data-count", "0")
    previewed(page)
    complaints += barriers(page)
    # A slow answer comes after the preview of the form as it was.
    page.route(f"{site}/playlists/new/", answer_late)
    press(page, "Remove test 2")
    expect(page.locator("#live-preview [data-count]")).to_have_attribute("data-count", count)
    page.unroute(f"{site}/playlists/new/")
    # A group as well.
    press(page, "Add a group")
    choose(page, "Test 2, part 1", "explicit yes")
    choose(page, "Test 2, part 2", "explicit no")
    expect(page.locator("#live-preview [data-count]")).to_have_attribute("data-count", count)
    expect(page.get_by_text("from 1990 to 1999 and (explicit or not explicit)")).to_be_visible()
    press(page, "Add a condition to this group")
    expect(page.get_by_label("Test 2, part 3", exact=True)).to_be_visible()
    previewed(page)
    complaints += barriers(page)
    press(page, "Remove test 2, a group")
    expect(page.get_by_label("Test 2, part 1", exact=True)).to_have_count(0)
    follow(page.get_by_role("button", name="Make this playlist").last)

    expect(page.get_by_role("heading", name="Nineties")).to_be_visible()
    until(page, lambda: in_spotify(simulator, "Nineties") == nineties(simulator))
    complaints += barriers(page)

    # A like comes, another one goes.
    simulator.like("ada", simulator.new_track(release_date="1995-05-05"))
    simulator.unlike("ada", nineties(simulator)[-1])
    let_the_button_rest()
    page.reload()
    page.get_by_role("button", name="Sync now").click()
    until(page, lambda: in_spotify(simulator, "Nineties") == nineties(simulator))
    assert len(nineties(simulator)) == int(count)

    for path in ("/playlists/", "/playlists/new/", "/duplicates/", "/plays/"):
        page.goto(f"{site}{path}")
        complaints += barriers(page)
    assert complaints == []
