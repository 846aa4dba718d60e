"""Playlists that hold songs of a pair: ordinary mirrors of one listener, with a rule over it."""

from django.db import transaction

from accounts.models import User
from sync.mirrors.rules import Of, PairSongs, Rule, to_json
from sync.models import Mirror, SyncRequest
from sync.queue import store as queue
from sync.queue.locks import lock_listener
from sync.sharing.pairs import PairError, partner_in

#: What each is called, and how many songs it holds at most.
KINDS: dict[Of, tuple[str, int | None]] = {
    "both": ("what both like", None),
    "turns": ("newest likes in turn", 500),
    "theirs_not_mine": ("likes that are new to me", 500),
}
#: Shared playlists that one listener keeps.
MOST = 20


def create_shared_mirror(user: User, pair_id: int, of: Of) -> Mirror:
    """A playlist of ``user`` with songs of the pair, filled by the next sync.

    Returns the one that exists already, if there is one. Raises PairError.
    """
    words, limit = KINDS[of]
    rule = to_json(Rule(source=PairSongs(pair_id, of), limit=limit))
    with transaction.atomic():
        lock_listener(user.pk)
        partner = partner_in(pair_id, user)
        if partner is None:
            raise PairError("You are no longer together with this listener.")
        own = Mirror.objects.filter(user=user)
        if same := own.filter(rule__source=rule["source"]).first():
            return same
        if own.filter(rule__source__has_key="pair").count() >= MOST:
            raise PairError(f"You have {MOST} shared playlists already.")
        mirror = Mirror.objects.create(
            user=user, is_main=False, name=f"{user} and {partner.user}: {words}"[-100:], rule=rule
        )
        queue.enqueue(user.pk, trigger=SyncRequest.Trigger.MANUAL)
    return mirror
