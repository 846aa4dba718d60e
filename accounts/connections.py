"""Whether Spotify lets Syncify act for a listener, as syncs find it."""

from django.db import transaction
from django.db.models.functions import Now

from accounts.models import SpotifyConnection, User
from accounts.signals import connection_changed

State = SpotifyConnection.State


@transaction.atomic
def mark_refused(user: User, reason: str) -> None:
    """Spotify answers 403 for ``user``; ``reason`` is a value of ``SpotifyConnection.Reason``."""
    news = SpotifyConnection.objects.filter(user=user).exclude(state=State.SIGN_IN_NEEDED)
    news = news.exclude(state=State.REFUSED, state_reason=reason)
    if news.update(state=State.REFUSED, state_reason=reason, state_since=Now()):
        connection_changed.send(sender=SpotifyConnection, user_id=user.pk)


@transaction.atomic
def mark_connected(user: User) -> None:
    """A sync succeeded, so nothing is refused."""
    refused = SpotifyConnection.objects.filter(user=user, state=State.REFUSED)
    if refused.update(state=State.CONNECTED, state_reason="", state_since=Now()):
        connection_changed.send(sender=SpotifyConnection, user_id=user.pk)
