"""Mirrors that hold songs of other listeners, and where these songs come from.

``sync.sharing`` knows who agreed to share with whom, and this room must not import it: it hands
its function in with ``provide``, when the app starts.
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


#: The names that mark such a source in a rule.
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
