"""Encrypting the stored tokens with the newest key."""

from collections import Counter

from django.apps import apps
from django.db import transaction
from django.db.models import Model, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from accounts.encryption import EncryptedTextField
from accounts.models import SpotifyConnection
from accounts.signals import connection_changed

_TOKENS = ("access_token", "refresh_token")


def rotate_token_keys() -> tuple[int, int]:
    """Encrypt all tokens with the newest key; the numbers of rewritten and unreadable listeners.

    Each row is locked separately, as for a refresh, so that syncs continue. Tokens that no
    key decrypts stay as they are; listeners whose key has been found again are connected again.
    """
    outcomes = Counter(map(_rotate, list(SpotifyConnection.objects.values_list("pk", flat=True))))
    return outcomes["rewritten"], outcomes["unreadable"]


def rotate_secrets() -> tuple[int, int]:
    """The same for all other encrypted columns; the numbers of rewritten and unreadable rows."""
    outcomes: Counter[str] = Counter()
    for model in apps.get_models():
        names = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, EncryptedTextField)
        ]
        if names and model is not SpotifyConnection:
            keys = list(model._default_manager.values_list("pk", flat=True))
            outcomes.update(_rotate_row(model, key, names) for key in keys)
    return outcomes["rewritten"], outcomes["unreadable"]


@transaction.atomic
def _rotate_row(model: type[Model], pk: object, names: list[str]) -> str:
    raw = {f"raw_{name}": Cast(name, TextField()) for name in names}
    rows = model._default_manager.select_for_update().annotate(**raw)
    row = rows.filter(pk=pk).first()
    stored = [name for name in names if row and getattr(row, f"raw_{name}")]
    if row is None or not stored:
        return "empty"
    if not all(getattr(row, name) for name in stored):
        return "unreadable"
    row.save(update_fields=stored)
    return "rewritten"


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
