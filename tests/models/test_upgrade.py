"""From released schemas to the newest, with data, and with old code still running."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.apps.registry import Apps
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import DatabaseError, IntegrityError, connections
from django.db.migrations.executor import MigrationExecutor

from accounts.models import ListenerSession
from sync.models import Library, Mirror, MirrorTrack, Playlist, PlaylistItems, SyncResult, Track
from tests.builders import main_mirror, make_user
from tests.models import releases
from tests.models.releases import (
    FIRST_RELEASE,
    LAST_RELEASE,
    SCRATCH,
    both_releases,
    executor,
    migrate,
    migrate_to_newest,
)

__all__ = ["executor"]

pytestmark = pytest.mark.django_db

OURS = [app for app, _ in FIRST_RELEASE]
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def fill(apps: Apps, name: str) -> None:
    """A listener with rows of all kinds, written as the code of ``apps`` does."""
    create = partial(releases.create, apps)
    user = create("accounts.User", spotify_id=name, display_name=name.title())
    create("accounts.SpotifyConnection", user=user, refresh_token=name, authorized_at=NOON)
    mirror = create("sync.Mirror", user=user, name=f"Liked Songs of {name}", next_due=NOON)
    song = f"song-of-{name}"
    create(
        "sync.MirrorVolume",
        mirror=mirror,
        number=1,
        spotify_id=f"playlist-of-{name}",
        snapshot_id="AAAA",
        items=[f"spotify:track:{song}", None],
        written_name=f"Liked Songs of {name}",
    )
    ended = {"state": "succeeded", "completed": NOON, "song_count": 1, "progress": 1, "added": 1}
    request = create("sync.SyncRequest", user=user, trigger="first", **ended)
    failed = {"errors": [{"attempt": 1, "code": "spotify_unavailable"}], "failures": 1}
    create("sync.SyncRequest", user=user, trigger="scheduled", **failed)
    track = create(
        "sync.Track",
        id=song,
        name="Looped",
        artists=["Kiasmos"],
        album="Looped EP",
        release_date="2014",
    )
    refused = {"refused_at": NOON, "refused_reason": "No."}
    create("sync.SavedTrack", user=user, track=track, added_at=NOON, added_in=request, **refused)
    create("sync.ReadPage", user=user, offset=0, total=1, items=[])
    create("sync.Process", kind="worker", name=name)
    create("sync.Incident", key=name, message="no worker")
    create("spotify.ApiHour", hour=NOON + timedelta(hours=len(name)), calls=3)


def contents(apps: Apps) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that ``apps`` knows."""
    return {
        model._meta.label: list(model._default_manager.using(SCRATCH).order_by("pk").values())
        for model in apps.get_models()
        if model._meta.app_label in OURS
    }


@both_releases
def test_data_of_a_release_lives_on_and_its_code_runs_on_the_newest_schema(
    executor: MigrationExecutor, release: list[tuple[str, str]]
) -> None:
    old = migrate(executor, release)
    fill(old, "ada")
    before = contents(old)

    migrate_to_newest(executor)

    assert contents(old) == before
    assert_carried_over("ada")
    # Containers that have not been stopped yet write on, and the newest code reads it.
    fill(old, "bea-b")
    twice = {model: 2 * len(rows) for model, rows in before.items()}
    assert {model: len(rows) for model, rows in contents(old).items()} == twice
    assert main_playlist("bea-b").spotify_id == "playlist-of-bea-b"


def test_sessions_of_before_outlast_the_upgrade_and_say_whose_they_are(
    executor: MigrationExecutor,
) -> None:
    old = migrate(executor, [*LAST_RELEASE, ("sessions", "0001_initial")])
    contents = {"a" * 32: {SESSION_KEY: "42", "used": True}, "b" * 32: {"begun": True}}
    for key, content in contents.items():
        old.get_model("sessions.Session")._default_manager.using(SCRATCH).create(
            session_key=key, session_data=DatabaseStore().encode(content), expire_date=NOON
        )

    migrate_to_newest(executor)

    found = ListenerSession.objects.using(SCRATCH).order_by("pk")
    assert [(each.pk, each.user_id) for each in found] == [("a" * 32, 42), ("b" * 32, None)]
    assert [each.get_decoded() for each in found] == list(contents.values())


def main_playlist(name: str) -> Playlist:
    mirror = Mirror.objects.using(SCRATCH).get(user__spotify_id=name, is_main=True)
    return mirror.playlists.using(SCRATCH).get()


def assert_carried_over(name: str) -> None:
    """The newest code finds the same schedule, links, contents, refusals and history."""
    library = Library.objects.using(SCRATCH).get(user__spotify_id=name)
    assert (library.interval, library.next_due, library.song_count) == ("daily", NOON, 1)
    playlist = main_playlist(name)
    assert (playlist.spotify_id, playlist.snapshot_id) == (f"playlist-of-{name}", "AAAA")
    assert playlist.written_name == f"Liked Songs of {name}"
    items = PlaylistItems.objects.using(SCRATCH).get(playlist=playlist)
    assert items.uris == [f"spotify:track:song-of-{name}", None]
    fact = MirrorTrack.objects.using(SCRATCH).get(mirror=playlist.mirror_id)
    assert (fact.track_id, fact.refused_at, fact.refused_reason) == (f"song-of-{name}", NOON, "No.")
    result = SyncResult.objects.using(SCRATCH).get(mirror=playlist.mirror_id)
    assert (result.state, result.added) == ("done", 1)
    track = Track.objects.using(SCRATCH).get(pk=f"song-of-{name}")
    assert (track.search, str(track.released)) == ("looped\nkiasmos\nlooped ep", "2014-01-01")


def test_odd_data_stops_the_upgrade_and_changes_nothing(executor: MigrationExecutor) -> None:
    old = migrate(executor, LAST_RELEASE)
    fill(old, "ada")
    volume = old.get_model("sync.MirrorVolume")._default_manager.using(SCRATCH).get()
    with connections[SCRATCH].cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # the foreign key looks away
        cursor.execute("DELETE FROM mirrors")
        cursor.execute("SET session_replication_role = DEFAULT")

    with pytest.raises(DatabaseError, match=f"mirror_volumes row {volume.pk} belongs to no mirror"):
        migrate_to_newest(executor)

    assert not Library.objects.using(SCRATCH).exists()
    assert old.get_model("sync.MirrorVolume")._default_manager.using(SCRATCH).count() == 1


def test_the_database_refuses_two_mirrors_that_claim_one_playlist(db: None) -> None:
    ada, bea = (main_mirror(make_user(name)) for name in ("ada", "bea"))
    Playlist.objects.create(mirror=ada, number=1, spotify_id="shared")

    with pytest.raises(IntegrityError, match="playlists_spotify_id"):
        Playlist.objects.create(mirror=bea, number=1, spotify_id="shared")
