"""A rule as JSON: read, checked and written."""

import json
import re
from dataclasses import fields
from datetime import date
from typing import Any

from sync.mirrors.rules import (
    GROUP_MAX,
    ID_MAX,
    JSON_MAX,
    KINDS,
    LIMIT_MAX,
    MATCHES,
    OFS,
    OFS_OF_HOUSEHOLD,
    OPERATORS,
    PER_ARTIST_MAX,
    RANGES,
    REFRESHES,
    SET_MAX,
    SORTS,
    SPAN_MAX,
    TESTS_MAX,
    TEXT_MAX,
    UNITS,
    YEARS,
    HouseholdSongs,
    Likes,
    LikesAt,
    Match,
    PairSongs,
    Rule,
    RuleError,
    RuleGroup,
    RuleTest,
    Source,
    Span,
    Value,
    tidy,
)
from syncify.text import folded, plain

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def loads(text: str) -> Rule:
    """The rule in ``text``. Raises RuleError."""
    if len(text) > JSON_MAX:
        raise RuleError("rule", "this is too long for a rule")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise RuleError("rule", "this is not valid JSON") from None
    return from_json(raw)


def from_json(raw: object) -> Rule:
    """The rule that ``raw`` describes; what is left out has its usual value. Raises RuleError."""
    given = _object(raw, "rule", {field.name for field in fields(Rule)})
    entries = _list(given.get("tests", []), "tests")
    if len(entries) > TESTS_MAX:
        raise RuleError("tests", f"a rule has at most {TESTS_MAX} tests, this one {len(entries)}")
    tests: tuple[RuleTest | RuleGroup, ...] = tuple(
        _entry(entry, f"test {number}") for number, entry in enumerate(entries, 1)
    )
    match: Match = _choice(given.get("match", "all"), "match", MATCHES)
    if len(tests) == 1 and isinstance(tests[0], RuleGroup):
        match, tests = tests[0].match, tests[0].tests
    rule = Rule(
        source=_source(given.get("source", "likes")),
        # With one test or none, both words mean the same.
        match=match if len(tests) > 1 else "all",
        tests=tests,
        sort=_choice(given.get("sort", "newest_like"), "sort", SORTS),
        limit=_optional(given.get("limit"), "limit", LIMIT_MAX),
        per_artist=_optional(given.get("per_artist"), "per_artist", PER_ARTIST_MAX),
        refresh=_choice(given.get("refresh", "sync"), "refresh", REFRESHES),
    )
    if rule.sort == "rediscover":
        if rule.limit is None:
            raise RuleError("limit", "“rediscover” needs a number of songs")
        if rule.refresh == "sync":
            raise RuleError("refresh", "“rediscover” needs daily, weekly or monthly")
    return rule


def to_json(rule: Rule) -> dict[str, Any]:
    """What ``from_json`` reads."""
    return {
        "source": _source_to_json(rule.source),
        "match": rule.match,
        "tests": [_entry_to_json(entry) for entry in rule.tests],
        "sort": rule.sort,
        "limit": rule.limit,
        "per_artist": rule.per_artist,
        "refresh": rule.refresh,
    }


def _entry(raw: object, place: str) -> RuleTest | RuleGroup:
    if not (isinstance(raw, dict) and "tests" in raw):
        return _test(raw, place)
    given = _object(raw, place, {"match", "tests"})
    match: Match = _choice(given.get("match", "all"), f"{place}, match", MATCHES)
    entries = _list(given["tests"], place)
    if not 1 <= len(entries) <= GROUP_MAX:
        raise RuleError(place, f"a group has 1 to {GROUP_MAX} tests, this one {len(entries)}")
    tests = []
    for number, entry in enumerate(entries, 1):
        inner = f"{place}, part {number}"
        if isinstance(entry, dict) and "tests" in entry:
            raise RuleError(inner, "a group cannot hold another group")
        tests.append(_test(entry, inner))
    return tests[0] if len(tests) == 1 else RuleGroup(match, tuple(tests))


def _test(raw: object, place: str) -> RuleTest:
    given = _object(raw, place, {"field", "op", "value"})
    for name in ("field", "op", "value"):
        if name not in given:
            raise RuleError(place, f"“{name}” is missing")
    field = _choice(given["field"], f"{place}, field", tuple(KINDS))
    kind = KINDS[field]
    op = _choice(given["op"], f"{place}, operator of “{field}”", OPERATORS[kind])
    return RuleTest(field, op, _value(kind, field, op, given["value"], f"{place}, value"))


