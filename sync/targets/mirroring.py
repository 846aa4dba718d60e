"""Makes a playlist and the loved songs of a service equal to the wanted songs.

Every attempt reads the playlist and plans again, so an interrupted attempt needs no repair.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sync.targets.protocol import NotFound, NotKept, Refused, Target

#: An unusual answer is believed if it is the same after this time.
DOUBT = timedelta(minutes=10)
#: One such answer: a playlist of this size or more would lose more than half of its songs.
LARGE = 50
_MOST_NAMES = 20
_MOST_LOST = 50


class Copy(Protocol):
    """The stored state of the playlist at the service."""

    #: "" until the playlist exists.
    remote_id: str
    #: The mirror's name when the playlist was last named, and the name that it got.
    asked_name: str
    written_name: str
    #: Why the last attempt did not change the playlist, and since when; "" and None otherwise.
    doubt: str
    doubt_since: datetime | None


type Save = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    #: Songs in the playlist afterwards.
    count: int
    added: int = 0
    removed: int = 0
    wrote: bool = False
    #: Songs that the service does not have.
    lost: frozenset[str] = frozenset()
    #: Why the playlist was not changed: ``empty``, ``shrinks`` or ``gone``.
    left: str = ""


def bring_up_to_date(
    target: Target,
    copy: Copy,
    *,
    name: str,
    wanted: Sequence[str],
    now: datetime,
    save: Save,
) -> Outcome:
    """Make the playlist hold ``wanted``, each song once; a write only where something differs.

    ``save`` stores ``copy`` at once, so that a later attempt knows what this one has begun. A
    playlist that has songs is never emptied. Raises NotKept when the service shows something else
    than what was written, and every other TargetError.
    """
    wanted = list(dict.fromkeys(wanted))
    if not copy.remote_id:
        if not wanted:
            return Outcome(0, left="empty")
        _create(target, copy, name=name, wanted=wanted, save=save)
        is_new = True
    else:
        is_new = False
    present = target.read_playlist(copy.remote_id, expected=len(wanted))
    if present is None:
        if not _is_sure(copy, "gone", now, save):
            return Outcome(0, left="gone")
        copy.remote_id = copy.written_name = copy.asked_name = ""
        _settle(copy, save)
        return bring_up_to_date(target, copy, name=name, wanted=wanted, now=now, save=save)
    if present and not wanted:
        return Outcome(len(present), left="empty")
    leaving = len(set(present) - set(wanted))
    if (
        len(present) >= LARGE
        and leaving * 2 > len(present)
        and not _is_sure(copy, "shrinks", now, save)
    ):
        return Outcome(len(present), left="shrinks")
    if present == wanted:
        _settle(copy, save)
        _rename(target, copy, name=name, save=save)
        added = len(present) if is_new else 0
        return Outcome(len(present), added=added, wrote=is_new)
    target.write_playlist(copy.remote_id, present, wanted)
    kept, lost = _kept(target, copy.remote_id, wanted)
    _settle(copy, save)
    _rename(target, copy, name=name, save=save)
    before = set() if is_new else set(present)
    return Outcome(
        len(kept),
        added=len(set(kept) - before),
        removed=len(before - set(kept)),
        wrote=True,
        lost=lost,
    )


def add_loves(
    target: Target,
    wanted: Sequence[str],
    *,
    progress: Callable[[float], None],
) -> int:
    """Love the ``wanted`` songs that are not loved yet; removes none. Returns their number."""
    loved = target.loved()
    new = [each for each in dict.fromkeys(wanted) if each not in loved]
    for number, song in enumerate(new):
        try:
            target.love(song)
        except (NotFound, Refused):
            continue  # only this song is affected; the read below shows that it is not loved
        progress((number + 1) / len(new))
    return len(set(new) & target.loved()) if new else 0


def _create(target: Target, copy: Copy, *, name: str, wanted: Sequence[str], save: Save) -> None:
    if not copy.written_name:
        # Stored before the playlist is made: an attempt that dies in between leaves a playlist of
        # this name, and the next one takes it instead of making a second.
        copy.asked_name, copy.written_name = name, _unused(target, name)
        save()
        found = None
    else:
        found = target.find_playlist(copy.written_name)
    if found is None:
        found = target.create_playlist(copy.written_name, wanted)
    copy.remote_id = found
    save()


def _unused(target: Target, name: str) -> str:
    """A name that no playlist of the listener has, so that none is overwritten."""
    names = [name, f"{name} (Syncify)"]
    names += [f"{name} (Syncify {number})" for number in range(2, _MOST_NAMES)]
    for each in names:
        if target.find_playlist(each) is None:
            return each
    raise Refused(f"There are too many playlists named “{name}” on the server.")


def _rename(target: Target, copy: Copy, *, name: str, save: Save) -> None:
    """Rename the playlist if the mirror was renamed; otherwise keep its name at the service."""
    if copy.asked_name == name:
        return
    unused = _unused(target, name)
    target.rename_playlist(copy.remote_id, unused)
    copy.asked_name, copy.written_name = name, unused
    save()


def _kept(
    target: Target, playlist_id: str, wanted: Sequence[str]
) -> tuple[list[str], frozenset[str]]:
    """The songs of the playlist after a write, and those that the service lacks."""
    kept = target.read_playlist(playlist_id, expected=len(wanted))
    if kept == wanted:
        return kept, frozenset()
    if kept:
        there = set(kept)
        lost = frozenset(each for each in wanted if each not in there)
        in_order = kept == [each for each in wanted if each in there]
        if in_order and 0 < len(lost) <= _MOST_LOST and target.unknown(lost) == lost:
            return kept, lost
    raise NotKept("The service did not keep the playlist as it was written.")


def _is_sure(copy: Copy, doubt: str, now: datetime, save: Save) -> bool:
    """Whether the same doubt was stored long enough ago; stores it otherwise."""
    if copy.doubt == doubt and copy.doubt_since is not None:
        return now - copy.doubt_since >= DOUBT
    copy.doubt, copy.doubt_since = doubt, now
    save()
    return False


def _settle(copy: Copy, save: Save) -> None:
    if copy.doubt:
        copy.doubt, copy.doubt_since = "", None
        save()
