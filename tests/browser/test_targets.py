"""A listener connects a music server, sees what was found, and finds a song by hand."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from syncify.simulator.subsonic import MusicServer
from tests.browser.pages import (
    barriers,
    cookies_of,
    follow,
    hear_errors,
    reload_until_it_has,
    window,
)
from tests.builders import make_user
from tests.targets.scenes import like, song

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def music(process_env: dict[str, str]) -> Iterator[MusicServer]:
    songs = [song(number) for number in range(20)]
    songs.append(song(21, id="live", title="Song 21 (Live)"))
    with MusicServer(songs) as server:
        process_env["SYNCIFY_OFFERED_SERVER"] = server.url
        process_env["SYNCIFY_OFFERED_USER"] = process_env["SYNCIFY_OFFERED_PASSWORD"] = "demo"
        yield server


@pytest.fixture
def cookies(transactional_db: None) -> dict[str, str]:
    """Of a listener who likes nine songs."""
    user = make_user("ada")
    for number in (*range(8), 21):
        like(user, number)
    return cookies_of(user)


def test_a_music_server_is_connected_and_a_song_found_by_hand(
    music: MusicServer, cookies: dict[str, str], site: str, browser: Browser
) -> None:
    page = window(browser, site, cookies)
    complaints = hear_errors(page)

    page.goto(f"{site}/settings/")
    follow(page.get_by_role("link", name="Music server and ListenBrainz"))
    complaints += barriers(page)
    follow(page.get_by_role("link", name="Connect").first)
    complaints += barriers(page)
    follow(page.get_by_role("button", name=f"Connect {music.url}"))
    reload_until_it_has(page, page.get_by_text("Last run"))
    expect(page.get_by_role("heading", name=re.compile("8 of 9 found"))).to_be_visible()
    complaints += barriers(page)

    follow(page.get_by_role("link", name="1 missing song"))
    expect(page.get_by_text("other versions only: Song 21 (Live)")).to_be_visible()
    complaints += barriers(page)
    follow(page.get_by_role("link", name="Find"))
    page.get_by_role("searchbox").fill("21")
    follow(page.get_by_role("button", name="Search"))
    complaints += barriers(page)
    page.get_by_role("radio", name="Song 21 (Live)").check()
    follow(page.get_by_role("button", name="Choose this song"))
    expect(page.get_by_text("No song is missing.")).to_be_visible()

    page.goto(f"{site}/connections/listenbrainz/")
    complaints += barriers(page)
    assert complaints == []
