"""A rule in its form: fields, groups, the buttons that change them, and errors beside them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.http import QueryDict

from sync.mirrors.rule_json import from_json, to_json
from sync.mirrors.rules import (
    GROUP_MAX,
    JSON_MAX,
    TESTS_MAX,
    Likes,
    LikesAt,
    Rule,
    RuleError,
    RuleGroup,
    RuleTest,
    SharedSongs,
    Span,
)
from sync.mirrors.sentences import sentence
from sync.pages.playlist_choices import KINDS

#: A button: its action, and the place of a row or group ("3") or of a row in a group ("3-1").
_BUTTON = re.compile(r"(add|remove)(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


@dataclass(slots=True)
class Row:
    """The fields of one test; a test that the fields cannot show is JSON in ``raw``."""

    what: str = ""
    value: str = ""
    value2: str = ""
    unit: str = "months"
    raw: str = ""
    error: str = ""

    @property
    def kind(self) -> str:
        return KINDS.get(self.what, "")

    @property
    def is_complete(self) -> bool:
        """Whether all its fields have a value."""
        if self.raw or not self.what:
            return bool(self.raw)
        needs = {"": 0, "numbers": 2, "lengths": 2}.get(self.kind, 1)
        return all(value.strip() for value in (self.value, self.value2)[:needs])

    def counts(self, *, half_written: bool) -> bool:
        """Whether this row is a test of the rule; a row without a choice is not."""
        return self.is_complete or (bool(self.what) and not half_written)

    @property
    def words(self) -> str:
        """The test in ``raw`` as a sentence."""
        try:
            return sentence(from_json({"tests": [json.loads(self.raw)]}))
        except (ValueError, RecursionError):
            return "A test that cannot be read"

    def to_raw(self) -> Any:
        if self.raw:
            try:
                return json.loads(self.raw)
            except (ValueError, RecursionError):
                return self.raw
        name, _, op = self.what.partition(" ")
        if op in {"yes", "no"}:
            return {"field": name, "op": "is", "value": op == "yes"}
        return {"field": name, "op": op, "value": self._value()}

    def _value(self) -> Any:
        match self.kind:
            case "span":
                return {"n": number_or_text(self.value), "unit": self.unit}
            case "number":
                return number_or_text(self.value)
            case "numbers":
                return [number_or_text(self.value), number_or_text(self.value2)]
            case "length":
                return _seconds(self.value)
            case "lengths":
                return [_seconds(self.value), _seconds(self.value2)]
            case "genres":
                return [name.strip() for name in self.value.split(",") if name.strip()]
            case "playlist":
                return [number_or_text(self.value)]
            case _:
                return self.value


@dataclass(slots=True)
class Group:
    """The fields of tests that count as one."""

    rows: list[Row]
    match: str = "any"
    error: str = ""

    #: Tells the template a group from a row.
    is_group = True

    @property
    def has_room(self) -> bool:
        return len(self.rows) < GROUP_MAX


@dataclass(slots=True)
class Draft:
    """The fields of a rule."""

    rows: list[Row | Group] = field(default_factory=lambda: [Row()])
    match: str = "all"
    #: "likes", "likes_at" with ``day``, or another source as JSON.
    source: str = "likes"
    day: str = ""
    sort: str = "newest_like"
    limit: str = ""
    per_artist: str = ""
    refresh: str = "sync"
    #: Errors by the name of the field. Rows and groups have their own.
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_rule(cls, rule: Rule) -> "Draft":
        source, day = "likes", ""
        if isinstance(rule.source, LikesAt):
            source, day = "likes_at", rule.source.day.isoformat()
        elif not isinstance(rule.source, Likes):
            source = json.dumps(to_json(rule)["source"])
        return cls(
            rows=[_entry(entry) for entry in rule.tests] or [Row()],
            match=rule.match,
            source=source,
            day=day,
            sort=rule.sort,
            limit=str(rule.limit or ""),
            per_artist=str(rule.per_artist or ""),
            refresh=rule.refresh,
        )

    @classmethod
    def of_data(cls, data: QueryDict) -> "Draft":
        """The fields that the form sent. ``rule`` reports values that are not valid."""
        rows: list[Row | Group] = []
        for number in range(TESTS_MAX + 1):
            if (match := data.get(f"group-{number}")) is not None:
                inner = (_sent(data, f"{number}-{part}") for part in range(GROUP_MAX + 1))
                rows.append(Group([row for row in inner if row], match))
            elif row := _sent(data, str(number)):
                rows.append(row)
        names = ("match", "source", "day", "sort", "limit", "per_artist", "refresh")
        given = {name: str(data[name]) for name in names if name in data}
        draft = cls(rows=rows)
        for name, value in given.items():
            setattr(draft, name, value)
        return draft

    def press(self, do: str) -> None:
        """Carry out the button ``do``: add or remove a row, a group, or a row of a group."""
        if do == "add-group":
            if self.has_room:
                match = "all" if self.match == "any" else "any"
                self.rows.append(Group([Row(), Row()], match))
            return
        if not (button := _BUTTON.fullmatch(do)):
            return
        name, place, part = button.groups()
        at = int(place) if place else -1
        chosen = self.rows[at] if 0 <= at < len(self.rows) else None
        if name == "add":
            if isinstance(chosen, Group) and chosen.has_room and part is None:
                chosen.rows.append(Row())
            elif place is None and self.has_room:
                self.rows.append(Row())
        elif part is None:
            self.rows = [row for number, row in enumerate(self.rows) if number != at]
        elif isinstance(chosen, Group):
            chosen.rows = [row for number, row in enumerate(chosen.rows) if number != int(part)]

    def rule(self, *, half_written: bool = False) -> Rule | None:
        """The rule in these fields; None if they are not valid, with the error beside the field.

        While it is still being written, incomplete rows do not count.
        """
        self.errors = {}
        used = list(_used(self.rows, half_written=half_written))
        try:
            return from_json(
                {
                    "source": self._source(),
                    "match": self.match,
                    "tests": [_to_raw(entry, rows) for entry, rows in used],
                    "sort": self.sort,
                    "limit": number_or_text(self.limit) if self.limit.strip() else None,
                    "per_artist": (
                        number_or_text(self.per_artist) if self.per_artist.strip() else None
                    ),
                    "refresh": self.refresh,
                }
            )
        except RuleError as error:
            self._note(error, used)
        return None

    def _note(self, error: RuleError, used: list[tuple[Row | Group, list[Row]]]) -> None:
        """Store the error with the field that caused it."""
        told = f"{error.message[:1].upper()}{error.message[1:]}."
        place = re.match(r"test (\d+)(?:, part (\d+))?", error.place)
        if place is None:
            self.errors[error.place.partition(",")[0]] = told
            return
        entry, rows = used[int(place[1]) - 1]
        if isinstance(entry, Group) and place[2]:
            rows[int(place[2]) - 1].error = told
        else:
            entry.error = told

    def _source(self) -> Any:
        if self.source == "likes_at":
            return {"likes_at": self.day}
        if self.source == "likes":
            return "likes"
        try:
            return json.loads(self.source[:200])
        except (ValueError, RecursionError):
            return self.source

    @property
    def is_plain_source(self) -> bool:
        return self.source in {"likes", "likes_at"}

    def source_words(self, sharers: Mapping[SharedSongs, str]) -> str:
        """The source as a sentence, for sources that the form cannot change."""
        try:
            return sentence(from_json({"source": self._source()}), sharers=sharers)
        except RuleError:
            return "A source that cannot be read"

    @property
    def has_room(self) -> bool:
        return len(self.rows) < TESTS_MAX

    @property
    def reasons(self) -> list[str]:
        """All errors, those of rows and groups first."""
        found = [row.error for row in self.rows]
        for group in self.rows:
            if isinstance(group, Group):
                found += [row.error for row in group.rows]
        return list(filter(None, [*found, *self.errors.values()]))


def number_or_text(text: str) -> int | str:
    """``text`` as a number, or unchanged, so that the rule reports what is wrong with it."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _sent(data: QueryDict, key: str) -> Row | None:
    """The row at this place of the form; None if the form has none there."""
    what, raw = data.get(f"what-{key}"), data.get(f"raw-{key}", "")
    if what is None and not raw:
        return None
    return Row(
        what=what if what in KINDS else "",
        value=data.get(f"value-{key}", ""),
        value2=data.get(f"value2-{key}", ""),
        unit=data.get(f"unit-{key}", "months"),
        raw=raw[:JSON_MAX],
    )


