"""A listener makes “jazz from the 90s” by sentence: the right songs are in Spotify, and follow."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sync.library.genres import queue_lookups
from sync.models import Artist
from syncify.simulator.musicbrainz import MusicBrainzServer
from syncify.simulator.server import Simulator
from tests.browser.pages import (
    barriers,
    elsewhere,
    follow,
    hear_errors,
    in_spotify,
    let_the_button_rest,
    previewed,
    sign_in_and_sync,
    until,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONTACT = "operator@example.org"
#: Artists by genre. Bebop is jazz.
ARTISTS = {
    genre: (f"{genre.replace(' ', ''):x<22}", f"Artist of {genre}")
    for genre in ("jazz", "bebop", "indie rock")
}


@pytest.fixture(autouse=True)
def musicbrainz(process_env: dict[str, str], settings: Any) -> Iterator[MusicBrainzServer]:
    with MusicBrainzServer() as server:
        server.answers.genres = {key: {genre: 9} for genre, (key, _) in ARTISTS.items()}
        process_env["SYNCIFY_MUSICBRAINZ_URL"] = server.url
        process_env["SYNCIFY_MUSICBRAINZ_CONTACT"] = settings.MUSICBRAINZ_CONTACT = CONTACT
        yield server


def look_genres_up(page: Page) -> None:
    """As the scheduler has it done; until the genres are known."""
    assert elsewhere(queue_lookups) == 1
    keys = [key for key, _ in ARTISTS.values()]
    looked_up = Artist.objects.filter(id__in=keys, genres_checked_at__isnull=False)
    until(page, lambda: elsewhere(looked_up.count) == len(keys))


def song(simulator: Simulator, genre: str, released: str) -> str:
    return simulator.new_track(artists=(ARTISTS[genre],), release_date=released)


def holds(page: Page, simulator: Simulator, *tracks: str) -> None:
    """Wait until the playlist in Spotify holds exactly these songs, in this order."""
    wanted = [f"spotify:track:{track}" for track in tracks]
    until(page, lambda: in_spotify(simulator, "Jazz") == wanted)


def test_jazz_from_the_90s_by_sentence_is_in_spotify_and_follows_the_likes(
    site: str, page: Page, simulator: Simulator
) -> None:
    complaints = hear_errors(page)
    page.clock.install()
    early, late = song(simulator, "jazz", "1990-01-01"), song(simulator, "bebop", "1999-12-31")
    others = [
        song(simulator, genre, released)
        for genre, released in (("jazz", "1989-12-31"), ("bebop", "2000"), ("indie rock", "1995"))
    ]
    simulator.set_liked("ada", late, *others, early)
    sign_in_and_sync(page, site, "Ada")
    look_genres_up(page)

    follow(page.get_by_role("navigation", name="Main").get_by_role("link", name="Playlists"))
    page.get_by_label("Say what you want to hear").press_sequentially("jazz from the 90s")
    count = page.locator("#box-preview [data-count]")
    expect(count).to_have_attribute("data-count", "2")
    follow(page.get_by_role("button", name="Continue"))
    preview = page.locator("#live-preview")
    expect(preview.locator("[data-count]")).to_have_attribute("data-count", "2")
    for track in (early, late):
        expect(preview.get_by_text(simulator.known_song(track).name, exact=True)).to_be_visible()
    previewed(page)
    complaints += barriers(page)
    page.get_by_label("Name").fill("Jazz")
    follow(page.get_by_role("button", name="Make this playlist").last)

    expect(page.get_by_role("heading", name="Jazz")).to_be_visible()
    holds(page, simulator, late, early)

    new = song(simulator, "bebop", "1991")
    simulator.like("ada", new, song(simulator, "indie rock", "1992"))
    simulator.unlike("ada", early)
    let_the_button_rest()
    page.reload()
    page.get_by_role("button", name="Sync now").click()
    holds(page, simulator, new, late)
    assert complaints == []
