"""Finds likes of the same song, and selects those that a playlist keeps; pure.

A pair of songs has a grade: the same recording (1), the same song (2), its explicit and its clean
version (3), or perhaps the same (4). Grade 4 is only shown; a person decides.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from enum import IntEnum
from typing import Literal, NamedTuple

from sync.library.titles import RECORDINGS, Title, fold_title
from syncify.text import folded

KeepSame = Literal["all", "newest", "oldest"]
KeepTwin = Literal["both", "explicit", "clean"]

#: The largest difference of two lengths for each grade, in milliseconds.
RECORDING_APART = 8_000
SONG_APART = 2_000
TWINS_APART = 10_000
PERHAPS_APART = 15_000
#: A song is compared with this many of the next longer ones of the same name: enough for real
#: libraries, and a bound for artificial ones.
NEIGHBOURS = 64


class Grade(IntEnum):
    RECORDING = 1
    SONG = 2
    TWINS = 3
    PERHAPS = 4


class ComparedSong(NamedTuple):
    id: str
    title: str
    artists: tuple[str, ...]
    album: str
    isrc: str
    duration_ms: int
    explicit: bool
    liked_at: datetime


class Pair(NamedTuple):
    """Two songs, the lower id first."""

    first: str
    second: str
    grade: Grade


class Group(NamedTuple):
    """Songs that belong together, newest like first."""

    grade: Grade  # the least certain grade of its pairs
    ids: tuple[str, ...]


class _Known(NamedTuple):
    song: ComparedSong
    title: Title
    isrc: str
    album: str


def find_pairs(
    songs: Iterable[ComparedSong], different: Collection[frozenset[str]] = frozenset()
) -> list[Pair]:
    """All pairs with a grade, without those that the listener marked as ``different``."""
    by_name: dict[tuple[str, str], list[ComparedSong]] = defaultdict(list)
    by_isrc: dict[tuple[str, str], list[ComparedSong]] = defaultdict(list)
    artists: dict[str, str] = {}
    for song in songs:
        name = song.artists[0] if song.artists else ""
        artist = artists.get(name)
        if artist is None:
            artist = artists[name] = folded(name)
        by_name[artist, fold_title(song.title).base].append(song)
        if isrc := _isrc(song):
            by_isrc[artist, isrc].append(song)
    found: dict[frozenset[str], Pair] = {}
    for bucket in (*by_name.values(), *by_isrc.values()):
        # Most songs are alone.
        for one, other in _near(bucket) if len(bucket) > 1 else ():
            first, second = sorted((one.song.id, other.song.id))
            key = frozenset((first, second))
            if key not in found and key not in different and (grade := _grade(one, other)):
                found[key] = Pair(first, second, grade)
    return sorted(found.values())


def find_groups(songs: Collection[ComparedSong], pairs: Iterable[Pair]) -> list[Group]:
    """Groups of grades 1 to 3, then groups of grade 4; the most certain first."""
    pairs = list(pairs)
    sure = [pair for pair in pairs if pair.grade != Grade.PERHAPS]
    unsure = [pair for pair in pairs if pair.grade == Grade.PERHAPS]
    grouped = {each for pair in pairs for each in pair[:2]}
    members = sorted((song for song in songs if song.id in grouped), key=_newest_first)
    order = {song.id: place for place, song in enumerate(members)}
    groups = [*_groups(sure, order), *_groups(unsure, order)]
    return sorted(groups, key=lambda group: (group.grade, order[group.ids[0]]))


def left_out(
    songs: Collection[ComparedSong], pairs: Iterable[Pair], *, same: KeepSame, twin: KeepTwin
) -> set[str]:
    """The songs that a playlist with these settings leaves out.

    Each of them forms a pair with a song that stays in the playlist.
    """
    rivals: dict[str, set[str]] = defaultdict(set)
    for first, second, grade in pairs:
        if (same != "all" and grade <= Grade.SONG) or (twin != "both" and grade == Grade.TWINS):
            rivals[first].add(second)
            rivals[second].add(first)
    if not rivals:
        return set()
    paired = sorted((song for song in songs if song.id in rivals), key=_newest_first)
    if same == "oldest":
        paired.reverse()
    if twin != "both":
        paired.sort(key=lambda song: song.explicit != (twin == "explicit"))
    kept: set[str] = set()
    for song in paired:
        if rivals[song.id].isdisjoint(kept):
            kept.add(song.id)
    return {song.id for song in paired} - kept


def ids_with_duplicates(pairs: Iterable[Pair]) -> set[str]:
    """The songs with a duplicate of grade 1 to 3, for rules."""
    return {each for pair in pairs if pair.grade != Grade.PERHAPS for each in pair[:2]}


def _near(bucket: list[ComparedSong]) -> Iterator[tuple[_Known, _Known]]:
    in_order = sorted(bucket, key=lambda song: (song.duration_ms, song.id))
    known = [
        _Known(song, fold_title(song.title), _isrc(song), folded(song.album)) for song in in_order
    ]
    for place, one in enumerate(known):
        longest = one.song.duration_ms + PERHAPS_APART
        for other in known[place + 1 : place + 1 + NEIGHBOURS]:
            if other.song.duration_ms > longest:
                break
            if one.song.id != other.song.id:
                yield one, other


def _grade(one: _Known, other: _Known) -> Grade | None:
    """For two songs of one artist, with the same name or the same ISRC."""
    apart = abs(one.song.duration_ms - other.song.duration_ms)
    is_twin = one.song.explicit != other.song.explicit
    if one.isrc and one.isrc == other.isrc and apart <= RECORDING_APART:
        # An ISRC is not a proof: some labels gave one to a song and to its live recording.
        if _recording(one.title) != _recording(other.title):
            return Grade.PERHAPS
        return Grade.TWINS if is_twin else Grade.RECORDING
    if one.title.base != other.title.base or one.title.hard != other.title.hard:
        return None
    if (one.title.is_vague or other.title.is_vague) and one.album != other.album:
        return None
    if one.title.soft == other.title.soft:
        if not is_twin and apart <= SONG_APART:
            return Grade.SONG
        if is_twin and apart <= TWINS_APART:
            return Grade.TWINS
    return Grade.PERHAPS if apart <= PERHAPS_APART else None


def _recording(title: Title) -> set[str]:
    return {word for marker in title.hard for word in marker.split() if word in RECORDINGS}


def _groups(pairs: list[Pair], order: dict[str, int]) -> Iterator[Group]:
    leader: dict[str, str] = {}

    def lead(each: str) -> str:
        while (above := leader.setdefault(each, each)) != each:
            leader[each] = leader[above]
            each = above
        return each

    for first, second, _ in pairs:
        leader[lead(first)] = lead(second)
    members: dict[str, set[str]] = defaultdict(set)
    grades: dict[str, Grade] = {}
    for first, second, grade in pairs:
        top = lead(first)
        members[top] |= {first, second}
        grades[top] = max(grade, grades.get(top, grade))
    for top, ids in members.items():
        yield Group(grades[top], tuple(sorted(ids, key=order.__getitem__)))


def _isrc(song: ComparedSong) -> str:
    return song.isrc.replace("-", "").strip().upper()


def _newest_first(song: ComparedSong) -> tuple[float, str]:
    return (-song.liked_at.timestamp(), song.id)
