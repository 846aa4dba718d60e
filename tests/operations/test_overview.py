"""The operator's page: who may see it, and what it tells."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.signals import access_ended
from sync.models import Incident, Library, Process, SyncRequest
from sync.operations.overview import bars
from sync.queue.scheduler import enqueue_due_syncs
from syncify.simulator.server import Simulator
from syncify.spotify.models import ApiHour, Block
from tests.builders import as_user, make_request, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> User:
    user = make_user("ada")
    user.is_operator_by_code = True
    user.save(update_fields=["is_operator_by_code"])
    client.force_login(user)
    return user


@pytest.fixture
def bea() -> User:
    return make_user("bea")


def page_of(client: Client) -> str:
    return " ".join(client.get("/operator/").content.decode().split())


def dead(user: User, **fields: Any) -> int:
    errors = [
        {"attempt": 1, "at": "2026-11-20T08:00:00+00:00", "code": "unavailable", "message": "502."},
        {"attempt": 3, "at": "2026-11-20T09:00:00+00:00", "code": "timeout", "message": "Silence."},
    ]
    return make_request(user, state="dead", errors=errors, **fields).pk


def test_an_empty_installation_has_a_page_too(client: Client, operator: User) -> None:
    page = page_of(client)

    assert "Nothing runs at the moment." in page
    assert "No calls in the last day." in page


def test_queue_and_running_jobs_are_told(client: Client, operator: User, bea: User) -> None:
    make_request(operator, run_at=timezone.now() - timedelta(minutes=7))
    make_request(bea, state="running", stage="reading", leased_by="attic:42")
    make_request(make_user("cy"), run_at=timezone.now() + timedelta(hours=1))

    response = client.get("/operator/")

    queue = response.context["overview"].queue
    assert (queue.ready, queue.waiting, queue.running_count, queue.dead_count) == (1, 1, 1, 0)
    assert queue.oldest_wait == "7\xa0minutes"
    assert "attic:42" in response.content.decode()


def test_a_dead_letter_shows_the_error_of_every_attempt(
    client: Client, operator: User, bea: User
) -> None:
    dead(bea, error_message="Spotify is down.")

    page = page_of(client)

    assert "Spotify is down." in page
    assert '<li value="1"> <code>unavailable</code> 502.' in page
    assert '<li value="3"> <code>timeout</code> Silence.' in page


def test_a_dead_letter_is_retried_with_one_click(client: Client, operator: User, bea: User) -> None:
    letter = dead(bea)

    response = client.post(f"/operator/{letter}/retry/")

    assert (response.status_code, response.headers["Location"]) == (303, "/operator/")
    assert [each.state for each in bea.sync_requests.order_by("id")] == ["dead", "queued"]


def test_no_retry_is_offered_where_it_would_not_help(
    client: Client, operator: User, bea: User
) -> None:
    followed, hopeless, fresh = dead(operator), dead(bea), dead(make_user("cy"))
    make_request(operator, state="succeeded")
    bea.connection.state = "sign_in_needed"
    bea.connection.save(update_fields=["state"])

    page = page_of(client)

    assert f"/operator/{fresh}/retry/" in page
    assert f"/operator/{followed}/retry/" not in page
    assert f"/operator/{hopeless}/retry/" not in page


def test_a_block_an_incident_and_silent_workers_are_told(client: Client, operator: User) -> None:
    now = timezone.now()
    Block.objects.create(until=now + timedelta(hours=1), because="quota")
    Incident.objects.create(key="worker", message="No worker for an hour.")
    Incident.objects.create(key="old", message="Long over.", closed=now)
    Process.objects.create(kind="worker", name="attic:42", alive_until=now - timedelta(hours=1))
    Process.objects.create(kind="scheduler", name="attic:43")

    page = page_of(client)

    assert "quota is used up" in page
    assert "No worker is running." in page
    assert "No worker for an hour." not in page  # it would be the same thing twice
    assert "Long over." not in page
    assert "gone</span> worker attic:42" in page
    assert "alive</span> scheduler attic:43" in page


def test_the_first_line_says_what_there_is_to_do(client: Client, operator: User, bea: User) -> None:
    for kind in ("worker", "scheduler"):
        until = timezone.now() + timedelta(minutes=1)
        Process.objects.create(kind=kind, name=kind, alive_until=until)
    assert "All is well." in page_of(client)

    dead(bea)
    assert "1 thing to do" in page_of(client)
    Incident.objects.create(key="backup", message="No backup was made for two days.")
    Block.objects.create(until=timezone.now() + timedelta(hours=1), because="premium")
    page = page_of(client)

    assert "3 things to do" in page
    assert "Spotify requires the owner of the app to have Premium." in page
    assert "No backup was made for two days." in page
    assert 'Given up: 1 sync. <a href="#dead">Look and retry</a>' in page
    assert "All is well." not in page


def test_checks_are_on_a_page(client: Client, operator: User, simulator: Simulator) -> None:
    page = " ".join(client.get("/operator/checks/").content.decode().split())

    assert "<b>Database</b>" in page
    assert "<b>Workers</b> none" in page
    assert '<span class="mark mark-fails">to do</span>' in page


def test_blocking_asks_first_and_tells_then(client: Client, operator: User, bea: User) -> None:
    address = f"/operator/listeners/{bea.pk}/block/"
    assert f'href="{address}"' in page_of(client)

    asked = client.get(address).content.decode()
    assert "Block <bdi>Bea</bdi>?" in asked
    bea.refresh_from_db()
    assert bea.is_active

    told = client.post(address, follow=True).content.decode()
    assert "Bea is blocked and signed out." in told
    assert (
        "may use Syncify again"
        in client.post(address, {"unblock": "yes"}, follow=True).content.decode()
    )


def test_the_budget_is_a_line_in_the_chart(client: Client, operator: User, settings: Any) -> None:
    settings.SPOTIFY_DAILY_QUOTA = 960
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    ApiHour.objects.create(hour=hour, calls=80)

    quota = client.get("/operator/").context["overview"].quotas[0]

    assert (quota.most, quota.hourly_budget, quota.budget_line) == (80, 40, 50.0)
    assert quota.bars[-1].height == 100
    settings.SPOTIFY_DAILY_QUOTA = 0
    assert "<line" not in page_of(client)


def test_a_block_that_is_over_is_not_told(client: Client, operator: User) -> None:
    Block.objects.create(until=timezone.now() - timedelta(hours=1), because="quota")

    assert "Calls to Spotify are blocked" not in page_of(client)


def test_calls_are_counted_by_hour(client: Client, operator: User) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    ApiHour.objects.create(hour=hour, calls=7)
    ApiHour.objects.create(hour=hour - timedelta(hours=24), calls=5)
    ApiHour.objects.create(hour=hour - timedelta(hours=25), calls=900)

    quota = client.get("/operator/").context["overview"].quotas[0]

    assert quota.spent == 12
    assert [bar.calls for bar in quota.bars] == [5, *[0] * 23, 7]


def test_the_highest_bar_fills_the_chart_and_no_call_is_invisible() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    hours = [start + timedelta(hours=number) for number in range(4)]

    drawn = bars(list(zip(hours, [0, 1, 500, 1000], strict=True)))

    assert [bar.height for bar in drawn] == [0, 2, 50, 100]
    assert [bar.y for bar in drawn] == [100, 98, 50, 0]
    assert [bar.x for bar in drawn] == [0, 10, 20, 30]


def test_queries_do_not_grow_with_the_installation(client: Client, operator: User) -> None:
    def fill(names: str) -> None:
        for name in names:
            user = make_user(name)
            make_request(user, state="succeeded", song_count=3)
            dead(user)
            make_request(user, state="running")
            Process.objects.create(kind="worker", name=name)
            Incident.objects.create(key=name, message=name)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/operator/")
        return len(captured)

    fill("bc")
    few = queries()
    fill("defghijk")

    assert queries() == few


def test_each_page_of_listeners_shows_its_own(client: Client, operator: User) -> None:
    others = [make_user(f"listener-{number:02}") for number in range(120)]
    make_request(others[-1], state="succeeded", song_count=77)

    shown = [client.get("/operator/", {"page": page}).context["overview"] for page in (1, 3, 99)]

    first, last, beyond = ([user.pk for user in each.listeners] for each in shown)
    keys = [operator.pk, *(user.pk for user in others)]
    assert (first, last, beyond) == (keys[:50], keys[100:], keys[100:])
    assert [each.listeners.number for each in shown] == [1, 3, 3]
    assert [user.song_count for user in shown[1].listeners][-1] == 77
    assert "Page 1 of 3" in page_of(client)


def test_a_later_page_looks_up_no_more_requests_than_the_first(
    client: Client, operator: User
) -> None:
    for number in range(120):
        make_request(make_user(f"listener-{number:02}"), state="succeeded")

    def looked_up(page: int) -> int:
        """Scans of the index that finds a listener's requests."""
        asked = "SELECT pg_stat_get_xact_numscans('sync_requests_history'::regclass)"
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            before = cursor.execute(asked).fetchone()[0]
            client.get("/operator/", {"page": page})
            return int(cursor.execute(asked).fetchone()[0] - before)

    assert 0 < looked_up(3) <= looked_up(1)


