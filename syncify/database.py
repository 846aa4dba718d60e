"""Distinguishes a temporary database failure from an error of Syncify."""

from django.db import InterfaceError, OperationalError
from django.db.utils import Error
from psycopg.errors import ReadOnlySqlTransaction


def is_passing(error: BaseException) -> bool:
    """Whether the same work may succeed soon, unchanged.

    So it is after a restart, a failover, a deadlock or a serialization failure, and on a standby
    that takes no writes.
    """
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, Error) and isinstance(error.__cause__, ReadOnlySqlTransaction)