def _value(kind: str, field: str, op: str, raw: object, place: str) -> Value:
    match kind:
        case "text":
            return _text(raw, place)
        case "date":
            return _span(raw, place) if op in {"in_last", "not_in_last"} else _day(raw, place)
        case "number":
            low, high = RANGES[field]
            if op != "between":
                return _number(raw, place, low, high)
            ends = _list(raw, place)
            if len(ends) != 2:
                raise RuleError(place, "“between” takes two numbers")
            first, last = (_number(end, place, low, high) for end in ends)
            if first > last:
                raise RuleError(place, "the first number is larger than the second")
            return (first, last)
        case "flag":
            if not isinstance(raw, bool):
                raise RuleError(place, f"this is yes or no, not {_shown(raw)}")
            return raw
        case "names":
            names = (tidy(folded(_text(name, place))) for name in _some(raw, place))
            return tuple(dict.fromkeys(names))
        case _:
            ids = (_number(each, place, 1, ID_MAX) for each in _some(raw, place))
            return tuple(dict.fromkeys(ids))


def _source(raw: object) -> Source:
    if raw == "likes":
        return Likes()
    if isinstance(raw, dict) and "pair" in raw:
        given = _object(raw, "source", {"pair", "of"})
        pair = _number(given["pair"], "source, pair", 1, ID_MAX)
        return PairSongs(pair, _choice(given.get("of"), "source, of", OFS))
    if isinstance(raw, dict) and "household" in raw:
        given = _object(raw, "source", {"household", "of"})
        household = _number(given["household"], "source, household", 1, ID_MAX)
        of = _choice(given.get("of"), "source, of", OFS_OF_HOUSEHOLD)
        return HouseholdSongs(household, of)
    if isinstance(raw, dict) and "likes_at" in raw:
        given = _object(raw, "source", {"likes_at"})
        return LikesAt(_day(given["likes_at"], "source, likes_at"))
    raise RuleError("source", f"there is no source {_shown(raw)}")


def _source_to_json(source: Source) -> Any:
    match source:
        case LikesAt(day):
            return {"likes_at": day.isoformat()}
        case PairSongs(pair, of):
            return {"pair": pair, "of": of}
        case HouseholdSongs(household, of_household):
            return {"household": household, "of": of_household}
        case _:
            return "likes"


def _entry_to_json(entry: RuleTest | RuleGroup) -> dict[str, Any]:
    if isinstance(entry, RuleGroup):
        return {"match": entry.match, "tests": [_entry_to_json(test) for test in entry.tests]}
    value: Any = entry.value
    if isinstance(value, Span):
        value = {"n": value.n, "unit": value.unit}
    elif isinstance(value, tuple):
        value = list(value)
    elif isinstance(value, date):
        value = value.isoformat()
    return {"field": entry.field, "op": entry.op, "value": value}


def _object(raw: object, place: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise RuleError(place, f"an object is needed here, not {_shown(raw)}")
    for name in raw:
        if name not in known:
            raise RuleError(place, f"unknown name {_shown(name)}")
    return raw


def _list(raw: object, place: str) -> list[Any]:
    if not isinstance(raw, list):
        raise RuleError(place, f"a list is needed here, not {_shown(raw)}")
    return raw


def _some(raw: object, place: str) -> list[Any]:
    values = _list(raw, place)
    if not 1 <= len(values) <= SET_MAX:
        raise RuleError(place, f"1 to {SET_MAX} values are needed, not {len(values)}")
    return values


def _choice[T: str](raw: object, place: str, known: tuple[T, ...]) -> T:
    for name in known:
        if raw == name:
            return name
    raise RuleError(place, f"{_shown(raw)} is not one of {', '.join(known)}")


def _optional(raw: object, place: str, high: int) -> int | None:
    return None if raw is None else _number(raw, place, 1, high)


def _number(raw: object, place: str, low: int, high: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise RuleError(place, f"a whole number is needed, not {_shown(raw)}")
    if not low <= raw <= high:
        raise RuleError(place, f"a number from {low} to {high} is needed")
    return raw


def _text(raw: object, place: str) -> str:
    if not isinstance(raw, str):
        raise RuleError(place, f"a text is needed, not {_shown(raw)}")
    text = tidy(raw)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RuleError(place, "the text has characters that cannot be shown")
    if not folded(text).strip():
        raise RuleError(place, "the text is empty")
    if len(text) > TEXT_MAX:
        raise RuleError(place, f"the text is longer than {TEXT_MAX} characters")
    return text


def _day(raw: object, place: str) -> date:
    if not isinstance(raw, str) or not _DATE.fullmatch(raw):
        raise RuleError(place, f"a date such as 2020-12-31 is needed, not {_shown(raw)}")
    try:
        day = date.fromisoformat(raw)
    except ValueError:
        raise RuleError(place, f"there is no date {raw}") from None
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise RuleError(place, f"the year must be {YEARS[0]} to {YEARS[1]}")
    return day


def _span(raw: object, place: str) -> Span:
    given = _object(raw, place, {"n", "unit"})
    unit = _choice(given.get("unit"), f"{place}, unit", UNITS)
    return Span(_number(given.get("n"), place, 1, SPAN_MAX[unit]), unit)


def _shown(raw: object) -> str:
    """``raw`` as an error message quotes it: short, and on one line."""
    text = json.dumps(raw, ensure_ascii=False, default=str) if not isinstance(raw, str) else raw
    text = plain(text)
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
