"""Reduces titles and artist names to the parts that must be equal; pure.

``fold_title`` splits a title into its base and the words that mark a version. A word that marks
only a release of the same recording ("Remastered 2011", "Deluxe Edition") is soft; every other
addition is hard: "live" and "acoustic" are other recordings, and an unknown addition may be one.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Letters without an accent that many files write in another way.
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ı": "i",
        "ß": "ss",
        "’": "'",
        "‘": "'",
        "´": "'",
        "`": "'",
    }
)
#: Accents of Latin, Greek and Cyrillic letters. Marks of other scripts are letters themselves.
_ACCENTS = re.compile(r"[\u0300-\u036f]")
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w|$|\s)")
_AND = re.compile(r"\s[&+]\s")
_NOT_WORDS = re.compile(r"[\W_]+")

_BRACKETS = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_DASH = re.compile(r"\s+[-–—]\s+")
_GUESTS = re.compile(r"^(?:feat|ft|featuring|with)\b", re.IGNORECASE)
_TAIL_GUESTS = re.compile(r"\s(?:feat\.?|ft\.?|featuring)\s.*$", re.IGNORECASE)

#: Additions that do not change the recording.
_NOISE = re.compile(
    r"^(?:explicit|clean|dirty|explicit version|clean version|album version|lp version"
    r"|original|original version|original mix|official audio|bonus track|bonus)$"
)
#: Additions that name a release: one or more of these, and fillers only.
_SOFT = re.compile(
    r"\b(?:re ?mastered|re ?master|deluxe|expanded|special|anniversary|collectors?|edition"
    r"|single)\b"
)
_FILLERS = re.compile(
    r"\b(?:digital|digitally|version|the|\d{4}|\d+(?:st|nd|rd|th)|in|for|from|s)\b"
)
#: Words that mark the text after a dash as an addition.
_VERSION_WORDS = re.compile(
    r"\b(?:live|acoustic|unplugged|demo|remix|mix|edit|cover|karaoke|instrumental|session|sessions"
    r"|sped up|slowed|nightcore|reverb|re ?recorded|rerecorded|version|ver|mono|stereo|orchestral"
    r"|stripped|a ?cappella|extended|dub|rework|bootleg|vip|take|outtake|rehearsal|intro|outro"
    r"|reprise|interlude|from|single|explicit|clean|original|bonus|re ?master(?:ed)?|anniversary"
    r"|deluxe)\b"
)
_MOVEMENT = re.compile(r"\s*(?:[ivx]+\.|(?:no|op|nr)\.\s*\d)", re.IGNORECASE)
_PART = re.compile(r"\bpt\b")
_JOINTS = re.compile(
    r"\s*[;,/]\s*|\s+(?:&|\+|and|x|vs\.?|with|feat\.?|ft\.?|featuring)\s+|\s+\((?:feat|ft|with)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Title:
    base: str
    #: Words that mark another recording.
    hard: frozenset[str]
    #: Words that mark another release of the same recording.
    soft: frozenset[str]


@lru_cache(maxsize=20_000)
def fold(text: str) -> str:
    """``text`` in lower case, without accents and punctuation; never empty unless ``text`` is."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    plain = _ACCENTS.sub("", unicodedata.normalize("NFD", plain))
    plain = unicodedata.normalize("NFC", plain)
    plain = _APOSTROPHE.sub("", plain)
    plain = _AND.sub(" and ", plain)
    words = _NOT_WORDS.sub(" ", plain).strip()
    # Titles such as "÷" and "!!!" consist of punctuation.
    return words or plain.strip() or text.strip().casefold()


def fold_title(title: str) -> Title:
    additions: list[str] = []
    rest = _BRACKETS.sub(lambda found: _taken(found, additions), title)
    if not fold(rest):
        # The whole title is in brackets, as in "(I)".
        return Title(fold(title), frozenset(), frozenset())
    rest = _TAIL_GUESTS.sub("", rest)
    first, *tails = _DASH.split(rest)
    for tail in tails:
        if _VERSION_WORDS.search(fold(tail)):
            additions.append(tail)
        else:
            first = f"{first} {tail}"
    hard: set[str] = set()
    soft: set[str] = set()
    for each in additions:
        words = fold(each.strip())
        if not words or _GUESTS.match(words) or _NOISE.match(words):
            continue
        if _SOFT.search(words):
            soft.add("remaster" if "master" in words else "edition")
            words = _FILLERS.sub("", _SOFT.sub("", words)).strip()
        if words:
            hard.add(" ".join(words.removesuffix(" version").split()))
    base = _PART.sub("part", fold(first))
    return Title(base or fold(title), frozenset(hard), frozenset(soft))


def _taken(found: re.Match[str], additions: list[str]) -> str:
    """A bracket at the beginning belongs to the title: "(I Can't Get No) Satisfaction"."""
    inside = found[1] if found[1] is not None else found[2]
    if not found.string[: found.start()].strip():
        return f" {inside} "
    additions.append(inside)
    return " "


@lru_cache(maxsize=20_000)
def fold_artist(name: str) -> str:
    folded = fold(name)
    if name.casefold().endswith(", the"):
        folded = folded.removesuffix(" the")
    return folded.removeprefix("the ") or folded


@lru_cache(maxsize=20_000)
def artist_keys(name: str) -> tuple[str, ...]:
    """Spellings of the first artist in ``name``: the whole name, or the part before a joint."""
    whole = fold_artist(name)
    first = fold_artist(_JOINTS.split(name, maxsplit=1)[0])
    return (whole,) if first in ("", whole) else (whole, first)


def is_movement(title: str) -> bool:
    """Whether ``title`` needs the album to identify the song: "I. Allegro", "No. 2"."""
    return bool(_MOVEMENT.match(title))
