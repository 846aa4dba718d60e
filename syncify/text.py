"""Text: names and paths from elsewhere, made safe or comparable; and counted nouns."""

import re
import unicodedata

# Control characters, line and paragraph separators, and what turns the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(name: str) -> str:
    """``name`` without invisible characters that change the text around it."""
    return _UNSEEN.sub("", name)


def counted(number: int, noun: str, plural: str = "s") -> str:
    """Such as "1 song" or "1,200 songs"; ``plural`` is the ending."""
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def escaped(text: str) -> str:
    r"""``text`` on one line, with such characters as ``\n`` or ``\u202e``."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


# Letters that Unicode does not take apart, and signs that people type in their plain form.
_PLAIN_LETTERS = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i",
        "ħ": "h", "ŧ": "t", "ŋ": "n", "‘": "'", "’": "'", "ʼ": "'", "`": "'", "´": "'",
        "“": '"', "”": '"', "„": '"', "‐": "-", "–": "-", "—": "-", "−": "-",
    }
)  # fmt: skip


def folded(text: str) -> str:
    """``text`` as searches and rules compare it: without case, accents and extra spaces.

    Folding twice changes nothing. Marks that make another letter stay (Japanese voicing,
    vowel signs of Indic scripts).
    """
    if text.isascii():
        return " ".join(text.lower().replace("`", "'").split())
    # Decomposed twice: a letter may have its lower case only after the first time, and
    # accents only after the second.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(letter for letter in decomposed if not _is_accent(letter))
    return " ".join(unicodedata.normalize("NFC", kept.translate(_PLAIN_LETTERS)).split())


def _is_accent(letter: str) -> bool:
    """Whether ``letter`` is a mark above, below or across another one, or a vowel point."""
    place = unicodedata.combining(letter)
    return place == 1 or 10 <= place <= 36 or place >= 200
