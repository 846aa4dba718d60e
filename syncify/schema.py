"""Whether the database has the tables that this program expects."""

from functools import cache
from pathlib import Path
from pkgutil import iter_modules

from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder


class NotMigrated(Exception):
    """``str`` names the migrations that wait."""


def pending_migrations() -> list[str]:
    """Migrations on disk that the database has not seen; it may have seen newer ones.

    Compares file names, because importing all migrations would use memory in each web process.
    """
    applied = MigrationRecorder(connection).applied_migrations()
    return [
        f"{app.label}.{name}"
        for app in apps.get_app_configs()
        for _, name, _ in iter_modules([str(Path(app.path) / "migrations")])
        if (app.label, name) not in applied
    ]


# An answer is kept, an exception is not: what was applied once stays so for this process.
@cache
def check_migrated() -> None:
    if pending := pending_migrations():
        raise NotMigrated(f"migrations to apply: {', '.join(pending)}")
