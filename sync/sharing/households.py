"""Households: up to five listeners who keep playlists over the likes of all of them.

The owner invites. A member is in as soon as they and everybody who was there before agree to each
other. Nothing of a member is visible to the others before that, nor after they left, nor while they
may not use this installation; and nothing of the others is visible to them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Greatest

from accounts.access import may_use
from accounts.models import User
from sync.mirrors.rules import HouseholdSongs
from sync.models import Household, HouseholdMember
from sync.queue.locks import lock_listener
from sync.sharing import codes
from sync.sharing.codes import TogetherError
from sync.sharing.following import queue_syncs

#: Members of a household, and households of which one listener is a member.
MOST_MEMBERS, MOST_HOUSEHOLDS = 5, 5

_FULL = f"This household has {MOST_MEMBERS} members, and more are not possible."


class Standing(NamedTuple):
    """The columns of a member that decide who shares."""

    member: int
    agreed_upto: int
    may_use: bool = True


class Member(NamedTuple):
    """A member, as one listener sees them."""

    row: HouseholdMember
    #: Whether songs are shared with this member: all who were there before agreed.
    is_in: bool
    #: Whether that listener still has to agree to this member.
    waits_for_me: bool
    #: Whether they may not use this installation at the moment.
    is_away: bool

    @property
    def user(self) -> User:
        return self.row.user


class House(NamedTuple):
    """A household as one of its members sees it."""

    household: Household
    me: Member
    #: In the order of joining, the owner first.
    members: list[Member]

    @property
    def is_owner(self) -> bool:
        return self.household.owner_id == self.me.row.user_id

    @property
    def is_full(self) -> bool:
        return len(self.members) >= MOST_MEMBERS

    @property
    def waiting(self) -> list[Member]:
        """The members to whom the listener still has to agree."""
        return [member for member in self.members if member.waits_for_me]

    @property
    def upto(self) -> int:
        """The id of the last member: who agrees after seeing this page agrees up to it."""
        return self.members[-1].row.pk

    @property
    def users_in(self) -> list[User]:
        """Who shares songs with the listener, themselves included; nobody if they are not in."""
        return [member.user for member in self.members if member.is_in] if self.me.is_in else []


def agreed(standings: Iterable[Standing]) -> set[int]:
    """The members who are in: any two of them agree to each other."""
    present = sorted(one for one in standings if one.may_use)
    return {
        one.member
        for number, one in enumerate(present)
        if all(
            older.agreed_upto >= one.member and one.agreed_upto >= older.member
            for older in present[:number]
        )
    }


def start(user: User) -> Household:
    """The household that ``user`` owns; a new one with them alone, if there is none.

    Raises TogetherError.
    """
    with transaction.atomic():
        lock_listener(user.pk)
        if own := Household.objects.filter(owner=user).first():
            return own
        _check_few(user)
        household = Household.objects.create(owner=user)
        HouseholdMember.objects.create(household=household, user=user)
    return household


def households_of(user: User) -> list[Household]:
    """The households of which ``user`` is a member, their own first."""
    found = Household.objects.filter(members__user=user).select_related("owner")
    return sorted(found, key=lambda one: (one.owner_id != user.pk, str(one.owner).casefold()))


def house_of(household_id: int, user: User) -> House | None:
    """The household, if ``user`` is a member."""
    rows = list(_rows(household_id).select_related("household__owner"))
    mine = next((row for row in rows if row.user_id == user.pk), None)
    if mine is None:
        return None
    inside = agreed(map(_standing, rows))
    members = [_member(row, mine, is_in=row.pk in inside) for row in rows]
    return House(mine.household, members[rows.index(mine)], members)


def members_of(household_id: int) -> list[HouseholdMember]:
    """All members in the order of joining, for a guest with an invitation."""
    return list(_rows(household_id))


def sharing_ids(household_id: int, user_id: int) -> list[int]:
    """Whose likes the listener may see in this household, their own included."""
    rows = list(_rows(household_id))
    inside = agreed(map(_standing, rows))
    ids = [row.user_id for row in rows if row.pk in inside]
    return ids if user_id in ids else []


def invite(user: User, household_id: int) -> str:
    """A code that leads one listener into the household of ``user``. Raises TogetherError."""
    household = Household.objects.filter(pk=household_id, owner=user).first()
    if household is None:
        raise TogetherError("Only the owner of a household invites.")
    if _rows(household_id).count() >= MOST_MEMBERS:
        raise TogetherError(_FULL)
    return codes.make_code(user, household)


def accept(user: User, code: str, *, upto: int) -> Household:
    """Use up the code, and make ``user`` a member. Raises TogetherError.

    ``upto`` is the id of the last member whose name they were shown: they agree to these, and the
    owner agrees to them. Other members are asked.
    """
    invitation = codes.invitation_of(code, user)
    household = invitation.household
    if household is None:
        raise TogetherError("This invitation does not lead into a household.")
    with transaction.atomic():
        ids = _lock([*_ids(household.pk), user.pk, invitation.user_id])
        # Everybody who joins waits here, so that the ids grow in the order of joining.
        list(Household.objects.select_for_update(no_key=True).filter(pk=household.pk))
        codes.use_up(invitation, user)
        rows = {row.user_id: row for row in _rows(household.pk)}
        if user.pk in rows:
            raise TogetherError("You are a member of this household already.")
        if len(rows) >= MOST_MEMBERS:
            raise TogetherError(_FULL)
        _check_few(user)
        shown = max((row.pk for row in rows.values() if row.pk <= upto), default=0)
        mine = HouseholdMember.objects.create(household=household, user=user, agreed_upto=shown)
        HouseholdMember.objects.filter(household=household, user=invitation.user_id).update(
            agreed_upto=mine.pk
        )
        queue_syncs(ids, HouseholdSongs, household.pk)
    return household


def agree(user: User, household_id: int, *, upto: int) -> bool:
    """Share with all members up to the id ``upto`` too; False if ``user`` is no member."""
    with transaction.atomic():
        if user.pk not in (ids := _ids(household_id)):
            return False
        _lock(ids)
        rows = list(_rows(household_id))
        shown = max((row.pk for row in rows if row.pk <= upto), default=0)
        HouseholdMember.objects.filter(household=household_id, user=user).update(
            agreed_upto=Greatest("agreed_upto", shown)
        )
        queue_syncs(ids, HouseholdSongs, household_id)
    return True


def leave(user: User, household_id: int) -> bool:
    """Leave at once, and end the household if ``user`` owns it; False if they are no member.

    Queues syncs of the playlists with songs of the household, which remove the songs of those who
    left.
    """
    with transaction.atomic():
        if user.pk not in (ids := _ids(household_id)):
            return False
        _lock(ids)
        Household.objects.filter(pk=household_id, owner=user).delete()
        HouseholdMember.objects.filter(household=household_id, user=user).delete()
        queue_syncs(ids, HouseholdSongs, household_id)
    return True


def _rows(household_id: int) -> QuerySet[HouseholdMember]:
    return (
        HouseholdMember.objects.filter(household=household_id).select_related("user").order_by("pk")
    )


def _member(row: HouseholdMember, mine: HouseholdMember, *, is_in: bool) -> Member:
    is_away = not may_use(row.user)
    waits_for_me = row != mine and mine.agreed_upto < row.pk and not is_away
    return Member(row, is_in, waits_for_me, is_away)


def _standing(row: HouseholdMember) -> Standing:
    return Standing(row.pk, row.agreed_upto, may_use(row.user))


def _ids(household_id: int) -> list[int]:
    """The users who are members."""
    return [row.user_id for row in _rows(household_id)]


def _lock(user_ids: list[int]) -> list[int]:
    """Lock these listeners, in the order of their ids, and return them."""
    ids = sorted(set(user_ids))
    for user_id in ids:
        lock_listener(user_id)
    return ids


def _check_few(user: User) -> None:
    if HouseholdMember.objects.filter(user=user).count() >= MOST_HOUSEHOLDS:
        raise TogetherError(f"You are a member of {MOST_HOUSEHOLDS} households already.")
