"""Syncs after an upgrade, and containers of the release before that still run."""

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.apps.registry import Apps
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.models import User
from sync.models import Playlist, Process, SyncRequest
from sync.operations.upgrade import REPLACED_WITHIN, finish_upgrade
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from tests.models import releases
from tests.models.releases import (
    LAST_RELEASE,
    SCRATCH,
    both_releases,
    executor,
    migrate,
    migrate_to_newest,
)
from tests.processes import ROOT, managed
from tests.scratch import address_of

__all__ = ["executor"]

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

#: The last commit of 0.1.0.
RELEASE_COMMIT = "0ac55c0"
WRITES = ("POST", "PUT", "DELETE")


@pytest.fixture
def env(executor: MigrationExecutor, simulator: Simulator) -> dict[str, str]:
    """The environment of a process with the upgraded database and the simulated Spotify."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "syncify.settings",
        "DATABASE_URL": address_of(connections[SCRATCH].settings_dict["NAME"]),
        "SPOTIFY_API_URL": simulator.api_url,
        "SPOTIFY_ACCOUNTS_URL": simulator.accounts_url,
    }


@pytest.fixture
def upgraded(executor: MigrationExecutor, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that was migrated from the last release, with a listener, as the default."""
    apps = migrate(executor, LAST_RELEASE)
    releases.create(apps, "accounts.User", spotify_id="ada", display_name="Ada")
    migrate_to_newest(executor)
    connections["default"], default = connections[SCRATCH], connections["default"]
    yield
    connections["default"] = default


def install(apps: Apps, simulator: Simulator, name: str, *, looked_at: timedelta) -> str:
    """A listener whose playlist was up to date ``looked_at`` ago; returns the playlist's id."""
    create = partial(releases.create, apps)
    now = timezone.now()
    token = simulator.authorize(name)
    title = f"Liked Songs of {name.title()}"
    uris = simulator.liked(name)
    playlist_id = simulator.create_playlist(name, title, uris)
    user = create("accounts.User", spotify_id=name, display_name=name.title())
    create(
        "accounts.SpotifyConnection",
        user=user,
        access_token=token["access_token"],
        refresh_token=token["refresh_token"],
        scopes=token["scope"],
        access_expires_at=now + timedelta(hours=1),
        authorized_at=now,
    )
    earlier = now - timedelta(days=2)
    mirror = create(
        "sync.Mirror",
        user=user,
        name=title,
        next_due=now,
        full_read_at=earlier,
        details_changed_at=earlier,
    )
    create(
        "sync.MirrorVolume",
        mirror=mirror,
        number=1,
        spotify_id=playlist_id,
        snapshot_id=simulator.playlist(playlist_id).snapshot_id(simulator.now),
        items=uris,
        checked_at=now - looked_at,
        details_written_at=now,
        written_name=title,
        seen_public=False,
    )
    request = partial(create, "sync.SyncRequest", user=user, trigger="scheduled")
    first = request(state="succeeded", completed=earlier, song_count=len(uris), progress=1)
    request(state="dead", completed=earlier, failures=5, error_code="spotify_unavailable")
    likes = simulator.saved(name)
    known = {"name": "Some song", "artists": ["Somebody"]}
    tracks = apps.get_model("sync.Track")._default_manager.using(SCRATCH)
    model = tracks.model
    tracks.bulk_create((model(id=like.id, **known) for like in likes), ignore_conflicts=True)
    model = apps.get_model("sync.SavedTrack")
    model._default_manager.using(SCRATCH).bulk_create(
        model(user=user, track_id=like.id, added_at=like.added_at, rank=rank, added_in=first)
        for rank, like in enumerate(likes)
    )
    return playlist_id


