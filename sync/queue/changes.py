"""Notifies a listener's open pages of changes other than those of a request's state."""

from django.db import connection

from sync.queue.store import CHANGES


def tell_pages(*, user_id: int, **signal: object) -> None:  # noqa: ARG001
    """Make open pages of the listener update, and check their sign-in, at the commit.

    Receives ``accounts.signals.access_ended`` and ``connection_changed``.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANGES, str(user_id)])
