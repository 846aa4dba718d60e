"""Django's PostgreSQL backend, to which a server that takes no changes is a lost database.

A primary that became a standby still answers, so nothing would drop its connections, and its
refusals would look like errors of the program.
"""

from types import TracebackType
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg.errors import ReadOnlySqlTransaction


class DatabaseWrapper(base.DatabaseWrapper):
    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _ErrorWrapper(self)


class _ErrorWrapper(DatabaseErrorWrapper):
    """Raises OperationalError for "read-only transaction", and drops the connection."""

    wrapper: Any

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, ReadOnlySqlTransaction):
            self.wrapper.errors_occurred = True
            if self.wrapper.connection is not None:
                # The next one is opened, or taken from the pool, anew: to the new primary.
                self.wrapper.connection.close()
            raise OperationalError(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)
