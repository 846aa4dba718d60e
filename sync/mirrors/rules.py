"""The rule of a mirror: its tests, order and number of songs.

``from_json`` (rule_json) alone makes rules, each in one form, so that equal rules are equal values.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple, get_args

from syncify.text import plain

Match = Literal["all", "any"]
Sort = Literal[
    "newest_like",
    "oldest_like",
    "newest_release",
    "oldest_release",
    "title",
    "artist",
    "length",
    "random",
    "rediscover",
]
Refresh = Literal["sync", "daily", "weekly", "monthly"]
Unit = Literal["days", "months", "years"]
Of = Literal["both", "turns", "theirs_not_mine"]
OfHousehold = Literal["everyone", "turns", "all"]

MATCHES: tuple[Match, ...] = get_args(Match)
SORTS: tuple[Sort, ...] = get_args(Sort)
REFRESHES: tuple[Refresh, ...] = get_args(Refresh)
UNITS: tuple[Unit, ...] = get_args(Unit)
OFS: tuple[Of, ...] = get_args(Of)
OFS_OF_HOUSEHOLD: tuple[OfHousehold, ...] = get_args(OfHousehold)

TESTS_MAX = 20
GROUP_MAX = 10
LIMIT_MAX = 10_000
PER_ARTIST_MAX = 1_000
TEXT_MAX = 200
SET_MAX = 20
#: Long enough for the largest rule that the grammar allows.
JSON_MAX = 200_000

#: Fields by the kind of their values, and operators by kind.
KINDS: Mapping[str, str] = {
    "title": "text",
    "artist": "text",
    "album": "text",
    "liked": "date",
    "released": "date",
    "last_played": "date",
    "length": "number",
    "year": "number",
    "plays": "number",
    "explicit": "flag",
    "duplicate": "flag",
    "genre": "names",
    "mirror": "ids",
}
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "text": ("is", "is_not", "contains", "not_contains"),
    "date": ("before", "after", "in_last", "not_in_last"),
    "number": ("at_least", "at_most", "between"),
    "flag": ("is",),
    "names": ("in", "not_in"),
    "ids": ("in", "not_in"),
}
#: Lowest and highest value of each number; a length is in seconds.
RANGES: Mapping[str, tuple[int, int]] = {
    "length": (0, 86_400),
    "year": (1000, 2200),
    "plays": (0, 1_000_000),
}
SPAN_MAX: Mapping[Unit, int] = {"days": 36_500, "months": 1_200, "years": 100}
YEARS = (1900, 2200)
ID_MAX = 2**63 - 1


class RuleError(ValueError):
    """The rule is not valid; ``place`` is the position of the error, such as "test 3"."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


class Span(NamedTuple):
    """A period that ends today."""

    n: int
    unit: Unit


Value = str | bool | int | date | Span | tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One question about a song."""

    field: str
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """At least two tests that count as one."""

    match: Match
    tests: tuple[RuleTest, ...]


@dataclass(frozen=True, slots=True)
class Likes:
    """The songs that are liked now."""


@dataclass(frozen=True, slots=True)
class LikesAt:
    """The songs that were liked when ``day`` ended."""

    day: date


@dataclass(frozen=True, slots=True)
class PairSongs:
    """Songs of two listeners who agreed to compare their likes."""

    pair: int
    of: Of


@dataclass(frozen=True, slots=True)
class HouseholdSongs:
    """Songs of the listeners of a household who agreed to share them."""

    household: int
    of: OfHousehold


#: Sources with songs of several listeners.
SharedSongs = PairSongs | HouseholdSongs
Source = Likes | LikesAt | SharedSongs


@dataclass(frozen=True, slots=True)
class Rule:
    source: Source = Likes()
    match: Match = "all"
    tests: tuple[RuleTest | RuleGroup, ...] = ()
    sort: Sort = "newest_like"
    limit: int | None = None
    per_artist: int | None = None
    refresh: Refresh = "sync"

    def each_test(self) -> Iterator[RuleTest]:
        """All tests, those in groups included."""
        for entry in self.tests:
            if isinstance(entry, RuleGroup):
                yield from entry.tests
            else:
                yield entry

    def asks(self, field: str) -> bool:
        """Whether a test asks for ``field``."""
        return any(test.field == field for test in self.each_test())


def tidy(text: str) -> str:
    """``text`` as rules keep it: one line, single spaces, plain double quotes."""
    return re.sub(r"\s+", " ", plain(re.sub(r"\s", " ", text))).translate(_QUOTES).strip()


_QUOTES = str.maketrans("“”„", '"""')
