"""Reads a sentence about songs as a rule, and says what it did not understand.

Known phrases (``phrases/``) become tests and settings; filler words are ignored; all other words
are reported. If the words allow two rules, neither is chosen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal

from sync.mirrors.phrases import PHRASES, Context, Found, Raw, test
from sync.mirrors.rule_json import from_json
from sync.mirrors.rules import TEXT_MAX, Rule, RuleError
from syncify.text import plain


@dataclass(frozen=True, slots=True)
class Parsed:
    rule: Rule
    #: Pieces of the sentence, in its own words.
    not_understood: tuple[str, ...]


@dataclass(slots=True)
class _Item:
    """A piece of the sentence: a phrase, words that are not known, or what joins two pieces."""

    kind: Literal["found", "unknown", "or", "break", "open", "close"]
    text: str
    start: int
    found: Found = field(default_factory=Found)

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(slots=True)
class _Piece:
    """What stands between two joins: its tests must all hold."""

    items: list[_Item] = field(default_factory=list)
    tests: list[Raw] = field(default_factory=list)

    @property
    def unknown(self) -> list[_Item]:
        return [item for item in self.items if item.kind == "unknown"]


#: Words without meaning that may stand between a name and the next phrase.
SKIPPED_MAX = 4


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Filler words.
_FILLERS = _words(
    """a all am an and any are be been collection create do every everything get give had has have
    i i've ive i’ve is it just keep kept let liked likes list listen listened make me music my of
    only ones our play playlist please put saved save show song songs that the their them then
    these they those track tracks tunes want was were which who whose"""
)
#: Words that change the meaning of what follows.
_CHANGING = _words(
    """about above after almost aren't at before below beside between by contain containing
    contains didn't doesn't don't early except exclude excluding feat featuring few fewer for from
    hardly hasn't haven't if in isn't late less like mid minus more most near nearly neither never
    no non nor not nothing on other otherwise over rarely seldom similar since than to under unless
    unlike until versus when while with within without"""
)
#: Words that change the meaning of what comes before them.
_UNDOING = _words("excluded removed omitted banned forbidden out away else")
_NAMES = re.compile(
    r"(?<![\w'’-])(?P<no>not |nothing |except )?(?P<what>by(?: the artist)?|called|titled|named"
    r"|(?:on|from) the album|(?:the )?artist is|(?:the )?(?P<field>title|artist|album)"
    r" (?P<contains>contains|includes)) (?=[^\s“\"„])",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\s,;()“”\"]+")
_IN_QUOTES = re.compile(r"“[^”]*”|\"[^\"]*\"")
_OR = re.compile(r"\bor\b|/", re.IGNORECASE)
_BREAK = re.compile(r"[,;:&+]|\.(?=\s|$)|!|\?|\b(?:and|but|plus|also|yet)\b", re.IGNORECASE)
#: Ends a name without quotes; "and" and "&" may belong to it.
_NAME_END = re.compile(r"[,;()“”\"]|[.!?]$|\bor\b", re.IGNORECASE)


def parse(text: str, *, today: date, playlists: Mapping[int, str] | None = None) -> Parsed:
    """The rule that ``text`` asks for. ``playlists`` names the mirrors that it may mention."""
    text = " ".join(plain(re.sub(r"\s", " ", text)).split())
    names = {name.casefold(): each for each, name in (playlists or {}).items()}
    return _Assembly(text, list(_items(text, Context(today, names)))).parsed()


def _items(text: str, context: Context) -> Iterator[_Item]:
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
        elif (got := _phrase_at(text, at, context) or _name_at(text, at)) is not None:
            end, found = got
            yield _Item("found", text[at:end], at, found)
            at = end
        elif text[at] in "()":
            yield _Item("open" if text[at] == "(" else "close", text[at], at)
            at += 1
        elif joined := _OR.match(text, at):
            yield _Item("or", joined[0], at)
            at = joined.end()
        elif joined := _BREAK.match(text, at):
            yield _Item("break", joined[0], at)
            at = joined.end()
        else:
            word = _IN_QUOTES.match(text, at) or _WORD.match(text, at)
            end = word.end() if word else at + 1
            bare = text[at:end].rstrip(".,!?:") or text[at:end]
            if bare.lower() not in _FILLERS:
                yield _Item("unknown", bare, at)
            at += len(bare)


def _phrase_at(text: str, at: int, context: Context) -> tuple[int, Found] | None:
    """The longest phrase that begins here and that a rule can express."""
    best: tuple[int, Found] | None = None
    for phrase in PHRASES:
        match = phrase.pattern.match(text, at)
        if match is None or match.end() <= (best[0] if best else at):
            continue
        found = phrase.make(match, context)
        if found is not None and _is_valid(found):
            best = match.end(), found
    return best


def _is_valid(found: Found) -> bool:
    raw = {"tests": list(found.tests), **found.settings}
    if raw.get("sort") == "rediscover":
        del raw["sort"]  # whether it has what it needs shows at the end
    try:
        from_json(raw)
    except RuleError:
        return False
    return True


def _name_at(text: str, at: int) -> tuple[int, Found] | None:
    """A name without quotes: up to a comma, the end, or the next phrase."""
    start = _NAMES.match(text, at)
    if start is None:
        return None
    names, at = [], start.end()
    while True:
        end = _name_end(text, at)
        if text[at:end].strip():
            names.append(text[at:end].strip())
        following = re.compile(r" ?or (?!by |not |no )(?=\w)", re.IGNORECASE).match(text, end)
        if following is None or _ends_names(text, following.end()) or not names:
            break
        at = following.end()
    if not names:
        return None
    what = start["what"].lower()
    name = (start["field"] or "").lower()
    if not name:
        name = "artist" if what.startswith("by") or "artist" in what else "title"
        name = "album" if "album" in what else name
    op = "contains" if start["contains"] else "is_not" if start["no"] else "is"
    tests = [test(name, op, each) for each in names]
    if len(tests) > 1:
        # "Not by A or B": by neither.
        raw = {"match": "all" if start["no"] else "any", "tests": tests}
        found = Found((raw,))
    else:
        found = Found(tuple(tests))
    return (end, found) if _is_valid(found) else None


def _name_end(text: str, at: int) -> int:
    """The end of the name that begins at ``at``. Its first word always belongs to it."""
    word = _WORD.match(text, at)
    end = word.end() if word else at
    while end < min(len(text), at + TEXT_MAX + 1):
        if text[end] == " ":
            if _ends_names(text, end + 1) or _NAME_END.match(text, end + 1):
                return end
            end += 1
        elif _NAME_END.match(text, end):
            return end
        else:
            word = _WORD.match(text, end)
            end = word.end() if word else end + 1
    return end - 1 if text[end - 1 : end] in {".", "!", "?"} and end == len(text) else end


def _ends_names(text: str, at: int) -> bool:
    """Whether a phrase begins at ``at``, after a few words that say nothing."""
    for _ in range(SKIPPED_MAX + 1):
        if _begins(text, at):
            return True
        word = _WORD.match(text, at)
        if word is None or word[0].lower() not in _FILLERS | {"and", "but"}:
            return False
        at = word.end() + 1
    return False


@lru_cache(maxsize=10_000)
def _begins(text: str, at: int) -> bool:
    return any(phrase.ends_names and phrase.pattern.match(text, at) for phrase in PHRASES)


class _Assembly:
    """Makes one rule of the pieces."""

    def __init__(self, text: str, items: list[_Item]) -> None:
        self._text = text
        self._items = items
        self._settings: Raw = {}
        self._left: list[tuple[int, str]] = []

    def parsed(self) -> Parsed:
        match, tests = self._joined(self._chains(self._without_spoilt(self._items)))
        rule = self._rule({**self._settings, "match": match, "tests": tests})
        return Parsed(rule, tuple(text for _, text in sorted(self._left)))

    def _rule(self, raw: dict[str, Any]) -> Rule:
        try:
            return from_json(raw)
        except RuleError as error:
            if raw.get("sort") == "rediscover":
                self._left.append((len(self._text), f"rediscover ({error.message})"))
                return self._rule({**raw, "sort": "newest_like"})
            self._left.append((len(self._text), str(error)))
            return self._rule({**raw, "tests": []}) if raw["tests"] else from_json({})

    def _without_spoilt(self, items: list[_Item]) -> list[_Item]:
        """``items`` without the stretches in which an unknown word changes what the rest means."""
        kept: list[_Item] = []
        at = 0
        while at < len(items):
            end = at
            while end < len(items) and not _parts(items[end]):
                end += 1
            kept += self._unspoilt(items[at:end])
            kept += items[end : end + 1]
            at = end + 1
        return kept

    def _unspoilt(self, clause: list[_Item]) -> list[_Item]:
        words = [item.text.lower() if item.kind == "unknown" else "" for item in clause]
        if any(word in _UNDOING for word in words):
            self._leave(clause)
            return []
        for index, word in enumerate(words):
            if word.replace("’", "'") in _CHANGING:
                # "Jazz or not …": the pieces before belong to what was not understood.
                start = index
                while start and clause[start - 1].kind == "or":
                    start = max(0, start - 2)
                self._leave(clause[start:])
                return clause[:start]
        return clause

    def _leave(self, items: list[_Item]) -> None:
        if items:
            start = items[0].start
            self._left.append((start, self._text[start : items[-1].end]))

    def _chains(self, items: list[_Item]) -> list[list[_Piece]]:
        """Pieces joined by "or", in lists that are joined by "and" or a comma."""
        chains: list[list[_Piece]] = [[_Piece()]]
        inside: list[_Item] | None = None
        for item in items:
            piece = chains[-1][-1]
            if item.kind == "open":
                inside = inside or []
            elif item.kind == "close":
                self._group(inside or [], piece)
                inside = None
            elif inside is not None:
                inside.append(item)
            elif item.kind == "or":
                chains[-1].append(_Piece())
            elif item.kind == "break":
                chains.append([_Piece()])
            else:
                self._add(item, piece)
        self._leave(inside or [])  # a bracket that is not closed
        return [chain for chain in chains if any(piece.items for piece in chain)]

    def _add(self, item: _Item, piece: _Piece) -> None:
        if item.found.tests or item.kind == "unknown":
            piece.items.append(item)
            piece.tests += item.found.tests
        for name, value in item.found.settings.items():
            if self._settings.setdefault(name, value) != value:
                self._leave([item])

    def _group(self, items: list[_Item], piece: _Piece) -> None:
        """Add what stands in brackets to ``piece`` as one test."""
        match, tests = self._joined(self._chains(items))
        if any("tests" in each for each in tests) and len(tests) > 1:
            self._leave(items)
        elif tests:
            piece.items += items
            piece.tests += tests if len(tests) == 1 else [{"match": match, "tests": tests}]

    def _joined(self, chains: list[list[_Piece]]) -> tuple[str, list[Raw]]:
        chains = _lists(chains)
        if len(chains) == 1 and len(chains[0]) > 1 and (either := _alternatives(chains[0])):
            return "any", either
        tests = []
        for chain in chains:
            if len(chain) == 1:
                tests += chain[0].tests
                for _, neighbours in groupby(chain[0].items, lambda item: item.kind):
                    self._leave([item for item in neighbours if item.kind == "unknown"])
            elif (group := _same_field(chain)) is not None:
                tests.append(group)
            else:
                self._leave([item for piece in chain for item in piece.items])
        return "all", tests


def _parts(item: _Item) -> bool:
    return item.kind in {"break", "open", "close"}


def _lists(chains: list[list[_Piece]]) -> list[list[_Piece]]:
    """``chains`` with "A, B or C" as one of three, where all ask the same of one field."""
    joined: list[list[_Piece]] = []
    for each in chains:
        chain = each
        while (
            len(chain) > 1
            and joined
            and len(joined[-1]) == 1
            and (kind := _kind(chain[0])) is not None
            and all(_kind(piece) == kind for piece in (*joined[-1], *chain))
        ):
            chain = [*joined.pop(), *chain]
        joined.append(chain)
    return joined


def _kind(piece: _Piece) -> tuple[str, str] | None:
    """Field and operator of the one test that ``piece`` has; None when it has anything else."""
    if piece.unknown or len(piece.tests) != 1 or "tests" in piece.tests[0]:
        return None
    return piece.tests[0]["field"], piece.tests[0]["op"]


def _same_field(chain: list[_Piece]) -> Raw | None:
    """``chain`` as one group; None where "or" leaves open how far it reaches."""
    fields = {kind[0] if (kind := _kind(piece)) else None for piece in chain}
    if None in fields or len(fields) > 1:
        return None
    return {"match": "any", "tests": [piece.tests[0] for piece in chain]}


def _alternatives(chain: list[_Piece]) -> list[Raw]:
    """``chain`` as tests of which one must hold; none where it is not clear."""
    if any(piece.unknown or not piece.tests for piece in chain):
        return []
    if all(len(piece.tests) == 1 for piece in chain):
        return [piece.tests[0] for piece in chain]
    shapes = {tuple(each.get("field") for each in piece.tests) for piece in chain}
    # "Rock from the 80s or jazz from the 90s": each piece says the same kinds of things.
    if len(shapes) == 1 and all("tests" not in each for piece in chain for each in piece.tests):
        return [{"match": "all", "tests": piece.tests} for piece in chain]
    return []
