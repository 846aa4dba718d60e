"""The phrases that the parser of sentences knows, each with the tests or settings it means."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from sync.library import genre_tree
from sync.mirrors import moments
from sync.mirrors.moments import DATE, DECADE, DURATION, NUMBER, SPAN, number

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What one phrase means: tests that must all hold, and settings of the rule."""

    tests: tuple[Raw, ...] = ()
    settings: Raw = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    today: date
    #: Ids of the listener's playlists by lower-case name.
    playlists: Mapping[str, int]


Make = Callable[["re.Match[str]", Context], Found | None]


@dataclass(frozen=True, slots=True)
class Phrase:
    pattern: re.Pattern[str]
    make: Make
    #: Ends an artist's name or title that has no quotes.
    ends_names: bool = True


_PHRASES: list[Phrase] = []

#: Text in quotes, in one of three groups.
QUOTED = r"(?:“(?P<q1>[^”]*)”|\"(?P<q2>[^\"]*)\"|„(?P<q3>[^“”]*)[“”])"
_LIKED = r"(?:liked|saved|added|loved)"
_RELEASED = r"(?:released|published|that came out|which came out)"
_HEARD = r"(?:played|heard|listened to|listened)"
_NOT_HEARD = (
    r"(?:(?:haven['’]?t|have not|hasn['’]?t|has not|not|unplayed|un)(?: been| even)? ?"
    rf"(?:{_HEARD})?|did(?:n['’]?t| not) (?:play|hear|listen to))(?: it| them)?"
)
_SONGS = r"(?:liked |different )?(?:songs?|tracks?|likes|tunes)"
_AT_LEAST = r"(?:at least|a minimum of|min(?:imum)?(?: of)?|not (?:less|fewer|shorter) than)"
_AT_MOST = (
    r"(?:at most|no more than|not (?:more|longer) than|a maximum of|max(?:imum)?\.?(?: of)?|up to)"
)
_OVER = r"(?:more than|longer than|over|above)"
_UNDER = r"(?:less than|fewer than|shorter than|under|below)"
_EACH = {"day": "daily", "week": "weekly", "month": "monthly"}


def phrase(pattern: str, *, ends_names: bool = True) -> Callable[[Make], Make]:
    compiled = re.compile(rf"(?<![\w'’-])(?:{pattern})(?![\w'’-])", re.IGNORECASE)

    def add(make: Make) -> Make:
        _PHRASES.append(Phrase(compiled, make, ends_names))
        return make

    return add


def test(name: str, op: str, value: Any) -> Raw:
    return {"field": name, "op": op, "value": value}


def _one(name: str, op: str, value: Any) -> Found:
    return Found((test(name, op, value),))


def in_quotes(found: "re.Match[str]") -> str:
    return next(text for text in (found["q1"], found["q2"], found["q3"]) if text is not None)


@cache
def all_phrases() -> tuple[Phrase, ...]:
    return (*_PHRASES, _genre_phrase(), _named_genre_phrase())


# Text


@phrase(
    rf"(?P<no>not )?(?P<what>titled|called|named|by|(?:on|from) the album|on the record) {QUOTED}"
)
def _is(found: "re.Match[str]", _context: Context) -> Found:
    what = found["what"].lower()
    name = {"by": "artist"}.get(what, "album" if "the" in what else "title")
    return _one(name, "is_not" if found["no"] else "is", in_quotes(found))


@phrase(
    rf"(?:(?P<no>without|with no) |with |containing )(?:the words? )?{QUOTED} in (?:the|its|their) "
    r"(?P<field>title|artist|album)(?:['’]s)?(?: name)?"
)
def _with(found: "re.Match[str]", _context: Context) -> Found:
    op = "not_contains" if found["no"] else "contains"
    return _one(found["field"].lower(), op, in_quotes(found))


