"""The one order in which a listener's rows are locked.

User, library, mirrors, requests, connection, and then the rest. A worker locks in this order before
it stores a part of a sync (``sync.library.record``); settings, sign-in and deletion do as well. So
they wait for each other and never deadlock.
"""

from django.db import connection

from sync.models import Library, Mirror, SyncRequest


def lock_user(user_id: int) -> None:
    """Lock the user against deletion, as the first lock of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM users WHERE id = %s FOR KEY SHARE", [user_id])


def lock_listener(user_id: int) -> None:
    """Lock a listener and their library until the end of the transaction.

    Call it first in every transaction that changes data for a sync and then queues one.
    """
    lock_user(user_id)
    Library.objects.select_for_update(no_key=True).filter(pk=user_id).first()


def lock_all(*, user_id: int, **signal: object) -> None:  # noqa: ARG001
    """Lock a listener's library, mirrors and requests, once their user is locked.

    A worker that is storing a part of a sync finishes that part first. Receives
    ``accounts.signals.account_locked``.
    """
    for model in (Library, Mirror, SyncRequest):
        rows = model._default_manager.select_for_update().filter(user=user_id)
        list(rows.order_by("pk").values_list("pk"))
