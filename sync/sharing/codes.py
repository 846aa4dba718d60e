"""Invitations of one listener to another: codes that work once, for seven days.

A code leads to a pair, or into a household. Only its hash is stored.
"""

import secrets
from datetime import timedelta
from hashlib import sha256

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.access import may_use, may_use_q
from accounts.models import User
from sync.models import Household, PairInvitation
from sync.queue.locks import lock_listener

#: 80 bits: short enough to read aloud, and impossible to guess within seven days.
_CODE_BYTES = 10
LASTS = timedelta(days=7)
#: Open invitations of one listener.
MOST_INVITATIONS = 10

_NO_INVITATION = "This invitation does not work: it was used, withdrawn, or is too old."


class TogetherError(Exception):
    """A pair or household is not possible now; the message says why."""


def make_code(user: User, household: Household | None = None) -> str:
    """A new code for one other listener. Raises TogetherError.

    The caller has checked that ``user`` owns the household.
    """
    with transaction.atomic():
        lock_listener(user.pk)
        # Expired codes are of no use.
        PairInvitation.objects.filter(user=user, expires__lt=Now()).delete()
        if open_invitations(user).count() >= MOST_INVITATIONS:
            raise TogetherError(
                f"You have {MOST_INVITATIONS} open invitations. Withdraw one, or wait for them."
            )
        code = secrets.token_urlsafe(_CODE_BYTES)
        PairInvitation.objects.create(
            user=user, household=household, code_hash=_digest(code), expires=Now() + LASTS
        )
    return code


def open_invitations(user: User) -> QuerySet[PairInvitation]:
    """Newest first."""
    invitations = PairInvitation.objects.filter(user=user, used=None, expires__gt=Now())
    return invitations.order_by("-id")


def withdraw(user: User) -> int:
    """Withdraw all open invitations; returns how many."""
    withdrawn, _ = open_invitations(user).delete()
    return withdrawn


def invitation_of(code: str, user: User) -> PairInvitation:
    """The open invitation with this code. Raises TogetherError if ``user`` cannot accept it."""
    invitation = _open(code).select_related("user", "household").first()
    if invitation is None or not may_use(invitation.user):
        raise TogetherError(_NO_INVITATION)
    if invitation.user_id == user.pk:
        raise TogetherError("This is your own invitation. Send it to somebody else.")
    return invitation


def use_up(invitation: PairInvitation, user: User) -> None:
    """Mark the code as used by ``user``. Raises TogetherError.

    Call it in the transaction of the acceptance, after both listeners are locked: if two use a
    code at the same time, the row of the invitation admits one.
    """
    unused = PairInvitation.objects.filter(pk=invitation.pk, used=None, expires__gt=Now())
    both = User.objects.filter(may_use_q(), pk__in=[user.pk, invitation.user_id])
    if not unused.update(used=Now()) or both.count() != 2:
        raise TogetherError(_NO_INVITATION)


def _open(code: str) -> QuerySet[PairInvitation]:
    return PairInvitation.objects.filter(code_hash=_digest(code), used=None, expires__gt=Now())


def _digest(code: str) -> str:
    return sha256(code.encode(errors="surrogatepass")).hexdigest()
