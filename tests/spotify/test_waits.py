"""Retry-After in every form that has been seen, and in none."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.spotify.waits import (
    LONGEST_BLOCK,
    LONGEST_MARGIN,
    SHORTEST_BLOCK,
    block_for,
    named_wait,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def http_date(later: timedelta) -> str:
    return format_datetime(NOW + later, usegmt=True)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("4", 4),
        (" 4 ", 4),
        ("1.5", 1.5),
        ("4.", 4),
        ("0", 0),
        ("-1", 0),
        ("-1.5", 0),
        ("86400", 86_400),
        ("999999999999999999", LONGEST_BLOCK.total_seconds()),
        (http_date(timedelta(seconds=8)), 8),
        (http_date(timedelta(hours=20)), 72_000),
        (http_date(timedelta(days=400)), LONGEST_BLOCK.total_seconds()),
        (http_date(timedelta(seconds=-8)), 0),
        ("Tue, 24 Nov 2026 13:00:08 +0100", 8),
        ("Tue, 24 Nov 2026 12:00:08", 8),
        ("", None),
        (" ", None),
        ("soon", None),
        ("1e3", None),
        ("٣", None),
        ("1.5.2", None),
        ("Tue, 99 Nov 2026 12:00:08 GMT", None),
        ("4, 5", None),
    ],
)
def test_a_wait_is_read_from_its_header(written: str, seconds: float | None) -> None:
    wait = named_wait({"Retry-After": written}, NOW)

    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_no_header_names_no_wait() -> None:
    assert named_wait({}, NOW) is None


@given(st.text())
def test_no_header_is_too_odd(written: str) -> None:
    wait = named_wait({"Retry-After": written}, NOW)

    assert wait is None or timedelta() <= wait <= LONGEST_BLOCK


@pytest.mark.parametrize(
    ("asked", "blocked"),
    [
        (timedelta(), SHORTEST_BLOCK),
        (timedelta(seconds=31), SHORTEST_BLOCK),
        (timedelta(seconds=100), timedelta(seconds=111)),
        (timedelta(hours=1), timedelta(hours=1, minutes=6, seconds=1)),
        (timedelta(hours=20), timedelta(hours=20) + LONGEST_MARGIN),
    ],
)
def test_a_block_outlasts_what_was_asked(asked: timedelta, blocked: timedelta) -> None:
    assert block_for(asked) == blocked
