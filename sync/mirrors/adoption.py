"""Finds the playlists that Syncify 2 made for a listener, and adopts them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sync.mirrors.making import unused_playlists
from sync.mirrors.planner import PLAYLIST_CAPACITY
from sync.mirrors.volumes import Volume, new_volume, save_volumes

if TYPE_CHECKING:
    from sync.library.record import Record
    from sync.models import Mirror
    from sync.queue.job import Job
    from syncify.spotify import types

#: "Syncify 1/2"; earlier versions wrote "Syncify (Liked Songs) 1/2".
_NAME = re.compile(r"Syncify (\(Liked Songs\) )?([1-9]\d*)/([1-9]\d*)")


def playlists_to_adopt(own: Iterable[types.Playlist], songs: int) -> dict[int, types.Playlist]:
    """The playlists of Syncify 2 among a listener's own playlists, by number.

    It named playlist k of n "Syncify k/n", and left all behind for new ones when n changed: the
    set that fits the number of songs counts, or else the largest. No number is higher than the
    songs need.
    """
    sets: defaultdict[tuple[bool, bool, int], dict[int, types.Playlist]] = defaultdict(dict)
    needed = max(1, -(-songs // PLAYLIST_CAPACITY))
    for playlist in own:
        if name := _NAME.fullmatch(playlist.name):
            number, count = int(name[2]), int(name[3])
            if number <= min(count, needed):
                sets[not name[1], count == needed, count].setdefault(number, playlist)
    return sets[max(sets)] if sets else {}


def adopt_playlists(job: Job, record: Record, mirror: Mirror, songs: int) -> list[Volume]:
    """Adopt the playlists of Syncify 2: their links, names and songs stay."""
    found = playlists_to_adopt(unused_playlists(job), songs)
    volumes = [new_volume(mirror, number) for number in range(1, max(found, default=0) + 1)]
    for number, playlist in found.items():
        row = volumes[number - 1].playlist
        row.spotify_id, row.items_known = playlist.id, False  # the look reads them
        # A name that the listener set here after the import is written.
        row.details_written_at = job.user.date_joined
        row.checked_at = job.now()
    mirror.adopts_syncify2 = False
    with record.fenced(mirror):
        save_volumes(volumes)
        mirror.save(update_fields=["adopts_syncify2"])
    return volumes
