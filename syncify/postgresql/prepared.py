"""Statements that PostgreSQL plans once for each connection."""

from typing import cast

from django.db import connection
from django.db.backends.utils import CursorWrapper

from syncify.postgresql.base import DatabaseWrapper


def prepared_cursor() -> CursorWrapper:
    """``DatabaseWrapper.prepared_cursor`` of the default database."""
    return cast("DatabaseWrapper", connection).prepared_cursor()
