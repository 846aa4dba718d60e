"""The one order in which a listener's rows are locked: mirror, requests, then the account."""

from sync.models import Mirror, SyncRequest


def lock_listener(*, user_id: int, **signal: object) -> None:  # noqa: ARG001
    """Lock the listener's mirror and requests to the end of the transaction.

    A worker that is storing a part of a sync finishes that part first. Receives
    ``accounts.signals.account_locking``.
    """
    list(Mirror.objects.select_for_update().filter(user=user_id).order_by("pk").values("pk"))
    list(SyncRequest.objects.select_for_update().filter(user=user_id).order_by("pk").values("pk"))
