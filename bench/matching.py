"""Time and memory of matching 10,000 likes with a music server of 50,000 songs."""

import random
import time

import psutil

from sync.targets.matching import Catalogue, Found, Wanted, match
from sync.targets.protocol import RemoteSong

LIKES, SONGS = 10_000, 50_000
MOST_SECONDS, MOST_BYTES = 5.0, 100 * 2**20
_ENDINGS = ["", "", "", " (Live)", " - 2011 Remaster", " (feat. Somebody Else)", " [Acoustic]"]


def songs() -> list[RemoteSong]:
    draw = random.Random(1)
    return [
        RemoteSong(
            id=f"{number:032x}",
            title=f"The Söng of Number {number % 40_000}{draw.choice(_ENDINGS)}",
            artist=f"Artist {number % 3_000} & The Others",
            album=f"Album {number // 12}",
            seconds=draw.randint(100, 400),
        )
        for number in range(SONGS)
    ]


def likes(there: list[RemoteSong]) -> list[Wanted]:
    draw = random.Random(2)
    return [
        Wanted(
            id=f"{number:022}",
            title=song.title.replace("ö", "o"),
            artist=song.artist.partition(" & ")[0],
            album=song.album,
            duration_ms=song.seconds * 1_000 + draw.randint(-9_000, 9_000),
            isrc=f"XSAAA{number:07}",
        )
        for number, song in enumerate(draw.sample(there, LIKES))
    ]


def main() -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    there = songs()
    wanted = likes(there)
    began = time.perf_counter()
    verdicts = match(wanted, Catalogue(there), by_hand={}, present={})
    took = time.perf_counter() - began
    grown = process.memory_info().rss - before
    found = sum(isinstance(each, Found) for each in verdicts.values())
    print(
        f"{LIKES:,} likes, {SONGS:,} songs: {found:,} found in {took:.2f} s, "
        f"{grown / 2**20:.0f} MB more memory (songs and likes included)"
    )
    assert took < MOST_SECONDS
    assert grown < MOST_BYTES


if __name__ == "__main__":
    main()