def _used(
    entries: list[Row | Group], *, half_written: bool
) -> Iterator[tuple[Row | Group, list[Row]]]:
    """The entries that are part of the rule, with their rows that count; no empty groups."""
    for entry in entries:
        rows = entry.rows if isinstance(entry, Group) else [entry]
        if counted := [row for row in rows if row.counts(half_written=half_written)]:
            yield entry, counted


def _to_raw(entry: Row | Group, rows: list[Row]) -> Any:
    if isinstance(entry, Group):
        return {"match": entry.match, "tests": [row.to_raw() for row in rows]}
    return entry.to_raw()


def _entry(entry: RuleTest | RuleGroup) -> Row | Group:
    if isinstance(entry, RuleGroup):
        return Group([_row(test) for test in entry.tests], entry.match)
    return _row(entry)


def _row(test: RuleTest) -> Row:
    value = test.value
    if isinstance(value, bool):
        return Row(f"{test.field} {'yes' if value else 'no'}")
    row = Row(f"{test.field} {test.op}")
    match row.kind:
        case "span":
            assert isinstance(value, Span)  # noqa: S101 - the grammar says so
            row.value, row.unit = str(value.n), value.unit
        case "genres" if isinstance(value, tuple) and not any("," in str(name) for name in value):
            row.value = ", ".join(map(str, value))
        case "playlist" if isinstance(value, tuple) and len(value) == 1:
            row.value = str(value[0])
        case "numbers" | "lengths" if isinstance(value, tuple):
            shown = _clock if row.kind == "lengths" else str
            row.value, row.value2 = (shown(int(each)) for each in value)
        case "length":
            row.value = _clock(int(str(value)))
        case "text" | "day" | "number":
            row.value = value.isoformat() if isinstance(value, date) else str(value)
        case _:
            return Row(raw=json.dumps(to_json(Rule(tests=(test,)))["tests"][0]))
    return row


def _seconds(text: str) -> int | str:
    """ "6:30", "1:02:03" or minutes alone."""
    parts = [number_or_text(part) for part in text.split(":")]
    if not 1 <= len(parts) <= 3 or not all(isinstance(part, int) for part in parts):
        return text
    numbers = [int(part) for part in parts]
    seconds = 0
    for number in [*numbers, 0] if len(numbers) == 1 else numbers:
        seconds = seconds * 60 + number
    return seconds


def _clock(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, of_hour = divmod(minutes, 60)
    return f"{hours}:{of_hour:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