@phrase(
    rf"(?:the )?(?P<field>title|artist|album)(?:['’]s)?(?: name)? (?P<op>contains|is not|is) {QUOTED}"
)
def _contains(found: "re.Match[str]", _context: Context) -> Found:
    return _one(found["field"].lower(), found["op"].lower().replace(" ", "_"), in_quotes(found))


@phrase(
    r"(?P<no>without|with no) (?:the words? )?(?P<word>[\w'’-]+) in (?:the|its|their) (?P<field>title|album)"
    r"|with (?:the words? )?(?P<word2>[\w'’-]+) in (?:the|its|their) (?P<field2>title|album)"
)
def _with_word(found: "re.Match[str]", _context: Context) -> Found:
    name = (found["field"] or found["field2"]).lower()
    op = "not_contains" if found["no"] else "contains"
    return _one(name, op, found["word"] or found["word2"])


# Dates


@phrase(
    rf"(?P<verb>{_LIKED}|{_RELEASED}|last {_HEARD})(?P<op> before| after| since| until| till| up to| in| on"
    rf"| during| from|)(?: the year)? (?P<date>{DATE})(?P<onwards> on| onwards?| or later| and later)?"
)
def _at(found: "re.Match[str]", context: Context) -> Found | None:
    name, op = _field(found["verb"]), found["op"].strip().lower()
    if found["onwards"]:
        op = "since" if op in {"", "in", "from", "since"} else "unclear"
    return _when(name, op, moments.period(found["date"], context.today))


@phrase(
    rf"(?P<verb>{_LIKED}|{_RELEASED}|last {_HEARD}) (?:between|from) (?P<first>{DATE})"
    rf"(?: and | to | until | till | ?[-–] ?)(?P<last>{DATE})"
)
def _between_dates(found: "re.Match[str]", context: Context) -> Found | None:
    first = moments.period(found["first"], context.today)
    last = moments.period(found["last"], context.today)
    if first is None or last is None:
        return None
    return _when(_field(found["verb"]), "in", (first[0], last[1]))


@phrase(
    rf"(?P<verb>{_LIKED}|{_RELEASED}|last {_HEARD}) (?:in|during) (?:the )?(?P<decade>{DECADE})"
)
def _in_decade(found: "re.Match[str]", _context: Context) -> Found:
    first = moments.decade(found["decade"])
    return _in_years(_field(found["verb"]), first, first + 9)


@phrase(
    rf"(?P<no>not )?(?P<verb>{_LIKED}|{_RELEASED}|(?:last )?{_HEARD})"
    rf" (?:in|during|within|over) (?:the |my )?(?:last|past) (?P<span>{SPAN})"
)
def _in_last(found: "re.Match[str]", _context: Context) -> Found:
    op = "not_in_last" if found["no"] else "in_last"
    return _one(_field(found["verb"]), op, moments.span(found["span"]))


@phrase(
    rf"{_NOT_HEARD} (?:for|in|within|during|over)(?: the| at least| over| more than)?(?: last| past)?"
    rf" (?P<span>{SPAN})"
)
def _not_heard_for(found: "re.Match[str]", _context: Context) -> Found:
    return _one("last_played", "not_in_last", moments.span(found["span"]))


@phrase(rf"{_NOT_HEARD} since (?P<date>{DATE})")
def _not_heard_since(found: "re.Match[str]", context: Context) -> Found | None:
    if (period := moments.period(found["date"], context.today)) is None:
        return None
    before = test("last_played", "before", period[0].isoformat())
    return Found(({"match": "any", "tests": [before, test("plays", "at_most", 0)]},))


@phrase(rf"(?P<verb>{_LIKED}|last {_HEARD}) (?:more than |over )?(?P<span>{SPAN}) ago(?: or more)?")
def _ago(found: "re.Match[str]", _context: Context) -> Found:
    older = test(_field(found["verb"]), "not_in_last", moments.span(found["span"]))
    if older["field"] == "liked":
        return Found((older,))
    return Found((older, test("plays", "at_least", 1)))


