"""The scheduler: who is due, when they are due again, and who waits when the budget is short."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import Library, Mirror, Process, SyncRequest
from sync.operations.alerts import Watch
from sync.queue.connected import enqueue_due_services
from sync.queue.scheduler import Scheduled, enqueue_due_syncs, plan_next, take_turn
from sync.queue.sweeps import EVER, LATELY
from syncify.spotify.models import ApiHour, Block
from tests.builders import make_request, make_user
from tests.waiting import at_once

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERIODS = {"hourly": HOUR, "6h": 6 * HOUR, "daily": DAY, "weekly": 7 * DAY}


def due_listener(name: str, *, waiting: timedelta = HOUR, **library: Any) -> User:
    user = make_user(name)
    Library.objects.filter(user=user).update(next_due=timezone.now() - waiting, **library)
    return user


def many_due(count: int) -> None:
    users = User.objects.bulk_create(User(spotify_id=f"listener-{n}") for n in range(count))
    now = timezone.now()
    SpotifyConnection.objects.bulk_create(
        SpotifyConnection(user=user, authorized_at=now) for user in users
    )
    Mirror.objects.bulk_create(Mirror(user=user, name="Liked Songs") for user in users)
    Library.objects.bulk_create(Library(user=user, next_due=now - HOUR) for user in users)


def next_due(user: User) -> datetime:
    due = Library.objects.get(user=user).next_due
    assert due
    return due


def queued() -> list[str]:
    """Who waits in the queue, the first first."""
    requests = SyncRequest.objects.filter(state="queued").order_by("-priority", "run_at", "id")
    return [request.user.spotify_id for request in requests.select_related("user")]


def test_who_is_due_is_queued_once() -> None:
    due_listener("ada")

    first, second = enqueue_due_syncs(), enqueue_due_syncs()

    assert (first, second) == (Scheduled(1, 0), Scheduled(0, 0))
    request = SyncRequest.objects.get()
    assert (request.trigger, request.priority, request.state) == ("scheduled", 0, "queued")
    assert request.run_at <= timezone.now()


@pytest.mark.parametrize(
    "resting",
    [
        lambda user: Library.objects.filter(user=user).update(next_due=timezone.now() + HOUR),
        lambda user: Library.objects.filter(user=user).update(next_due=None),
        lambda user: Library.objects.filter(user=user).update(interval="off"),
        lambda user: Mirror.objects.filter(user=user).update(state="paused"),
        lambda user: Mirror.objects.filter(user=user).update(state="removed"),
        lambda user: SpotifyConnection.objects.filter(user=user).update(state="sign_in_needed"),
        lambda user: SpotifyConnection.objects.filter(user=user).update(state="refused"),
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
    ],
    ids=["later", "never", "off", "paused", "removed", "sign_in_needed", "refused", "inactive"],
)
def test_who_rests_is_left_out(resting: Any) -> None:
    user = due_listener("ada")
    resting(user)

    assert enqueue_due_syncs().queued == 0


def test_an_open_request_serves_the_wish_as_well() -> None:
    user = due_listener("ada")
    request = make_request(user)

    assert enqueue_due_syncs() == Scheduled(0, 0)
    assert [open_request.pk for open_request in SyncRequest.objects.all()] == [request.pk]
    assert next_due(user) > timezone.now()


@pytest.mark.parametrize(("interval", "period"), PERIODS.items())
def test_the_next_time_is_at_most_one_period_away(interval: str, period: timedelta) -> None:
    users = [due_listener(f"listener-{n}", interval=interval) for n in range(20)]

    now = timezone.now()
    enqueue_due_syncs()

    waits = [(next_due(user) - now) / period for user in users]
    assert all(0 < wait < 1.001 for wait in waits)


@pytest.mark.parametrize(("interval", "period"), PERIODS.items())
def test_a_listener_keeps_their_own_slot(interval: str, period: timedelta) -> None:
    user = due_listener("ada", interval=interval)
    enqueue_due_syncs()
    first = next_due(user)

    Library.objects.filter(user=user).update(next_due=timezone.now() - 40 * DAY)
    SyncRequest.objects.all().delete()
    enqueue_due_syncs()

    # However late it was, nothing is made up for: one sync, and the slot again.
    assert next_due(user) == first
    assert SyncRequest.objects.count() == 1


def test_listeners_are_spread_over_the_period() -> None:
    many_due(1000)

    enqueue_due_syncs()

    hours = Counter(
        due.hour for due in Library.objects.values_list("next_due", flat=True) if due is not None
    )
    assert len(hours) == 24
    assert max(hours.values()) < 2 * 1000 / 24


def test_planning_the_next_sync_goes_by_the_interval() -> None:
    user = due_listener("ada", interval="weekly")

    plan_next(user)
    assert timezone.now() < next_due(user) <= timezone.now() + 7 * DAY

    Library.objects.filter(user=user).update(interval="off")
    plan_next(user)
    assert Library.objects.get(user=user).next_due is None


def test_with_a_short_budget_the_longest_waiting_go_first(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100  # of which scheduled syncs may use 80
    ApiHour.objects.create(hour=timezone.now(), calls=73)  # leaves room for two, at three each
    for name, hours in [("a", 1), ("b", 5), ("c", 3), ("d", 2)]:
        due_listener(name, waiting=hours * HOUR)

    assert enqueue_due_syncs() == Scheduled(2, 2)
    assert queued() == ["b", "c"]
    # What is queued has its share of the budget: nobody else is let in.
    assert enqueue_due_syncs() == Scheduled(0, 2)


def test_who_waited_for_the_budget_goes_as_soon_as_there_is_room(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100
    spent = ApiHour.objects.create(hour=timezone.now(), calls=100)
    due_listener("ada")
    assert enqueue_due_syncs() == Scheduled(0, 1)

    spent.delete()

    assert enqueue_due_syncs() == Scheduled(1, 0)


def test_nobody_is_queued_while_spotify_wants_silence() -> None:
    due_listener("ada")
    Block.objects.create(until=timezone.now() + HOUR, because="quota")

    assert enqueue_due_syncs() == Scheduled(0, 1)


def test_without_a_quota_everybody_goes(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 0
    many_due(300)

    assert enqueue_due_syncs() == Scheduled(300, 0)


@pytest.mark.django_db(transaction=True)
def test_schedulers_at_once_queue_everybody_once() -> None:
    many_due(500)

    scheduled = at_once(*[enqueue_due_syncs] * 4)

    assert sum(each.queued for each in scheduled) == 500
    assert SyncRequest.objects.count() == 500


def test_a_turn_prunes_what_is_old_but_keeps_the_latest(settings: Any) -> None:
    settings.HISTORY_DAYS = 30
    user = make_user("ada")
    old, latest = (
        make_request(user, state="succeeded", completed=timezone.now() - days * DAY)
        for days in (40, 35)
    )
    Process.objects.create(kind="worker", name="long:1", last_seen=timezone.now() - 2 * DAY)

    take_turn()

    assert [request.pk for request in SyncRequest.objects.all()] == [latest.pk]
    assert old.pk != latest.pk
    assert [process.kind for process in Process.objects.all()] == ["scheduler"]


@pytest.mark.parametrize(
    ("lately", "kept"), [(EVER, ["latest"]), (LATELY, ["older", "latest"])], ids=["sweep", "turn"]
)
def test_a_turn_between_sweeps_prunes_what_has_just_grown_old(
    settings: Any, lately: timedelta, kept: list[str]
) -> None:
    settings.HISTORY_DAYS = 30
    user, minute = make_user("ada"), timedelta(minutes=1)
    for note, age in (("older", 40 * DAY), ("old", 30 * DAY + minute), ("latest", 20 * DAY)):
        make_request(user, state="succeeded", completed=timezone.now() - age, note=note)

    take_turn(lately=lately)

    assert list(SyncRequest.objects.order_by("id").values_list("note", flat=True)) == kept


def test_a_turn_takes_the_same_few_statements_for_any_number_of_listeners() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            take_turn(Watch(), enqueue_due_services, lately=LATELY)
        return len(captured)

    many_due(2)
    statements()
    few = statements()
    User.objects.all().delete()
    many_due(40)
    SyncRequest.objects.all().delete()
    Library.objects.update(next_due=timezone.now() - HOUR)

    assert statements() == few
    assert SyncRequest.objects.count() == 40


def test_the_command_says_what_it_did(settings: Any, capsys: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100
    ApiHour.objects.create(hour=timezone.now(), calls=77)
    due_listener("ada", waiting=2 * HOUR)
    due_listener("bea")

    call_command("schedule_syncs")

    assert capsys.readouterr().out == (
        "Queued 1 sync.\n1 sync due: no room in Spotify's budget yet.\n"
    )


# --- Who may be synced --------------------------------------------------------------------------


def test_only_allowed_users_are_queued(settings: Any) -> None:
    for name in ("ada", "bea", "cleo"):
        due_listener(name)
    User.objects.filter(spotify_id="cleo").update(account_id="C3")

    settings.ALLOWED_USERS = ["bea", "C3"]
    enqueue_due_syncs()

    assert sorted(queued()) == ["bea", "cleo"]


def refuse(user: User, *, reason: str, retry_in: timedelta) -> None:
    SpotifyConnection.objects.filter(user=user).update(
        state="refused", state_reason=reason, retry_at=timezone.now() + retry_in
    )


@pytest.mark.parametrize("reason", ["forbidden", "not_registered"])
@pytest.mark.parametrize("interval", ["hourly", "weekly"])
def test_a_refused_listener_is_tried_once_a_day_whatever_their_interval(
    reason: str, interval: str
) -> None:
    ada = due_listener("ada", waiting=-5 * DAY, interval=interval)
    refuse(ada, reason=reason, retry_in=-HOUR)

    assert enqueue_due_syncs().queued == 1
    # Whatever comes of it, the next try is a day later.
    SyncRequest.objects.update(state="dead", completed=timezone.now())
    Library.objects.update(next_due=timezone.now() - HOUR)
    assert enqueue_due_syncs().queued == 0
    retry_at = SpotifyConnection.objects.get().retry_at
    assert retry_at is not None
    assert abs(retry_at - timezone.now() - DAY) < HOUR
    SpotifyConnection.objects.update(retry_at=timezone.now())
    assert enqueue_due_syncs().queued == 1


@pytest.mark.parametrize(
    ("reason", "retry_in", "resting"),
    [
        ("scope_missing", -HOUR, {}),
        ("forbidden", HOUR, {}),
        ("forbidden", -HOUR, {"interval": "off"}),
        ("forbidden", -HOUR, {"is_paused": True}),
    ],
)
def test_a_refused_listener_who_rests_is_left_alone(
    reason: str, retry_in: timedelta, resting: dict[str, Any]
) -> None:
    refuse(due_listener("ada", **resting), reason=reason, retry_in=retry_in)

    assert enqueue_due_syncs().queued == 0


# --- The hour that a listener prefers ---------------------------------------------------------


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Tokyo", "UTC"])
@pytest.mark.parametrize(("interval", "days"), [("daily", 1), ("weekly", 7)])
def test_syncs_come_in_the_preferred_hour_of_the_listeners_zone(
    zone: str, interval: str, days: int
) -> None:
    now = timezone.now()
    users = [make_user(f"user-{number}") for number in range(30)]
    Library.objects.update(interval=interval, preferred_hour=7, time_zone=zone)

    for user in users:
        plan_next(user)

    dues = [next_due(user) for user in users]
    assert {due.astimezone(ZoneInfo(zone)).hour for due in dues} == {7}
    # A day may be an hour longer when the clocks go back.
    assert all(now < due <= now + timedelta(days=days, hours=1) for due in dues)
    assert len({due.minute for due in dues}) > 10
    if interval == "weekly":
        assert len({due.astimezone(ZoneInfo(zone)).weekday() for due in dues}) == 7


@pytest.mark.parametrize("zone", ["", "No/Such_Zone", "x" * 64])
def test_an_unknown_zone_is_utc(zone: str) -> None:
    user = make_user("ada")
    Library.objects.update(preferred_hour=7, time_zone=zone)

    plan_next(user)

    assert next_due(user).astimezone(UTC).hour == 7


@pytest.mark.parametrize("interval", ["hourly", "6h"])
def test_shorter_intervals_know_no_hour(interval: str) -> None:
    user = make_user("ada")
    Library.objects.update(interval=interval)
    plan_next(user)
    without = next_due(user)

    Library.objects.update(preferred_hour=7)
    plan_next(user)

    assert next_due(user) == without
