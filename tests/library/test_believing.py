"""When one reading must not decide what leaves."""

import pytest

from sync.library.believing import must_be_seen_twice


@pytest.mark.parametrize(
    ("leaving", "of", "left", "twice"),
    [
        (0, 0, 0, False),
        (20, 20, 1, False),
        (20, 100, 80, False),
        (21, 100, 79, True),
        (21, 209, 188, True),
        (21, 210, 189, False),
        (100, 1_000, 900, False),
        (101, 1_000, 899, True),
        (1, 1, 0, True),
        (20, 20, 0, True),
    ],
)
def test_a_removal_of_many_or_of_all_must_be_seen_twice(
    leaving: int, of: int, left: int, twice: bool
) -> None:
    assert must_be_seen_twice(leaving, of, left=left) is twice
