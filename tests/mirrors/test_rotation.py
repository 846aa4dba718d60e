"""Rediscovery: every song once before any twice, whatever comes and goes."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mirrors.rotation import Rotation, period_of, rotate
from sync.mirrors.rules import Refresh


@pytest.mark.parametrize(
    ("refresh", "period"),
    [("sync", ""), ("daily", "2024-12-31"), ("weekly", "2025-W01"), ("monthly", "2024-12")],
)
def test_names_of_periods(refresh: Refresh, period: str) -> None:
    assert period_of(refresh, date(2024, 12, 31)) == period


keys = st.text("0123456789abcdef", min_size=1, max_size=4)


@given(
    stay=st.sets(keys, min_size=1, max_size=12),
    guests=st.lists(st.sets(keys, max_size=4), min_size=1, max_size=25),
    count=st.integers(1, 6),
    data=st.data(),
)
def test_between_two_showings_of_a_song_every_other_was_shown(
    stay: set[str], guests: list[set[str]], count: int, data: st.DataObject
) -> None:
    """``stay`` are always there; in each selection other songs are there too."""
    rotation: Rotation | None = None
    shown_in: list[set[str]] = []
    day = 0
    for visiting in guests:
        is_new_day = data.draw(st.booleans())
        day += is_new_day
        ring = sorted(stay | visiting)
        places, rotation = rotate(ring, count, period=str(day), last=rotation)
        assert len(set(places)) == len(places) == min(count, len(ring))
        today = {ring[place] for place in places} & stay
        if is_new_day or not shown_in:
            shown_in.append(today)
        else:
            shown_in[-1] |= today

    last_shown: dict[str, int] = {}
    for at, today in enumerate(shown_in):
        for key in today & set(last_shown):
            between = set[str]().union(*shown_in[last_shown[key] : at + 1])
            assert between == stay
        last_shown |= dict.fromkeys(today, at)


@given(st.sets(keys, max_size=12), st.integers(1, 6))
def test_within_a_period_nothing_changes(ring: set[str], count: int) -> None:
    places, rotation = rotate(sorted(ring), count, period="a", last=None)

    assert rotate(sorted(ring), count, period="a", last=rotation) == (places, rotation)
