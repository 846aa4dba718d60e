"""What sentences call the listeners whose songs a rule selects."""

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
    """Of each source with songs of others that ``user`` can use, whose songs it has."""
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
    """The same for one rule; most rules have no songs of others, and cost no query."""
    return sharers_of(user) if rule and isinstance(rule.source, SharedSongs) else {}
