"""Recognises songs that Spotify shows under another id than they were added by; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from syncify.text import folded

if TYPE_CHECKING:
    from syncify.spotify.types import PlaylistRow

#: Milliseconds by which two lengths of one recording differ at most.
SAME_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class Recording:
    """What tells a recording from others."""

    name: str
    artists: tuple[str, ...]
    isrc: str
    duration_ms: int


def relinked(
    base: Sequence[str | None], now: Sequence[PlaylistRow], known: Mapping[str, Recording]
) -> dict[str, str]:
    """The uri under which Spotify shows a song of ``base``, for each that it shows under another.

    Such a song is missing, and in its place stands a row that was not there before and is the
    same recording. ``known`` describes the songs of ``base`` by their uris.
    """
    uris = [row.uri for row in now]
    places = _places([uri for uri in base if uri], set(uris))
    found = {}
    fresh = defaultdict(list)
    common = set(base) & set(uris)
    place = 0
    for row in now:
        if row.uri in common:
            place += 1
        elif row.uri is not None and row.kind == "track":
            fresh[place].append(row)
    for song, at in places.items():
        for row in fresh[at]:
            if song in known and row.uri and _is_same(known[song], row):
                found[song] = row.uri
                fresh[at].remove(row)
                break
    return found


def _places(base: Iterable[str], now: set[str | None]) -> dict[str, int]:
    """How many songs that are still there stand above each song that is not."""
    places, above = {}, 0
    for uri in base:
        if uri in now:
            above += 1
        else:
            places[uri] = above
    return places


def _is_same(song: Recording, row: PlaylistRow) -> bool:
    if song.isrc and song.isrc == row.isrc:
        return True
    pairs = zip_longest(song.artists, row.artists, fillvalue="")
    return (
        bool(song.name)
        and folded(song.name) == folded(row.name)
        and all(folded(ours) == folded(theirs) for ours, theirs in pairs)
        and abs(song.duration_ms - row.duration_ms) <= SAME_LENGTH
    )


def as_added(
    uris: Iterable[str | None], shown_as: Mapping[str, str], wanted: Sequence[str]
) -> list[str | None]:
    """The rows of a playlist by the uris under which songs were added.

    A row that stands for several wanted songs is taken for each of them in their order.
    """
    names: defaultdict[str, list[str]] = defaultdict(list)
    held = set(wanted)
    for uri, shown in shown_as.items():
        if uri not in held:
            names[shown].append(uri)
    for uri in wanted:
        if uri in shown_as:
            names[shown_as[uri]].append(uri)
    for shown in names:
        if shown in held:
            names[shown].append(shown)
    taken: defaultdict[str, int] = defaultdict(int)
    rows: list[str | None] = []
    for row in uris:
        candidates = names.get(row, []) if row else []
        if row is None or not candidates:
            rows.append(row)
            continue
        rows.append(candidates[min(taken[row], len(candidates) - 1)])
        taken[row] += 1
    return rows
