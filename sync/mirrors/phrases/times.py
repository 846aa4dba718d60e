"""Phrases about when a song was liked, released or last played."""

import re
from datetime import date

from sync.mirrors import moments
from sync.mirrors.moments import DATE, DECADE, SPAN
from sync.mirrors.phrases.base import (
    HEARD,
    LIKED,
    NOT_HEARD,
    RELEASED,
    Context,
    Found,
    one,
    phrase,
    test,
)


@phrase(
    rf"(?P<verb>{LIKED}|{RELEASED}|last {HEARD})"
    r"(?P<op> before| after| since| until| till| up to| in| on| during| from|)(?: the year)?"
    rf" (?P<date>{DATE})(?P<onwards> on| onwards?| or later| and later)?"
)
def _at(found: re.Match[str], context: Context) -> Found | None:
    name, op = _field(found["verb"]), found["op"].strip().lower()
    if found["onwards"]:
        op = "since" if op in {"", "in", "from", "since"} else "unclear"
    return _when(name, op, moments.period(found["date"], context.today))


@phrase(
    rf"(?P<verb>{LIKED}|{RELEASED}|last {HEARD}) (?:between|from) (?P<first>{DATE})"
    rf"(?: and | to | until | till | ?[-–] ?)(?P<last>{DATE})"
)
def _between_dates(found: re.Match[str], context: Context) -> Found | None:
    first = moments.period(found["first"], context.today)
    last = moments.period(found["last"], context.today)
    if first is None or last is None:
        return None
    return _when(_field(found["verb"]), "in", (first[0], last[1]))


@phrase(rf"(?P<verb>{LIKED}|{RELEASED}|last {HEARD}) (?:in|during) (?:the )?(?P<decade>{DECADE})")
def _in_decade(found: re.Match[str], _context: Context) -> Found:
    first = moments.decade(found["decade"])
    return _in_years(_field(found["verb"]), first, first + 9)


@phrase(
    rf"(?P<no>not )?(?P<verb>{LIKED}|{RELEASED}|(?:last )?{HEARD})"
    rf" (?:in|during|within|over) (?:the |my )?(?:last|past) (?P<span>{SPAN})"
)
def _in_last(found: re.Match[str], _context: Context) -> Found:
    op = "not_in_last" if found["no"] else "in_last"
    return one(_field(found["verb"]), op, moments.span(found["span"]))


@phrase(
    rf"{NOT_HEARD} (?:for|in|within|during|over)(?: the| at least| over| more than)?"
    rf"(?: last| past)? (?P<span>{SPAN})"
)
def _not_heard_for(found: re.Match[str], _context: Context) -> Found:
    return one("last_played", "not_in_last", moments.span(found["span"]))


@phrase(rf"{NOT_HEARD} since (?P<date>{DATE})")
def _not_heard_since(found: re.Match[str], context: Context) -> Found | None:
    if (period := moments.period(found["date"], context.today)) is None:
        return None
    before = test("last_played", "before", period[0].isoformat())
    return Found(({"match": "any", "tests": [before, test("plays", "at_most", 0)]},))


@phrase(rf"(?P<verb>{LIKED}|last {HEARD}) (?:more than |over )?(?P<span>{SPAN}) ago(?: or more)?")
def _ago(found: re.Match[str], _context: Context) -> Found:
    older = test(_field(found["verb"]), "not_in_last", moments.span(found["span"]))
    if older["field"] == "liked":
        return Found((older,))
    return Found((older, test("plays", "at_least", 1)))


@phrase(rf"(?:played|heard|listened to) (?P<op>since|after) (?P<date>{DATE})")
def _heard_since(found: re.Match[str], context: Context) -> Found | None:
    return _when("last_played", found["op"].lower(), moments.period(found["date"], context.today))


def _field(verb: str) -> str:
    verb = verb.lower()
    if re.fullmatch(LIKED, verb):
        return "liked"
    return "released" if re.fullmatch(RELEASED, verb) else "last_played"


def _when(name: str, op: str, period: moments.Period | None) -> Found | None:
    if period is None or op == "unclear":
        return None
    first, last = period
    if name == "released" and moments.is_whole_years(period):
        return _when_released(op, first.year, last.year)
    before, after = moments.day_before(first), moments.day_after(last)
    match op:
        case "before":
            return one(name, "before", first.isoformat())
        case "after":
            return one(name, "after", last.isoformat())
        case "since":
            return one(name, "after", before)
        case "until" | "till" | "up to":
            return one(name, "before", after)
        case _:
            return Found((test(name, "after", before), test(name, "before", after)))


def _when_released(op: str, first: int, last: int) -> Found:
    match op:
        case "before":
            return one("year", "at_most", first - 1)
        case "after":
            return one("year", "at_least", last + 1)
        case "since":
            return one("year", "at_least", first)
        case "until" | "till" | "up to":
            return one("year", "at_most", last)
        case _:
            return one("year", "between", [first, last])


def _in_years(name: str, first: int, last: int) -> Found:
    if name == "released":
        return one("year", "between", [first, last])
    found = _when(name, "in", (date(first, 1, 1), date(last, 12, 31)))
    assert found is not None  # noqa: S101 - the period is complete
    return found


# Years of release


@phrase(
    r"(?:from|of|released from) (?:the years? )?(?P<first>\d{4})"
    r"(?: to | until | till | through | ?[-–] ?)(?P<last>\d{4})"
)
def _from_to(found: re.Match[str], _context: Context) -> Found:
    return one("year", "between", [int(found["first"]), int(found["last"])])


@phrase(
    r"from (?:the year )?(?P<year>\d{4})"
    r"(?: (?:or|and) (?P<op>later|newer|earlier|older|before|after)| (?P<on>on|onwards?))?"
)
def _from_year(found: re.Match[str], _context: Context) -> Found:
    year = int(found["year"])
    op = (found["op"] or "").lower()
    if found["on"] or op in {"later", "newer", "after"}:
        return one("year", "at_least", year)
    return one("year", "at_most", year) if op else one("year", "between", [year, year])


@phrase(r"(?P<op>from before|from after|before|older than|pre[- ])(?: the year)? ?(?P<year>\d{4})")
def _before_year(found: re.Match[str], _context: Context) -> Found | None:
    year, op = int(found["year"]), found["op"].lower()
    if op == "from after":
        return one("year", "at_least", year + 1)
    # Without "liked" or "released", only a time before there were likes is clear.
    if op != "from before" and year > moments.FIRST_LIKES:
        return None
    return one("year", "at_most", year - 1)


@phrase(
    rf"(?:(?:from|of|in|out of) )?(?:the )?(?P<decades>{DECADE}"
    rf"(?:(?:, | and |, and | or |, or | ?& ?)(?:from |of )?(?:the )?{DECADE})*)"
)
def _decades(found: re.Match[str], _context: Context) -> Found:
    firsts = sorted(
        {moments.decade(each) for each in re.findall(DECADE, found["decades"], re.IGNORECASE)}
    )
    spans = [[firsts[0], firsts[0] + 9]]
    for first in firsts[1:]:
        if first == spans[-1][1] + 1:
            spans[-1][1] = first + 9
        else:
            spans.append([first, first + 9])
    tests = [test("year", "between", span) for span in spans]
    return Found((tests[0] if len(tests) == 1 else {"match": "any", "tests": tests},))


@phrase(r"(?:from|of) (?P<which>this|last) year")
def _this_year(found: re.Match[str], context: Context) -> Found:
    year = context.today.year - (found["which"].lower() == "last")
    return one("year", "between", [year, year])
