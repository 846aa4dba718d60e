"""Backups: made on command and once a day, kept for a while, and put back."""

import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.models import User
from sync.models import Backup
from sync.operations.archive import Archive, BadArchive, Manifest, open_archive, write_archive
from syncify.env import SETTINGS_READ, env_str
from syncify.secrets import new_version_of

logger = logging.getLogger(__name__)

SUFFIX = ".syncify-backup"
EVERY = timedelta(days=1)
#: An older latest backup is an incident, if daily backups are enabled.
LATE = timedelta(days=2)
#: Settings of the machine, which a restore on another machine must not take over.
_OF_THE_PLACE = ("DATABASE_", "SYNCIFY_BACKUP_", "SYNCIFY_DATA_DIR", "SYNCIFY_ALIVE_DIR")
_KEYS = ("SECRET_KEY", "SYNCIFY_TOKEN_KEYS")
_OURS = ("SYNCIFY_", "SPOTIFY_", "SPOTIPY_")
#: The lock with which one of all schedulers makes the backup.
_LOCK = 0x53594E43


class Refused(Exception):
    """Nothing was changed; ``str`` says why, and what to do."""


# --- Making -------------------------------------------------------------------------------------


def make_backup(path: Path) -> Manifest:
    """Write a backup to ``path``, read it back, and only then give it its name.

    Encrypted if ``SYNCIFY_BACKUP_PASSPHRASE`` is set. Raises OSError and BadArchive; ``path`` is
    as it was then.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        # A reader of the file can act as every listener.
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600), "w+b") as file:
            manifest = write_archive(
                file,
                passphrase=settings.BACKUP_PASSPHRASE,
                token_keys=settings.TOKEN_KEYS,
                secret_key=settings.SECRET_KEY,
                settings=settings_in_use(),
            )
            file.flush()
            os.fsync(file.fileno())
        with open_archive(part, passphrase=settings.BACKUP_PASSPHRASE) as archive:
            if archive.manifest != manifest:
                raise BadArchive(f"{part} does not read as it was written.")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def settings_in_use() -> dict[str, str]:
    """The settings that were given, whether by variable or by file."""
    given = {name for name in os.environ if name.startswith(_OURS) and not name.endswith("_FILE")}
    return {
        name: value
        for name in sorted(SETTINGS_READ | given)
        if not name.startswith((*_OF_THE_PLACE, *_KEYS)) and (value := env_str(name, ""))
    }


def make_backup_if_due() -> Path | None:
    """Make the backup of the day in ``SYNCIFY_BACKUP_DIR`` and delete those beyond the number kept.

    A failure is logged and tried again at the next turn. Of several schedulers one makes it.
    """
    if not settings.BACKUP_DIR or not _is_due():
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return None
        try:
            return _make_and_prune(Path(settings.BACKUP_DIR)) if _is_due() else None
        except (OSError, BadArchive) as error:
            logger.error("backup failed dir=%s error=%s", settings.BACKUP_DIR, error)  # noqa: TRY400
            return None
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _is_due() -> bool:
    made = latest_backup()
    return made is None or timezone.now() - made >= EVERY


def _make_and_prune(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{timezone.now():%Y-%m-%dT%H%M%SZ}{SUFFIX}"
    manifest = make_backup(path)
    Backup.objects.create(name=path.name, size=path.stat().st_size)
    logger.info("backup made path=%s rows=%d", path, manifest.rows)
    # Names sort by time. Other files of the folder are not ours.
    for old in sorted(folder.glob(f"????-??-??T??????Z{SUFFIX}"))[: -settings.BACKUP_KEEP]:
        old.unlink()
        Backup.objects.filter(name=old.name).delete()
    return path


def latest_backup() -> datetime | None:
    """When the latest backup of the day was made."""
    latest = Backup.objects.order_by("-made").first()
    return latest.made if latest else None


def is_late() -> bool:
    """Whether backups should be made, and the latest is too old."""
    made = latest_backup()
    return bool(settings.BACKUP_DIR) and (made is None or timezone.now() - made > LATE)


# --- Restoring ----------------------------------------------------------------------------------


def restore(archive: Archive, *, replace: Callable[[], None] | None) -> None:
    """Restore the rows of a backup into the tables of this program.

    Refuses to touch a database that has listeners, unless ``replace`` is given, which is called
    before anything is deleted. Stored tokens are encrypted with this installation's first key.
    Raises Refused.
    """
    if unknown := _unknown_migrations(archive.manifest):
        raise Refused(
            f"The backup was made by a later Syncify, which has {unknown}. Upgrade first."
        )
    _check_alone()
    if _has_listeners():
        if replace is None:
            raise Refused("The database has listeners. To delete them and all else, add --replace.")
        replace()
    _drop_tables()
    _migrate_to(archive.manifest)
    _fill(archive)
    call_command("migrate", verbosity=0, interactive=False)
    if foreign := [key for key in archive.manifest.token_keys if key not in settings.TOKEN_KEYS]:
        settings.TOKEN_KEYS += foreign
        call_command("rotate_token_keys", verbosity=0)


def _unknown_migrations(manifest: Manifest) -> str:
    known = MigrationExecutor(connection).loader.disk_migrations
    return ", ".join(
        f"{app}.{name}"
        for app, names in manifest.migrations.items()
        for name in names
        if (app, name) not in known
    )


def _check_alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'syncify' AND pid <> pg_backend_pid()"
        )
        if others := cursor.fetchone()[0]:
            raise Refused(
                f"Syncify still uses the database ({others} connections). Stop the web process, "
                "workers and scheduler first."
            )


def _has_listeners() -> bool:
    is_there = User._meta.db_table in connection.introspection.table_names()
    return is_there and User.objects.exists()


#: Of the release before, whose containers may still write it; no model knows it.
LEFT_OVER = "mirror_volumes"


def _drop_tables() -> None:
    names = connection.introspection.django_table_names(only_existing=True)
    gone = [*names, "django_migrations", LEFT_OVER]
    quoted = [connection.ops.quote_name(name) for name in gone]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {', '.join(quoted)} CASCADE")
        cursor.execute(
            f"DROP FUNCTION IF EXISTS {LEFT_OVER}_forget, {LEFT_OVER}_carry_over,"
            " sync_requests_hold CASCADE"
        )


def _migrate_to(manifest: Manifest) -> None:
    """Replace the rows of all tables with those of the backup."""
    executor = MigrationExecutor(connection)
    made = {(app, name) for app, names in manifest.migrations.items() for name in names}
    nodes = executor.loader.graph.node_map
    latest = [
        key for key in sorted(made) if not any(child.key in made for child in nodes[key].children)
    ]
    executor.migrate(latest)


def _fill(archive: Archive) -> None:
    tables = archive.manifest.tables
    names = [connection.ops.quote_name(table.name) for table in tables]
    with transaction.atomic(), connection.cursor() as cursor:
        # Some migrations make rows.
        cursor.execute(f"TRUNCATE {', '.join(names)}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table, name in zip(tables, names, strict=True):
            archive.load(table)
            cursor.execute(f"SELECT count(*) FROM {name}")  # noqa: S608 - our own table
            if cursor.fetchone()[0] != table.rows:
                raise Refused(f"{table.name} did not take all {table.rows} rows.")


def restore_secret_key(manifest: Manifest) -> bool:
    """Keep the key of the backup, so that sessions stay valid; False if another key is set."""
    if manifest.secret_key == settings.SECRET_KEY:
        return True
    kept = settings.DATA_DIR / "secret_key"
    if env_str("SECRET_KEY", "") or not kept.exists():
        return False
    try:
        new_version_of(kept, manifest.secret_key)
    except OSError:
        return False
    return True
