"""Nothing is stored without the right to store it, and nothing believed that a look denies."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event

import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import User
from sync.library.likes import Like, LikesPage
from sync.library.pages import fetch_page, keep_page
from sync.mirrors import services
from sync.models import Mirror, Playlist, StoredPage, SyncRequest
from sync.queue import store as queue
from sync.queue.job import Job
from sync.queue.locks import lock_listener
from sync.queue.store import LeaseLost
from syncify.simulator.server import Simulator
from syncify.simulator.traffic import Recorded
from tests.builders import make_request
from tests.driving import mirrored, run, run_again, time_for_a_second_look
from tests.waiting import PATIENCE, in_thread

pytestmark = pytest.mark.django_db


def mirror_of(user: User) -> Mirror:
    return Mirror.objects.get(user=user, is_main=True)


def playlist_of(user: User) -> Playlist:
    return Playlist.objects.get(mirror__user=user)


# --- The right to write ---------------------------------------------------------------------------

A_PAGE = LikesPage(0, 1, (Like("track", datetime(2026, 1, 1, tzinfo=UTC)),), has_next=False)


@pytest.mark.parametrize(
    "store",
    [
        lambda job: keep_page(job, A_PAGE),
        lambda job: fetch_page(job, 50, {}, keep=True),
    ],
    ids=["the first page", "a further page"],
)
@pytest.mark.parametrize("lost", ["to another worker", "to a cancellation"])
def test_a_worker_that_lost_its_lease_stores_no_page(
    ada: User, store: Callable[[Job], object], lost: str
) -> None:
    queue.enqueue(ada.pk, trigger="manual")
    request = queue.claim(worker="slow")
    assert request is not None
    job = Job(request)
    if lost == "to another worker":
        SyncRequest.objects.filter(pk=request.pk).update(attempt=request.attempt + 1)
    else:
        queue.cancelled(request)

    with pytest.raises(LeaseLost):
        store(job)

    job.close()
    assert not StoredPage.objects.exists()


@contextmanager
def locked_elsewhere(user: User) -> Iterator[None]:
    """While another connection holds the listener, as a worker that stores a part of a sync."""
    is_locked, is_done = Event(), Event()

    @transaction.atomic
    def hold() -> None:
        lock_listener(user.pk)
        is_locked.set()
        is_done.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        in_thread(pool, hold)
        assert is_locked.wait(PATIENCE)
        try:
            yield
        finally:
            is_done.set()


def impatiently(change: Callable[[User], object], user: User) -> None:
    """Make a change that gives up soon where it has to wait."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '300ms'")
        change(user)


CHANGES: dict[str, Callable[[User], object]] = {
    "name": lambda user: services.change_settings(mirror=mirror_of(user), name="Hearts"),
    "interval": lambda user: services.change_settings(mirror=mirror_of(user), interval="weekly"),
    "pause": services.pause_mirror,
    "rewrite": lambda user: services.rewrite_playlist(mirror_of(user)),
    "new playlist": lambda user: services.make_new_playlist(mirror_of(user)),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_settings_waits_for_a_worker_that_stores(ada: User, change: str) -> None:
    before = Mirror.objects.values().get(user=ada)
    with locked_elsewhere(ada), pytest.raises(OperationalError, match="lock timeout"):
        impatiently(CHANGES[change], ada)

    assert Mirror.objects.values().get(user=ada) == before
    CHANGES[change](ada)


@pytest.mark.parametrize(
    ("press", "state"),
    [
        (services.pause_mirror, Mirror.State.ACTIVE),
        (services.resume_mirror, Mirror.State.PAUSED),
    ],
    ids=["pause", "resume"],
)
def test_nobody_moves_the_mirror_of_another_listener(
    ada: User, bea: User, press: Callable[[User, Mirror], object], state: str
) -> None:
    theirs = mirror_of(ada)
    Mirror.objects.filter(pk=theirs.pk).update(state=state)
    queued = make_request(ada, trigger="scheduled")

    press(bea, theirs)

    theirs.refresh_from_db()
    queued.refresh_from_db()
    assert (theirs.state, queued.state) == (state, "queued")
    assert not SyncRequest.objects.filter(user=bea).exists()


# --- What a look denies ---------------------------------------------------------------------------


def test_songs_that_a_first_look_did_not_see_need_a_second_one_too(
    ada: User, simulator: Simulator
) -> None:
    run(ada)
    playlist_id = str(playlist_of(ada).spotify_id)
    first, second = ([f"spotify:track:{simulator.new_track()}" for _ in range(60)] for _ in "ab")
    simulator.insert(playlist_id, *first, position=0)
    assert run(ada).error_code == "confirming_removal"
    # Somebody replaces what was found.
    simulator.take_out(playlist_id, *first)
    simulator.insert(playlist_id, *second, position=0)
    time_for_a_second_look()

    request = run_again(ada)

    assert (request.state, request.error_code) == ("queued", "confirming_removal")
    assert set(second) <= set(mirrored(simulator, ada))
    time_for_a_second_look()
    assert run_again(ada).state == "succeeded"
    assert mirrored(simulator, ada) == simulator.liked("ada")


@pytest.mark.django_db(transaction=True)
def test_a_version_is_not_learned_while_the_number_of_songs_is_another(
    ada: User, simulator: Simulator
) -> None:
    """A write gets no answer, and somebody adds a song before its version is asked for."""
    run(ada)
    playlist_id = str(playlist_of(ada).spotify_id)
    foreign = f"spotify:track:{simulator.new_track()}"
    simulator.like("ada", simulator.new_track())
    simulator.fault("drop", method="POST", path="/items", when="after", times=1)

    def is_look(one: Recorded) -> bool:
        return one.method == "GET" and one.path.endswith(f"{playlist_id}/items")

    simulator.after_request(is_look, lambda: simulator.insert(playlist_id, foreign, position=0))

    request = run(ada)

    assert foreign in mirrored(simulator, ada)
    assert playlist_of(ada).snapshot_id == ""
    assert "added there" not in request.note
    assert "1 added there" in run(ada).note
    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_an_unchanged_version_with_another_number_of_songs_is_read(
    ada: User, simulator: Simulator
) -> None:
    run(ada)
    playlist_id = playlist_of(ada).spotify_id
    simulator.fault(
        "patch", method="GET", end=f"/playlists/{playlist_id}", at="items.total", value="179"
    )
    simulator.forget_requests()

    assert run(ada).state == "succeeded"

    assert simulator.count("GET", f"/v1/playlists/{playlist_id}/items") == 4
    assert mirrored(simulator, ada) == simulator.liked("ada")
