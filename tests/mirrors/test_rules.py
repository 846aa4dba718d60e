"""The grammar of rules: what it takes, what it refuses, and where it says the trouble is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mirrors.rule_json import from_json, loads, to_json
from sync.mirrors.rules import Rule, RuleError, RuleGroup
from tests.mirrors.strategies import rules

TITLE = {"field": "title", "op": "is", "value": "Looped"}


def one(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"tests": [{"field": field, "op": op, "value": value}]}


@given(rules())
def test_a_rule_survives_writing_and_reading(raw: dict[str, Any]) -> None:
    rule = from_json(raw)

    assert loads(json.dumps(to_json(rule))) == rule


def test_an_empty_object_is_all_likes_newest_first() -> None:
    assert from_json({}) == Rule()


def test_a_group_of_one_is_its_test() -> None:
    assert from_json({"tests": [{"match": "any", "tests": [TITLE]}]}) == from_json(
        {"tests": [TITLE]}
    )


def test_twenty_tests_and_groups_of_ten_are_allowed() -> None:
    group = {"match": "any", "tests": [TITLE] * 10}

    rule = from_json({"tests": [group] * 20})

    assert len(rule.tests) == 20
    assert isinstance(rule.tests[0], RuleGroup)
    assert len(list(rule.each_test())) == 200


@pytest.mark.parametrize(
    ("raw", "place", "message"),
    [
        ([], "rule", "an object is needed"),
        ("likes", "rule", "an object is needed"),
        ({"songs": 1}, "rule", "unknown name “songs”"),
        ({"tests": {}}, "tests", "a list is needed"),
        ({"tests": [TITLE] * 21}, "tests", "at most 20 tests, this one 21"),
        ({"tests": [1]}, "test 1", "an object is needed"),
        ({"tests": [TITLE, {"field": "title", "op": "is"}]}, "test 2", "“value” is missing"),
        ({"tests": [{**TITLE, "sql": "1"}]}, "test 1", "unknown name “sql”"),
        (one("colour", "is", "blue"), "test 1, field", "“colour” is not one of"),
        (one("title__regex", "is", "x"), "test 1, field", "is not one of"),
        (one("title", "at_least", 1), "test 1, operator of “title”", "“at_least” is not one of"),
        (one("explicit", "is_not", True), "test 1, operator of “explicit”", "is not one of"),
        (one("title", "is", 5), "test 1, value", "a text is needed"),
        (one("title", "is", " \u200e"), "test 1, value", "empty"),
        (one("title", "is", "x" * 201), "test 1, value", "longer than 200"),
        (one("title", "is", "\ud800"), "test 1, value", "cannot be shown"),
        (one("liked", "before", "2021-02-29"), "test 1, value", "there is no date 2021-02-29"),
        (one("liked", "before", "20210228"), "test 1, value", "a date such as"),
        (one("liked", "before", "0001-01-01"), "test 1, value", "the year must be"),
        (one("liked", "in_last", {"n": 0, "unit": "days"}), "test 1, value", "from 1 to"),
        (one("liked", "in_last", {"n": 2, "unit": "hours"}), "test 1, value, unit", "is not one"),
        (one("liked", "in_last", 7), "test 1, value", "an object is needed"),
        (one("length", "at_least", "long"), "test 1, value", "a whole number is needed"),
        (one("length", "at_least", 1.5), "test 1, value", "a whole number is needed"),
        (one("plays", "at_least", True), "test 1, value", "a whole number is needed"),
        (one("plays", "at_least", 10**30), "test 1, value", "a number from 0 to 1000000"),
        (one("year", "between", [2000]), "test 1, value", "takes two numbers"),
        (one("year", "between", [2000, 1990]), "test 1, value", "larger than the second"),
        (one("explicit", "is", "yes"), "test 1, value", "yes or no"),
        (one("genre", "in", []), "test 1, value", "1 to 20 values"),
        (one("genre", "in", ["x"] * 21), "test 1, value", "1 to 20 values"),
        (one("mirror", "in", [0]), "test 1, value", "a number from 1"),
        ({"tests": [{"tests": []}]}, "test 1", "1 to 10 tests, this one 0"),
        ({"tests": [{"tests": [TITLE] * 11}]}, "test 1", "1 to 10 tests, this one 11"),
        (
            {"tests": [TITLE, {"tests": [TITLE, {"tests": [TITLE]}]}]},
            "test 2, part 2",
            "a group cannot hold another group",
        ),
        ({"tests": [{"tests": [TITLE], "match": "none"}]}, "test 1, match", "is not one of"),
        ({"match": "some"}, "match", "“some” is not one of all, any"),
        ({"sort": "loudness"}, "sort", "“loudness” is not one of"),
        ({"refresh": "hourly"}, "refresh", "is not one of"),
        ({"limit": 0}, "limit", "a number from 1 to 10000"),
        ({"limit": 10_001}, "limit", "a number from 1 to 10000"),
        ({"limit": "50"}, "limit", "a whole number is needed"),
        ({"per_artist": 0}, "per_artist", "a number from 1"),
        ({"source": "playlists"}, "source", "there is no source"),
        ({"source": {"likes_at": "2020-13-01"}}, "source, likes_at", "there is no date"),
        ({"source": {"pair": 1, "of": "mine"}}, "source, of", "is not one of"),
        ({"source": {"pair": "x", "of": "both"}}, "source, pair", "a whole number"),
        ({"source": {"household": 1, "of": "both"}}, "source, of", "is not one of"),
        ({"source": {"household": 1, "pair": 1, "of": "turns"}}, "source", "unknown name"),
        ({"sort": "rediscover", "refresh": "daily"}, "limit", "needs a number of songs"),
        ({"sort": "rediscover", "limit": 5}, "refresh", "needs daily, weekly or monthly"),
    ],
)
def test_bad_rules_are_refused_with_the_place(raw: Any, place: str, message: str) -> None:
    with pytest.raises(RuleError) as refusal:
        from_json(raw)

    assert refusal.value.place == place
    assert message in refusal.value.message


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "x" * 200_001, "NaN"])
def test_text_that_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        loads(text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(raw=rules(), name=st.sampled_from(("source", "match", "tests", "sort", "limit")), bad=_json)
def test_anything_else_is_a_rule_or_a_rule_error(raw: dict[str, Any], name: str, bad: Any) -> None:
    try:
        rule = from_json({**raw, name: bad})
    except RuleError:
        return

    assert from_json(to_json(rule)) == rule