@both_releases
def test_the_next_sync_writes_no_song_again(
    executor: MigrationExecutor,
    release: list[tuple[str, str]],
    simulator: Simulator,
    env: dict[str, str],
) -> None:
    old = migrate(executor, release)
    today, two_days = timedelta(), timedelta(days=2)
    playlists = {
        "ada": install(old, simulator, "ada", looked_at=today),
        "bea": install(old, simulator, "bea", looked_at=two_days),
    }
    before = {name: simulator.playlist(each).rows for name, each in playlists.items()}
    users = old.get_model("accounts.User")._default_manager.using(SCRATCH)
    request = partial(releases.create, old, "sync.SyncRequest", trigger="scheduled")
    request(user=users.get(spotify_id="bea"))
    request(
        user=users.get(spotify_id="ada"),
        state="running",
        attempt=1,
        leased_by="a worker of before",
        leased_until=timezone.now() - timedelta(minutes=1),
    )
    simulator.forget_requests()

    migrate_to_newest(executor)
    managed(env, "runworker", "--drain")

    calls = {}
    for name, playlist_id in playlists.items():
        newest, *history = (
            SyncRequest.objects.using(SCRATCH).filter(user__spotify_id=name).order_by("-pk")
        )
        assert newest.state == "succeeded", newest.error_message
        assert [each.state for each in history] == ["dead", "succeeded"]
        calls[name] = newest.api_requests
        playlist = Playlist.objects.using(SCRATCH).get(mirror__user__spotify_id=name)
        assert playlist.spotify_id == playlist_id
        assert simulator.playlist(playlist_id).rows == before[name]  # dates included
    assert calls["ada"] == 1  # looked at today
    assert calls["bea"] <= 3  # the first look of the day
    assert simulator.count() == sum(calls.values())
    assert not any(simulator.count(method) for method in WRITES)


# --- Containers of the release before -----------------------------------------------------------


@pytest.fixture
def old_code(tmp_path: Path) -> Path:
    """A folder with the code of 0.1.0."""
    folder = tmp_path / "release"
    folder.mkdir()
    packed = subprocess.run(  # noqa: S603 - a commit of our own
        ["git", "archive", RELEASE_COMMIT],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if packed.returncode:
        pytest.skip("the history has no commit of 0.1.0")
    subprocess.run(["tar", "x"], cwd=folder, input=packed.stdout, check=True)  # noqa: S607
    return folder


PRESS = """
from django.test import Client
from accounts.models import User
client = Client(headers={'host': '127.0.0.1:8000'})
client.force_login(User.objects.get(spotify_id='ada'))
print(*[client.post('/sync/').status_code for _ in range(2)])
"""


def test_old_containers_take_the_button_and_the_job(
    executor: MigrationExecutor, simulator: Simulator, env: dict[str, str], old_code: Path
) -> None:
    install(migrate(executor, LAST_RELEASE), simulator, "ada", looked_at=timedelta())
    migrate_to_newest(executor)
    ada = User.objects.using(SCRATCH).get()

    pressed = managed(env, "shell", "-v0", "-c", PRESS, folder=old_code).decode()
    managed(env, "schedule_syncs", folder=old_code)
    assert pressed.split()[:2] == ["303", "303"]  # a pool may complain at the end
    [request] = SyncRequest.objects.using(SCRATCH).filter(user=ada, completed=None)
    assert (request.trigger, request.kind) == ("manual", "spotify")

    simulator.like("ada", simulator.new_track())
    managed(env, "runworker", "--drain", folder=old_code)
    request.refresh_from_db()
    assert (request.state, request.added) == ("succeeded", 1)

    # The newest code goes on with what the old code wrote.
    simulator.forget_requests()
    SyncRequest.objects.using(SCRATCH).create(user=ada, trigger="scheduled")
    managed(env, "runworker", "--drain")
    newest = SyncRequest.objects.using(SCRATCH).latest("pk")
    assert (newest.state, newest.api_requests) == ("succeeded", 1)
    playlist = Playlist.objects.using(SCRATCH).get()
    assert simulator.playlist_uris(playlist.spotify_id or "") == simulator.liked("ada")


def test_requests_of_other_kinds_wait_until_old_containers_are_gone(upgraded: None) -> None:
    ada = User.objects.get()
    sync, _ = queue.enqueue(ada.pk, trigger="manual")
    for _ in range(2):
        held, _ = queue.enqueue(ada.pk, SyncRequest.Kind.SUBSONIC, trigger="first")
        assert (held.state, held.error_code) == ("cancelled", "upgrade")
    Process.objects.create(kind="worker", name="of before", alive_until=timezone.now())
    assert not finish_upgrade()

    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET applied = applied - %s", [REPLACED_WITHIN])
    assert not finish_upgrade()  # a worker of the release before is alive
    Process.objects.all().delete()
    Process.objects.create(kind="worker", name="new")
    assert finish_upgrade()
    assert not finish_upgrade()

    queued = SyncRequest.objects.filter(completed=None).order_by("pk")
    assert [each.pk for each in queued] == [sync.pk, held.pk]
    other, is_new = queue.enqueue(ada.pk, SyncRequest.Kind.GENRES, trigger="scheduled")
    assert (other.state, is_new) == ("queued", True)


def test_a_new_installation_holds_nothing(db: None) -> None:
    assert not finish_upgrade()
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%one_open_per_user'")
        assert cursor.fetchone() == (0,)
