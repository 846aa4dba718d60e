"""Rules that can be chosen by name."""

from datetime import date

import pytest

from sync.mirrors.presets import BY_KEY, PRESETS, duplicates_of, rule_of
from sync.mirrors.rules import RuleError
from sync.mirrors.sentences import sentence

TODAY = date(2026, 11, 27)
VALUES: dict[str, str | int | None] = {
    "": None,
    "year": 1994,
    "decade": 1990,
    "artist": "Kiasmos",
    "genre": "Jazz",
}
REDISCOVER = (
    "Songs not liked in the last year; each song once before any twice; at most 30 songs; new every"
    " day."
)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("last-100", "All liked songs; at most 100 songs."),
        ("this-year", "Songs liked after 31 December 2025."),
        ("year", "Songs from 1994."),
        ("decade", "Songs from 1990 to 1999."),
        ("before-2000", "Songs from 1999 or earlier."),
        ("no-explicit", "Songs not explicit."),
        ("clean", "Songs not explicit."),
        ("long", "Songs at least 6 minutes long; longest first."),
        ("one-per-artist", "All liked songs; at most 1 per artist."),
        ("artist", "Songs by “Kiasmos”."),
        ("rediscover", REDISCOVER),
        ("never-played", "Songs never played."),
        ("genre", "Songs of the genre jazz."),
    ],
)  # fmt: skip
def test_presets(key: str, expected: str) -> None:
    rule = rule_of(key, today=TODAY, value=VALUES[BY_KEY[key].needs])

    assert sentence(rule) == expected


def test_every_preset_has_a_rule_of_its_own_name() -> None:
    assert len(BY_KEY) == len(PRESETS) == 13


@pytest.mark.parametrize(
    ("key", "value"),
    [("artist", None), ("artist", ""), ("year", "x"), ("decade", 99), ("genre", 5)],
)
def test_a_value_that_does_not_fit_is_refused(key: str, value: str | int | None) -> None:
    with pytest.raises(RuleError):
        rule_of(key, today=TODAY, value=value)


def test_an_unknown_preset_is_no_preset() -> None:
    with pytest.raises(KeyError):
        rule_of("best", today=TODAY)


def test_a_clean_playlist_keeps_the_clean_twin() -> None:
    assert duplicates_of("clean") == {"keep_twin": "clean"}
    assert duplicates_of("long") == {}
