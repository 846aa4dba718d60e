"""Reads the address that a listener copied from the last page of the sign-in; pure."""

from typing import NamedTuple
from urllib.parse import parse_qsl

#: Characters of a state that Syncify made: a shorter one has been cut off.
STATE_LENGTH = 43
#: Spotify's codes take a few hundred characters.
LONGEST = 4000
_QUOTES = "\"'“”‘’«»<>"


class Answer(NamedTuple):
    """Spotify's answer: a code, or an error such as ``access_denied``."""

    state: str
    code: str
    error: str = ""


class NotAnAnswer(ValueError):
    """``str`` tells the listener the fault of the address, and what to do."""


def read_pasted(text: str, *, spotify: str) -> Answer:
    """The answer in a whole address or its query; ``spotify`` is the host of the consent page.

    Raises NotAnAnswer.
    """
    if len(text) > LONGEST:
        raise NotAnAnswer("That is too long to be the address. Copy the address only.")
    # Copied from the source of a page, an address has its ampersands escaped.
    text = "".join(text.split()).strip(_QUOTES).replace("&amp;", "&")
    if not text:
        raise NotAnAnswer("Nothing was pasted. Copy the address of the page that Spotify led to.")
    address, mark, query = text.partition("?")
    if not mark and "=" in text:
        address, query = "", text
    host = address.rpartition("://")[2].partition("/")[0].lower()
    if host == spotify or host.endswith(".spotify.com"):
        raise NotAnAnswer(
            "That is a page of Spotify's own. Agree there first; then copy the address of the page "
            "that opens next, which may look broken."
        )
    sent = dict(parse_qsl(query.partition("#")[0]))
    state, code, error = sent.get("state", ""), sent.get("code", ""), sent.get("error", "")
    if not state and not code and not error:
        raise NotAnAnswer(
            "That address has no answer from Spotify in it. The right one has “code=” in it: it is "
            "the page that opened after you agreed."
        )
    if len(state) < STATE_LENGTH:
        raise NotAnAnswer("The end of the address is missing. Copy all of it, to its last letter.")
    return Answer(state, "" if error else code, error)
