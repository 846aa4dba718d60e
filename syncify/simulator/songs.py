"""An invented catalogue and seeded libraries: the same names, ids and dates every time."""

# ruff: noqa: S311 - the same names and ids every time are the point

import string
from bisect import bisect
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

from syncify.simulator import names
from syncify.simulator.names import STYLES, Style

BASE62 = string.digits + string.ascii_letters
ARTISTS = 900
NEWEST_SEEDED_LIKE = datetime(2026, 5, 30, 18, 3, 11, tzinfo=UTC)
#: The age of a listener's oldest like; less for small libraries.
LONGEST_HISTORY = timedelta(days=8 * 365)
DAYS_A_LIKE = timedelta(days=16)
#: The catalogue songs that one listener can like.
MOST_KNOWN = 12_000
LAST_RELEASE = date(2026, 5, 22)
#: Share of likes close to the previous one: the same date or evening.
TOGETHER, SAME_EVENING = 0.2, 0.3
#: Likes by month, January first, relative to an average month.
SEASON = (1.3, 1.1, 0.9, 0.9, 1.0, 0.8, 0.7, 0.7, 1.0, 1.1, 1.2, 1.4)


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
    album_type: str = "album"
    disc_number: int = 1
    total_tracks: int = 14

    @property
    def uri(self) -> str:
        return f"spotify:{self.type}:{self.id}"


@dataclass(frozen=True, slots=True, eq=False)
class Artist:
    number: int
    id: str
    name: str
    style: Style

    @property
    def reference(self) -> tuple[str, str]:
        return self.id, self.name


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    artist: Artist
    number: int
    id: str
    name: str
    type: str
    released: date
    tracks: int


def base62(random: Random, length: int = 22) -> str:
    return "".join(random.choices(BASE62, k=length))


# --- The catalogue ------------------------------------------------------------------------------


@cache
def artists() -> tuple[Artist, ...]:
    """All artists, with unique names."""
    made: dict[str, Artist] = {}
    random = Random("artists")
    while len(made) < ARTISTS:
        style = random.choice(STYLES)
        name = names.artist_name(random, style)
        if name not in made:
            made[name] = Artist(len(made), base62(random), name, style)
    return tuple(made.values())


@cache
def artists_by_id() -> dict[str, Artist]:
    return {artist.id: artist for artist in artists()}


@cache
def albums(number: int) -> tuple[Album, ...]:
    """An artist's albums, oldest first."""
    artist, random = artists()[number], Random(f"albums {number}")
    year = random.randint(artist.style.since, 2023)
    made = []
    for place in range(random.randint(3, 7)):
        released = date(year, random.randint(1, 12), random.randint(1, 28))
        if released > LAST_RELEASE:
            break
        kind = random.choices(("album", "single", "compilation"), (70, 24, 6))[0]
        tracks = random.randint(1, 3) if kind == "single" else random.randint(8, 16)
        name = names.title(random, artist.style)
        if kind == "compilation":
            name = f"The Best of {artist.name}"
        made.append(Album(artist, place, base62(random), name, kind, released, tracks))
        year += random.choice((1, 1, 2, 2, 3, 4, 6))
    return tuple(made)


@cache
def releases() -> tuple[Album, ...]:
    """All albums of all artists, oldest first."""
    found = [album for number in range(ARTISTS) for album in albums(number)]
    return tuple(sorted(found, key=lambda album: (album.released, album.id)))


@cache
def _release_dates() -> tuple[date, ...]:
    return tuple(album.released for album in releases())


def track(album: Album, place: int) -> Song:
    """The song at ``place`` of an album, from 0."""
    artist, style = album.artist, album.artist.style
    random = Random(f"track {artist.number} {album.number} {place}")
    song_id = base62(random)
    name = album.name if album.type == "single" and place == 0 else names.title(random, style)
    others = [artist.reference]
    if random.random() < (0.3 if style.explicit > 0.5 else 0.08):
        guest = random.choice(artists()).reference
        if guest != artist.reference:
            others.append(guest)
            name = f"{name} (feat. {guest[1]})"
    return Song(
        id=song_id,
        name=name,
        artists=tuple(others),
        album_id=album.id,
        album=album.name,
        release_date=_as_written(album),
        track_number=place % 10 + 1 if album.tracks > 14 else place + 1,
        duration_ms=random.randint(*style.seconds) * 1000 + random.randrange(1000),
        explicit=random.random() < style.explicit,
        isrc=_isrc(random, album.released.year),
        album_type=album.type,
        disc_number=place // 10 + 1 if album.tracks > 14 else 1,
        total_tracks=album.tracks,
    )


def _as_written(album: Album) -> str:
    """Many older albums have a year only."""
    old = album.released.year < 1990 and album.artist.number % 3 == 0
    return str(album.released.year) if old else album.released.isoformat()


def _isrc(random: Random, year: int) -> str:
    """With the code of a country that does not exist."""
    label = "".join(random.choices(string.ascii_uppercase, k=3))
    return f"XS{label}{year % 100:02d}{random.randrange(100_000):05d}"


