"""backup: database, keys and settings in one file."""

import shutil
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sync.operations.archive import BadArchive, Manifest, open_archive
from sync.operations.backups import make_backup


class Command(BaseCommand):
    help = (
        "Write database, keys and settings to one file, and read it back. "
        "SYNCIFY_BACKUP_PASSPHRASE encrypts it. Syncify can run during a backup."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a new file; - is the standard output")
        parser.add_argument("--check", action="store_true", help="only read an existing backup")

    def handle(self, *, file: str, check: bool, **_: Any) -> None:
        try:
            if check:
                with open_archive(Path(file), passphrase=settings.BACKUP_PASSPHRASE) as archive:
                    self._tell(file, archive.manifest, is_encrypted=archive.is_encrypted)
            elif file == "-":
                self._write_out()
            elif Path(file).exists():
                raise CommandError(f"{file} exists. Name a new file.")
            else:
                manifest = make_backup(Path(file))
                self._tell(file, manifest, is_encrypted=bool(settings.BACKUP_PASSPHRASE))
        except BadArchive as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from error

    def _write_out(self) -> None:
        # Written and verified first, so that no partial backup is kept.
        with tempfile.TemporaryDirectory(dir=settings.BACKUP_DIR or None) as folder:
            made = Path(folder) / "backup"
            make_backup(made)
            with made.open("rb") as source:
                shutil.copyfileobj(source, sys.stdout.buffer)
            sys.stdout.buffer.flush()

    def _tell(self, file: str, manifest: Manifest, *, is_encrypted: bool) -> None:
        self.stdout.write(
            f"{file}: {manifest.rows:,} rows of {len(manifest.tables)} tables, "
            f"{len(manifest.token_keys)} token keys, {len(manifest.settings)} settings, "
            f"{'encrypted' if is_encrypted else 'not encrypted'}, made {manifest.made}."
        )
        if not is_encrypted:
            self.stdout.write("A reader of this file can act as every listener: keep it private.")
