"""Deleting an account: all of it, nothing else, and while a worker is writing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.connections import mark_refused
from accounts.deletion import delete_account
from accounts.models import ListenerSession, SpotifyConnection, User
from accounts.problems import SignInFailed
from accounts.sign_in import connect_spotify
from sync.mirrors.services import (
    block_listener,
    change_settings,
    pause_mirror,
    request_sync,
    resume_mirror,
)
from sync.models import Library, Mirror, SavedTrack, SyncRequest, Track
from sync.queue import store as queue
from sync.queue.locks import lock_listener
from sync.queue.scheduler import enqueue_due_syncs
from sync.queue.store import LeaseLost
from syncify.simulator.server import Simulator
from syncify.spotify.accounts_host import Grant
from syncify.spotify.types import Profile
from tests.accounts.signing_in import is_signed_in, sign_in
from tests.builders import connect, main_mirror, make_request, make_user
from tests.driving import worker
from tests.waiting import PATIENCE, in_thread, wait_until_blocked

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("confirm", [None, "", "yes"])
def test_an_account_is_not_deleted_without_a_clear_yes(
    client: Client, ada: User, confirm: str | None
) -> None:
    client.force_login(ada)

    response = client.post("/accounts/delete/", {} if confirm is None else {"confirm": confirm})

    assert response.status_code == 422
    assert User.objects.filter(pk=ada.pk).exists()


def test_deleting_an_account_takes_everything_of_theirs_and_nothing_else(
    client: Client, simulator: Simulator, ada: User, bea: User
) -> None:
    playlist_id = simulator.create_playlist("ada", "Mirror", simulator.liked("ada")[:3])
    track = Track.objects.create(id="t", name="Song", artists=["Somebody"])
    for user in (ada, bea):
        SavedTrack.objects.create(user=user, track=track, added_at=timezone.now())
        SyncRequest.objects.create(user=user)
    elsewhere = Client()
    for each, user in ((client, ada), (elsewhere, ada), (Client(), bea)):
        each.force_login(user)

    asked_first = client.get("/accounts/delete/")
    response = client.post("/accounts/delete/", {"confirm": "delete"})

    assert b'name="confirm" value="delete"' in asked_first.content
    assert response.headers["Location"] == "/"
    assert not is_signed_in(client)
    assert list(User.objects.all()) == [bea]
    for model in (SpotifyConnection, Mirror, SavedTrack, SyncRequest):
        assert [row.user_id for row in model.objects.all()] == [bea.pk]  # type: ignore[attr-defined]
    sessions = [session.get_decoded() for session in Session.objects.all()]
    assert [session["_auth_user_id"] for session in sessions] == [str(bea.pk)]
    assert len(simulator.playlist_uris(playlist_id)) == 3
    assert simulator.requests == []


def test_sessions_of_others_are_neither_read_nor_counted(ada: User, bea: User) -> None:
    """Only the row says whose a session is; what is in the others is nobody's business."""
    for user in (ada, ada, bea):
        Client().force_login(user)
    Session.objects.create(session_key="x" * 32, session_data="odd", expire_date=timezone.now())

    with CaptureQueriesContext(connection) as captured:
        delete_account(ada)

    asked = [each["sql"] for each in captured if "django_session" in each["sql"]]
    assert len(asked) == 1
    assert asked[0].startswith("DELETE")
    owners = ListenerSession.objects.values_list("user_id", flat=True)
    assert sorted(owners, key=str) == sorted([bea.pk, None], key=str)


def test_a_deleted_listener_may_come_back_as_a_new_one(
    client: Client, simulator: Simulator, connected: list[Any]
) -> None:
    sign_in(client, simulator, "ada")
    client.post("/accounts/delete/", {"confirm": "delete"})
    sign_in(client, simulator, "ada")

    assert connected == [("ada", True), ("ada", True)]


def test_a_deletion_that_fails_leaves_the_listener_signed_in(
    client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(ada)
    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(
            "accounts.deletion.access_ended.send", lambda **_: connection.cursor().execute("oops")
        )
        with transaction.atomic():
            assert client.post("/accounts/delete/", {"confirm": "delete"}).status_code == 500
            transaction.set_rollback(False)

    assert User.objects.filter(pk=ada.pk).exists()
    assert client.get("/accounts/delete/").status_code == 200


# --- While others write -------------------------------------------------------------------------


def _fence(request: SyncRequest) -> None:
    """As a worker begins each of its transactions."""
    lock_listener(request.user_id)
    list(Mirror.objects.select_for_update(no_key=True).filter(user=request.user_id))
    queue.record_progress(request, progress=0.5)


def _store_a_like(request: SyncRequest) -> None:
    track = Track.objects.create(id="t", name="Song", artists=["Somebody"])
    SavedTrack.objects.create(user_id=request.user_id, track=track, added_at=timezone.now())


def _lock_the_mirror(request: SyncRequest) -> None:
    """As a change of settings begins."""
    lock_listener(request.user_id)
    Mirror.objects.select_for_update().get(user=request.user_id)


def _queue_a_sync(request: SyncRequest) -> None:
    queue.enqueue(request.user_id, trigger="manual")


def _delete(user: User) -> None:
    delete_account(user)


def _block(user: User) -> None:
    block_listener(user)


def _sign_in_again(user: User) -> None:
    profile = Profile(user.spotify_id, "A1", "Ada")
    grant = Grant("access", "refresh", None, timezone.now())
    connect_spotify(profile=profile, grant=grant)
    connect_spotify(profile=profile, grant=grant)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [_delete, _block, _sign_in_again])
