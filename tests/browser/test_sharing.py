"""Sharing in a real browser: on a home network without https, without script, and by a QR code."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.pages import cookies_of, follow, started, window
from tests.builders import main_mirror, make_request, make_user
from tests.processes import free_port, web_server
from tests.sharing.rows import make_playlist, make_songs, share

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: A name that browsers do not trust as they trust 127.0.0.1.
HOST = "nas.test"


@pytest.fixture
def home_network(
    chromium: str, static_files: None, process_env: dict[str, str], tmp_path: Path
) -> Iterator[str]:
    """The address of a Syncify that is reached by name over http."""
    port = free_port()
    process_env["SYNCIFY_BASE_URL"] = f"http://{HOST}:{port}"
    with web_server(tmp_path / "web.log", process_env, port):
        yield process_env["SYNCIFY_BASE_URL"]


def ada() -> tuple[User, dict[str, str]]:
    """A listener whose playlist has two parts, and the cookies of their browser."""
    user = make_user("ada")
    songs = make_songs(user, "Looped", "Swayed", "Burnt", cover="")
    make_playlist(main_mirror(user), songs)
    make_playlist(main_mirror(user), songs[:1], number=2)
    make_request(user, state="succeeded", song_count=3)
    return user, cookies_of(user)


@contextmanager
def opened(
    chromium: str, site: str, cookies: Mapping[str, str] | None = None, *, script: bool = True
) -> Iterator[Page]:
    with started(chromium, f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as browser:
        yield window(browser, site, cookies, java_script_enabled=script)


def pasted(page: Page) -> str:
    """What the clipboard holds, as a person finds out."""
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").last.focus()
    page.keyboard.press("Control+V")
    return page.locator("textarea").last.input_value()


def link_to(user: User, part: int) -> str:
    return f"https://open.spotify.com/playlist/list{main_mirror(user).pk}v{part}"


def test_links_are_copied_and_scanned_without_https(home_network: str, chromium: str) -> None:
    user, cookies = ada()
    links = [link_to(user, 1), link_to(user, 2)]
    with opened(chromium, home_network, cookies) as page:
        page.clock.install()
        page.goto(home_network)
        assert page.evaluate("isSecureContext") is False
        assert page.evaluate("navigator.clipboard === undefined")

        page.locator(".share > summary").click()
        # The button says so for two seconds: they do not pass before the test has seen it.
        page.clock.pause_at(page.evaluate("Date.now()") + 60_000)
        page.get_by_role("button", name="Copy link to part 2").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert pasted(page) == links[1]
        page.clock.run_for(2000)
        expect(page.get_by_role("button", name="Copy link to part 2")).to_be_visible()
        page.get_by_role("button", name="Copy both links").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert pasted(page) == "\n".join(links)
        page.clock.resume()
        page.get_by_label("Link to part 1").click()
        assert page.evaluate("getSelection().toString()") == links[0]

        qr = page.get_by_role("img", name="QR code of the link")
        # Away from the bar at the bottom of a phone.
        qr.evaluate("code => code.scrollIntoView({ block: 'center' })")
        expect(qr).to_have_js_property("complete", value=True)
        picture = qr.screenshot()
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    assert code.text == links[0]


def test_everything_is_shared_without_script(home_network: str, chromium: str) -> None:
    user, cookies = ada()
    first = link_to(user, 1)
    with opened(chromium, home_network, cookies, script=False) as page:
        page.goto(home_network)
        page.locator(".share > summary").click()

        expect(page.get_by_label("Link to part 1")).to_have_value(first)
        expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
        expect(page.get_by_role("button", name="Copy")).to_have_count(0)
        follow(page.get_by_role("link", name="Make a page for friends"))
        follow(page.get_by_role("button", name="Make the link"))
        page.set_viewport_size({"width": 1280, "height": 1600})  # where no bar covers the code
        code = page.locator("svg.qr").screenshot()
        address = page.get_by_label("The page", exact=True).input_value()
        page.goto(address)
        expect(page.get_by_role("link", name="Swayed")).to_be_visible()
    [read] = zxingcpp.read_barcodes(Image.open(io.BytesIO(code)))
    assert read.text == address


def test_a_friend_finds_a_song_and_gets_no_cookie(home_network: str, chromium: str) -> None:
    user, _ = ada()
    _, path = share(user, main_mirror(user))
    with opened(chromium, home_network) as page:
        page.goto(f"{home_network}{path}")
        follow(page.get_by_role("link", name="Deezer"))
        page.get_by_role("searchbox").fill("swayed")
        with page.expect_navigation():
            page.keyboard.press("Enter")

        expect(page.get_by_text("1 of 4 songs match")).to_be_visible()
        song = page.get_by_role("link", name="Swayed")
        assert song.get_attribute("href") == "https://www.deezer.com/search/Swayed%20Kiasmos"
        assert page.context.cookies() == []
        follow(page.get_by_role("button", name="Other services"))
        expect(page.locator("#song")).to_be_in_viewport()
        menu = page.locator("#song .elsewhere a")
        expect(menu).to_have_text(["YouTube Music", "Apple Music", "Deezer", "Tidal"])
        address = "https://listen.tidal.com/search?q=Swayed%20Kiasmos"
        assert menu.last.get_attribute("href") == address
        expect(page.get_by_role("searchbox")).to_have_value("swayed")
