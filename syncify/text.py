"""Text that others wrote: names of songs, playlists and people, paths, answers of servers."""

import re
import unicodedata

# Control characters, line and paragraph separators, and what turns the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(name: str) -> str:
    """``name`` without what nobody sees but what changes the text around it."""
    return _UNSEEN.sub("", name)


def escaped(text: str) -> str:
    r"""``text`` on one line, with such characters as ``\n`` or ``\u202e``."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def folded(text: str) -> str:
    """``text`` as it is compared in searches and rules: without case, accents and extra spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain_letters = "".join(mark for mark in decomposed if not unicodedata.combining(mark))
    return " ".join(unicodedata.normalize("NFC", plain_letters).split())