def test_what_to_register_with_spotify_is_told(client: Client, operator: User) -> None:
    assert "Register exactly http://127.0.0.1:8000/accounts/callback/ as" in page_of(client)


# --- Blocking -----------------------------------------------------------------------------------


@pytest.fixture
def ended() -> Iterator[list[int]]:
    """Whose access ended, in the order it was told."""
    heard: list[int] = []

    def hear(user_id: int, **_: object) -> None:
        heard.append(user_id)

    access_ended.connect(hear)
    yield heard
    access_ended.disconnect(hear)


@pytest.mark.parametrize(("state", "after"), [("queued", "cancelled"), ("running", "running")])
def test_blocking_a_listener_ends_their_sessions_and_syncs(
    client: Client, operator: User, bea: User, ended: list[int], state: str, after: str
) -> None:
    request = make_request(bea, state=state)
    beas = as_user(bea)
    Library.objects.update(next_due=timezone.now())

    answer = client.post(f"/operator/listeners/{bea.pk}/block/")

    request.refresh_from_db()
    assert answer.status_code == 303
    assert request.state == after
    assert request.cancel_asked_at
    assert beas.get("/settings/").status_code == 302
    assert ended == [bea.pk]
    assert "blocked" in page_of(client)
    SyncRequest.objects.all().delete()
    enqueue_due_syncs()
    assert not bea.sync_requests.filter(completed=None).exists()


