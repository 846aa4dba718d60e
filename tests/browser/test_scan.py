"""Every page and state in a real browser: it has nothing to object to, and everybody can use it."""

from collections.abc import Iterator

import pytest

from tests.browser.pages import barriers
from tests.browser.states import STATES, Stop

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_no_page_breaks_its_policy_asks_another_host_or_shuts_anybody_out(
    walk: Iterator[Stop],
) -> None:
    found = {stop.state.name: [*barriers(stop.page), *stop.complaints] for stop in walk}

    assert list(found) == [state.name for state in STATES]
    assert {name: complaints for name, complaints in found.items() if complaints} == {}
