"""Names of pairs and households, for the sentences of rules."""

from accounts.models import User
from sync.mirrors.rules import (
    OFS,
    OFS_OF_HOUSEHOLD,
    HouseholdSongs,
    PairSongs,
    Rule,
    SharedSongs,
)
from sync.sharing.households import households_of
from sync.sharing.pairs import partners_of


def sharers_of(user: User) -> dict[SharedSongs, str]:
    """For each source of ``user`` with songs of others, the words for its listeners."""
    sharers: dict[SharedSongs, str] = {}
    for partner in partners_of(user):
        words = f"you and {partner.user}"
        sharers |= {PairSongs(partner.pair.pk, of): words for of in OFS}
    for household in households_of(user):
        words = f"the household of {household.owner}"
        if household.owner_id == user.pk:
            words = "your household"
        sharers |= {HouseholdSongs(household.pk, of): words for of in OFS_OF_HOUSEHOLD}
    return sharers


def sharers_in(user: User, rule: Rule | None) -> dict[SharedSongs, str]:
    """The same for one rule. A rule without songs of others costs no query."""
    return sharers_of(user) if rule and isinstance(rule.source, SharedSongs) else {}
