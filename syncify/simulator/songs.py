"""Invented songs and seeded libraries: the same names, ids and dates every time."""

# ruff: noqa: S311 - the same names and ids every time are the point

import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import NamedTuple

BASE62 = string.digits + string.ascii_letters
ARTISTS = 700
NEWEST_SEEDED_LIKE = datetime(2026, 5, 30, 18, 3, 11, tzinfo=UTC)
LONGEST_HISTORY = timedelta(days=3500)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    "Alma Bram Clio Dario Elke Fenna Gwen Hollis Ines Jorun Kasper Lieve Mirek Nadja Orla Pelle "
    "Quentin Rosalie Sanne Tove Ulla Viggo Wanda Xenia Yara Zeno"
)
_LAST = _words(
    "Ahlberg Bellweather Corvino Dunmore Eskelund Farrow Grimaldi Hathersage Iversby Jansma "
    "Kestrel Lindqvist Marlowe Norrbo Okafor Pemberly Quist Ravn Solheim Tamsin Ulverston "
    "Vantongeren Wexcombe Yarrow Zielonka"
)
_ADJECTIVE = _words(
    "Amber Borrowed Broken Crooked Distant Electric Empty Fading Folded Gentle Golden Hollow "
    "Hidden Idle Late Little Lonely Midnight Northern Paper Patient Quiet Restless Salted Second "
    "Silver Sleeping Slow Southern Sudden Tidal Velvet Violet Wandering Winter Wooden"
)
_NOUN = _words(
    "Airfields Almanac Anchors Avenues Bells Birches Bridges Cathedrals Cinema Copper Daylight "
    "Engines Ferries Fields Gardens Harbours Headlights Houses Islands Kites Ladders Lanterns "
    "Letters Maps Mirrors Motels Orchards Oceans Parades Photographs Rivers Satellites Shadows "
    "Signals Sparrows Stations Strangers Thunder Trains Weather Windows"
)
_ENDINGS = ("Tomorrow", "Again", "Without You", "by the Sea", "at Dawn", "for Now", "Back Home")


class Saved(NamedTuple):
    """One liked song: the bare id, and when it was liked."""

    id: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Song:
    """A track, or an episode of a podcast where ``type`` says so."""

    id: str
    name: str
    artists: tuple[tuple[str, str], ...]  # (id, name)
    album_id: str
    album: str
    release_date: str
    track_number: int
    duration_ms: int
    explicit: bool
    isrc: str
    type: str = "track"

    @property
    def uri(self) -> str:
        return f"spotify:{self.type}:{self.id}"


def base62(random: Random, length: int = 22) -> str:
    return "".join(random.choices(BASE62, k=length))


@cache
def _artist(number: int) -> tuple[str, str]:
    random = Random(f"artist {number}")
    name = random.choice(
        (
            f"{random.choice(_FIRST)} {random.choice(_LAST)}",
            f"The {random.choice(_ADJECTIVE)} {random.choice(_NOUN)}",
            f"{random.choice(_ADJECTIVE)} {random.choice(_NOUN)}",
            f"{random.choice(_LAST)} & {random.choice(_LAST)}",
        )
    )
    return base62(random), name


@cache
def _album(artist: int, number: int) -> tuple[str, str, str]:
    """Id, name and release date."""
    random = Random(f"album {artist} {number}")
    released = datetime(1972, 1, 1, tzinfo=UTC) + timedelta(days=random.randrange(19_700))
    return base62(random), _title(random), released.date().isoformat()


def _title(random: Random) -> str:
    adjective, noun = random.choice(_ADJECTIVE), random.choice(_NOUN)
    form = random.randrange(5)
    if form == 0:
        return f"{adjective} {noun} {random.choice(_ENDINGS)}"
    if form == 1:
        return f"{noun} {random.choice(_ENDINGS)}"
    if form == 2:
        return f"{noun} and {random.choice(_NOUN)}"
    return f"{adjective} {noun}"


def invent(random: Random) -> Song:
    artist = random.randrange(ARTISTS)
    guests = (_artist(random.randrange(ARTISTS)),) if random.random() < 0.1 else ()
    album_id, album, released = _album(artist, random.randrange(4))
    return Song(
        id=base62(random),
        name=_title(random),
        artists=(_artist(artist), *guests),
        album_id=album_id,
        album=album,
        release_date=released,
        track_number=random.randint(1, 14),
        duration_ms=random.randint(95_000, 420_000),
        explicit=random.random() < 0.08,
        isrc=f"XS{random.choice(_LAST)[:3].upper()}{random.randrange(10_000_000):07d}",
    )


SEEDED: dict[str, Song] = {}  # every song that a seeded library has brought so far


@cache
def seeded(listener: str, size: int) -> tuple[Saved, ...]:
    """The library that ``listener`` starts with, newest first.

    One like in five was saved together with the one before it: equal dates.
    """
    random = Random(f"library of {listener}")
    step = min(timedelta(days=3), LONGEST_HISTORY / max(size, 1)).total_seconds()
    at, saved = NEWEST_SEEDED_LIKE, []
    for _ in range(size):
        song = invent(random)
        SEEDED[song.id] = song
        saved.append(Saved(song.id, at))
        if random.random() >= 0.2:
            at -= timedelta(seconds=1 + int(random.expovariate(1 / step)))
    return tuple(saved)
