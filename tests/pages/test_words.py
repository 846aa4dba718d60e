"""Times and counts as people say them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from sync.pages.words import clock, left, relative, songs

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (-59, "just now"),
        (59, "in a moment"),
        (-60, "1 minute ago"),
        (60, "in 1 minute"),
        (-179, "2 minutes ago"),
        (59 * 60 + 59, "in 59 minutes"),
        (-3600, "1 hour ago"),
        (11 * 3600, "in 11 hours"),
        (12 * 3600, "tomorrow at 00:00 UTC"),
        (-12 * 3600, "at 00:00 UTC"),
        (-24 * 3600, "yesterday at 12:00 UTC"),
        (10 * 86400, "on 3 December at 12:00 UTC"),
    ],
)
def test_near_times_are_told_as_a_distance_and_far_ones_by_the_clock(
    seconds: int, words: str
) -> None:
    assert relative(NOW + timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("moment", "zone", "words"),
    [
        (NOW, "UTC", "12:00 UTC"),
        (NOW, "Europe/Berlin", "13:00"),
        (NOW + timedelta(hours=12), "Europe/Berlin", "tomorrow at 01:00"),
        (NOW - timedelta(hours=14), "Europe/Berlin", "yesterday at 23:00"),
        (NOW + timedelta(days=10), "America/New_York", "3 December at 07:00"),
    ],
)
def test_times_are_told_in_the_zone_of_the_listener(
    moment: datetime, zone: str, words: str
) -> None:
    with timezone.override(zone):
        assert clock(moment, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "a few seconds left"),
        (30, "less than a minute left"),
        (60, "about 1 minute left"),
        (1500, "about 25 minutes left"),
    ],
)
def test_what_is_left_is_told_roughly(seconds: int, words: str) -> None:
    assert left(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(("count", "words"), [(0, "0 songs"), (1, "1 song"), (1200, "1,200 songs")])
def test_numbers_are_grouped_and_plurals_right(count: int, words: str) -> None:
    assert songs(count) == words
