"""Finds the playlists that Syncify 2 kept for a listener."""

import re
from collections import defaultdict
from collections.abc import Iterable

from sync.mirrors.planner import PLAYLIST_CAPACITY
from syncify.spotify.types import Playlist

#: "Syncify 1/2"; earlier versions wrote "Syncify (Liked Songs) 1/2".
_NAME = re.compile(r"Syncify (\(Liked Songs\) )?([1-9]\d*)/([1-9]\d*)")


def playlists_to_adopt(own: Iterable[Playlist], songs: int) -> dict[int, Playlist]:
    """Of a listener's own playlists, in Spotify's order, those that Syncify 2 kept, by number.

    It named playlist k of n "Syncify k/n", and left all behind for new ones when n changed: the
    set that fits the number of songs counts, or else the largest. No number is higher than the
    songs need.
    """
    sets: defaultdict[tuple[bool, bool, int], dict[int, Playlist]] = defaultdict(dict)
    needed = max(1, -(-songs // PLAYLIST_CAPACITY))
    for playlist in own:
        if name := _NAME.fullmatch(playlist.name):
            number, count = int(name[2]), int(name[3])
            if number <= min(count, needed):
                sets[not name[1], count == needed, count].setdefault(number, playlist)
    return sets[max(sets)] if sets else {}
