"""Statements that PostgreSQL plans once for each connection."""

from collections.abc import Mapping
from typing import Any, cast

from django.db import connection, models
from django.db.backends.utils import CursorWrapper

from syncify.postgresql.base import DatabaseWrapper


def prepared_cursor() -> CursorWrapper:
    """``DatabaseWrapper.prepared_cursor`` of the default database."""
    return cast("DatabaseWrapper", connection).prepared_cursor()


def prepared_rows[M: models.Model](
    model: type[M], statement: str, params: Mapping[str, Any]
) -> list[M]:
    """Like ``raw`` of a manager: instances of ``model``, with the other columns as attributes."""
    fields = {field.column: field for field in model._meta.concrete_fields}
    with prepared_cursor() as cursor:
        cursor.execute(statement, params)
        columns = [column.name for column in cursor.description]
        rows = cursor.fetchall()
    made = []
    for row in rows:
        others = dict(zip(columns, row, strict=True))
        # ``from_db`` takes them in the order of the fields.
        names, values = [], []
        for column, field in fields.items():
            if column in others:
                value = others.pop(column)
                if hasattr(field, "from_db_value"):
                    value = field.from_db_value(value, None, connection)
                names.append(field.attname)
                values.append(value)
        instance = model.from_db(connection.alias, names, values)
        vars(instance).update(others)
        made.append(instance)
    return made
