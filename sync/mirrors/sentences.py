"""One English sentence for each rule; ``parser.parse`` reads it back."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from sync.library import genre_tree
from sync.mirrors.rules import (
    HouseholdSongs,
    LikesAt,
    PairSongs,
    Rule,
    RuleGroup,
    RuleTest,
    SharedSongs,
    Span,
    tidy,
)

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
SORT_WORDS: Mapping[str, str] = {
    "newest_like": "newest like first",
    "oldest_like": "oldest like first",
    "newest_release": "newest release first",
    "oldest_release": "oldest release first",
    "title": "sorted by title",
    "artist": "sorted by artist",
    "length": "longest first",
    "random": "shuffled",
    "rediscover": "each song once before any twice",
}
REFRESH_WORDS: Mapping[str, str] = {
    "daily": "new every day",
    "weekly": "new every week",
    "monthly": "new every month",
}
PAIR_WORDS: Mapping[str, str] = {
    "both": "that both like",
    "turns": "in turns",
    "theirs_not_mine": "that only the other likes",
}
HOUSEHOLD_WORDS: Mapping[str, str] = {
    "everyone": "that anyone likes",
    "turns": "in turns",
    "all": "that all like",
}


def sentence(
    rule: Rule,
    playlists: Mapping[int, str] | None = None,
    sharers: Mapping[SharedSongs, str] | None = None,
) -> str:
    """What ``rule`` says. ``playlists`` names the mirrors that it may mention.

    ``sharers`` names the listeners of its source, for people; without it the source has its number,
    so that the sentence can be read back.
    """
    names = _unique(playlists or {})
    tests = _joined([_entry(entry, names) for entry in rule.tests], rule.match)
    parts = [f"{_subject(rule, sharers or {})} {tests}".strip()]
    if rule.sort != "newest_like":
        parts.append(SORT_WORDS[rule.sort])
    if rule.per_artist is not None:
        parts.append(f"at most {rule.per_artist} per artist")
    if rule.limit is not None:
        parts.append(f"at most {counted(rule.limit, 'song')}")
    if rule.refresh != "sync":
        parts.append(REFRESH_WORDS[rule.refresh])
    return "; ".join(parts) + "."


def counted(number: int, noun: str) -> str:
    """Without separators of thousands, so that the sentence can be read back."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def day(value: date) -> str:
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def duration(seconds: int) -> str:
    """Such as "3 minutes 20 seconds"."""
    hours, rest = divmod(seconds, 3600)
    parts = zip((hours, *divmod(rest, 60)), ("hour", "minute", "second"), strict=True)
    return " ".join(counted(number, unit) for number, unit in parts if number) or "0 seconds"


def quoted(text: str) -> str:
    """``text`` in quotes of which it has none itself: rules keep plain ones."""
    return f"“{text}”"


def _subject(rule: Rule, sharers: Mapping[SharedSongs, str]) -> str:
    match rule.source:
        case LikesAt(on):
            return f"Liked songs as of {day(on)}"
        case PairSongs(pair, of):
            whose = sharers.get(rule.source, f"pair {pair}")
            return f"Songs of {whose} {PAIR_WORDS[of]}"
        case HouseholdSongs(household, of_household):
            whose = sharers.get(rule.source, f"household {household}")
            return f"Songs of {whose} {HOUSEHOLD_WORDS[of_household]}"
        case _:
            return "Songs" if rule.tests else "All liked songs"


def _joined(phrases: list[str], match: str) -> str:
    if match == "any":
        return " or ".join(phrases)
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if phrases[1:] else phrases)


def _entry(entry: RuleTest | RuleGroup, names: Mapping[int, str]) -> str:
    if isinstance(entry, RuleGroup):
        return f"({_joined([_entry(test, names) for test in entry.tests], entry.match)})"
    return _PHRASES[entry.field](entry, names)


def _title(test: RuleTest, _names: Mapping[int, str]) -> str:
    return _text(test, "titled")


def _artist(test: RuleTest, _names: Mapping[int, str]) -> str:
    return _text(test, "by")


def _album(test: RuleTest, _names: Mapping[int, str]) -> str:
    return _text(test, "on the album")


