"""Tells a listener's open pages of changes that no transition of a request tells of."""

from django.db import connection

from sync.queue.store import CHANGES


def tell_pages(*, user_id: int, **signal: object) -> None:  # noqa: ARG001
    """Have the listener's open pages drawn anew, and their sign-in looked at, at the commit.

    Receives ``accounts.signals.access_ended`` and ``connection_changed``.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANGES, str(user_id)])
