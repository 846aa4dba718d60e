"""A rule as a smart playlist of Navidrome (.nsp), as far as Navidrome has its fields."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from sync.library.genre_tree import with_below
from sync.mirrors.rules import Likes, Rule, RuleGroup, RuleTest, Span
from sync.mirrors.sentences import sentence

_DAYS = {"days": 1, "months": 30, "years": 365}
_SORTS = {
    "newest_like": "-dateloved",
    "oldest_like": "dateloved",
    "newest_release": "-year",
    "oldest_release": "year",
    "title": "title",
    "artist": "artist",
    "length": "-duration",
    "random": "random",
}
_REFRESH = {"daily": "24h", "weekly": "168h", "monthly": "720h"}


class Exported(NamedTuple):
    nsp: dict[str, Any]
    #: The parts that Navidrome does not support, as sentences.
    left_out: list[str]


def to_nsp(name: str, rule: Rule) -> Exported:
    """``rule`` in Navidrome's format.

    A test that Navidrome cannot ask is left out where all must hold: the playlist is then larger.
    Where one is enough, the whole choice is left out, for without that test it would be smaller.
    """
    left_out: list[str] = []
    if not isinstance(rule.source, Likes):
        left_out.append(
            "Navidrome knows neither likes of others nor former likes: it takes today's."
        )
    tests = [_entry(entry, left_out) for entry in rule.tests]
    known = [each for each in tests if each is not None]
    if rule.match == "any" and len(known) < len(tests):
        known = []
    # Loved songs are the likes there.
    conditions: list[dict[str, Any]] = [{"is": {"loved": True}}]
    if rule.match == "all":
        conditions += known
    elif known:
        conditions.append({"any": known})
    nsp: dict[str, Any] = {"name": name, "comment": sentence(rule), "all": conditions}
    if rule.sort in _SORTS:
        nsp["sort"] = _SORTS[rule.sort]
    else:
        left_out.append("Navidrome cannot show each song once before any twice.")
    if rule.per_artist is not None:
        left_out.append("Navidrome cannot limit the songs per artist.")
    if rule.limit is not None:
        nsp["limit"] = rule.limit
    if rule.refresh in _REFRESH:
        nsp["refreshDelay"] = _REFRESH[rule.refresh]
    return Exported(nsp, left_out)


def _entry(entry: RuleTest | RuleGroup, left_out: list[str]) -> dict[str, Any] | None:
    if isinstance(entry, RuleTest):
        found = _FIELDS[entry.field](entry)
        if found is None:
            left_out.append(f"Left out: {sentence(Rule(tests=(entry,)))}")
        return found
    tests = [_entry(test, left_out) for test in entry.tests]
    known = [each for each in tests if each is not None]
    if not known or (entry.match == "any" and len(known) < len(tests)):
        return None
    return {entry.match: known}


def _text(test: RuleTest) -> dict[str, Any]:
    op = {"is": "is", "is_not": "isNot", "contains": "contains", "not_contains": "notContains"}
    return {op[test.op]: {test.field: test.value}}


def _date(name: str) -> Callable[[RuleTest], dict[str, Any]]:
    def write(test: RuleTest) -> dict[str, Any]:
        if isinstance(test.value, Span):
            op = "inTheLast" if test.op == "in_last" else "notInTheLast"
            return {op: {name: test.value.n * _DAYS[test.value.unit]}}
        assert isinstance(test.value, date)  # noqa: S101 - the grammar says so
        return {test.op: {name: test.value.isoformat()}}

    return write


def _number(name: str) -> Callable[[RuleTest], dict[str, Any]]:
    """Navidrome's ranges hold both ends; its ``gt`` and ``lt`` do not hold theirs."""

    def write(test: RuleTest) -> dict[str, Any]:
        if isinstance(test.value, tuple):
            return {"inTheRange": {name: list(test.value)}}
        assert isinstance(test.value, int)  # noqa: S101 - the grammar says so
        if test.op == "at_least":
            return {"gt": {name: test.value - 1}}
        return {"lt": {name: test.value + 1}}

    return write


def _explicit(test: RuleTest) -> dict[str, Any]:
    return {"is": {"explicitstatus": "e"}} if test.value else {"isNot": {"explicitstatus": "e"}}


def _genre(test: RuleTest) -> dict[str, Any]:
    assert isinstance(test.value, tuple)  # noqa: S101 - the grammar says so
    names = sorted(with_below(str(name) for name in test.value))
    if test.op == "in":
        return {"any": [{"is": {"genre": name}} for name in names]}
    return {"all": [{"isNot": {"genre": name}} for name in names]}


def _unknown(_test: RuleTest) -> None:
    return None


_FIELDS: Mapping[str, Callable[[RuleTest], dict[str, Any] | None]] = {
    "title": _text,
    "artist": _text,
    "album": _text,
    "liked": _date("dateloved"),
    "released": _date("releasedate"),
    "last_played": _date("lastplayed"),
    "length": _number("duration"),
    "year": _number("year"),
    "plays": _number("playcount"),
    "explicit": _explicit,
    "duplicate": _unknown,
    "genre": _genre,
    "mirror": _unknown,
}
