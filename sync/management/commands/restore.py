"""restore: puts a backup back, on this or another installation."""

import os
import shlex
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sync.operations import backups
from sync.operations.archive import Archive, BadArchive, open_archive


class Command(BaseCommand):
    help = (
        "Put a backup back. Stop the web process, workers and scheduler first. "
        "A database that has listeners is left alone without --replace."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a backup; - is the standard input")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="delete what the database holds; a backup of it is made first",
        )
        parser.add_argument(
            "--settings-to", metavar="FILE", help="write the settings of the backup to a new file"
        )

    def handle(self, *, file: str, replace: bool, settings_to: str | None, **_: Any) -> None:
        try:
            with ExitStack() as stack:
                path = self._received(stack) if file == "-" else Path(file)
                archive = stack.enter_context(
                    open_archive(path, passphrase=settings.BACKUP_PASSPHRASE)
                )
                self._restore(archive, path, replace=replace, settings_to=settings_to)
        except (BadArchive, backups.Refused) as error:
            raise CommandError(str(error)) from error

    def _received(self, stack: ExitStack) -> Path:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=settings.BACKUP_DIR or None))
        path = Path(folder) / "backup"
        with path.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        return path

    def _restore(
        self, archive: Archive, path: Path, *, replace: bool, settings_to: str | None
    ) -> None:
        def keep_what_there_is() -> None:
            folder = Path(settings.BACKUP_DIR or path.parent)
            kept = folder / f"before-restore-{timezone.now():%Y-%m-%dT%H%M%SZ}{backups.SUFFIX}"
            try:
                backups.make_backup(kept)
            except OSError as error:
                raise backups.Refused(f"{kept} cannot be written: {error.strerror}.") from error
            self.stdout.write(f"What the database held is kept in {kept}.")

        manifest = archive.manifest
        if settings_to:
            self._write_settings(Path(settings_to), manifest.settings)
        backups.restore(archive, replace=keep_what_there_is if replace else None)
        self.stdout.write(
            f"Restored {manifest.rows:,} rows of {len(manifest.tables)} tables, as they were at "
            f"{manifest.made}."
        )
        if not backups.restore_secret_key(manifest):
            self.stdout.write("SECRET_KEY is another one here: everybody has to sign in again.")
        now = backups.settings_in_use()
        differ = sorted(
            name
            for name in manifest.settings.keys() | now.keys()
            if manifest.settings.get(name) != now.get(name)
        )
        if differ:
            self.stdout.write(f"Settings that differ from the backup's: {', '.join(differ)}.")

    def _write_settings(self, path: Path, values: dict[str, str]) -> None:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
