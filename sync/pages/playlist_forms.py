"""The form of a playlist: its rule as rows of tests, and what else a listener settles about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.db.models.expressions import DatabaseDefault
from django.http import QueryDict

from sync.library.genre_tree import genres
from sync.mirrors.keeping import Details
from sync.mirrors.presets import Preset
from sync.mirrors.rules import (
    JSON_MAX,
    TESTS_MAX,
    Likes,
    LikesAt,
    Rule,
    RuleError,
    RuleGroup,
    RuleTest,
    Span,
    from_json,
    to_json,
)
from sync.mirrors.sentences import sentence
from sync.models import Mirror
from sync.pages.playlist_choices import KINDS, REFRESHES, SORTS, UNITS, WHATS

if TYPE_CHECKING:
    MirrorForm = forms.ModelForm[Mirror]
else:
    MirrorForm = forms.ModelForm

#: Rows that an empty form begins with.
_FIRST_ROWS = 1


@dataclass(slots=True)
class Row:
    """One test as its fields show it; a group, or a test that they cannot show, in ``raw``."""

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
        """Whether all its fields are filled in, with whatever."""
        if self.raw or not self.what:
            return bool(self.raw)
        needs = {"": 0, "numbers": 2, "lengths": 2}.get(self.kind, 1)
        return all(value.strip() for value in (self.value, self.value2)[:needs])

    @property
    def words(self) -> str:
        """What ``raw`` asks, in words."""
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
                return {"n": _number(self.value), "unit": self.unit}
            case "number":
                return _number(self.value)
            case "numbers":
                return [_number(self.value), _number(self.value2)]
            case "length":
                return _seconds(self.value)
            case "lengths":
                return [_seconds(self.value), _seconds(self.value2)]
            case "genres":
                return [name.strip() for name in self.value.split(",") if name.strip()]
            case "playlist":
                return [_number(self.value)]
            case _:
                return self.value


@dataclass(slots=True)
class Draft:
    """A rule that is being written."""

    rows: list[Row] = field(default_factory=lambda: [Row() for _ in range(_FIRST_ROWS)])
    match: str = "all"
    #: "likes", "likes_at" with ``day``, or another source as JSON.
    source: str = "likes"
    day: str = ""
    sort: str = "newest_like"
    limit: str = ""
    per_artist: str = ""
    refresh: str = "sync"
    #: Why this is no rule, by the name of the field; those of rows stand in the rows.
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_rule(cls, rule: Rule) -> "Draft":
        source, day = "likes", ""
        if isinstance(rule.source, LikesAt):
            source, day = "likes_at", rule.source.day.isoformat()
        elif not isinstance(rule.source, Likes):
            source = json.dumps(to_json(rule)["source"])
        return cls(
            rows=[_row(entry) for entry in rule.tests] or [Row()],
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
        """What the form sent; what is missing or odd is as in an empty form, or an error later."""
        rows = []
        for number in range(TESTS_MAX + 1):
            what, raw = data.get(f"what-{number}"), data.get(f"raw-{number}", "")
            if what is None and not raw:
                continue
            rows.append(
                Row(
                    what=what if what in KINDS else "",
                    value=data.get(f"value-{number}", ""),
                    value2=data.get(f"value2-{number}", ""),
                    unit=data.get(f"unit-{number}", "months"),
                    raw=raw[:JSON_MAX],
                )
            )
        names = ("match", "source", "day", "sort", "limit", "per_artist", "refresh")
        given = {name: str(data[name]) for name in names if name in data}
        draft = cls(rows=rows)
        for name, value in given.items():
            setattr(draft, name, value)
        return draft

    def rule(self, *, half_written: bool = False) -> Rule | None:
        """The rule that was written; None where it is none, with the reason beside its place.

        Where it is still being written, rows that are not complete do not count.
        """
        self.errors = {}
        used = [row for row in self.rows if row.is_complete or (row.what and not half_written)]
        try:
            return from_json(
                {
                    "source": self._source(),
                    "match": self.match,
                    "tests": [row.to_raw() for row in used],
                    "sort": self.sort,
                    "limit": _number(self.limit) if self.limit.strip() else None,
                    "per_artist": _number(self.per_artist) if self.per_artist.strip() else None,
                    "refresh": self.refresh,
                }
            )
        except RuleError as error:
            number = _number(error.place.removeprefix("test ").partition(",")[0])
            if error.place.startswith("test ") and isinstance(number, int):
                used[number - 1].error = _told(error)
            else:
                self.errors[error.place.partition(",")[0]] = _told(error)
        return None

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

    @property
    def source_words(self) -> str:
        try:
            return sentence(from_json({"source": self._source()}))
        except RuleError:
            return "A source that cannot be read"

    @property
    def has_room(self) -> bool:
        return len(self.rows) < TESTS_MAX


class DetailsForm(MirrorForm):
    """What is settled besides the rule; the main mirror takes no songs from itself."""

    class Meta:
        model = Mirror
        fields: ClassVar = [
            *("name", "description", "public", "keep_same", "keep_twin"),
            *("takes_from_main", "keeps_additions"),
        ]
        labels: ClassVar = {
            "keep_same": "Of the same song, liked several times, hold",
            "keep_twin": "Of an explicit and a clean version, hold",
            "takes_from_main": "Leave these songs out of my main playlist",
            "keeps_additions": "Keep songs that somebody adds in Spotify",
            "public": "Show it on my profile",
        }
        help_texts: ClassVar = {
            "name": "Up to 100 characters. A name given inside Spotify is taken over.",
            "description": "Up to 300 characters, shown under the name in Spotify.",
            "takes_from_main": "They move to this playlist. They stay liked.",
            "keeps_additions": "They stay below the songs of the rule.",
            "public": "A wish that Spotify may ignore.",
        }
        widgets: ClassVar = {"description": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A mirror that is not stored yet holds an expression for each default of the database,
        # which would check every box.
        for name, value in self.initial.items():
            if isinstance(value, DatabaseDefault):
                self.initial[name] = value.expression.value  # type: ignore[attr-defined] # no stub
        for name in ("keep_same", "keep_twin"):
            self.fields[name].required = False
        if self.instance.is_main and self.instance.pk:
            del self.fields["takes_from_main"]

    def clean_description(self) -> str:
        """One line: Spotify refuses line breaks."""
        return " ".join(self.cleaned_data["description"].split())

    def clean_keep_same(self) -> str:
        return self.cleaned_data["keep_same"] or str(Mirror.KeepSame.ALL)

    def clean_keep_twin(self) -> str:
        return self.cleaned_data["keep_twin"] or str(Mirror.KeepTwin.BOTH)

    def details(self) -> Details:
        return Details(**self.cleaned_data)


def preset_value(preset: Preset, text: str) -> str | int | None:
    """The value that a preset needs, as ``presets.rule_of`` takes it."""
    if preset.needs in {"year", "decade"}:
        return _number(text)
    return text if preset.needs else None


def choices(*, playlists: Mapping[int, str], today: date) -> dict[str, Any]:
    """What the selects of the form offer."""
    return {
        "whats": WHATS,
        "units": UNITS,
        "sorts": SORTS,
        "refreshes": REFRESHES,
        "playlists": {str(key): name for key, name in playlists.items()},
        "genres": genres(),
        "decades": range(today.year // 10 * 10, 1940, -10),
        "this_year": today.year,
    }


def _row(entry: RuleTest | RuleGroup) -> Row:
    raw = to_json(Rule(tests=(entry,)))["tests"][0]
    if isinstance(entry, RuleGroup):
        return Row(raw=json.dumps(raw))
    value = entry.value
    if isinstance(value, bool):
        return Row(f"{entry.field} {'yes' if value else 'no'}")
    row = Row(f"{entry.field} {entry.op}")
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
            return Row(raw=json.dumps(raw))
    return row


def _number(text: str) -> int | str:
    """As a number; as it is where it is none, so that the rule says what is wrong with it."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _seconds(text: str) -> int | str:
    """ "6:30", "1:02:03" or minutes alone."""
    parts = [_number(part) for part in text.split(":")]
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


def _told(error: RuleError) -> str:
    return f"{error.message[:1].upper()}{error.message[1:]}."
