"""Seven months of a listener's life: who is told what and when, and what is synced meanwhile."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.apps import apps
from django.db.models import DateTimeField, F
from django.test import Client
from django.utils import timezone

from accounts.models import User
from sync.mirrors.details import PLAIN, REMINDER
from sync.models import Incident, Library, SavedTrack, SyncRequest
from sync.operations.alerts import check_incidents
from sync.pages.card import card_for
from sync.queue.scheduler import plan_next, take_turn
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import sign_in
from tests.builders import connect
from tests.driving import mirrored, run, worker

DAY = timedelta(days=1)
#: Our count ends on day 181, the simulated Spotify's consent on day 182.
ENDED, RENEWED, LAST = 182, 190, 212
#: What is told stays told, so that the quiet months may pass faster.
TO_RENEWAL = [*range(5, 140, 5), *range(140, RENEWED)]


def let_pass(time: timedelta, simulator: Simulator) -> None:
    """Spotify's clock goes on; to ours, all that is stored becomes as much older.

    When a song was liked is Spotify's to say, and stays.
    """
    simulator.advance(time)
    for label in ("accounts", "sync"):
        for model in apps.get_app_config(label).get_models():
            times = [
                field.name
                for field in model._meta.concrete_fields
                if isinstance(field, DateTimeField)
                and (model, field.name) != (SavedTrack, "added_at")
            ]
            if times:
                model._default_manager.update(**{name: F(name) - time for name in times})


@dataclass(frozen=True)
class Day:
    number: int
    notice: str
    title: str
    description: str
    alerts: list[str]
    syncs: list[str]
    api_calls: int
    token_calls: int

    @property
    def notice_without_count(self) -> str:
        return re.sub(r"\d+ days, on .*?\.", "… days.", self.notice)


@pytest.fixture
def emil(db: None, simulator: Simulator) -> User:
    """Three songs; due at every turn, so that each day has its sync."""
    user = connect(simulator, "emil")
    Library.objects.update(interval="hourly")
    plan_next(user)
    run(user, "first")
    return user


def live(
    days: Iterable[int],
    user: User,
    simulator: Simulator,
    inbox: list[dict[str, str]],
    *,
    since: int,
) -> Iterator[Day]:
    """Each day a turn of the scheduler, a worker until nothing is ready, and a look at the card."""
    for before, number in pairwise([since, *days]):
        let_pass((number - before) * DAY, simulator)
        simulator.forget_requests()
        told, latest = len(inbox), SyncRequest.objects.latest("id").pk
        take_turn(check_incidents)
        drain()
        card = card_for(user, now=timezone.now())
        yield Day(
            number=number,
            notice=card.consent.notice,
            title=card.status.title,
            description=simulator.playlist(simulator.playlists("emil")[-1]).description,
            alerts=[alert["message"].splitlines()[0] for alert in inbox[told:]],
            syncs=list(SyncRequest.objects.filter(pk__gt=latest).values_list("state", flat=True)),
            api_calls=simulator.count(),
            token_calls=simulator.count(path_prefix="/api/token"),
        )


def drain() -> None:
    ours = worker()
    while ours.run_one():
        pass


def changes(days: list[Day], field: str) -> dict[int, Any]:
    """What ``field`` became, by the number of the day on which it did."""
    values = [(day.number, getattr(day, field)) for day in days]
    return dict(
        [values[0], *(after for before, after in pairwise(values) if before[1] != after[1])]
    )


def test_a_consent_ends_and_is_renewed(
    client: Client, emil: User, simulator: Simulator, inbox: list[dict[str, str]]
) -> None:
    days = list(live(TO_RENEWAL, emil, simulator, inbox, since=0))

    # Exactly these notices on the page, each from its day on.
    before = "Sign in again before then, so that syncs continue."
    assert changes(days, "notice_without_count") == {
        5: "",
        151: f"Spotify's permission ends in … days. {before}",
        180: "Spotify's permission ends within a day. Sign in again, so that syncs continue.",
        181: "Spotify's permission ends any moment now. Sign in again, so that syncs continue.",
        ENDED: "",
    }
    counted = [
        re.findall(r"in (\d+) days, on", day.notice) for day in days if 151 <= day.number < 180
    ]
    assert counted == [[str(left)] for left in range(30, 1, -1)]
    ended = "permission has ended"
    assert [day.number for day in days if ended in day.title] == [*range(ENDED, RENEWED)]

    # Exactly these alerts to the operator.
    over = "has ended. Their playlist stays as it is until they have signed in again."
    ask = "Ask them to sign in again; it is one tap, and syncs continue."
    whose = "Spotify's permission to act for Emil"
    assert {day.number: day.alerts for day in days if day.alerts} == {
        151: [f"{whose} ends within 30 days. {ask}"],
        174: [f"{whose} ends within 7 days. {ask}"],
        180: [f"{whose} ends within a day. {ask}"],
        ENDED + 1: [f"{whose} {over}"],  # at the scheduler's next turn
    }

    # In Spotify itself, for the last week and until the renewal.
    assert changes(days, "description") == {5: "", 174: REMINDER}

    # A sync a day, as cheap as ever; none and no call from the end of the consent on.
    assert [day.syncs for day in days] == [
        ["succeeded"] * (day.number < ENDED) + ["dead"] * (day.number == ENDED) for day in days
    ]
    assert {day.api_calls for day in days if day.number < ENDED} == {3, 5}
    assert [day.number for day in days if day.api_calls == 5] == [174]
    assert [(day.api_calls, day.token_calls) for day in days if day.number >= ENDED] == [
        (0, 1),
        *[(0, 0)] * (RENEWED - ENDED - 1),
    ]

    # One tap, and nothing was lost: what came meanwhile is copied at once, with no word left.
    simulator.like("emil", simulator.new_track())
    client.force_login(emil)
    sign_in(client, simulator, "emil")
    drain()
    assert mirrored(simulator, emil) == simulator.liked("emil")
    later = list(live(range(RENEWED, LAST), emil, simulator, inbox, since=RENEWED - 1))

    assert {(day.notice, day.description, tuple(day.alerts)) for day in later} == {("", PLAIN, ())}
    assert {tuple(day.syncs) for day in later} == {("succeeded",)}
    assert not Incident.objects.filter(closed=None).exists()
    assert Library.objects.get().interval == "hourly"


def test_one_who_renews_in_time_never_rests(
    client: Client, emil: User, simulator: Simulator, inbox: list[dict[str, str]]
) -> None:
    let_pass(174 * DAY, simulator)
    [day] = live([175], emil, simulator, inbox, since=174)
    assert (day.description, len(day.alerts)) == (REMINDER, 1)

    client.force_login(emil)
    sign_in(client, simulator, "emil")
    drain()
    days = list(live(range(176, LAST, 2), emil, simulator, inbox, since=175))

    assert {(day.notice, day.description, tuple(day.alerts)) for day in days} == {("", PLAIN, ())}
    assert {tuple(day.syncs) for day in days} == {("succeeded",)}
