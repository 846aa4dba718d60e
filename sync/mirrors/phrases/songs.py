"""Phrases about a song itself: names, lengths, plays, genres, playlists that hold it."""

import re

from sync.library import genre_tree
from sync.mirrors import moments
from sync.mirrors.moments import DURATION, NUMBER, number
from sync.mirrors.phrases.base import (
    AT_LEAST,
    AT_MOST,
    HEARD,
    PHRASES,
    QUOTED,
    SONGS,
    Context,
    Found,
    Phrase,
    in_quotes,
    one,
    phrase,
)
from sync.mirrors.rules import SET_MAX

#: So many further names may follow the first.
_MORE = f"{{0,{SET_MAX - 1}}}"
OVER = r"(?:more than|longer than|over|above)"
UNDER = r"(?:less than|fewer than|shorter than|under|below)"


@phrase(
    rf"(?P<no>not )?(?P<what>titled|called|named|by|(?:on|from) the album|on the record) {QUOTED}"
)
def _is(found: re.Match[str], _context: Context) -> Found:
    what = found["what"].lower()
    name = {"by": "artist"}.get(what, "album" if "the" in what else "title")
    return one(name, "is_not" if found["no"] else "is", in_quotes(found))


@phrase(
    rf"(?:(?P<no>without|with no) |with |containing )(?:the words? )?{QUOTED} in (?:the|its|their) "
    r"(?P<field>title|artist|album)(?:['’]s)?(?: name)?"
)
def _with(found: re.Match[str], _context: Context) -> Found:
    op = "not_contains" if found["no"] else "contains"
    return one(found["field"].lower(), op, in_quotes(found))


@phrase(
    r"(?:the )?(?P<field>title|artist|album)(?:['’]s)?(?: name)?"
    rf" (?P<op>contains|is not|is) {QUOTED}"
)
def _contains(found: re.Match[str], _context: Context) -> Found:
    return one(found["field"].lower(), found["op"].lower().replace(" ", "_"), in_quotes(found))


@phrase(
    r"(?P<no>without|with no) (?:the words? )?(?P<word>[\w'’-]+)"
    r" in (?:the|its|their) (?P<field>title|album)"
    r"|with (?:the words? )?(?P<word2>[\w'’-]+) in (?:the|its|their) (?P<field2>title|album)"
)
def _with_word(found: re.Match[str], _context: Context) -> Found:
    name = (found["field"] or found["field2"]).lower()
    op = "not_contains" if found["no"] else "contains"
    return one(name, op, found["word"] or found["word2"])


# Lengths and plays


@phrase(rf"between (?P<first>{DURATION}|{NUMBER}) and (?P<last>{DURATION})(?: long)?")
def _length_between(found: re.Match[str], _context: Context) -> Found:
    return _lengths(found["first"], found["last"])


@phrase(rf"(?P<first>{DURATION}|\d{{1,3}}) ?(?:to|-|–) ?(?P<last>{DURATION})(?: long)?")
def _length_to(found: re.Match[str], _context: Context) -> Found:
    return _lengths(found["first"], found["last"])


def _lengths(first: str, last: str) -> Found:
    low = moments.seconds(first)
    if low is None:  # "3 to 5 minutes"
        low = moments.seconds(f"{first} {moments.unit(last)}")
    return one("length", "between", [low, moments.seconds(last)])


@phrase(
    rf"(?:{AT_LEAST}|{OVER}) (?P<length>{DURATION})(?: long)?"
    rf"|(?P<length2>{DURATION}) (?:long )?(?:or|and) (?:longer|more|over)"
)
def _longer(found: re.Match[str], _context: Context) -> Found:
    return one("length", "at_least", moments.seconds(found["length"] or found["length2"]))


@phrase(
    rf"(?:{AT_MOST}|{UNDER}) (?P<length>{DURATION})(?: long)?"
    rf"|(?P<length2>{DURATION}) (?:long )?(?:or|and) (?:shorter|less|under)"
)
def _shorter(found: re.Match[str], _context: Context) -> Found:
    return one("length", "at_most", moments.seconds(found["length"] or found["length2"]))


@phrase(
    rf"(?:(?:with|played|heard) )?(?:(?P<least>{AT_LEAST})|(?P<over>more than|over)"
    rf"|(?P<most>{AT_MOST})|(?P<under>less than|fewer than|under))"
    rf" (?P<n>once|twice|{NUMBER}(?= (?:times?|plays?)))(?: times?| plays?)?"
)
def _plays(found: re.Match[str], _context: Context) -> Found:
    count = number(found["n"])
    if found["least"] or found["over"]:
        return one("plays", "at_least", count + bool(found["over"]))
    return one("plays", "at_most", count - bool(found["under"]))


@phrase(rf"(?:played|heard) (?P<n>{NUMBER}) (?:times?|plays?) or (?P<more>more|less|fewer)")
def _plays_or(found: re.Match[str], _context: Context) -> Found:
    op = "at_least" if found["more"].lower() == "more" else "at_most"
    return one("plays", op, number(found["n"]))


