"""Deleting a listener's account with everything that belongs to it."""

import logging

from django.db import transaction

from accounts.models import User
from accounts.signals import access_ended

logger = logging.getLogger(__name__)


@transaction.atomic
def delete_account(user: User) -> None:
    """Delete everything of theirs, an open request too: its worker loses its lease and stops.

    The playlist in Spotify stays.
    """
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).delete()
    logger.info("account deleted user=%s", user.pk)
