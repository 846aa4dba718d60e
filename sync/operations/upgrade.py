"""The end of an upgrade from 0.1.0, when its containers have been replaced."""

import logging
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from sync.models.operations import ALIVE_FOR
from sync.queue.store import CHANGES, WAKE

logger = logging.getLogger(__name__)

#: Web servers of 0.1.0 leave no row, so they get this time after the migration.
REPLACED_WITHIN = timedelta(minutes=30)

# The index exists until the upgrade is complete. 0.1.0 writes ``last_seen`` of a process, but not
# ``alive_until``, which therefore falls behind.
_MAY_FINISH = """
SELECT to_regclass('sync_requests_one_open_per_user') IS NOT NULL
   AND NOT EXISTS (SELECT FROM django_migrations
                    WHERE app = 'sync' AND name LIKE '%%hold_other_kinds'
                      AND applied > statement_timestamp() - %(within)s)
   AND NOT EXISTS (SELECT FROM processes
                    WHERE last_seen > statement_timestamp() - %(alive_for)s
                      AND alive_until < last_seen + %(alive_for)s)"""

_DROP = """
DROP FUNCTION IF EXISTS sync_requests_hold CASCADE;
DROP INDEX IF EXISTS sync_requests_one_open_per_user"""

# The latest held request of each kind, so that the index on listener and kind allows it.
_QUEUE_HELD = """
WITH held AS (
    SELECT DISTINCT ON (user_id, kind) id FROM sync_requests
     WHERE error_code = 'upgrade' AND state = 'cancelled'
     ORDER BY user_id, kind, id DESC
)
UPDATE sync_requests AS r
   SET state = 'queued', completed = NULL, run_at = statement_timestamp(),
       error_code = '', error_message = ''
  FROM held WHERE r.id = held.id
RETURNING pg_notify(%(changes)s, r.user_id || ' ' || r.id)::text, pg_notify(%(wake)s, '')::text"""


def finish_upgrade() -> bool:
    """Drop what containers of 0.1.0 need, and queue the requests held for them.

    Does nothing, and returns False, while such containers may run, or when this is done. Safe to
    run twice at once.
    """
    times: dict[str, Any] = {"within": REPLACED_WITHIN, "alive_for": ALIVE_FOR}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MAY_FINISH, times)
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("LOCK TABLE sync_requests IN ACCESS EXCLUSIVE MODE")
        cursor.execute(_DROP)
        cursor.execute(_QUEUE_HELD, {"changes": CHANGES, "wake": WAKE})
        logger.info("upgrade complete queued=%d", cursor.rowcount)
    return True
