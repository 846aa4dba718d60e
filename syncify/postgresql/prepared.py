"""Statements that PostgreSQL plans once for each connection."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
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
    with prepared_cursor() as cursor:
        cursor.execute(statement, params)
        result = cursor.pgresult  # ``description`` looks up more about each column than its name
        columns = _columns(model, tuple(map(result.fname, range(result.nfields))))
        return [_instance(model, columns, row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class _Columns:
    #: The fields' attributes, in the order of ``from_db``, and their places in a row.
    attributes: tuple[str, ...]
    places: tuple[int, ...]
    #: Places of ``attributes`` whose value the field converts.
    converted: tuple[tuple[int, Callable[..., Any]], ...]
    #: Columns that are no fields.
    others: tuple[tuple[str, int], ...]


@cache
def _columns(model: type[models.Model], names: tuple[bytes, ...]) -> _Columns:
    places: dict[str | None, int] = {name.decode(): place for place, name in enumerate(names)}
    fields = [field for field in model._meta.concrete_fields if field.column in places]
    return _Columns(
        attributes=tuple(field.attname for field in fields),
        places=tuple(places.pop(field.column) for field in fields),
        converted=tuple(
            (number, field.from_db_value)
            for number, field in enumerate(fields)
            if hasattr(field, "from_db_value")
        ),
        others=tuple((name, place) for name, place in places.items() if name),
    )


def _instance[M: models.Model](model: type[M], columns: _Columns, row: tuple[Any, ...]) -> M:
    values = [row[place] for place in columns.places]
    for number, convert in columns.converted:
        values[number] = convert(values[number], None, connection)
    instance = model.from_db(connection.alias, columns.attributes, values)
    for name, place in columns.others:
        setattr(instance, name, row[place])
    return instance
