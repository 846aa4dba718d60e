"""Pairs of listeners who agreed to see what they have in common.

Nothing of a listener is visible to the other before both agreed, nor after either ended the pair,
nor while one of them may not use this installation.
"""

from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.access import may_use
from accounts.models import User
from sync.mirrors.rules import PairSongs
from sync.models import Pair
from sync.queue.changes import tell_pages
from sync.queue.locks import lock_listener
from sync.sharing import codes
from sync.sharing.codes import TogetherError
from sync.sharing.following import queue_syncs

#: Pairs of one listener.
MOST_PAIRS = 50


class Partner(NamedTuple):
    """A pair as one of its two listeners sees it."""

    pair: Pair
    user: User
    #: Whether both may use this installation at the moment; nothing is shown otherwise.
    is_visible: bool
    i_show_newest: bool
    they_show_newest: bool


def accept(user: User, code: str) -> Pair:
    """Use up the code, and return the pair. Raises TogetherError."""
    invitation = codes.invitation_of(code, user)
    if invitation.household_id is not None:
        raise TogetherError("This invitation leads into a household.")
    inviter = invitation.user
    with transaction.atomic():
        for listener in sorted({user.pk, inviter.pk}):
            lock_listener(listener)
        codes.use_up(invitation, user)
        if max(_of(user).count(), _of(inviter).count()) >= MOST_PAIRS:
            raise TogetherError(f"One of you is together with {MOST_PAIRS} others already.")
        first, second = sorted([user, inviter], key=lambda one: one.pk)
        pair, _ = Pair.objects.get_or_create(first=first, second=second)
        tell_pages(user_id=inviter.pk)
    return pair


def partners_of(user: User) -> list[Partner]:
    """The pairs of ``user``, by the name of the other listener."""
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
    """End a pair at once, for both; False if ``user`` has no such pair.

    Queues a sync of the playlists with songs of both, which removes the songs of the other.
    """
    with transaction.atomic():
        found = _of(user).filter(pk=pair_id).values_list("first_id", "second_id").first()
        if found is None:
            return False
        for listener in sorted(found):
            lock_listener(listener)
        ended, _ = Pair.objects.filter(pk=pair_id).delete()
        queue_syncs(found, PairSongs, pair_id)
    return ended > 0


def show_newest(user: User, pair_id: int, *, shows: bool) -> None:
    """Store whether ``user`` shows the other their newest likes."""
    mine = Pair.objects.filter(pk=pair_id)
    mine.filter(first=user).update(first_shows_newest=shows)
    mine.filter(second=user).update(second_shows_newest=shows)


def _partner(pair: Pair, user: User) -> Partner:
    is_first = pair.first_id == user.pk
    other = pair.second if is_first else pair.first
    shows = (pair.first_shows_newest, pair.second_shows_newest)
    mine, theirs = shows if is_first else (shows[1], shows[0])
    return Partner(pair, other, may_use(other) and may_use(user), mine, theirs)


def _of(user: User) -> QuerySet[Pair]:
    return Pair.objects.filter(Q(first=user.pk) | Q(second=user.pk))
