"""Runs of other services stand beside syncs in the queue, and are not mistaken for them."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from sync.mirrors.services import pause_mirror, retry_dead
from sync.models import SyncRequest
from sync.operations import alerts
from sync.operations.overview import overview
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from tests import builders, driving
from tests.builders import make_request
from tests.targets import scenes

pytestmark = pytest.mark.django_db


def test_a_sync_and_a_run_are_open_at_once(ada: User) -> None:
    sync, _ = queue.enqueue(ada.pk, trigger="manual")
    run, is_new = queue.enqueue(ada.pk, "subsonic", trigger="manual")

    assert is_new
    assert sync.pk != run.pk


def test_a_pause_of_syncs_leaves_runs(ada: User) -> None:
    queue.enqueue(ada.pk, trigger="scheduled")
    queue.enqueue(ada.pk, "subsonic", trigger="scheduled")

    pause_mirror(ada)

    assert [each.kind for each in SyncRequest.objects.filter(completed=None)] == ["subsonic"]


def test_a_run_that_was_given_up_is_retried_as_a_run(ada: User) -> None:
    dead = make_request(ada, kind="subsonic", state="dead", error_code="target_trouble")

    assert retry_dead(dead).kind == "subsonic"


def test_the_page_of_a_listener_shows_syncs_only(client: Client, ada: User) -> None:
    make_request(ada, state="succeeded", song_count=180)
    make_request(ada, kind="subsonic", state="dead", error_message="The server is down.")
    client.force_login(ada)

    page = client.get("/").content.decode()

    assert "180" in page
    assert "The server is down." not in page


def test_the_operators_list_counts_the_songs_of_syncs(ada: User) -> None:
    make_request(ada, state="succeeded", song_count=180)
    make_request(ada, kind="subsonic", state="succeeded", song_count=3)

    [row] = overview(now=timezone.now(), page=None).listeners

    assert row.song_count == 180


def test_the_operator_is_not_called_for_a_listeners_server(ada: User, settings: Any) -> None:
    make_request(ada, kind="subsonic", state="dead", error_code="target_trouble")
    make_request(ada, kind="listenbrainz", state="dead", error_code="target_refused")

    assert [trouble for trouble in alerts._troubles() if "dead" in trouble.key] == []


def test_a_sync_that_changes_the_likes_queues_a_run_and_another_does_not(
    simulator: Simulator, settings: Any
) -> None:
    listener = builders.connect(simulator, "emil")
    scenes.connect(listener, "subsonic", address="http://music.example", secret="x")
    runs = SyncRequest.objects.filter(kind="subsonic")

    assert driving.run(listener).state == "succeeded"
    assert runs.count() == 1
    runs.update(state="succeeded", completed=timezone.now())

    assert driving.run(listener).state == "succeeded"
    assert runs.count() == 1

    simulator.unlike("emil", simulator.liked("emil")[0])
    assert driving.run(listener).state == "succeeded"
    assert runs.count() == 2
