"""The scheduler with several apps: each developer account has its own budget."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import Library, SyncRequest
from sync.queue.scheduler import Scheduled, enqueue_due_syncs
from syncify.simulator.server import Simulator
from syncify.spotify.models import ApiHour, AppBlock, Block, DeveloperHour
from tests.builders import make_user
from tests.lent_app import LENT, lend

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _three_are_due(simulator: Simulator) -> None:
    """Two at the first app, one of them since an older version, and one at the lent app."""
    lend(simulator)
    now = timezone.now()
    for name, client_id in {"ada": "", "cleo": "syncify-demo", "bea": LENT.id}.items():
        user = make_user(name)
        SpotifyConnection.objects.filter(user=user).update(client_id=client_id)
        Library.objects.filter(user=user).update(next_due=now - HOUR, interval="daily")


def queued() -> set[str]:
    waiting = SyncRequest.objects.filter(completed=None)
    return set(User.objects.filter(sync_requests__in=waiting).values_list("spotify_id", flat=True))


def test_all_are_queued_once() -> None:
    assert enqueue_due_syncs() == Scheduled(3, 0)
    assert enqueue_due_syncs() == Scheduled(0, 0)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (Block(because="quota"), {"bea"}),
        (Block(because="premium"), {"bea"}),
        (AppBlock(key=f"app {LENT.id}", because="premium"), {"ada", "cleo"}),
        (AppBlock(key="developer Grandma", because="quota"), {"ada", "cleo"}),
    ],
)
def test_a_block_stops_its_own_listeners(block: Any, expected: set[str]) -> None:
    block.until = timezone.now() + HOUR
    block.save()

    assert enqueue_due_syncs() == Scheduled(len(expected), 3 - len(expected))
    assert queued() == expected


def test_each_budget_has_its_room(settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 100
    ApiHour.objects.create(hour=timezone.now(), calls=77)  # leaves room for one, at three calls
    DeveloperHour.objects.create(developer="Grandma", hour=timezone.now(), calls=76)

    assert enqueue_due_syncs() == Scheduled(2, 1)
    assert "bea" in queued()
    # What is queued has its share of its own budget alone.
    assert enqueue_due_syncs() == Scheduled(0, 1)
