"""The form of a rule: what it shows is the rule, groups included, and no button loses a part."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.mirrors.rule_json import from_json, to_json
from sync.mirrors.rules import GROUP_MAX, TESTS_MAX, Rule, RuleGroup
from sync.pages.playlist_forms import choices
from sync.pages.rule_draft import Draft, Group
from tests.mirrors.strategies import rules
from tests.pages.form_fields import fields_in

TODAY = date(2026, 5, 2)


def shown(draft: Draft) -> str:
    page = SimpleNamespace(draft=draft, notes=[])
    context = {"page": page, "here": "/", **choices(playlists={7: "Running"}, today=TODAY)}
    return render_to_string("playlists/rule.html", context)


def sent(draft: Draft) -> Draft:
    """The draft that comes back when the form is sent as it was shown."""
    data = QueryDict(mutable=True)
    data.update(fields_in(shown(draft)))
    return Draft.of_data(data)


def asks(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


JAZZ = asks("genre", "in", ["jazz"])
BY_A, BY_B = asks("artist", "is", "A"), asks("artist", "is", "B")
GROUPED = from_json({"tests": [JAZZ, {"match": "any", "tests": [BY_A, BY_B]}]})


@settings(max_examples=60)
@given(rules())
def test_a_rule_that_is_shown_and_sent_is_the_same_rule(raw: dict[str, Any]) -> None:
    rule = from_json(raw)

    draft = sent(Draft.of_rule(rule))

    assert draft.rule() == rule
    assert draft.reasons == []


@settings(max_examples=40)
@given(rules(), st.data())
def test_adding_changes_no_rule_and_removing_takes_one_test(
    raw: dict[str, Any], data: st.DataObject
) -> None:
    rule = from_json(raw)
    draft = sent(Draft.of_rule(rule))
    groups = [f"add-{at}" for at, row in enumerate(draft.rows) if isinstance(row, Group)]
    draft.press(data.draw(st.sampled_from(["add", "add-group", *groups, "update", "add-99", "x"])))
    draft = sent(draft)
    assert draft.rule(half_written=True) == rule
    assert draft.rule() == rule

    if rule.tests:
        at = data.draw(st.integers(0, len(rule.tests) - 1))
        draft.press(f"remove-{at}")
        rest = replace(rule, tests=rule.tests[:at] + rule.tests[at + 1 :])
        assert sent(draft).rule() == from_json(to_json(rest))


def test_a_test_of_a_group_is_added_changed_and_removed() -> None:
    draft = sent(Draft.of_rule(GROUPED))
    draft.press("add-1")
    group = draft.rows[1]
    assert isinstance(group, Group)
    group.rows[2].what, group.rows[2].value = "title contains", "live"
    group.match = "all"
    draft.press("remove-1-0")

    live = asks("title", "contains", "live")
    expected = from_json({"tests": [JAZZ, {"match": "all", "tests": [BY_B, live]}]})
    assert sent(draft).rule() == expected


def test_a_new_group_asks_the_other_way_than_its_rule() -> None:
    draft = Draft.of_rule(from_json({"tests": [JAZZ]}))

    draft.press("add-group")

    group = draft.rows[1]
    assert isinstance(group, Group)
    assert (group.match, len(group.rows)) == ("any", 2)
    assert draft.rule() == from_json({"tests": [JAZZ]})


def test_a_group_of_one_test_is_that_test() -> None:
    draft = Draft.of_rule(GROUPED)

    draft.press("remove-1-1")

    assert sent(draft).rule() == from_json({"tests": [JAZZ, BY_A]})


@pytest.mark.parametrize(
    "do", ["remove-9", "remove-1-9", "remove-0-0", "remove", "add-0", "add-1-1"]
)
def test_a_button_for_what_is_not_there_does_nothing(do: str) -> None:
    draft = Draft.of_rule(GROUPED)

    draft.press(do)

    assert draft.rule() == GROUPED
    assert len(draft.rows) == 2


def test_rows_and_groups_end_at_what_a_rule_can_hold() -> None:
    draft = Draft.of_rule(Rule())
    draft.press("add-group")
    for _ in range(TESTS_MAX + GROUP_MAX):
        draft.press("add")
        draft.press("add-group")
        draft.press("add-1")

    assert len(draft.rows) == TESTS_MAX
    [group] = [row for row in draft.rows[1:2] if isinstance(row, Group)]
    assert len(group.rows) == GROUP_MAX
    page = shown(draft)
    assert 'value="add"' not in page
    assert 'value="add-1"' not in page
    assert 'value="add-3"' in page


def test_reasons_are_beside_the_row_of_the_group() -> None:
    draft = Draft.of_rule(GROUPED)
    group = draft.rows[1]
    assert isinstance(group, Group)
    # A row without a choice comes before, and does not count.
    group.rows[1].value = ""
    draft.rows.insert(0, type(group.rows[0])())

    assert draft.rule() is None

    assert [row.error for row in group.rows] == ["", "The text is empty."]
    assert draft.reasons == ["The text is empty."]
    assert "The text is empty." in shown(draft)


def test_an_odd_word_for_a_group_is_told_beside_it() -> None:
    data = QueryDict("group-0=some&what-0-0=explicit+yes&what-0-1=explicit+no")

    draft = Draft.of_data(data)

    assert draft.rule() is None
    [group] = draft.rows
    assert "is not one of all, any" in group.error


def test_a_rule_keeps_a_playlist_that_is_deleted() -> None:
    rule = from_json({"tests": [asks("mirror", "in", [99])]})

    assert "A playlist that is deleted" in shown(Draft.of_rule(rule))
    assert sent(Draft.of_rule(rule)).rule() == rule


def test_fields_of_a_group_have_names_for_screen_readers() -> None:
    page = shown(Draft.of_rule(GROUPED))

    for name in ("Test 1", "Test 2, part 1", "Test 2, part 2", "How many of the group must hold"):
        assert f'aria-label="{name}"' in page
    assert "Remove test 2, part 1" in page
    assert isinstance(GROUPED.tests[1], RuleGroup)