@phrase(rf"(?:played|heard) between (?P<first>{NUMBER}) and (?P<last>{NUMBER}) times")
def _plays_between(found: re.Match[str], _context: Context) -> Found:
    return one("plays", "between", [number(found["first"]), number(found["last"])])


@phrase(
    rf"(?:not|haven['’]?t|have not)(?: been)? (?:yet )?{HEARD} yet"
    rf"|never(?: been)? {HEARD}(?: to)?|unplayed|without (?:any )?plays"
)
def _never(_found: re.Match[str], _context: Context) -> Found:
    return one("plays", "at_most", 0)


# Yes and no


@phrase(
    r"(?:(?:not|no|non|without|except|exclude|excluding)[ -](?:any )?|un|isn['’]?t |aren['’]?t )"
    rf"explicit(?: (?:{SONGS}|lyrics|content|ones|versions))?"
)
def _not_explicit(_found: re.Match[str], _context: Context) -> Found:
    return one("explicit", "is", False)


@phrase(rf"clean(?: only| {SONGS}| lyrics| versions)?", ends_names=False)
def _clean(_found: re.Match[str], _context: Context) -> Found:
    return one("explicit", "is", False)


@phrase(rf"explicit(?: only| {SONGS}| lyrics| ones)?", ends_names=False)
def _explicit(_found: re.Match[str], _context: Context) -> Found:
    return one("explicit", "is", True)


@phrase(r"(?:(?:that|which) )?(?:have|with) (?:(?P<no>no)|an?) (?:duplicates?|doubles?|twins?)")
def _duplicate(found: re.Match[str], _context: Context) -> Found | None:
    # "With no duplicates" may ask for one of each: that is a setting, not a test.
    if found["no"] and not found[0].lower().startswith(("that have", "which have")):
        return None
    return one("duplicate", "is", not found["no"])


# Genres and playlists

_NO = (
    r"(?:no|not|non|without|except|except for|but not|but no|anything but|everything but"
    r"|exclude|excluding|minus)"
)


def _any_of(names: frozenset[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _genre_phrase() -> Phrase:
    genre = rf"(?<![\w'’-])(?:{_any_of(genre_tree.spellings())})(?![\w'’-])"
    music = r"(?: (?:songs?|music|tracks?|tunes))?"
    pattern = (
        rf"(?:(?P<no>{_NO})[ -](?:any )?{genre}(?:(?: or | and |, | nor )(?:{_NO} )?{genre}){_MORE}"
        rf"{music}"
        rf"|{genre}(?:(?:, or |, and | or | and |, | ?/ ?| ?\+ ?){genre}){_MORE}{music})"
    )

    def make(found: re.Match[str], _context: Context) -> Found | None:
        names = [name.lower() for name in re.findall(genre, found[0], re.IGNORECASE)]
        if found["no"] and "," in found[0] and not re.search(rf", {_NO} ", found[0], re.IGNORECASE):
            return None  # "no jazz, blues": does the "no" hold for both?
        return one("genre", "not_in" if found["no"] else "in", names)

    compiled = re.compile(rf"(?<![\w'’-]){pattern}(?![\w'’-])", re.IGNORECASE)
    return Phrase(compiled, make, ends_names=False)


def _named_genre_phrase() -> Phrase:
    genre = rf"(?:“[^”]*”|\"[^\"]*\"|{_any_of(genre_tree.spellings())})"
    compiled = re.compile(
        rf"(?<![\w'’-])(?P<no>not )?(?:of the |in the |of |the )?genres? (?:is |are )?"
        rf"(?P<names>{genre}(?: or {genre}){_MORE})(?![\w'’-])",
        re.IGNORECASE,
    )

    def make(found: re.Match[str], _context: Context) -> Found:
        names = re.findall(genre, found["names"], re.IGNORECASE)
        names = [name[1:-1] if name[0] in '“"' else name for name in names]
        return one("genre", "not_in" if found["no"] else "in", names)

    return Phrase(compiled, make)


PHRASES += [_genre_phrase(), _named_genre_phrase()]

_PLAYLIST = r"(?:\d{1,19}|“[^”]*”|\"[^\"]*\")"


@phrase(
    r"(?P<no>not )?(?:in|on) (?:the |my )?playlists? (?:no\. |number )?"
    rf"(?P<names>{_PLAYLIST}(?: or {_PLAYLIST}){_MORE})"
)
def _in_playlist(found: re.Match[str], context: Context) -> Found | None:
    ids: list[int] = []
    for name in re.findall(_PLAYLIST, found["names"]):
        each = int(name) if name.isdigit() else context.playlists.get(name[1:-1].casefold())
        if each is None:
            return None
        ids.append(each)
    return one("mirror", "not_in" if found["no"] else "in", ids)
