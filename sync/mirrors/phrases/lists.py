"""Phrases about the playlist: where its songs come from, how many, in which order, how often."""

import re

from sync.mirrors import moments
from sync.mirrors.moments import DATE, NUMBER, number
from sync.mirrors.phrases.base import (
    AT_MOST,
    SONGS,
    Context,
    Found,
    phrase,
    setting,
)

_EACH = {"day": "daily", "week": "weekly", "month": "monthly"}


@phrase(rf"as (?:of|at|they were on|it was on) (?P<date>{DATE})")
def _as_of(found: re.Match[str], context: Context) -> Found | None:
    if (period := moments.period(found["date"], context.today)) is None:
        return None
    return Found(settings={"source": {"likes_at": period[1].isoformat()}})


@phrase(
    r"songs of pair (?P<pair>\d{1,19}) (?P<of>that both like|in turns|that only the other likes)"
)
def _pair(found: re.Match[str], _context: Context) -> Found:
    of = {"that both like": "both", "in turns": "turns"}.get(found["of"].lower(), "theirs_not_mine")
    return Found(settings={"source": {"pair": int(found["pair"]), "of": of}})


@phrase(
    r"songs of household (?P<household>\d{1,19}) (?P<of>that anyone likes|in turns|that all like)"
)
def _household(found: re.Match[str], _context: Context) -> Found:
    of = {"that anyone likes": "everyone", "in turns": "turns"}.get(found["of"].lower(), "all")
    return Found(settings={"source": {"household": int(found["household"]), "of": of}})


# How many, in which order, how often


@phrase(
    rf"(?:(?:{AT_MOST}|limit(?:ed)?(?: to)?|only|just) )?(?P<n>{NUMBER}) {SONGS}"
    rf"|(?:{AT_MOST}|limit(?:ed)?(?: to)?) (?P<n2>\d+)(?= ?(?:[,;.)]|$))"
)
def _limit(found: re.Match[str], _context: Context) -> Found:
    return setting(limit=number(found["n"] or found["n2"]))


@phrase(rf"(?:(?P<n>{NUMBER}) |an? )random (?:{SONGS}|ones)|a random (?P<n2>{NUMBER})(?: {SONGS})?")
def _random_limit(found: re.Match[str], _context: Context) -> Found:
    count = found["n"] or found["n2"] or "1"
    return setting(limit=number(count), sort="random")


@phrase(
    r"(?:the )?(?:last|latest|newest|most recent|(?P<old>oldest|earliest))"
    rf" (?P<n>{NUMBER})(?: {SONGS}| liked| i liked)?"
    rf"|(?:the )?(?P<n2>{NUMBER}) (?:latest|newest|most recent|last|most recently liked"
    rf"|(?P<old2>oldest|earliest))(?: {SONGS})?"
)
def _newest_limit(found: re.Match[str], _context: Context) -> Found:
    old = found["old"] or found["old2"]
    return Found(
        settings={
            "limit": number(found["n"] or found["n2"]),
            "sort": "oldest_like" if old else "newest_like",
        }
    )


@phrase(
    rf"(?:(?:{AT_MOST}|only|just) )?(?P<n>{NUMBER})(?: {SONGS})?"
    r" (?:per|for each|for every|by each|from each|of each|by every|from every|each) artist"
)
def _per_artist(found: re.Match[str], _context: Context) -> Found:
    return setting(per_artist=number(found["n"]))


@phrase(rf"(?P<n>{NUMBER})(?: {SONGS})? (?:a|per|each|every) (?P<each>day|week|month)")
def _songs_a_day(found: re.Match[str], _context: Context) -> Found:
    settings = {"limit": number(found["n"]), "refresh": _EACH[found["each"].lower()]}
    return Found(settings=settings)


@phrase(
    r"(?:(?:new|refreshed|renewed|updated|changed|changing|changes|refresh|update) )?"
    r"(?:(?:every|each) (?P<each>day|week|month)|(?P<ly>daily|weekly|monthly))"
)
def _refresh(found: re.Match[str], _context: Context) -> Found:
    each = found["ly"] or _EACH[found["each"].lower()]
    return setting(refresh=each.lower())


def _order(pattern: str, sort: str) -> None:
    phrase(pattern)(lambda _found, _context: setting(sort=sort))


_BY = r"(?:sort(?:ed)? by|order(?:ed)? by|in order of|by)(?: the)?"
_order(
    r"newest (?:likes? )?first|(?:most )?recent(?:ly liked)?(?: likes?)? first"
    r"|latest (?:likes? )?first",
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
