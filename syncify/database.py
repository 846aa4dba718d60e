"""What the database may lose, and what a failure of it means."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.utils import Error
from psycopg.errors import ReadOnlySqlTransaction

_NOT_AWAITED = "set_config('synchronous_commit', 'off', true) AS commit_mode"


def is_passing(error: BaseException) -> bool:
    """Whether the same work may succeed soon, unchanged.

    So it is after a restart, a failover, a deadlock or a serialization failure, and on a standby
    that takes no writes.
    """
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, Error) and isinstance(error.__cause__, ReadOnlySqlTransaction)


def not_awaited() -> str:
    """SQL, to stand in a statement by itself, so that its commit does not wait for the disk.

    After a crash of PostgreSQL such a commit may be lost, together with those after it; only for
    what may run twice. Inside a transaction it does nothing: others decide about that commit.
    """
    if connection.in_atomic_block:
        return "NULL::text AS commit_mode"
    return _NOT_AWAITED


@contextmanager
def transaction_not_awaited() -> Iterator[None]:
    """A transaction to which the same applies as to a statement with ``not_awaited``."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {_NOT_AWAITED}")
        yield
