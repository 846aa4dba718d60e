"""The quota gate on real PostgreSQL: what it counts, when it stops everybody, when it lets go."""

from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from sync.queue.fair import may_use_reserve
from syncify.spotify.errors import Blocked, BudgetSpent
from syncify.spotify.models import ApiHour, Block
from syncify.spotify.quota import (
    COUNTED,
    QuotaGate,
    calls_by_hour,
    calls_last_day,
    check_fits,
    current_block,
    lift_operator_block,
)
from tests.builders import make_request, make_user
from tests.waiting import at_once

pytestmark = pytest.mark.django_db


def spend(calls: int, *, hours_ago: int = 0) -> datetime:
    """As if so many calls had been made in one hour of the past; returns that hour."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours_ago)
    ApiHour.objects.create(hour=hour, calls=calls)
    return hour


def block(because: str, wait: timedelta = timedelta(hours=2)) -> datetime:
    return QuotaGate(reserve=True).block(for_=wait, because=because)


# --- Counting ---------------------------------------------------------------------------------


def test_each_call_is_counted_in_one_round_trip(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    gate = QuotaGate(reserve=False)
    gate.admit()

    with django_assert_num_queries(2):
        gate.admit()
        gate.admit()

    assert calls_last_day() == 3


def test_hours_count_until_their_last_call_is_a_day_old() -> None:
    for hours_ago in (1, 24, 25, 26):
        spend(10**hours_ago if hours_ago == 1 else 1, hours_ago=hours_ago)

    assert calls_last_day() == 11
    assert len(calls_by_hour()) == 2


def test_old_hours_are_removed_when_a_new_hour_begins() -> None:
    spend(5, hours_ago=49)
    spend(5, hours_ago=40)

    QuotaGate(reserve=False).admit()

    assert sorted(ApiHour.objects.values_list("calls", flat=True)) == [1, 5]


@pytest.mark.django_db(transaction=True)
def test_calls_of_many_threads_are_all_counted() -> None:
    def call_ten_times() -> None:
        gate = QuotaGate(reserve=False)
        for _ in range(10):
            gate.admit()

    at_once(*[call_ten_times] * 4)

    assert calls_last_day() == 40


# --- The daily budget -------------------------------------------------------------------------


def test_scheduled_syncs_leave_a_fifth_to_the_others(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100
    spend(79, hours_ago=1)
    scheduled, manual = QuotaGate(reserve=False), QuotaGate(reserve=True)

    scheduled.admit()
    with pytest.raises(BudgetSpent):
        scheduled.admit()
    for _ in range(20):
        manual.admit()
    with pytest.raises(BudgetSpent):
        manual.admit()

    assert calls_last_day() == 100


def test_budget_returns_when_enough_calls_are_a_day_old(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100
    first, second = spend(30, hours_ago=20), spend(60, hours_ago=10)
    spend(10, hours_ago=1)

    with pytest.raises(BudgetSpent) as one_call:
        QuotaGate(reserve=True).admit()
    with pytest.raises(BudgetSpent) as forty_calls:
        check_fits(40, reserve=True)

    assert one_call.value.until == first + COUNTED
    assert forty_calls.value.until == second + COUNTED


@pytest.mark.parametrize(
    ("spent", "cost", "reserve", "fits"),
    [
        (0, 80, False, True),
        (1, 80, False, False),
        (1, 80, True, True),
        (50, 50, True, True),
        (50, 51, True, False),
        (50, 101, True, True),
        (50, 81, False, True),
    ],
    ids=["", "scheduled", "manual", "to the last", "over", "more than a day", "more than 80 %"],
)
def test_a_sync_waits_for_room_that_a_day_can_give(
    settings: Any, spent: int, cost: int, reserve: bool, fits: bool
) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100
    spend(spent)

    with nullcontext() if fits else pytest.raises(BudgetSpent):
        check_fits(cost, reserve=reserve)


@pytest.mark.parametrize(
    ("trigger", "before", "may"),
    [
        ("manual", [("manual", 49)], True),
        ("manual", [("manual", 30), ("manual", 20)], False),
        ("manual", [("scheduled", 400), ("first", 300)], True),
        ("first", [("manual", 50)], True),
        ("scheduled", [], False),
    ],
)
def test_one_listener_takes_a_quarter_of_the_reserve(
    settings: Any, trigger: str, before: list[tuple[str, int]], may: bool
) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 1000
    ada, bea = make_user("ada"), make_user("bea")
    make_request(bea, state="succeeded", trigger="manual", api_requests=50)
    make_request(
        ada,
        state="succeeded",
        api_requests=50,
        created=timezone.now() - timedelta(days=1, minutes=1),
    )
    for kind, calls in before:
        make_request(ada, state="succeeded", trigger=kind, api_requests=calls)

    assert may_use_reserve(make_request(ada, trigger=trigger)) is may


@pytest.mark.parametrize("reserve", [True, False])
def test_a_budget_of_one_call_is_a_budget(settings: Any, reserve: bool) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 1
    QuotaGate(reserve=reserve).admit()

    with pytest.raises(BudgetSpent):
        QuotaGate(reserve=reserve).admit()


def test_without_a_budget_there_is_no_share(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 0
    ada = make_user("ada")
    make_request(ada, state="succeeded", api_requests=10_000)

    assert may_use_reserve(make_request(ada))


def test_without_a_budget_nothing_is_too_much(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 0
    spend(10**6)

    check_fits(10**6, reserve=False)
    QuotaGate(reserve=False).admit()


# --- Blocks -----------------------------------------------------------------------------------


def test_nobody_calls_while_blocked_and_no_call_is_counted() -> None:
    until = block("quota")

    for gate in (QuotaGate(reserve=True), QuotaGate(reserve=False)):
        with pytest.raises(Blocked) as raised:
            gate.admit()
        assert (raised.value.until, raised.value.because) == (until, "quota")

    held = current_block()
    assert held is not None
    assert (held.until, held.because) == (until, "quota")
    assert calls_last_day() == 0


def test_a_block_ends_by_itself() -> None:
    block("quota", timedelta(seconds=-1))

    QuotaGate(reserve=False).admit()

    assert current_block() is None


def test_a_shorter_wait_never_replaces_a_longer_one() -> None:
    long = block("quota", timedelta(hours=14))
    began = Block.objects.get().since

    assert block("credentials", timedelta(hours=1)) == long

    held = Block.objects.get()
    assert (held.until, held.because, held.since) == (long, "quota", began)


def test_a_new_block_takes_the_place_of_one_that_is_over() -> None:
    block("quota", timedelta(seconds=-1))
    before = Block.objects.get().since

    until = block("premium", timedelta(hours=1))

    held = Block.objects.get()
    assert (held.until, held.because) == (until, "premium")
    assert held.since >= before


@pytest.mark.parametrize(
    ("because", "lifted"), [("quota", False), ("credentials", True), ("premium", True)]
)
def test_only_what_an_operator_may_have_cured_is_lifted(because: str, lifted: bool) -> None:
    block(because)

    lift_operator_block()

    assert (current_block() is None) == lifted
