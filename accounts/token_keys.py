"""Encrypting the stored tokens with the newest key."""

from collections import Counter

from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from accounts.models import SpotifyConnection
from accounts.signals import connection_changed

_TOKENS = ("access_token", "refresh_token")


def rotate_token_keys() -> tuple[int, int]:
    """Encrypt all tokens with the newest key; the numbers of rewritten and unreadable listeners.

    Each row is locked by itself, as for a refresh, so that syncs go on meanwhile. Tokens that no
    key decrypts stay as they are; listeners whose key has been found again are connected again.
    """
    outcomes = Counter(map(_rotate, list(SpotifyConnection.objects.values_list("pk", flat=True))))
    return outcomes["rewritten"], outcomes["unreadable"]


@transaction.atomic
def _rotate(pk: int) -> str:
    raw = {f"raw_{name}": Cast(name, TextField()) for name in _TOKENS}
    held = SpotifyConnection.objects.select_for_update().annotate(**raw).filter(pk=pk).first()
    stored = [name for name in _TOKENS if held and getattr(held, f"raw_{name}")]
    if held is None or not stored:
        return "empty"
    if not all(getattr(held, name) for name in stored):
        return "unreadable"
    if held.state_reason == SpotifyConnection.Reason.TOKENS_LOST:
        held.state, held.state_reason = SpotifyConnection.State.CONNECTED, ""
        held.state_since = timezone.now()
        connection_changed.send(sender=SpotifyConnection, user_id=pk)
    held.save(update_fields=[*stored, "state", "state_reason", "state_since"])
    return "rewritten"