@phrase(rf"(?:played|heard|listened to) (?P<op>since|after) (?P<date>{DATE})")
def _heard_since(found: "re.Match[str]", context: Context) -> Found | None:
    return _when("last_played", found["op"].lower(), moments.period(found["date"], context.today))


def _field(verb: str) -> str:
    verb = verb.lower()
    if re.fullmatch(_LIKED, verb):
        return "liked"
    return "released" if re.fullmatch(_RELEASED, verb) else "last_played"


def _when(name: str, op: str, period: moments.Period | None) -> Found | None:
    if period is None or op == "unclear":
        return None
    first, last = period
    if name == "released" and moments.is_whole_years(period):
        match op:
            case "before":
                return _one("year", "at_most", first.year - 1)
            case "after":
                return _one("year", "at_least", last.year + 1)
            case "since" | "from" if op == "since":
                return _one("year", "at_least", first.year)
            case "until" | "till" | "up to":
                return _one("year", "at_most", last.year)
            case _:
                return _one("year", "between", [first.year, last.year])
    before, after = moments.day_before(first), moments.day_after(last)
    match op:
        case "before":
            return _one(name, "before", first.isoformat())
        case "after":
            return _one(name, "after", last.isoformat())
        case "since":
            return _one(name, "after", before)
        case "until" | "till" | "up to":
            return _one(name, "before", after)
        case _:
            return Found((test(name, "after", before), test(name, "before", after)))


def _in_years(name: str, first: int, last: int) -> Found:
    if name == "released":
        return _one("year", "between", [first, last])
    found = _when(name, "in", (date(first, 1, 1), date(last, 12, 31)))
    assert found is not None  # noqa: S101 - the period is complete
    return found


# Years of release


@phrase(
    rf"(?:from|of|released from) (?:the years? )?(?P<first>\d{{4}})(?: to | until | till | through | ?[-–] ?)(?P<last>\d{{4}})"
)
def _from_to(found: "re.Match[str]", _context: Context) -> Found:
    return _one("year", "between", [int(found["first"]), int(found["last"])])


@phrase(
    r"from (?:the year )?(?P<year>\d{4})(?: (?:or|and) (?P<op>later|newer|earlier|older|before|after)| (?P<on>on|onwards?))?"
)
def _from_year(found: "re.Match[str]", _context: Context) -> Found:
    year = int(found["year"])
    op = (found["op"] or "").lower()
    if found["on"] or op in {"later", "newer", "after"}:
        return _one("year", "at_least", year)
    return _one("year", "at_most", year) if op else _one("year", "between", [year, year])


@phrase(r"(?P<op>from before|from after|before|older than|pre[- ])(?: the year)? ?(?P<year>\d{4})")
def _before_year(found: "re.Match[str]", _context: Context) -> Found | None:
    year, op = int(found["year"]), found["op"].lower()
    if op == "from after":
        return _one("year", "at_least", year + 1)
    # Without "liked" or "released", only a time before there were likes is clear.
    if op != "from before" and year > moments.FIRST_LIKES:
        return None
    return _one("year", "at_most", year - 1)


@phrase(
    rf"(?:(?:from|of|in|out of) )?(?:the )?(?P<decades>{DECADE}(?:(?:, | and |, and | or |, or | ?& ?)(?:from |of )?(?:the )?{DECADE})*)"
)
def _decades(found: "re.Match[str]", _context: Context) -> Found:
    firsts = sorted({moments.decade(each) for each in re.findall(DECADE, found["decades"], re.I)})
    spans = [[firsts[0], firsts[0] + 9]]
    for first in firsts[1:]:
        if first == spans[-1][1] + 1:
            spans[-1][1] = first + 9
        else:
            spans.append([first, first + 9])
    tests = [test("year", "between", span) for span in spans]
    return Found((tests[0] if len(tests) == 1 else {"match": "any", "tests": tests},))


@phrase(r"(?:from|of) (?P<which>this|last) year")
def _this_year(found: "re.Match[str]", context: Context) -> Found:
    year = context.today.year - (found["which"].lower() == "last")
    return _one("year", "between", [year, year])


