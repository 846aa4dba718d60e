"""Mirrors with songs of other listeners, and the source of these songs.

``sync.sharing`` stores who agreed to share with whom. This room must not import it, so it passes
its function to ``provide`` when the app starts.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from django.db.models import QuerySet

from sync.mirrors.rules import PairSongs, SharedSongs
from sync.models import Mirror, SavedTrack


class Provider(Protocol):
    """The likes of ``songs`` that a listener may see at this moment: none without consent."""

    def __call__(self, user_id: int, songs: SharedSongs) -> QuerySet[SavedTrack]: ...


#: A source with one of these names has songs of other listeners.
KEYS = ("pair", "household")

_provided: list[Provider] = []


def provide(provider: Provider) -> None:
    """Let rules over pairs and households select from what ``provider`` returns."""
    _provided[:] = [provider]


def songs_for(user_id: int) -> Callable[[SharedSongs], QuerySet[SavedTrack]] | None:
    """What ``Scope.shared_songs`` takes, for the mirrors of a listener."""
    return partial(_provided[0], user_id) if _provided else None


def is_shared(mirror: Mirror) -> bool:
    """Whether the rule of ``mirror`` selects songs of other listeners."""
    source = mirror.rule.get("source") if isinstance(mirror.rule, dict) else None
    return isinstance(source, dict) and any(key in source for key in KEYS)


def key_of(kind: type[SharedSongs]) -> str:
    """The name in a rule's source that holds the id of the pair or household."""
    return "pair" if kind is PairSongs else "household"
