"""Random histories of a household: each sees the likes of those who agree now, and no others."""

from dataclasses import dataclass, field
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import access
from accounts.models import User
from sync.mirrors.rules import HouseholdSongs
from sync.models import Household
from sync.sharing import households
from sync.sharing.sources import songs_of_household
from tests.builders import make_user
from tests.library.rows import add_song, at, like

NAMES = ("ada", "bea", "cleo", "dora")
ALL = 2**62  #: agrees with all members there are.

steps = st.tuples(
    st.sampled_from(["join", "agree", "leave", "block", "unblock"]), st.sampled_from(NAMES)
)


@pytest.fixture
def people(db: None) -> dict[str, User]:
    """Each likes one song, which has their name."""
    found = {name: make_user(name) for name in NAMES}
    for name, user in found.items():
        add_song(name, name=name)
        like(user, name, at("2025-05-01"))
    return found


@dataclass
class Told:
    """A household of Ada, and what its members said."""

    people: dict[str, User]
    house: Household
    members: list[str] = field(default_factory=lambda: ["ada"])
    blocked: set[str] = field(default_factory=set)
    #: Who agreed to share with whom.
    said: set[tuple[str, str]] = field(default_factory=set)

    def take(self, step: str, name: str) -> None:
        user = self.people[name]
        user.refresh_from_db()
        match step:
            case "join" if name not in self.members and not self.blocked & {"ada", name}:
                code = households.invite(self.house.owner, self.house.pk)
                households.accept(user, code, upto=ALL)
                self.said |= {(name, other) for other in self.members}
                self.members.append(name)
                self.said |= {("ada", other) for other in self.members}
            case "agree" if name in self.members:
                households.agree(user, self.house.pk, upto=ALL)
                self.said |= {(name, other) for other in self.members}
            case "leave" if name in self.members and name != "ada":
                households.leave(user, self.house.pk)
                self.members.remove(name)
                self.said = {pair for pair in self.said if name not in pair}
            case "block":
                access.block_listener(user)
                self.blocked.add(name)
            case "unblock":
                access.unblock_listener(user)
                self.blocked.discard(name)

    def seen_by(self, name: str) -> set[str]:
        source = HouseholdSongs(self.house.pk, "everyone")
        songs = songs_of_household(self.people[name].pk, source)
        return set(songs.values_list("track_id", flat=True))

    def present(self) -> list[str]:
        return [name for name in self.members if name not in self.blocked]


@pytest.mark.django_db
@settings(max_examples=25)
@given(st.lists(steps, max_size=12))
def test_each_sees_the_likes_of_those_who_agree_now_and_no_others(
    people: dict[str, User], history: list[tuple[str, str]]
) -> None:
    Household.objects.all().delete()
    User.objects.update(is_active=True)
    told = Told(people, households.start(people["ada"]))

    for step, name in history:
        told.take(step, name)

        present = told.present()
        seen = {one: told.seen_by(one) for one in NAMES}
        for one, other in permutations(NAMES, 2):
            if other in seen[one]:
                assert {(one, other), (other, one)} <= told.said
                assert {one, other} <= set(present)
        if all(pair in told.said for pair in permutations(present, 2)):
            assert all(seen[one] == set(present) for one in present)