# Lengths and plays


@phrase(rf"between (?P<first>{DURATION}|{NUMBER}) and (?P<last>{DURATION})(?: long)?")
def _length_between(found: "re.Match[str]", _context: Context) -> Found:
    return _lengths(found["first"], found["last"])


@phrase(rf"(?P<first>{DURATION}|\d{{1,3}}) ?(?:to|-|–) ?(?P<last>{DURATION})(?: long)?")
def _length_to(found: "re.Match[str]", _context: Context) -> Found:
    return _lengths(found["first"], found["last"])


def _lengths(first: str, last: str) -> Found:
    low = moments.seconds(first)
    if low is None:  # "3 to 5 minutes"
        low = moments.seconds(f"{first} {moments.unit(last)}")
    return _one("length", "between", [low, moments.seconds(last)])


@phrase(
    rf"(?:{_AT_LEAST}|{_OVER}) (?P<length>{DURATION})(?: long)?|(?P<length2>{DURATION}) (?:long )?(?:or|and) (?:longer|more|over)"
)
def _longer(found: "re.Match[str]", _context: Context) -> Found:
    return _one("length", "at_least", moments.seconds(found["length"] or found["length2"]))


@phrase(
    rf"(?:{_AT_MOST}|{_UNDER}) (?P<length>{DURATION})(?: long)?|(?P<length2>{DURATION}) (?:long )?(?:or|and) (?:shorter|less|under)"
)
def _shorter(found: "re.Match[str]", _context: Context) -> Found:
    return _one("length", "at_most", moments.seconds(found["length"] or found["length2"]))


@phrase(
    rf"(?:(?:with|played|heard) )?(?:(?P<least>{_AT_LEAST})|(?P<over>more than|over)|(?P<most>{_AT_MOST})|(?P<under>less than|fewer than|under))"
    rf" (?P<n>once|twice|{NUMBER}(?= (?:times?|plays?)))(?: times?| plays?)?"
)
def _plays(found: "re.Match[str]", _context: Context) -> Found:
    count = number(found["n"])
    if found["least"] or found["over"]:
        return _one("plays", "at_least", count + bool(found["over"]))
    return _one("plays", "at_most", count - bool(found["under"]))


@phrase(rf"(?:played|heard) (?P<n>{NUMBER}) (?:times?|plays?) or (?P<more>more|less|fewer)")
def _plays_or(found: "re.Match[str]", _context: Context) -> Found:
    op = "at_least" if found["more"].lower() == "more" else "at_most"
    return _one("plays", op, number(found["n"]))


@phrase(rf"(?:played|heard) between (?P<first>{NUMBER}) and (?P<last>{NUMBER}) times")
def _plays_between(found: "re.Match[str]", _context: Context) -> Found:
    return _one("plays", "between", [number(found["first"]), number(found["last"])])


@phrase(
    rf"(?:not|haven['’]?t|have not)(?: been)? (?:yet )?{_HEARD} yet|never(?: been)? {_HEARD}(?: to)?|unplayed|without (?:any )?plays"
)
def _never(_found: "re.Match[str]", _context: Context) -> Found:
    return _one("plays", "at_most", 0)


# Yes and no


@phrase(
    rf"(?:(?:not|no|non|without|except|exclude|excluding)[ -](?:any )?|clean |un|isn['’]?t |aren['’]?t )explicit(?: (?:{_SONGS}|lyrics|content|ones|versions))?"
)
def _not_explicit(_found: "re.Match[str]", _context: Context) -> Found:
    return _one("explicit", "is", False)


@phrase(rf"clean(?: only| {_SONGS}| lyrics| versions)?", ends_names=False)
def _clean(_found: "re.Match[str]", _context: Context) -> Found:
    return _one("explicit", "is", False)


@phrase(rf"explicit(?: only| {_SONGS}| lyrics| ones)?", ends_names=False)
def _explicit(_found: "re.Match[str]", _context: Context) -> Found:
    return _one("explicit", "is", True)


