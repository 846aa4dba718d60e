"""Splits the title of a song into its name and the markers of its version."""

import re
from functools import lru_cache
from typing import NamedTuple

from syncify.text import folded


class Title(NamedTuple):
    #: The name alone, in folded letters and digits.
    base: str
    #: Mark another recording: live, acoustic, a remix, any other words in brackets.
    hard: frozenset[str]
    #: Mark a possible other release of the same recording: remaster, single version, mono.
    soft: frozenset[str]
    #: The name needs the album to identify a song of the artist.
    is_vague: bool


#: Two recordings that differ in one of these markers are never the same.
RECORDINGS = frozenset(
    {
        "acoustic", "acapella", "cover", "demo", "instrumental", "karaoke", "live", "nightcore",
        "orchestral", "rehearsal", "remix", "rerecorded", "session", "sessions", "slowed", "sped",
        "stripped", "unplugged",
    }
)  # fmt: skip

_FEATURING = re.compile(r"\s*(?:^|\s)(?:feat|ft|featuring)\b\.?\s.*$")
_TRAILING = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
_NOT_WORDS = re.compile(r"[^\w]+|_+")
#: Words that name only the form of a release.
_SOFT = frozenset(
    {
        "album", "anniversary", "bonus", "deluxe", "digital", "digitally", "edition", "expanded",
        "extra", "lp", "mono", "original", "remaster", "remastered", "single", "special", "stereo",
        "track", "version",
    }
)  # fmt: skip
_NUMBER = re.compile(r"\d{4}|\d{1,3}(?:st|nd|rd|th)")
#: Repeats the explicit flag.
_FLAGS = frozenset({"explicit", "clean"})
#: Adds nothing to a marker.
_EMPTY = frozenset({"version", "edition", "track", "the", "recording"})
_USUAL = {"remastered": "remaster", "digitally": "digital", "cappella": "acapella"}
_MOVEMENT = re.compile(
    r"(?:^|[\s:,(-])(?:[ivxl]+\.|(?:no|nr|op)\.? ?\d|(?:bwv|kv?|hwv|rv|d)\.? ?\d|act [ivx]+\b)"
)
_COMMON = frozenset(
    {
        "interlude", "intermission", "intro", "introduction", "outro", "overture", "prelude",
        "reprise", "skit", "untitled", "hidden track", "bonus track",
    }
)  # fmt: skip


@lru_cache(maxsize=50_000)
def fold_title(title: str) -> Title:
    """``title`` in parts. Case, accents and punctuation make no difference."""
    text = folded(title)
    hard: set[str] = set()
    soft: set[str] = set()
    name, *tails = text.split(" - ") if " - " in text else [text]
    if ("(" in name or "[" in name) and not name.startswith(("(", "[")):
        tails += _TRAILING.findall(name)
        name = _TRAILING.sub(" ", name)
    for tail in tails:
        for piece in _pieces(tail):
            _sort(piece, hard, soft)
    if "f" in name and " f" in name:
        name = _FEATURING.sub("", name)
    base = _words(name)
    if not base:  # a title of punctuation or brackets only
        base = _words(text) or text
    is_vague = len(base) <= 3 or base in _COMMON or _MOVEMENT.search(text) is not None
    return Title(base, frozenset(hard), frozenset(soft), is_vague)


def _pieces(tail: str) -> list[str]:
    """The markers in one tail or bracket, such as "Live / 2011 Remaster (Mono)"."""
    inner = _TRAILING.findall(tail)
    outer = _TRAILING.sub(" ", tail)
    return [piece for each in (outer, *inner) for piece in re.split(r" ?/ ?|; ", each)]


def _sort(piece: str, hard: set[str], soft: set[str]) -> None:
    piece = _FEATURING.sub("", piece)
    written = _words(piece).split()
    words = [_USUAL.get(word, word) for word in written if word not in _FLAGS]
    if len(words) < len(written) and _EMPTY.issuperset(words):
        return  # "clean version": the song's flag says so
    if words[:2] == ["re", "recorded"]:
        words[:2] = ["rerecorded"]
    if words[:2] in (["re", "mastered"], ["re", "master"]):
        words[:2] = ["remaster"]
    if words[:2] == ["a", "acapella"]:
        words[:2] = ["acapella"]
    if not words:
        return
    if all(word in _SOFT or _NUMBER.fullmatch(word) for word in words):
        soft.add(" ".join(sorted(set(words) - _EMPTY)) or "version")
    elif words[0] == "from" and len(words) > 1:  # the film that it is from
        soft.add(" ".join(words))
    else:
        # "Taylor's Version" keeps its words; "acoustic version" is acoustic.
        kept = [word for word in words if word not in _EMPTY] if words[0] in RECORDINGS else words
        hard.add(" ".join(kept))


def _words(text: str) -> str:
    """``text`` in letters and digits, with single spaces."""
    text = text.replace("&", " and ").replace("'", "")
    return text if text.isalnum() else _NOT_WORDS.sub(" ", text).strip()
