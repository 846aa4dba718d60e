"""Every page and state in a real browser: it has nothing to object to, and everybody can use it."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.states import STATES, Stop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: The narrowest phone, which is also a desktop window at 400 % zoom.
NARROW = {"width": 320, "height": 640}


def test_no_page_breaks_its_policy_asks_another_host_or_shuts_anybody_out(
    walk: Iterator[Stop],
) -> None:
    found = {stop.state.name: [*stop.complaints, *barriers(stop.page)] for stop in walk}

    assert list(found) == [state.name for state in STATES]
    assert {name: complaints for name, complaints in found.items() if complaints} == {}


def barriers(page: Page) -> Iterator[str]:
    """What axe finds, light and dark, and whether a narrow page has to be moved sideways."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for violation in Axe().run(page).response["violations"]:
            yield f"{scheme}: {violation['id']} {[n['html'][:120] for n in violation['nodes']]}"
    page.set_viewport_size(NARROW)
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > NARROW["width"]:
        yield f"{width} pixels wide"
