"""A listener connects a music server, sees what was found, and finds a song by hand."""

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from syncify.simulator.subsonic import MusicServer
from tests.browser.conftest import started, until
from tests.browser.states import PHONE
from tests.browser.test_scan import barriers
from tests.builders import make_user
from tests.targets.scenes import like, song

pytestmark = [pytest.mark.browser, pytest.mark.slow]

A_WHILE = 30_000  # milliseconds


@pytest.fixture
def music(process_env: dict[str, str]) -> Iterator[MusicServer]:
    songs = [song(number) for number in range(20)]
    songs.append(song(21, id="live", title="Song 21 (Live)"))
    with MusicServer(songs) as server:
        process_env["SYNCIFY_OFFERED_SERVER"] = server.url
        process_env["SYNCIFY_OFFERED_USER"] = process_env["SYNCIFY_OFFERED_PASSWORD"] = "demo"
        yield server


# ``page`` comes last, so that it ends first: Django refuses the database to a thread in which
# Playwright runs.
@pytest.fixture
def page(music: MusicServer, site: str, chromium: str) -> Iterator[Page]:
    user = make_user("ada")
    for number in (*range(8), 21):
        like(user, number)
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    with started(chromium) as browser:
        yield _signed_in(browser, site, cookie.key, cookie.value)


def _signed_in(browser: Browser, site: str, name: str, value: str) -> Page:
    context = browser.new_context(viewport=PHONE)
    context.add_cookies([{"name": name, "value": value, "url": site}])
    return context.new_page()


def test_a_music_server_is_connected_and_a_song_found_by_hand(
    music: MusicServer, site: str, page: Page
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{site}/settings/")
    page.get_by_role("link", name="Music server and ListenBrainz").click()
    complaints += looked_over(page)
    page.get_by_role("link", name="Connect").first.click()
    complaints += looked_over(page)
    page.get_by_role("button", name=f"Connect {music.url}").click()
    until(page, lambda: page.reload() and page.get_by_text("Last run").is_visible())
    expect(page.get_by_role("heading", name=re.compile("8 of 9 found"))).to_be_visible()
    complaints += looked_over(page)

    page.get_by_role("link", name="1 missing song").click()
    expect(page.get_by_text("other versions only: Song 21 (Live)")).to_be_visible()
    complaints += looked_over(page)
    page.get_by_role("link", name="Find").click()
    page.get_by_role("searchbox").fill("21")
    page.get_by_role("button", name="Search").click()
    complaints += looked_over(page)
    page.get_by_role("radio", name="Song 21 (Live)").check()
    page.get_by_role("button", name="Choose this song").click()
    expect(page.get_by_text("No song is missing.")).to_be_visible(timeout=A_WHILE)

    page.goto(f"{site}/connections/listenbrainz/")
    complaints += looked_over(page)
    assert complaints == []


def looked_over(page: Page) -> list[str]:
    """What hinders anybody on this page."""
    # A preview is asked for a moment after the last change, and is pale until it comes.
    page.wait_for_timeout(500)
    expect(page.locator(".htmx-request")).to_have_count(0)
    found = [f"{page.url}: {barrier}" for barrier in barriers(page)]
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    return found
