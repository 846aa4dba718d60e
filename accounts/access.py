"""Who may use this installation, and ending a listener's access to it."""

import logging

from django.db import transaction
from django.db.models import F

from accounts.models import User
from accounts.signals import access_ended

logger = logging.getLogger(__name__)


@transaction.atomic
def sign_out_everywhere(user: User) -> None:
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(session_version=F("session_version") + 1)
    logger.info("signed out everywhere user=%s", user.pk)


@transaction.atomic
def block_listener(user: User) -> None:
    """End their sessions; until they are unblocked they cannot sign in and are not synced."""
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(
        is_active=False, session_version=F("session_version") + 1
    )
    logger.info("listener blocked user=%s", user.pk)


def unblock_listener(user: User) -> None:
    """They may sign in again, and their schedule goes on."""
    User.objects.filter(pk=user.pk).update(is_active=True)
    logger.info("listener unblocked user=%s", user.pk)
