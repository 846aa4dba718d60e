"""Backup and restore, done: a restored installation goes on where it stood."""

import io
import json
import os
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psycopg
import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from psycopg import sql

from sync.models import Backup, Incident, SavedTrack
from sync.operations import backups
from sync.operations.alerts import check_incidents
from sync.operations.archive import BadArchive, open_archive, table_names
from sync.operations.metrics import exposition
from syncify.sealed import CHUNK, SealedReader, SealedWriter, WrongPassphrase
from syncify.simulator.server import Simulator
from tests.builders import connect, make_user
from tests.driving import mirrored, run
from tests.processes import manage, managed
from tests.scratch import scratch_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PASSPHRASE = "correct horse"


def refused(env: dict[str, str], *arguments: str) -> str:
    """The only line that a command says which does nothing."""
    done = manage(env, *arguments)
    assert (done.returncode, done.stdout) == (1, b"")
    [line] = done.stderr.decode().splitlines()
    return line


def rows(address: str, table: str) -> int:
    with psycopg.connect(address) as database:
        found = database.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        ).fetchone()
    assert found
    return int(found[0])


# --- There and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_a_restored_installation_goes_on_without_writing_a_song_again(
    process_env: dict[str, str], simulator: Simulator, tmp_path: Path, passphrase: str
) -> None:
    ada, bea = connect(simulator, "ada"), connect(simulator, "bea")
    run(ada, "first")
    run(bea, "first")
    playlists = simulator.playlists("ada")
    env = {**process_env, "SYNCIFY_BACKUP_PASSPHRASE": passphrase}
    said = managed(env, "backup", str(tmp_path / "one")).decode()
    assert ("not encrypted" in said) is (not passphrase)
    assert (b"manifest.json" in (tmp_path / "one").read_bytes()) is (not passphrase)
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600

    with scratch_database() as restored:
        # Another installation, with keys of its own.
        there = {
            **env,
            "DATABASE_URL": restored,
            "SYNCIFY_DATA_DIR": str(tmp_path / "data"),
            "SYNCIFY_TOKEN_KEYS": (key := Fernet.generate_key().decode()),
        }
        said = managed(there, "restore", str(tmp_path / "one")).decode()
        assert "SYNCIFY_DATA_DIR" not in said
        assert rows(restored, "saved_tracks") == SavedTrack.objects.count() > 1000

        def sync() -> list[str]:
            """The requests of a sync on what was restored."""
            simulator.forget_requests()
            managed(there, "sync_now", "ada")
            managed(there, "runworker", "--drain")
            return [f"{one.method} {one.path}" for one in simulator.requests]

        simulator.like("ada", simulator.new_track())
        assert f"POST /v1/playlists/{playlists[0]}/items" in (asked := sync())
        assert len([line for line in asked if line.startswith(("POST /v1", "PUT"))]) == 1
        assert not [line for line in asked if line.startswith("DELETE")]
        with psycopg.connect(restored) as database:
            stored = database.execute("SELECT refresh_token FROM spotify_connections").fetchall()
        assert all(Fernet(key).decrypt(token) for (token,) in stored)
        # Numbers go on behind the highest.
        assert rows(restored, "sync_requests") > 2
    assert simulator.playlists("ada") == playlists
    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_a_backup_goes_through_standard_output_and_input(
    process_env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    connect(simulator, "ada")

    written = managed(process_env, "backup", "-")
    with scratch_database() as restored:
        managed({**process_env, "DATABASE_URL": restored}, "restore", "-", given=written)

        assert rows(restored, "users") == 1


def test_settings_and_the_signing_key_come_along(
    process_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "client").write_text("s3cret 'quoted'\n".replace(" ", "-"))
    env = {
        **process_env,
        "SYNCIFY_DATA_DIR": str(tmp_path / "here"),
        "SPOTIFY_CLIENT_SECRET_FILE": str(tmp_path / "client"),
        "SYNCIFY_PORT": "8123",
    }
    env.pop("SPOTIFY_CLIENT_SECRET")
    managed(env, "backup", str(tmp_path / "one"))

    with scratch_database() as restored:
        there = {**env, "DATABASE_URL": restored, "SYNCIFY_DATA_DIR": str(tmp_path / "there")}
        there["SYNCIFY_PORT"] = "8000"
        managed(there, "check")
        told = managed(
            there, "restore", str(tmp_path / "one"), "--settings-to", str(tmp_path / "env")
        ).decode()

    assert "Settings that differ from the backup's: SYNCIFY_PORT." in told
    written = (tmp_path / "env").read_text().splitlines()
    assert "SYNCIFY_PORT=8123" in written
    assert [
        line for line in written if line.startswith(("DATABASE", "SECRET", "SYNCIFY_TOKEN"))
    ] == []
    assert [line.startswith("SPOTIFY_CLIENT_SECRET=") for line in written].count(True) == 1
    assert (tmp_path / "there/secret_key").read_text() == (tmp_path / "here/secret_key").read_text()


# --- What is refused ----------------------------------------------------------------------------


def test_a_database_with_listeners_is_left_alone_and_kept_when_it_is_replaced(
    process_env: dict[str, str], tmp_path: Path
) -> None:
    make_user("ada")
    connection.close()
    managed(process_env, "backup", str(tmp_path / "one"))
    with scratch_database() as other:
        env = {**process_env, "DATABASE_URL": other}
        managed(env, "restore", str(tmp_path / "one"))
        with psycopg.connect(other) as database:
            database.execute("UPDATE users SET spotify_id = 'changed'")

        assert "--replace" in refused(env, "restore", str(tmp_path / "one"))
        with psycopg.connect(other) as database:
            assert database.execute("SELECT spotify_id FROM users").fetchone() == ("changed",)

        managed(env, "restore", str(tmp_path / "one"), "--replace")
        with psycopg.connect(other) as database:
            assert database.execute("SELECT spotify_id FROM users").fetchone() == ("ada",)
        [kept] = tmp_path.glob("before-restore-*")
        managed(env, "restore", str(kept), "--replace")
        with psycopg.connect(other) as database:
            assert database.execute("SELECT spotify_id FROM users").fetchone() == ("changed",)


def test_a_database_in_use_is_left_alone(process_env: dict[str, str], tmp_path: Path) -> None:
    managed(process_env, "backup", str(tmp_path / "one"))
    with scratch_database() as other:
        env = {**process_env, "DATABASE_URL": other}
        with psycopg.connect(other, application_name="syncify"):
            assert "Stop the web process" in refused(env, "restore", str(tmp_path / "one"))


@pytest.fixture
def cheap_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that open hundreds of files and do not test the cost of the key."""
    monkeypatch.setattr("syncify.sealed._COST", 2**4)


@pytest.fixture
def one(tmp_path: Path, settings: Any) -> Path:
    settings.BACKUP_PASSPHRASE = PASSPHRASE
    for number in range(20):
        make_user(f"listener-{number}")
    backups.make_backup(tmp_path / "one")
    return tmp_path / "one"


def opened(path: Path, passphrase: str = PASSPHRASE) -> int:
    with open_archive(path, passphrase=passphrase) as archive:
        return archive.manifest.rows


@pytest.mark.parametrize(("passphrase", "why"), [("", "is encrypted"), ("wrong", "with another")])
def test_the_passphrase_is_wanted(one: Path, passphrase: str, why: str) -> None:
    assert opened(one) >= 20

    with pytest.raises(BadArchive, match=why):
        opened(one, passphrase)


@pytest.mark.usefixtures("cheap_keys")
@pytest.mark.parametrize("is_encrypted", [True, False])
def test_a_byte_that_was_changed_anywhere_is_noticed(
    one: Path, settings: Any, is_encrypted: bool
) -> None:
    if not is_encrypted:
        settings.BACKUP_PASSPHRASE = ""
        backups.make_backup(one)
    whole = one.read_bytes()
    # All over the file, and each of its last bytes, where a zip file has its comment.
    places = [*range(0, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 90, len(whole))]
    for place in places:
        one.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BadArchive):
            opened(one)
    for length in range(0, len(whole), max(1, len(whole) // 4)):
        one.write_bytes(whole[:length])
        with pytest.raises(BadArchive):
            opened(one)
    one.write_bytes(whole + b"0")
    with pytest.raises(BadArchive):
        opened(one)


def test_a_backup_of_0_1_0_has_no_digest_and_can_still_be_read(one: Path, settings: Any) -> None:
    settings.BACKUP_PASSPHRASE = ""
    backups.make_backup(one)
    with ZipFile(one) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(members["manifest.json"])

    def write(format_: int) -> None:
        members["manifest.json"] = json.dumps(told | {"format": format_}).encode()
        with ZipFile(one, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    write(1)
    assert opened(one) >= 20

    write(2)
    with pytest.raises(BadArchive, match="a byte of it was changed"):
        opened(one)
    write(3)
    with pytest.raises(BadArchive, match="later Syncify"):
        opened(one)


def test_no_half_backup_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sync.operations.backups.write_archive", break_off)

    with pytest.raises(OSError, match="No space"):
        backups.make_backup(tmp_path / "one")

    assert list(tmp_path.iterdir()) == []


def test_a_later_backup_is_refused_by_name(process_env: dict[str, str], tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('sync', '9999_new', now())"
        )
    try:
        backups.make_backup(tmp_path / "one")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_new'")

    with scratch_database() as other:
        env = {**process_env, "DATABASE_URL": other}
        assert "sync.9999_new" in refused(env, "restore", str(tmp_path / "one"))


def test_a_backup_holds_every_table(tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        there = {name for (name,) in cursor.fetchall()}

    assert there - set(table_names()) == {
        "django_migrations", "django_content_type", "auth_permission", "processes",
        backups.LEFT_OVER,
    }  # fmt: skip


# --- Every day ----------------------------------------------------------------------------------


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_made_once_a_day_and_the_newest_are_kept(tmp_path: Path, settings: Any) -> None:
    settings.BACKUP_DIR, settings.BACKUP_KEEP = str(tmp_path / "backups"), 3
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "mine.syncify-backup").write_text("not one of Syncify's")
    made = []
    for _ in range(5):
        path = backups.make_backup_if_due()
        assert path
        assert backups.make_backup_if_due() is None
        earlier = path.with_name(f"2026-01-{len(made) + 10}T000000Z{backups.SUFFIX}")
        path.rename(earlier)
        made.append(earlier.name)
        Backup.objects.update(name=earlier.name, made=timezone.now() - timedelta(days=1))

    assert files(tmp_path / "backups") == sorted([*made[2:], "mine.syncify-backup"])
    assert opened(tmp_path / "backups" / made[-1], "") >= 0


def test_without_a_folder_none_is_made(settings: Any) -> None:
    assert backups.make_backup_if_due() is None
    assert not backups.is_late()


def test_a_folder_that_cannot_be_written_is_logged_and_tried_again(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BACKUP_DIR = "/dev/null/backups"

    assert backups.make_backup_if_due() is None
    assert "backup failed dir=/dev/null/backups" in caplog.text

    settings.BACKUP_DIR = str(tmp_path)
    assert backups.make_backup_if_due()


def test_a_backup_that_is_late_is_an_incident_and_its_age_is_told(
    tmp_path: Path, settings: Any
) -> None:
    settings.BACKUP_DIR = str(tmp_path)
    backups.make_backup_if_due()
    check_incidents()
    assert not Incident.objects.exists()

    Backup.objects.update(made=timezone.now() - timedelta(days=3))
    check_incidents()

    assert Incident.objects.get().key == "backup"
    body, _ = exposition("")
    [line] = [line for line in body.decode().splitlines() if line.startswith("syncify_backup_age")]
    assert float(line.split()[1]) == pytest.approx(3 * 86400, abs=60)


# --- Encryption ---------------------------------------------------------------------------------


def sealed(text: bytes, *parts: int) -> io.BytesIO:
    file = io.BytesIO()
    writer = SealedWriter(file, PASSPHRASE)
    places = [0, *sorted(parts), len(text)]
    for start, end in pairwise(places):
        writer.write(text[start:end])
    writer.close()
    return file


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_a_sealed_text_is_read_at_any_place(size: int) -> None:
    text = os.urandom(size)
    reader = io.BufferedReader(SealedReader(sealed(text, size // 3, size // 2), PASSPHRASE))

    assert reader.read() == text
    for place in (0, size // 2, max(0, size - 1), size):
        reader.seek(place)
        assert reader.read(10) == text[place : place + 10]
    reader.seek(-min(5, size), io.SEEK_END)
    assert reader.read() == text[size - min(5, size) :]


@hypothesis(max_examples=25)
@given(st.data())
def test_a_sealed_text_that_was_tampered_with_is_not_read(data: st.DataObject) -> None:
    text = b"x" * (2 * CHUNK + 10)
    whole = _WHOLE or sealed(text).getvalue()
    _WHOLE[:] = whole
    block = CHUNK + 16
    chunks = [bytes(whole[33 + n * block : 33 + (n + 1) * block]) for n in range(3)]
    order = data.draw(st.lists(st.sampled_from([0, 1, 2]), max_size=4))
    changed = io.BytesIO(bytes(whole[:33]) + b"".join(chunks[number] for number in order))

    try:
        found = io.BufferedReader(SealedReader(changed, PASSPHRASE)).read()
    except WrongPassphrase:
        assert order != [0, 1, 2]
    else:
        assert (order, found) == ([0, 1, 2], text)


_WHOLE = bytearray()
