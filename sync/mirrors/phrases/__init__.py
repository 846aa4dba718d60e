"""The phrases that the parser of sentences knows, each with the tests or settings it means."""

from sync.mirrors.phrases import lists, songs, times
from sync.mirrors.phrases.base import PHRASES, Context, Found, Phrase, Raw, test

__all__ = ["PHRASES", "Context", "Found", "Phrase", "Raw", "lists", "songs", "test", "times"]
