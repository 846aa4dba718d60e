"""Who may use this installation, and ending a listener's access to it."""

import logging
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from accounts.models import User
from accounts.signals import access_ended, account_locked

logger = logging.getLogger(__name__)

#: ``may_use`` for raw SQL, of the row ``u`` of ``users``, with the parameters of ``sql_params``.
MAY_USE_SQL = """(u.is_active AND (
    %(allowed_users)s::text[] IS NULL
    OR u.account_id = ANY(%(allowed_users)s::text[])
    OR coalesce(u.listed_ids, ARRAY[u.spotify_id])::text[] && %(allowed_users)s::text[]))"""


def may_use(user: User) -> bool:
    """Not blocked, and named in SYNCIFY_ALLOWED_USERS unless that is empty.

    Checked at every request (``accounts.middleware``) and for every sync.
    """
    return user.is_active and (
        not settings.ALLOWED_USERS or user.is_named_in(settings.ALLOWED_USERS)
    )


def why_not(user: User) -> str:
    """The reason why ``may_use`` is False, as a sentence; "" if it is True."""
    if not user.is_active:
        return "The operator has blocked this account."
    return "" if may_use(user) else "SYNCIFY_ALLOWED_USERS does not list this account."


def may_use_q(prefix: str = "") -> Q:
    """``may_use`` as a condition of a queryset; ``prefix`` leads to the user, as ``"user__"``."""

    def users(**conditions: Any) -> Q:
        return Q(**{f"{prefix}{name}": value for name, value in conditions.items()})

    if not (allowed := settings.ALLOWED_USERS):
        return users(is_active=True)
    named = (
        users(account_id__in=allowed)
        | users(listed_ids__overlap=allowed)
        | users(listed_ids=None, spotify_id__in=allowed)
    )
    return users(is_active=True) & named


def sql_params() -> dict[str, Any]:
    return {"allowed_users": settings.ALLOWED_USERS or None}


@transaction.atomic
def sign_out_everywhere(user: User) -> None:
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(session_version=F("session_version") + 1)
    logger.info("signed out everywhere user=%s", user.pk)


@transaction.atomic
def block_listener(user: User) -> None:
    """End a listener's sessions; they cannot sign in and have no syncs until unblocked."""
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(
        is_active=False, session_version=F("session_version") + 1
    )
    account_locked.send(sender=User, user_id=user.pk)
    logger.info("listener blocked user=%s", user.pk)


def unblock_listener(user: User) -> None:
    """Allow sign-in again and resume the schedule."""
    User.objects.filter(pk=user.pk).update(is_active=True)
    logger.info("listener unblocked user=%s", user.pk)
