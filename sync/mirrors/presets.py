"""Rules that a listener can choose by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sync.mirrors.rule_json import from_json
from sync.mirrors.rules import Rule

#: The value that a preset needs: nothing, a year, the first year of a decade, an artist's name
#: or a genre.
Needs = Literal["", "year", "decade", "artist", "genre"]


@dataclass(frozen=True, slots=True)
class Preset:
    key: str
    name: str
    text: str
    needs: Needs = ""


PRESETS: tuple[Preset, ...] = (
    Preset("last-100", "Last 100", "The 100 songs that you liked most recently."),
    Preset("this-year", "This year", "Every song that you liked since 1 January."),
    Preset("year", "A year", "Songs that were released in one year.", "year"),
    Preset("decade", "A decade", "Songs that were released in ten years.", "decade"),
    Preset("before-2000", "Before 2000", "Songs that were released in 1999 or earlier."),
    Preset("no-explicit", "No explicit", "Every song that is not marked as explicit."),
    Preset("clean", "Clean", "No explicit songs; of two versions, the clean one."),
    Preset("long", "Long songs", "Songs of six minutes or more, longest first."),
    Preset("one-per-artist", "One per artist", "The newest like of each artist."),
    Preset("artist", "By an artist", "Every song of one artist.", "artist"),
    Preset("rediscover", "Rediscover", "30 songs a day that you liked more than a year ago."),
    Preset("never-played", "Never played", "Songs without a play in your listening history."),
    Preset("genre", "A genre", "Songs of one genre and of the genres below it.", "genre"),
)
BY_KEY: Mapping[str, Preset] = {preset.key: preset for preset in PRESETS}


def rule_of(key: str, *, today: date, value: str | int | None = None) -> Rule:
    """The rule of preset ``key``, with the ``value`` that it needs.

    Raises KeyError for an unknown preset and RuleError for a value that does not fit.
    """
    return from_json(_raw(BY_KEY[key], today, value))


def duplicates_of(key: str) -> dict[str, str]:
    """The setting of the preset besides the rule: the twins that a clean playlist keeps."""
    return {"keep_twin": "clean"} if key == "clean" else {}


def _raw(preset: Preset, today: date, value: str | int | None) -> dict[str, Any]:
    if preset.key in _FIXED:
        return _FIXED[preset.key]
    match preset.key:
        case "this-year":
            return _one("liked", "after", f"{today.year - 1}-12-31")
        case "year":
            return _one("year", "between", [value, value])
        case "decade":
            last = value + 9 if isinstance(value, int) else value
            return _one("year", "between", [value, last])
        case "artist":
            return _one("artist", "is", value)
        case _:
            return _one("genre", "in", [value])


def _one(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"tests": [{"field": field, "op": op, "value": value}]}


_FIXED: Mapping[str, dict[str, Any]] = {
    "last-100": {"limit": 100},
    "before-2000": _one("year", "at_most", 1999),
    "no-explicit": _one("explicit", "is", False),
    "clean": _one("explicit", "is", False),
    "long": {**_one("length", "at_least", 360), "sort": "length"},
    "one-per-artist": {"per_artist": 1},
    "rediscover": {
        **_one("liked", "not_in_last", {"n": 1, "unit": "years"}),
        "sort": "rediscover",
        "limit": 30,
        "refresh": "daily",
    },
    "never-played": _one("plays", "at_most", 0),
}