@pytest.mark.parametrize(
    ("lock", "write"), [(_fence, _store_a_like), (_lock_the_mirror, _queue_a_sync)]
)
def test_changes_of_an_account_wait_for_writers_and_never_deadlock_with_them(
    lock: Callable[[SyncRequest], None],
    write: Callable[[SyncRequest], None],
    change: Callable[[User], None],
) -> None:
    ada = make_user("ada")
    request = make_request(ada, state="running")
    holds_locks, is_waited_for = Event(), Event()

    def work() -> None:
        with transaction.atomic():
            lock(request)
            holds_locks.set()
            assert is_waited_for.wait(PATIENCE)
            write(request)

    with ThreadPoolExecutor(2) as pool:
        writer = in_thread(pool, work)
        assert holds_locks.wait(PATIENCE)
        changer = in_thread(pool, change, ada)
        wait_until_blocked()
        is_waited_for.set()
        writer.result(PATIENCE)
        changer.result(PATIENCE)

    assert User.objects.exists() == (change is not _delete)
    assert SavedTrack.objects.exists() == (change is not _delete and write is _store_a_like)


def _change_settings(user: User) -> None:
    mirror = Mirror.objects.get(user=user, is_main=True)
    change_settings(
        mirror=mirror,
        name=f"Songs {monotonic()}",
        description="",
        public=True,
        remind_in_spotify=False,
        interval="daily",
    )


def _run_the_scheduler(user: User) -> None:
    Library.objects.filter(user=user).update(next_due=timezone.now())
    enqueue_due_syncs()


def _store_a_part(user: User) -> None:
    """What a worker does, over and over."""
    request = queue.claim(worker="test")
    if request is None:
        return
    with suppress(LeaseLost):
        with transaction.atomic():
            _fence(request)
            track, _ = Track.objects.get_or_create(id="t", defaults={"name": "Song", "artists": []})
            SavedTrack.objects.filter(user_id=request.user_id).delete()
            SavedTrack.objects.create(user_id=request.user_id, track=track, added_at=timezone.now())
        with transaction.atomic():
            queue.bury(request, code="forbidden", message="Refused.")
            mark_refused(User(pk=request.user_id), "forbidden")


def _pause_and_resume(user: User) -> None:
    pause_mirror(user)
    resume_mirror(user)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_nothing_that_changes_a_listener_deadlocks_with_anything_else() -> None:
    make_user("ada")
    changes = [
        _change_settings,
        _run_the_scheduler,
        _store_a_part,
        _store_a_part,
        _pause_and_resume,
        _sign_in_again,
        lambda user: request_sync(user=user),
        _block,
        _delete,
    ]
    until = monotonic() + 6

    def repeat(change: Callable[[User], object]) -> int:
        times = 0
        while monotonic() < until:
            # The account may be gone, or blocked, at any moment.
            with suppress(IntegrityError, ObjectDoesNotExist, SignInFailed):
                user = User.objects.filter(spotify_id="ada").first()
                if user is None:
                    user = connect_spotify(
                        profile=Profile("ada", "A1", "Ada"),
                        grant=Grant("access", "refresh", None, timezone.now()),
                    ).user
                change(user)
                times += 1
            if change in {_block, _delete}:
                User.objects.filter(spotify_id="ada").update(is_active=True)
                sleep(0.05)
        return times

    with ThreadPoolExecutor(len(changes)) as pool:
        threads = [in_thread(pool, repeat, change) for change in changes]
        assert all(thread.result(PATIENCE) for thread in threads)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_an_account_may_be_deleted_while_a_first_copy_is_stored(
    client: Client, simulator: Simulator, delay: float
) -> None:
    simulator.add_listener("dan", size=2_000)
    dan = connect(simulator, "dan")
    make_request(dan, trigger="first")
    client.force_login(dan)
    is_read = Event()
    simulator.after_request(40, is_read.set)  # the last page

    with ThreadPoolExecutor(1) as pool:
        sync = in_thread(pool, worker().run_one)
        assert is_read.wait(PATIENCE)
        sleep(delay)
        response: Any = client.post("/accounts/delete/", {"confirm": "delete"})
        sync.result(PATIENCE)

    assert response.status_code == 302
    for model in (User, SpotifyConnection, Mirror, SavedTrack, SyncRequest, Session):
        assert not model._default_manager.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/playlists/{}/sync/", {}),
        ("/playlists/{}/pause/", {}),
        ("/playlists/{}/duplicate/", {}),
        ("/plays/listenbrainz/", {"name": "ada"}),
        ("/settings/", {"name": "Songs", "interval": "daily"}),
    ],
)
def test_a_press_while_the_account_is_deleted_leads_to_the_sign_in(
    client: Client, ada: User, path: str, form: dict[str, str]
) -> None:
    client.force_login(ada)
    path = path.format(main_mirror(ada).pk)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            delete_account(ada)
            press = in_thread(pool, client.post, path, form)
            wait_until_blocked()
        response: Any = press.result(PATIENCE)

    assert response.status_code in {302, 303}
    assert "Sign in with Spotify" in client.get(response.headers["Location"]).content.decode()
