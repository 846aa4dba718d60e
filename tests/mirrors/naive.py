"""What a rule selects, worked out song by song in plain Python: slow, and easy to believe."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync.library.genre_tree import is_below
from sync.mirrors.rotation import period_of
from sync.mirrors.rules import LikesAt, Rule, RuleGroup, RuleTest, Span
from syncify.text import folded


@dataclass
class NaiveSong:
    id: str
    title: str
    artists: list[str]
    album: str
    released: date | None
    duration_ms: int
    explicit: bool
    added_at: datetime
    rank: int
    removed_at: datetime | None = None
    plays: int = 0
    last_played: datetime | None = None
    genres: set[str] = field(default_factory=set)
    mirrors: set[int] = field(default_factory=set)
    has_duplicate: bool = False


@dataclass
class Asked:
    now: datetime
    zone: ZoneInfo
    mirror_id: int


def select(rule: Rule, songs: Sequence[NaiveSong], asked: Asked) -> list[str]:
    chosen = [song for song in songs if _is_liked(song, rule, asked) and passes(song, rule, asked)]
    chosen.sort(key=lambda song: song.rank)
    chosen.sort(key=lambda song: song.added_at, reverse=True)
    _sort(chosen, rule, asked)
    if rule.per_artist is not None:
        seen: Counter[str] = Counter()
        few = []
        for song in chosen:
            seen[song.artists[0]] += 1
            if seen[song.artists[0]] <= rule.per_artist:
                few.append(song)
        chosen = few
    return [song.id for song in chosen[: rule.limit]]


def _is_liked(song: NaiveSong, rule: Rule, asked: Asked) -> bool:
    if not isinstance(rule.source, LikesAt):
        return song.removed_at is None
    end = _start(rule.source.day + timedelta(days=1), asked)
    return song.added_at < end and (song.removed_at is None or song.removed_at >= end)


def passes(song: NaiveSong, rule: Rule, asked: Asked) -> bool:
    return _all_or_any(rule.match, [_entry(song, entry, asked) for entry in rule.tests])


def _all_or_any(match: str, answers: list[bool]) -> bool:
    return all(answers) if match == "all" or not answers else any(answers)


def _entry(song: NaiveSong, entry: RuleTest | RuleGroup, asked: Asked) -> bool:
    if isinstance(entry, RuleGroup):
        return _all_or_any(entry.match, [_entry(song, test, asked) for test in entry.tests])
    return _ANSWERS[entry.field](song, entry, asked)


def _text(song: NaiveSong, test: RuleTest) -> bool:
    wanted = folded(str(test.value))
    names = song.artists if test.field == "artist" else [getattr(song, test.field)]
    if test.op in {"is", "is_not"}:
        found = any(folded(name) == wanted for name in names)
    else:
        found = any(wanted in folded(name) for name in names)
    return found == (test.op in {"is", "contains"})


def _number(number: int, test: RuleTest, scale: int) -> bool:
    value: Any = test.value
    match test.op:
        case "at_least":
            return number >= value * scale
        case "at_most":
            return number <= value * scale
        case _:
            return value[0] * scale <= number <= value[1] * scale


def _date(day: date | None, test: RuleTest, asked: Asked) -> bool:
    value: Any = test.value
    if test.op == "before":
        return day is not None and day < value
    if test.op == "after":
        return day is not None and day > value
    is_late = day is not None and day >= first_day(value, asked.now.astimezone(asked.zone).date())
    return is_late == (test.op == "in_last")


def first_day(span: Span, today: date) -> date:
    if span.unit == "days":
        return today - timedelta(days=span.n)
    year, month = today.year, today.month
    for _ in range(span.n * (12 if span.unit == "years" else 1)):
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    day = today.day
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


def _start(day: date, asked: Asked) -> datetime:
    return datetime.combine(day, time(), asked.zone).astimezone(UTC)


def _sort(songs: list[NaiveSong], rule: Rule, asked: Asked) -> None:
    """Songs come newest like first; each sort keeps that order among equals."""
    match rule.sort:
        case "oldest_like":
            songs.reverse()
        case "newest_release":
            songs.sort(key=lambda song: song.released or date.min, reverse=True)
        case "oldest_release":
            songs.sort(key=lambda song: song.released or date.max)
        case "title":
            songs.sort(key=lambda song: (folded(song.title), _artists(song)))
        case "artist":
            songs.sort(key=lambda song: (_artists(song), folded(song.title)))
        case "length":
            songs.sort(key=lambda song: -song.duration_ms)
        case "random":
            period = period_of(rule.refresh, asked.now.astimezone(asked.zone).date())
            songs.sort(key=lambda song: _hash(f"{asked.mirror_id} {period} {song.id}"))


def _artists(song: NaiveSong) -> str:
    return folded(", ".join(song.artists))


def _hash(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - an order, no secret


def _genre(song: NaiveSong, test: RuleTest) -> bool:
    wanted: Any = test.value
    found = any(is_below(name, genre) for name in song.genres for genre in wanted)
    return found == (test.op == "in")


def _mirror(song: NaiveSong, test: RuleTest) -> bool:
    wanted: Any = test.value
    return bool(song.mirrors & set(wanted)) == (test.op == "in")


def _day(moment: datetime | None, asked: Asked) -> date | None:
    return moment and moment.astimezone(asked.zone).date()


_ANSWERS: dict[str, Callable[[NaiveSong, RuleTest, Asked], bool]] = {
    "title": lambda song, test, _: _text(song, test),
    "artist": lambda song, test, _: _text(song, test),
    "album": lambda song, test, _: _text(song, test),
    "length": lambda song, test, _: _number(song.duration_ms, test, 1000),
    "plays": lambda song, test, _: _number(song.plays, test, 1),
    "year": lambda song, test, _: bool(song.released) and _number(song.released.year, test, 1),
    "explicit": lambda song, test, _: song.explicit == test.value,
    "duplicate": lambda song, test, _: song.has_duplicate == test.value,
    "genre": lambda song, test, _: _genre(song, test),
    "mirror": lambda song, test, _: _mirror(song, test),
    "released": lambda song, test, asked: _date(song.released, test, asked),
    "liked": lambda song, test, asked: _date(_day(song.added_at, asked), test, asked),
    "last_played": lambda song, test, asked: _date(_day(song.last_played, asked), test, asked),
}
