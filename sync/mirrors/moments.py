"""Numbers, dates and lengths of time, as people write them in a sentence."""

import re
from datetime import date, timedelta

from sync.mirrors.rules import YEARS

Period = tuple[date, date]  # first and last day

#: Spotify began in 2008: nothing was liked before.
FIRST_LIKES = 2008

_WORDS = {
    "a": 1, "an": 1, "one": 1, "once": 1, "two": 2, "twice": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
    "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "hundred": 100, "a hundred": 100, "one hundred": 100, "two hundred": 200, "a thousand": 1000,
}  # fmt: skip
_MONTHS = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_DECADES = {
    "twenties": 2020, "thirties": 1930, "forties": 1940, "fifties": 1950, "sixties": 1960,
    "seventies": 1970, "eighties": 1980, "nineties": 1990, "noughties": 2000,
}  # fmt: skip

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,9}|" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
DATE = (
    rf"(?:\d{{4}}-\d\d-\d\d|{_DAY}(?: of)? {_MONTH},? \d{{4}}|{_MONTH} {_DAY},? \d{{4}}"
    rf"|{_MONTH},? \d{{4}}|\d{{4}}(?!['’]?s)|this year|last year|this month|last month|today"
    r"|yesterday)"
)
DECADE = rf"(?:(?:19|20)?\d0['’]?s|{'|'.join(_DECADES)})"
SPAN = rf"(?:{NUMBER} )?(?:days?|weeks?|months?|years?)"
_PART = rf"(?:\d{{1,3}}\.\d|{NUMBER}) ?(?:hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)"
DURATION = rf"(?:\d{{1,3}}:[0-5]\d|{_PART}(?:,? (?:and )?{_PART}){{0,2}})"


def number(text: str) -> int:
    text = " ".join(text.lower().split())
    return _WORDS[text] if text in _WORDS else int(text.replace(",", ""))


def span(text: str) -> dict[str, int | str]:
    """The value of a test that asks for the last days, months or years."""
    *count, unit_ = text.lower().rsplit(" ", 1)
    n = number(count[0]) if count else 1
    unit_ = unit_.removesuffix("s")
    return {"n": n * 7, "unit": "days"} if unit_ == "week" else {"n": n, "unit": f"{unit_}s"}


def period(text: str, today: date) -> Period | None:
    """The days that ``text`` names; None when there is no such date."""
    text = " ".join(text.lower().replace(",", " ").replace(".", " ").split())
    try:
        return _relative(text, today) or _written(text)
    except (ValueError, OverflowError):
        return None


def is_whole_years(found: Period) -> bool:
    first, last = found
    return (first.month, first.day, last.month, last.day) == (1, 1, 12, 31)


def day_before(day: date) -> str:
    return (day - timedelta(days=1)).isoformat()


def day_after(day: date) -> str:
    return (day + timedelta(days=1)).isoformat()


def decade(text: str) -> int:
    """The first year of such as "90s", "1990s" or "the nineties"."""
    text = text.lower()
    if text in _DECADES:
        return _DECADES[text]
    digits = int(re.sub(r"\D", "", text))
    if digits >= 1000:
        return digits
    return (1900 if digits >= 30 else 2000) + digits


def seconds(text: str) -> int | None:
    """How long ``text`` says; None where it has no unit."""
    text = text.lower()
    if found := re.fullmatch(r"(\d+):(\d\d)", text):
        return int(found[1]) * 60 + int(found[2])
    parts = re.findall(rf"(\d+\.\d|{NUMBER}) ?([hms])", text)
    if not parts:
        return None
    size = {"h": 3600, "m": 60, "s": 1}
    return sum(
        round(float(count) * size[each]) if "." in count else number(count) * size[each]
        for count, each in parts
    )


def unit(text: str) -> str:
    """The unit of a length such as "5 minutes"."""
    return "minutes" if ":" in text else text.rsplit(" ", 1)[-1].lstrip("0123456789.")


def _relative(text: str, today: date) -> Period | None:
    match text:
        case "today":
            return today, today
        case "yesterday":
            return (today - timedelta(days=1),) * 2
        case "this month":
            return _month(today.year, today.month)
        case "last month":
            last = today.replace(day=1) - timedelta(days=1)
            return _month(last.year, last.month)
        case "this year":
            return _year(today.year)
        case "last year":
            return _year(today.year - 1)
        case _:
            return None


def _written(text: str) -> Period | None:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = date.fromisoformat(text)
        return _within_years(day, day)
    if re.fullmatch(r"\d{4}", text):
        return _year(int(text))
    year = int(text[-4:])
    month = next(
        place for place, name in enumerate(_MONTHS, 1) if re.search(rf"(?<![a-z]){name}", text)
    )
    if found := re.search(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?(?!\d)", text[:-4]):
        day = date(year, month, int(found[1]))
        return _within_years(day, day)
    return _month(year, month)


def _year(year: int) -> Period | None:
    return _within_years(date(year, 1, 1), date(year, 12, 31))


def _month(year: int, month: int) -> Period | None:
    following = date(year + month // 12, month % 12 + 1, 1)
    return _within_years(date(year, month, 1), following - timedelta(days=1))


def _within_years(first: date, last: date) -> Period | None:
    """None for a number that is hardly a year."""
    return (first, last) if YEARS[0] <= first.year and last.year <= YEARS[1] else None