def _text(test: RuleTest, being: str) -> str:
    value = quoted(str(test.value))
    match test.op:
        case "is":
            return f"{being} {value}"
        case "is_not":
            return f"not {being} {value}"
        case "contains":
            return f"with {value} in the {test.field}"
        case _:
            return f"without {value} in the {test.field}"


def _liked(test: RuleTest, _names: Mapping[int, str]) -> str:
    return _date(test, "liked", "liked")


def _released(test: RuleTest, _names: Mapping[int, str]) -> str:
    return _date(test, "released", "released")


def _last_played(test: RuleTest, _names: Mapping[int, str]) -> str:
    return _date(test, "last played", "played")


def _date(test: RuleTest, verb: str, lately: str) -> str:
    if isinstance(test.value, date):
        return f"{verb} {test.op} {day(test.value)}"
    assert isinstance(test.value, Span)  # noqa: S101 - the grammar says so
    unit = test.value.unit.removesuffix("s")
    span = unit if test.value.n == 1 else counted(test.value.n, unit)
    return f"{'not ' if test.op == 'not_in_last' else ''}{lately} in the last {span}"


def _length(test: RuleTest, _names: Mapping[int, str]) -> str:
    return f"{_range(test, duration)} long"


def _plays(test: RuleTest, _names: Mapping[int, str]) -> str:
    if test.op == "at_most" and test.value == 0:
        return "never played"
    return f"played {_range(test, str)} times"


def _year(test: RuleTest, _names: Mapping[int, str]) -> str:
    if isinstance(test.value, tuple):
        first, last = test.value
        return f"from {first}" if first == last else f"from {first} to {last}"
    return f"from {test.value} or {'later' if test.op == 'at_least' else 'earlier'}"


def _range(test: RuleTest, shown: Callable[[int], str]) -> str:
    if isinstance(test.value, tuple):
        first, last = test.value
        return f"between {shown(int(first))} and {shown(int(last))}"
    assert isinstance(test.value, int)  # noqa: S101 - the grammar says so
    return f"{test.op.replace('_', ' ')} {shown(test.value)}"


def _explicit(test: RuleTest, _names: Mapping[int, str]) -> str:
    return "explicit" if test.value else "not explicit"


def _duplicate(test: RuleTest, _names: Mapping[int, str]) -> str:
    return "that have a duplicate" if test.value else "that have no duplicate"


def _genre(test: RuleTest, _names: Mapping[int, str]) -> str:
    known = genre_tree.spellings()
    genres = [name if name in known else quoted(name) for name in _names_of(test)]
    noun = "genre" if len(genres) == 1 else "genres"
    return f"{_not(test)}of the {noun} {' or '.join(genres)}"


def _mirror(test: RuleTest, names: Mapping[int, str]) -> str:
    ids = [int(each) for each in _names_of(test)]
    playlists = [quoted(names[each]) if each in names else str(each) for each in ids]
    noun = "playlist" if len(playlists) == 1 else "playlists"
    return f"{_not(test)}in the {noun} {' or '.join(playlists)}"


def _not(test: RuleTest) -> str:
    return "not " if test.op == "not_in" else ""


def _names_of(test: RuleTest) -> tuple[str, ...]:
    assert isinstance(test.value, tuple)  # noqa: S101 - the grammar says so
    return tuple(str(each) for each in test.value)


def _unique(playlists: Mapping[int, str]) -> dict[int, str]:
    """The playlists whose name can be quoted and belongs to no other one."""
    names: Iterable[str] = playlists.values()
    folded = [name.casefold() for name in names]
    return {
        each: name
        for each, name in playlists.items()
        if name and tidy(name) == name and '"' not in name and folded.count(name.casefold()) == 1
    }


_PHRASES: Mapping[str, Callable[[RuleTest, Mapping[int, str]], str]] = {
    "title": _title,
    "artist": _artist,
    "album": _album,
    "liked": _liked,
    "released": _released,
    "last_played": _last_played,
    "length": _length,
    "year": _year,
    "plays": _plays,
    "explicit": _explicit,
    "duplicate": _duplicate,
    "genre": _genre,
    "mirror": _mirror,
}
