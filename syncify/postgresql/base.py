"""Django's PostgreSQL backend, to which a server that takes no changes is a lost database.

A primary that became a standby still answers, so nothing would drop its connections, and its
refusals would look like errors of the program.
"""

from types import TracebackType
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg import Cursor
from psycopg.errors import FeatureNotSupported, ReadOnlySqlTransaction


class DatabaseWrapper(base.DatabaseWrapper):
    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _ErrorWrapper(self)

    def prepared_cursor(self) -> CursorWrapper:
        """A cursor whose statements PostgreSQL plans once for each connection.

        For statements that take longer to plan than to execute, and that a process executes again
        and again. ``%s`` and ``%(name)s`` are bound by PostgreSQL, which has to know their types:
        ``%(name)s::bigint``.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            cursor: CursorWrapper = self._prepare_cursor(  # type: ignore[attr-defined] # not in stubs
                Cursor(self.connection)
            )
        return cursor


class _ErrorWrapper(DatabaseErrorWrapper):
    """Raises OperationalError for "read-only transaction", and drops the connection.

    Drops it also where a statement was prepared before a migration, so that the next one works.
    """

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
        if isinstance(exc_value, FeatureNotSupported) and self.wrapper.connection is not None:
            # A migration changed what a prepared statement returns. A new connection has none.
            self.wrapper.connection.close()
        super().__exit__(exc_type, exc_value, traceback)