@phrase(r"(?:(?:that|which) )?(?:have|with) (?:(?P<no>no)|an?) (?:duplicates?|doubles?|twins?)")
def _duplicate(found: "re.Match[str]", _context: Context) -> Found | None:
    # "With no duplicates" may ask for one of each: that is a setting, not a test.
    if found["no"] and not found[0].lower().startswith(("that have", "which have")):
        return None
    return _one("duplicate", "is", not found["no"])


# Genres and playlists

_NO = r"(?:no|not|non|without|except|except for|but not|but no|anything but|everything but|exclude|excluding|minus)"


def _any_of(names: frozenset[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _genre_phrase() -> Phrase:
    one = rf"(?<![\w'’-])(?:{_any_of(genre_tree.spellings())})(?![\w'’-])"
    music = r"(?: (?:songs?|music|tracks?|tunes))?"
    pattern = (
        rf"(?:(?P<no>{_NO})[ -](?:any )?{one}(?:(?: or | and |, | nor )(?:{_NO} )?{one})*{music}"
        rf"|{one}(?:(?:, or |, and | or | and |, | ?/ ?| ?\+ ?){one})*{music})"
    )

    def make(found: "re.Match[str]", _context: Context) -> Found | None:
        names = [name.lower() for name in re.findall(one, found[0], re.IGNORECASE)]
        if found["no"] and "," in found[0] and not re.search(rf", {_NO} ", found[0], re.I):
            return None  # "no jazz, blues": does the "no" hold for both?
        return _one("genre", "not_in" if found["no"] else "in", names)

    compiled = re.compile(rf"(?<![\w'’-]){pattern}(?![\w'’-])", re.IGNORECASE)
    return Phrase(compiled, make, ends_names=False)


def _named_genre_phrase() -> Phrase:
    one = rf"(?:“[^”]*”|\"[^\"]*\"|{_any_of(genre_tree.spellings())})"
    compiled = re.compile(
        rf"(?<![\w'’-])(?P<no>not )?(?:of the |in the |of |the )?genres? (?:is |are )?"
        rf"(?P<names>{one}(?: or {one})*)(?![\w'’-])",
        re.IGNORECASE,
    )

    def make(found: "re.Match[str]", _context: Context) -> Found:
        names = re.findall(one, found["names"], re.IGNORECASE)
        names = [name[1:-1] if name[0] in '“"' else name for name in names]
        return _one("genre", "not_in" if found["no"] else "in", names)

    return Phrase(compiled, make)


_PLAYLIST = r"(?:\d{1,19}|“[^”]*”|\"[^\"]*\")"


@phrase(
    rf"(?P<no>not )?(?:in|on) (?:the |my )?playlists? (?:no\. |number )?(?P<names>{_PLAYLIST}(?: or {_PLAYLIST})*)"
)
def _in_playlist(found: "re.Match[str]", context: Context) -> Found | None:
    ids: list[int] = []
    for name in re.findall(_PLAYLIST, found["names"]):
        each = int(name) if name.isdigit() else context.playlists.get(name[1:-1].casefold())
        if each is None:
            return None
        ids.append(each)
    return _one("mirror", "not_in" if found["no"] else "in", ids)


# Where the songs come from


@phrase(rf"as (?:of|at|they were on|it was on) (?P<date>{DATE})")
def _as_of(found: "re.Match[str]", context: Context) -> Found | None:
    if (period := moments.period(found["date"], context.today)) is None:
        return None
    return Found(settings={"source": {"likes_at": period[1].isoformat()}})


@phrase(
    r"songs of pair (?P<pair>\d{1,19}) (?P<of>that both like|in turns|that only the other likes)"
)
def _pair(found: "re.Match[str]", _context: Context) -> Found:
    of = {"that both like": "both", "in turns": "turns"}.get(found["of"].lower(), "theirs_not_mine")
    return Found(settings={"source": {"pair": int(found["pair"]), "of": of}})


# How many, in which order, how often


@phrase(
    rf"(?:(?:{_AT_MOST}|limit(?:ed)?(?: to)?|only|just) )?(?P<n>{NUMBER}) {_SONGS}|(?:{_AT_MOST}|limit(?:ed)?(?: to)?) (?P<n2>\d+)(?= ?(?:[,;.)]|$))"
)
def _limit(found: "re.Match[str]", _context: Context) -> Found:
    return Found(settings={"limit": number(found["n"] or found["n2"])})


@phrase(
    rf"(?:(?P<n>{NUMBER}) |an? )random (?:{_SONGS}|ones)|a random (?P<n2>{NUMBER})(?: {_SONGS})?"
)
def _random_limit(found: "re.Match[str]", _context: Context) -> Found:
    count = found["n"] or found["n2"] or "1"
    return Found(settings={"limit": number(count), "sort": "random"})


@phrase(
    rf"(?:the )?(?:(?P<new>last|latest|newest|most recent)|(?P<old>oldest|earliest)) (?P<n>{NUMBER})(?: {_SONGS}| liked| i liked)?"
    rf"|(?:the )?(?P<n2>{NUMBER}) (?:(?P<new2>latest|newest|most recent|last|most recently liked)|(?P<old2>oldest|earliest))(?: {_SONGS})?"
)
def _newest_limit(found: "re.Match[str]", _context: Context) -> Found:
    old = found["old"] or found["old2"]
    return Found(
        settings={
            "limit": number(found["n"] or found["n2"]),
            "sort": "oldest_like" if old else "newest_like",
        }
    )


@phrase(
    rf"(?:(?:{_AT_MOST}|only|just) )?(?P<n>{NUMBER})(?: {_SONGS})? (?:per|for each|for every|by each|from each|of each|by every|from every|each) artist"
)
def _per_artist(found: "re.Match[str]", _context: Context) -> Found:
    return Found(settings={"per_artist": number(found["n"])})


@phrase(rf"(?P<n>{NUMBER})(?: {_SONGS})? (?:a|per|each|every) (?P<each>day|week|month)")
def _songs_a_day(found: "re.Match[str]", _context: Context) -> Found:
    settings = {"limit": number(found["n"]), "refresh": _EACH[found["each"].lower()]}
    return Found(settings=settings)


@phrase(
    r"(?:(?:new|refreshed|renewed|updated|changed|changing|changes|refresh|update) )?(?:(?:every|each) (?P<each>day|week|month)|(?P<ly>daily|weekly|monthly))"
)
def _refresh(found: "re.Match[str]", _context: Context) -> Found:
    each = found["ly"] or _EACH[found["each"].lower()]
    return Found(settings={"refresh": each.lower()})


def _order(pattern: str, sort: str) -> None:
    phrase(pattern)(lambda _found, _context: Found(settings={"sort": sort}))


_BY = r"(?:sort(?:ed)? by|order(?:ed)? by|in order of|by)(?: the)?"
_order(
    r"newest (?:likes? )?first|(?:most )?recent(?:ly liked)?(?: likes?)? first|latest (?:likes? )?first",
    "newest_like",
)
_order(r"oldest (?:likes? )?first|earliest (?:likes? )?first", "oldest_like")
_order(r"(?:newest|latest) releases? first", "newest_release")
_order(r"(?:oldest|earliest) releases? first", "oldest_release")
_order(rf"{_BY} titles?|alphabetical(?:ly)?(?: by title)?|a(?: to |-)z", "title")
_order(rf"{_BY} artists?(?: names?)?|alphabetical(?:ly)? by artist", "artist")
_order(r"longest (?:songs? |tracks? )?first", "length")
_order(r"shuffled?|randomi[sz]ed|randomly|(?:in )?(?:a )?random(?: order)?", "random")
_order(r"each song once before any twice|rediscover(?:y|ed)?", "rediscover")
