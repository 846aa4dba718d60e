"""Rules as smart playlists of Navidrome."""

import json
from typing import Any

import pytest
from hypothesis import given

from sync.mirrors.nsp import to_nsp
from sync.mirrors.rule_json import from_json
from tests.mirrors.strategies import rules

LOVED = {"is": {"loved": True}}


def exported(**raw: Any) -> dict[str, Any]:
    return to_nsp("Evening", from_json(raw)).nsp


def test_a_rule_with_all_that_navidrome_has() -> None:
    tests = [
        {"field": "title", "op": "not_contains", "value": "live"},
        {"field": "year", "op": "between", "value": [1990, 1999]},
        {"field": "length", "op": "at_least", "value": 360},
        {"field": "plays", "op": "at_most", "value": 0},
        {"field": "liked", "op": "before", "value": "2020-01-01"},
        {"field": "last_played", "op": "not_in_last", "value": {"n": 2, "unit": "months"}},
        {"field": "explicit", "op": "is", "value": False},
    ]

    assert exported(tests=tests, sort="random", limit=50, refresh="daily") == {
        "name": "Evening",
        "comment": "Songs without “live” in the title, from 1990 to 1999, at least 6 minutes long,"
        " never played, liked before 1 January 2020, not played in the last 2 months and not"
        " explicit; shuffled; at most 50 songs; new every day.",
        "all": [
            LOVED,
            {"notContains": {"title": "live"}},
            {"inTheRange": {"year": [1990, 1999]}},
            {"gt": {"duration": 359}},
            {"lt": {"playcount": 1}},
            {"before": {"dateloved": "2020-01-01"}},
            {"notInTheLast": {"lastplayed": 60}},
            {"isNot": {"explicitstatus": "e"}},
        ],
        "sort": "random",
        "limit": 50,
        "refreshDelay": "24h",
    }


def test_a_genre_brings_the_genres_below_it() -> None:
    [_, genres] = exported(tests=[{"field": "genre", "op": "in", "value": ["bebop"]}])["all"]

    assert {"is": {"genre": "hard bop"}} in genres["any"]


TITLE = {"field": "title", "op": "is", "value": "Looped"}
TWIN = {"field": "duplicate", "op": "is", "value": True}


@pytest.mark.parametrize(
    ("match", "tests", "conditions"),
    [
        ("all", [TITLE, TWIN], [LOVED, {"is": {"title": "Looped"}}]),
        ("any", [TITLE, TWIN], [LOVED]),
        ("any", [TITLE, TITLE], [LOVED, {"any": [{"is": {"title": "Looped"}}] * 2}]),
        ("all", [TITLE, {"match": "any", "tests": [TITLE, TWIN]}],
         [LOVED, {"is": {"title": "Looped"}}]),
        ("all", [TITLE, {"match": "all", "tests": [TITLE, TWIN]}],
         [LOVED, {"is": {"title": "Looped"}}, {"all": [{"is": {"title": "Looped"}}]}]),
    ],
)  # fmt: skip
def test_what_navidrome_cannot_ask_never_takes_songs_away(
    match: str, tests: list[Any], conditions: list[Any]
) -> None:
    assert exported(match=match, tests=tests)["all"] == conditions


def test_what_is_left_out_is_said() -> None:
    rule = from_json(
        {
            "source": {"likes_at": "2020-01-01"},
            "tests": [TITLE, TWIN],
            "per_artist": 1,
            "sort": "rediscover",
            "limit": 5,
            "refresh": "daily",
        }
    )

    assert to_nsp("x", rule).left_out == [
        "Navidrome knows neither likes of others nor former likes: it takes today's.",
        "Left out: Songs that have a duplicate.",
        "Navidrome cannot show each song once before any twice.",
        "Navidrome cannot limit the songs per artist.",
    ]


@given(rules())
def test_every_rule_can_be_written(raw: dict[str, Any]) -> None:
    assert json.loads(json.dumps(to_nsp("x", from_json(raw)).nsp))["all"][0] == LOVED
