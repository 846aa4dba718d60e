"""Spaces the calls of all workers to another service."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

# Taking a turn moves the time of the next one, so two workers never take the same.
_TAKE = """
INSERT INTO service_gates AS gate (service, next_at)
VALUES (%(service)s, clock_timestamp() + %(apart)s)
ON CONFLICT (service) DO UPDATE
   SET next_at = greatest(gate.next_at, clock_timestamp()) + %(apart)s
 WHERE gate.next_at <= clock_timestamp() + %(patience)s
RETURNING next_at - %(apart)s - clock_timestamp()"""

# A shorter pause never replaces a longer one.
_REST = """
INSERT INTO service_gates AS gate (service, next_at)
VALUES (%(service)s, clock_timestamp() + %(rest)s)
ON CONFLICT (service) DO UPDATE SET next_at = greatest(gate.next_at, excluded.next_at)
RETURNING next_at"""


class GateClosed(Exception):
    """The service accepts no calls before ``until``."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"closed until {until}")
        self.until = until


def take_turn(service: str, *, apart: timedelta, patience: timedelta) -> timedelta:
    """The wait before the call of this turn; zero or less means none.

    Turns of a service are ``apart``, over all workers. Raises GateClosed without taking a turn if
    the next one is later than ``patience``.
    """
    parameters: dict[str, Any] = {"service": service, "apart": apart, "patience": patience}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, parameters)
        if (row := cursor.fetchone()) is None:
            cursor.execute("SELECT next_at FROM service_gates WHERE service = %s", [service])
            raise GateClosed(cursor.fetchone()[0])
    wait: timedelta = row[0]
    return wait


def rest(service: str, length: timedelta) -> datetime:
    """Block the calls of all workers to ``service`` for this time; returns its end."""
    parameters: dict[str, Any] = {"service": service, "rest": length}
    with connection.cursor() as cursor:
        cursor.execute(_REST, parameters)
        until: datetime = cursor.fetchone()[0]
    return until
