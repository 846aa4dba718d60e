"""Every page and state in a real browser: it has nothing to object to, and asks nobody else."""

from collections.abc import Iterator

import pytest

from tests.browser.states import STATES, Stop

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_no_page_breaks_its_policy_or_asks_another_host(walk: Iterator[Stop]) -> None:
    heard = {stop.state.name: list(stop.complaints) for stop in walk}

    assert list(heard) == [state.name for state in STATES]
    assert {name: complaints for name, complaints in heard.items() if complaints} == {}
