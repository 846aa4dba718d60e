"""Pairs of listeners who agreed to see what they have in common.

An invitation is a code that works once, for seven days, and of which only a hash is stored. Nothing
of a listener is visible to another before both agreed, nor after either ended it, nor while one of
them may not use this installation.
"""

import secrets
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.access import may_use, may_use_q
from accounts.models import User
from sync.models import Mirror, Pair, PairInvitation, SyncRequest
from sync.queue import store as queue
from sync.queue.changes import tell_pages
from sync.queue.locks import lock_listener

#: 80 bits: short enough to be read out, too many to be guessed within seven days.
_CODE_BYTES = 10
LASTS = timedelta(days=7)
#: Invitations of one listener that are open, and pairs that one listener has.
MOST_INVITATIONS, MOST_PAIRS = 10, 50

_NO_INVITATION = "This invitation does not work: it was used, withdrawn, or is too old."


class Partner(NamedTuple):
    """A pair as one of its two listeners sees it."""

    pair: Pair
    user: User
    #: Whether both may use this installation at the moment; nothing is shown otherwise.
    is_visible: bool
    i_show_newest: bool
    they_show_newest: bool


class PairError(Exception):
    """The sentence says why there is no pair now."""


def invite(user: User) -> str:
    """A new code for one other listener. Raises PairError."""
    with transaction.atomic():
        lock_listener(user.pk)
        # A code that has run out says nothing any more.
        PairInvitation.objects.filter(user=user, expires__lt=Now()).delete()
        if open_invitations(user).count() >= MOST_INVITATIONS:
            raise PairError(
                f"You have {MOST_INVITATIONS} open invitations. Withdraw one, or wait for them."
            )
        code = secrets.token_urlsafe(_CODE_BYTES)
        PairInvitation.objects.create(user=user, code_hash=_digest(code), expires=Now() + LASTS)
    return code


def open_invitations(user: User) -> QuerySet[PairInvitation]:
    """Newest first."""
    invitations = PairInvitation.objects.filter(user=user, used=None, expires__gt=Now())
    return invitations.order_by("-id")


def withdraw(user: User) -> int:
    """Withdraw all open invitations; returns how many."""
    withdrawn, _ = open_invitations(user).delete()
    return withdrawn


def inviter_of(code: str, user: User) -> User:
    """Who invites with this code. Raises PairError where ``user`` cannot accept."""
    invitation = _open(code).select_related("user").first()
    if invitation is None or not may_use(invitation.user):
        raise PairError(_NO_INVITATION)
    if invitation.user_id == user.pk:
        raise PairError("This is your own invitation. Send it to somebody else.")
    return invitation.user


def accept(user: User, code: str) -> Pair:
    """Use up the code, and return the pair. Raises PairError.

    Of two who use a code at once, one gets in: the row of the invitation decides.
    """
    inviter = inviter_of(code, user)
    with transaction.atomic():
        for listener in sorted({user.pk, inviter.pk}):
            lock_listener(listener)
        used = _open(code).filter(user=inviter).update(used=Now())
        if not used or not _may_use_now([user.pk, inviter.pk]):
            raise PairError(_NO_INVITATION)
        if max(_of(user).count(), _of(inviter).count()) >= MOST_PAIRS:
            raise PairError(f"One of you is together with {MOST_PAIRS} others already.")
        first, second = sorted([user, inviter], key=lambda one: one.pk)
        pair, _ = Pair.objects.get_or_create(first=first, second=second)
        tell_pages(user_id=inviter.pk)
    return pair


def partners_of(user: User) -> list[Partner]:
    """All who agreed with ``user``, by name."""
    pairs = _of(user).select_related("first", "second")
    return sorted(
        (_partner(pair, user) for pair in pairs), key=lambda one: str(one.user).casefold()
    )


def partner_in(pair_id: int, user: User) -> Partner | None:
    """The pair, if ``user`` is one of the two and both may see each other now."""
    pair = _of(user).filter(pk=pair_id).select_related("first", "second").first()
    if pair is None or not (partner := _partner(pair, user)).is_visible:
        return None
    return partner


def end(user: User, pair_id: int) -> bool:
    """End a pair at once, for both; False if ``user`` has no such pair (any more).

    Playlists that hold songs of both are brought up to date without the other's.
    """
    with transaction.atomic():
        found = _of(user).filter(pk=pair_id).values_list("first_id", "second_id").first()
        if found is None:
            return False
        for listener in sorted(found):
            lock_listener(listener)
        ended, _ = Pair.objects.filter(pk=pair_id).delete()
        for listener in found:
            tell_pages(user_id=listener)
            if _has_shared_mirror(listener, pair_id):
                queue.enqueue(listener, trigger=SyncRequest.Trigger.MANUAL)
    return ended > 0


def show_newest(user: User, pair_id: int, *, shows: bool) -> None:
    """Store whether ``user`` shows the other their newest likes."""
    mine = Pair.objects.filter(pk=pair_id)
    mine.filter(first=user).update(first_shows_newest=shows)
    mine.filter(second=user).update(second_shows_newest=shows)


def mirrors_of(user: User, pair_ids: Iterable[int]) -> QuerySet[Mirror]:
    """The mirrors of ``user`` that hold songs of one of these pairs."""
    sources = Q(pk__in=[])
    for pair_id in pair_ids:
        sources |= Q(rule__source__pair=pair_id)
    return Mirror.objects.filter(sources, user=user).order_by("pk")


def _has_shared_mirror(user_id: int, pair_id: int) -> bool:
    return Mirror.objects.filter(
        user=user_id, rule__source__pair=pair_id, state=Mirror.State.ACTIVE
    ).exists()


def _may_use_now(user_ids: list[int]) -> bool:
    return User.objects.filter(may_use_q(), pk__in=user_ids).count() == len(user_ids)


def _partner(pair: Pair, user: User) -> Partner:
    is_first = pair.first_id == user.pk
    other = pair.second if is_first else pair.first
    shows = (pair.first_shows_newest, pair.second_shows_newest)
    mine, theirs = shows if is_first else (shows[1], shows[0])
    return Partner(pair, other, may_use(other) and may_use(user), mine, theirs)


def _of(user: User) -> QuerySet[Pair]:
    return Pair.objects.filter(Q(first=user.pk) | Q(second=user.pk))


def _open(code: str) -> QuerySet[PairInvitation]:
    return PairInvitation.objects.filter(code_hash=_digest(code), used=None, expires__gt=Now())


def _digest(code: str) -> str:
    return sha256(code.encode(errors="surrogatepass")).hexdigest()
