"""Matching 10,000 likes with a music server of 50,000 songs: ``python -m bench.matching``.

The songs come as the database holds them, so that what unpacking takes counts too. Time is that of
the processor. Memory is the most that the process ever had, beyond what it had before.
"""

import random
import resource
import time
from concurrent.futures import ProcessPoolExecutor

from bench.setup import head, line, set_up

set_up("matching", SYNCIFY_LOG_LEVEL="WARNING")

from sync.targets.matching import Catalogue, Found, Wanted, match  # noqa: E402
from sync.targets.protocol import RemoteSong  # noqa: E402
from sync.targets.subsonic.catalogue import pack, row_of, songs_in, unpack  # noqa: E402

LIKES, SONGS, ALBUM = 10_000, 50_000, 12
MOST_SECONDS, MOST_MB = 5.0, 100.0
_ENDINGS = ["", "", "", " (Live)", " - 2011 Remaster", " (feat. Somebody Else)", " [Acoustic]"]


def packed_songs() -> bytes:
    albums = {
        f"album {first}": (
            "marks",
            [row_of(song(number)) for number in range(first, first + ALBUM)],
        )
        for first in range(0, SONGS, ALBUM)
    }
    return pack(albums)


def song(number: int) -> RemoteSong:
    draw = random.Random(number)
    return RemoteSong(
        id=f"{number:032x}",
        title=f"The Söng of Number {number % 40_000}{draw.choice(_ENDINGS)}",
        artist=f"Artist {number % 3_000} & The Others",
        album=f"Album {number // ALBUM}",
        seconds=draw.randint(100, 400),
    )


def likes() -> list[Wanted]:
    draw = random.Random(0)
    found = []
    for number in draw.sample(range(SONGS), LIKES):
        there = song(number)
        found.append(
            Wanted(
                id=f"{number:022}",
                title=there.title.replace("ö", "o"),
                artist=there.artist.partition(" & ")[0],
                album=there.album,
                duration_ms=there.seconds * 1_000 + draw.randint(-9_000, 9_000),
                isrc=f"XSAAA{number:07}",
            )
        )
    return found


def peak() -> float:
    """MB that this process had at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    # In a separate process, so that the preparation does not count for the peak.
    with ProcessPoolExecutor(1) as other:
        packed = other.submit(packed_songs).result()
    before, began = peak(), time.process_time()
    catalogue = Catalogue(songs_in(unpack(packed)))
    read = time.process_time()
    verdicts = match(likes(), catalogue, by_hand={}, present={})
    seconds, megabytes = time.process_time() - began, peak() - before
    found = sum(isinstance(each, Found) for each in verdicts.values())
    head("likes", "songs", "found", "unpacked and indexed", "in all, of CPU", "more memory")
    line(
        f"{LIKES:,}",
        f"{len(catalogue):,}",
        f"{found:,}",
        f"{read - began:.2f} s",
        f"{seconds:.2f} s",
        f"{megabytes:.0f} MB",
    )
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MB


if __name__ == "__main__":
    main()