def test_an_unblocked_listener_is_synced_again_and_signs_in_anew(
    client: Client, operator: User, bea: User
) -> None:
    beas = as_user(bea)
    Library.objects.update(next_due=timezone.now())
    client.post(f"/operator/listeners/{bea.pk}/block/")

    client.post(f"/operator/listeners/{bea.pk}/block/", {"unblock": "yes"})

    enqueue_due_syncs()
    assert bea.sync_requests.filter(completed=None).exists()
    assert beas.get("/settings/").status_code == 302


def test_nobody_blocks_themselves_and_nobody_else_blocks(
    client: Client, operator: User, bea: User
) -> None:
    beas = as_user(bea)

    assert client.post(f"/operator/listeners/{operator.pk}/block/").status_code == 404
    assert beas.post(f"/operator/listeners/{operator.pk}/block/").status_code == 404
    assert not User.objects.filter(is_active=False).exists()


def test_no_retry_is_offered_for_who_is_blocked(client: Client, operator: User, bea: User) -> None:
    letter = dead(bea)
    assert f"/operator/{letter}/retry/" in page_of(client)

    client.post(f"/operator/listeners/{bea.pk}/block/")

    assert f"/operator/{letter}/retry/" not in page_of(client)


def test_a_blocked_listeners_sync_is_not_retried_and_the_page_says_why(
    client: Client, operator: User, bea: User
) -> None:
    letter = dead(bea)
    User.objects.filter(pk=bea.pk).update(is_active=False)

    page = client.post(f"/operator/{letter}/retry/", follow=True).content.decode()

    assert "Nothing is synced for Bea. The operator has blocked this account." in page
    assert bea.sync_requests.count() == 1


def test_spotify_is_asked_again_before_a_block_is_over(
    client: Client, operator: User, bea: User
) -> None:
    later = timezone.now() + timedelta(hours=9)
    waiting = make_request(bea, run_at=later, error_code="quota")
    assert "Ask Spotify now" not in page_of(client)
    Block.objects.create(until=later, because="quota")
    assert "Ask Spotify now" in page_of(client)

    page = client.post("/operator/ask-spotify/", follow=True).content.decode()

    assert "Block lifted; started 1 waiting request." in page
    assert not Block.objects.exists()
    waiting.refresh_from_db()
    assert waiting.run_at <= timezone.now()


def test_sync_now_refuses_with_the_reason(bea: User, settings: Any) -> None:
    User.objects.filter(pk=bea.pk).update(is_active=False)
    with pytest.raises(CommandError, match="The operator has blocked this account"):
        call_command("sync_now", "bea")

    User.objects.filter(pk=bea.pk).update(is_active=True)
    settings.ALLOWED_USERS = ["ada"]
    with pytest.raises(CommandError, match="SYNCIFY_ALLOWED_USERS does not list this account"):
        call_command("sync_now", "bea")
    assert not bea.sync_requests.exists()


@pytest.mark.parametrize(("options", "trigger"), [([], "manual"), (["--scheduled"], "scheduled")])
def test_sync_now_queues_a_sync_of_either_kind(bea: User, options: list[str], trigger: str) -> None:
    call_command("sync_now", "bea", *options)

    assert bea.sync_requests.get().trigger == trigger
