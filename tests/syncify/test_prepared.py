"""Statements that PostgreSQL plans once for each connection."""

import psycopg
import pytest
from django.db import connection
from django.db.utils import NotSupportedError

from syncify.postgresql.prepared import prepared_cursor
from tests.scratch import address_of

pytestmark = pytest.mark.django_db(transaction=True)


def ask(number: int) -> tuple[object, ...]:
    with prepared_cursor() as cursor:
        cursor.execute("SELECT %(number)s::bigint * 2 AS twice", {"number": number})
        row: tuple[object, ...] = cursor.fetchone()
    return row


def prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def test_a_statement_is_prepared_when_it_is_executed_again() -> None:
    connection.close()
    assert ask(1) == (2,)
    assert prepared() == []

    assert [ask(number) for number in (2, 3, 4)] == [(4,), (6,), (8,)]

    assert prepared() == ["SELECT $1::bigint * 2 AS twice"]


def test_a_connection_is_dropped_when_a_migration_changed_what_a_statement_returns() -> None:
    def names() -> object:
        with prepared_cursor() as cursor:
            cursor.execute("SELECT * FROM names")
            return cursor.fetchall()

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS names")
        cursor.execute("CREATE TABLE names AS SELECT 'Ada' AS name")
    try:
        assert [names() for _ in range(4)] == [[("Ada",)]] * 4
        with psycopg.connect(address_of(connection.settings_dict["NAME"])) as other:
            other.execute("ALTER TABLE names ADD born int")

        with pytest.raises(NotSupportedError, match="cached plan"):
            names()
        connection.close_if_unusable_or_obsolete()

        assert names() == [("Ada", None)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE names")


def test_a_random_page_costs_as_on_a_disk_that_does_not_turn() -> None:
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SHOW random_page_cost")
        assert cursor.fetchone() == ("1.1",)
