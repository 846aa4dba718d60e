"""Deleting a listener's account with everything that belongs to it."""

import logging

from django.db import transaction

from accounts.models import ListenerSession, SpotifyConnection, User
from accounts.signals import access_ended, account_locked

logger = logging.getLogger(__name__)


@transaction.atomic
def delete_account(user: User) -> None:
    """Delete all rows of a listener, with an open request (its worker loses the lease) and the
    rows of their sessions.

    The playlist in Spotify stays.
    """
    list(User.objects.select_for_update().filter(pk=user.pk))
    account_locked.send(sender=User, user_id=user.pk)
    list(SpotifyConnection.objects.select_for_update().filter(pk=user.pk))
    access_ended.send(sender=User, user_id=user.pk)
    ListenerSession.objects.filter(user_id=user.pk).delete()
    User.objects.filter(pk=user.pk).delete()
    logger.info("account deleted user=%s", user.pk)
