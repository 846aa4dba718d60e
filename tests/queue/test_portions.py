"""Portions: bounded, in a row, and each row in its turn."""

from collections import Counter

import pytest

from accounts.models import User
from sync.queue.portions import a_portion

pytestmark = pytest.mark.django_db


def users(count: int) -> list[int]:
    return [User.objects.create(spotify_id=f"listener-{number}").pk for number in range(count)]


def test_nobody_is_an_empty_portion() -> None:
    assert a_portion(User.objects.all(), 5) == []


@pytest.mark.parametrize("count", [1, 4, 5])
def test_few_are_all_in_each_portion(count: int) -> None:
    keys = users(count)

    assert all(sorted(a_portion(User.objects.all(), 5)) == keys for _ in range(20))


def test_a_portion_of_many_is_a_row_of_them_that_goes_on_at_the_beginning() -> None:
    keys = users(12)

    for _ in range(50):
        portion = a_portion(User.objects.all(), 5)
        start = keys.index(portion[0])
        assert portion == [*keys, *keys][start : start + 5]


def test_everybody_has_a_turn() -> None:
    keys = users(12)
    seen = Counter[int]()

    while len(seen) < len(keys):
        seen.update(a_portion(User.objects.all(), 5))
        assert seen.total() < 5 * 1000

    assert sorted(seen) == keys