def another_version(song: Song, random: Random, until: date) -> Song:
    """The same song as brought out again by ``until``: remastered, live, alone, or without words.

    A single holds the same recording, so it has the same ISRC; the others are recordings anew.
    """
    year, last = int(song.release_date[:4]), until.year
    released = f"{random.randint(min(year, last), last)}-{random.randint(1, 12):02d}-01"
    if int(released[:4]) == last:
        released = str(last)
    fresh = replace(
        song,
        id=base62(random),
        album_id=base62(random),
        release_date=released,
        isrc=_isrc(random, int(released[:4])),
        duration_ms=song.duration_ms + random.randint(-1500, 1500),
    )
    if song.explicit and random.random() < 0.7:
        return replace(fresh, explicit=False, release_date=song.release_date)
    match random.randrange(3):
        case 0 if last - year >= 8:
            name = f"{song.name} - {released[:4]} Remaster"
            return replace(fresh, name=name, album=f"{song.album} (Deluxe Edition)")
        case 1:
            there = names.place(random)
            longer = song.duration_ms + random.randint(8_000, 60_000)
            return replace(
                fresh, name=f"{song.name} - Live", album=f"Live in {there}", duration_ms=longer
            )
    return replace(
        fresh,
        album=song.name,
        album_type="single",
        total_tracks=1,
        track_number=1,
        disc_number=1,
        isrc=song.isrc,
        duration_ms=song.duration_ms,
        release_date=song.release_date,
    )


def invent(random: Random) -> Song:
    """A new song at the end of an existing album."""
    album = random.choice(releases())
    style = album.artist.style
    return Song(
        id=base62(random),
        name=names.title(random, style),
        artists=(album.artist.reference,),
        album_id=album.id,
        album=album.name,
        release_date=_as_written(album),
        track_number=album.tracks + 1,
        duration_ms=random.randint(*style.seconds) * 1000,
        explicit=random.random() < style.explicit,
        isrc=_isrc(random, album.released.year),
        album_type=album.type,
        total_tracks=album.tracks + 1,
    )


# --- Libraries ----------------------------------------------------------------------------------

SEEDED: dict[str, Song] = {}  # every song of the seeded libraries so far


class _Taste:
    """One listener's taste: permanent artists, temporary artists, and new songs."""

    def __init__(self, listener: str) -> None:
        self._listener = listener
        self._random = Random(f"taste of {listener}")
        self._loved = self._ranking(f"loved by {listener}")
        self._phases: dict[int, tuple[list[int], list[float]]] = {}

    @staticmethod
    def _ranking(seed: str) -> tuple[list[int], list[float]]:
        random = Random(seed)
        styles = random.sample(STYLES, 3)
        order = sorted(
            range(ARTISTS),
            key=lambda number: random.random() / (2.5 if artists()[number].style in styles else 1),
        )
        return order, list(accumulate((place + 3) ** -1.1 for place in range(ARTISTS)))

    def pick(self, at: datetime) -> tuple[Album, int] | None:
        """Album and place of a song released by then; None if the first choice was not."""
        random, today = self._random, at.date()
        if random.random() < 0.25:  # released in the year before
            first = bisect(_release_dates(), today - timedelta(days=365))
            last = bisect(_release_dates(), today)
            if first == last:
                return None
            album = releases()[random.randrange(first, last)]
        else:
            order, weights = self._loved if random.random() < 0.6 else self._phase(at)
            known = albums(random.choices(order, cum_weights=weights)[0])
            if not known:
                return None
            album = random.choice(known)
            if album.released > today:
                return None
        return album, random.randrange(album.tracks)

    def _phase(self, at: datetime) -> tuple[list[int], list[float]]:
        number = at.toordinal() // 150
        if number not in self._phases:
            self._phases[number] = self._ranking(f"phase {number} of {self._listener}")
        return self._phases[number]


@cache
def seeded(listener: str, size: int) -> tuple[Saved, ...]:
    """The library that ``listener`` starts with, newest first.

    One like in five was saved together with the one before it: equal dates. A few are of another
    version of a song that is liked too.
    """
    random, taste = Random(f"library of {listener}"), _Taste(listener)
    span = min(LONGEST_HISTORY, DAYS_A_LIKE * size)
    pause = span / max(size, 1) / (1 - TOGETHER) / (1 - SAME_EVENING)
    versions = 0.05 if size < 1_000 else 0.02
    # The catalogue is too small for the largest libraries.
    rarities = max(0.0, 1 - MOST_KNOWN / max(size, 1))
    at, saved, taken = NEWEST_SEEDED_LIKE, list[Saved](), set[tuple[Album, int]]()
    originals: list[Song] = []
    while len(saved) < size:
        if len(originals) > 10 and random.random() < versions:
            song = another_version(random.choice(originals[-200:]), random, at.date())
        elif random.random() < rarities:
            song = invent(random)
        else:
            picked = taste.pick(at)
            if picked is None or picked in taken:
                continue
            taken.add(picked)
            song = track(*picked)
            originals.append(song)
        SEEDED[song.id] = song
        saved.append(Saved(song.id, at))
        if random.random() >= TOGETHER:
            at -= _gap(random, at, pause)
    return tuple(saved)


def _gap(random: Random, at: datetime, pause: timedelta) -> timedelta:
    """The time since the previous like."""
    if random.random() < SAME_EVENING:
        return timedelta(seconds=random.randint(20, 1_200))
    days = pause.total_seconds() * random.expovariate(1) / SEASON[at.month - 1]
    return timedelta(seconds=1 + int(days))
