"""The edits that change one list of recordings into another; pure.

ListenBrainz inserts and deletes at positions; it cannot replace a playlist. Songs that keep their
order are not changed. New songs are inserted before others are deleted, so that an interrupted
attempt never leaves an empty playlist.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Insert:
    at: int
    songs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    at: int
    count: int


type Edit = Insert | Delete


def plan(present: Sequence[str], wanted: Sequence[str], *, most: int) -> list[Edit]:
    """The edits in order; ``wanted`` has no repeats, an insertion takes ``most`` songs."""
    staying = _staying(present, wanted)
    inserts: list[Edit] = []
    doomed: list[int] = []  # positions after all insertions
    place, read = 0, 0
    run: list[str] = []

    def insert_run() -> None:
        nonlocal place, run
        for start in range(0, len(run), most):
            chunk = tuple(run[start : start + most])
            inserts.append(Insert(place, chunk))
            place += len(chunk)
        run = []

    for song in wanted:
        if (old := staying.get(song)) is None:
            run.append(song)
            continue
        insert_run()
        doomed += range(place, place + old - read)
        place += old - read + 1
        read = old + 1
    insert_run()
    doomed += range(place, place + len(present) - read)
    return inserts + _deletes(doomed)


def _staying(present: Sequence[str], wanted: Sequence[str]) -> dict[str, int]:
    """The longest sequence of songs in the same order in both, with positions in ``present``."""
    order = {song: number for number, song in enumerate(wanted)}
    seen: set[str] = set()
    ends: list[int] = []  # the lowest last number of a rising run of each length
    last_of: list[int] = []  # its position in ``present``
    before: dict[int, int | None] = {}
    for at, song in enumerate(present):
        if song not in order or song in seen:
            continue
        seen.add(song)
        length = bisect_left(ends, order[song])
        before[at] = last_of[length - 1] if length else None
        if length == len(ends):
            ends.append(order[song])
            last_of.append(at)
        else:
            ends[length], last_of[length] = order[song], at
    staying: dict[str, int] = {}
    at_last: int | None = last_of[-1] if last_of else None
    while at_last is not None:
        staying[present[at_last]] = at_last
        at_last = before[at_last]
    return staying


def _deletes(places: list[int]) -> list[Edit]:
    """From the end, so that a deletion does not change later positions; neighbours together."""
    deletes: list[Edit] = []
    for place in reversed(places):
        if deletes and isinstance(last := deletes[-1], Delete) and last.at == place + 1:
            deletes[-1] = Delete(place, last.count + 1)
        else:
            deletes.append(Delete(place, 1))
    return deletes
