"""What a phrase is, and the words that several phrases share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

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


#: None where the words are a phrase, but say nothing that is clear.
Make = Callable[["re.Match[str]", Context], Found | None]


@dataclass(frozen=True, slots=True)
class Phrase:
    pattern: re.Pattern[str]
    make: Make
    #: Ends an artist's name or title that has no quotes.
    ends_names: bool = True


PHRASES: list[Phrase] = []

#: Text in quotes, in one of three groups.
QUOTED = r"(?:“(?P<q1>[^”]*)”|\"(?P<q2>[^\"]*)\"|„(?P<q3>[^“”]*)[“”])"
LIKED = r"(?:liked|saved|added|loved)"
RELEASED = r"(?:released|published|that came out|which came out)"
HEARD = r"(?:played|heard|listened to|listened)"
NOT_HEARD = (
    rf"(?:unplayed|(?:haven['’]?t|have not|hasn['’]?t|has not|not)(?: been| even)? {HEARD}"
    r"|did(?:n['’]?t| not) (?:play|hear|listen to))(?: it| them)?"
)
SONGS = r"(?:liked |different )?(?:songs?|tracks?|likes|tunes)"
AT_LEAST = r"(?:at least|a minimum of|min(?:imum)?(?: of)?|not (?:less|fewer|shorter) than)"
AT_MOST = (
    r"(?:at most|no more than|not (?:more|longer) than|a maximum of|max(?:imum)?\.?(?: of)?|up to)"
)


def phrase(pattern: str, *, ends_names: bool = True) -> Callable[[Make], Make]:
    """Adds a function that says what the words of ``pattern`` mean."""
    compiled = re.compile(rf"(?<![\w'’-])(?:{pattern})(?![\w'’-])", re.IGNORECASE)

    def add(make: Make) -> Make:
        PHRASES.append(Phrase(compiled, make, ends_names))
        return make

    return add


def test(name: str, op: str, value: Any) -> Raw:
    return {"field": name, "op": op, "value": value}


def one(name: str, op: str, value: Any) -> Found:
    return Found((test(name, op, value),))


def setting(**settings: Any) -> Found:
    return Found(settings=settings)


def in_quotes(found: re.Match[str]) -> str:
    return next(text for text in (found["q1"], found["q2"], found["q3"]) if text is not None)
