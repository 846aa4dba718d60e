"""Finds the song of a service that matches a given song; pure, and it never guesses.

A choice by hand has priority over the ISRC, and the ISRC over title and artist. Title with version
words and first artist must be equal, and the lengths may differ by five seconds. Other songs are
missing, with the reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sync.targets.folding import Title, artist_keys, fold, fold_artist, fold_title, is_movement
from sync.targets.protocol import RemoteSong, minutes

#: The largest difference in seconds between lengths of one recording.
CLOSE = 5.0
#: The same with equal ISRCs: strong evidence, but labels reuse them.
CLOSE_BY_ISRC = 8.0
_MOST_NAMED = 3


class How(StrEnum):
    BY_HAND = "by_hand"
    ISRC = "isrc"
    TITLE = "title"
    REMASTER = "remaster"  #: like TITLE, but one of the two is a remaster or another edition.


class Missing(StrEnum):
    NOT_THERE = "not_there"  #: no song of this title by this artist.
    OTHER_VERSIONS = "other_versions"  #: only other versions, such as live or acoustic.
    OTHER_LENGTH = "other_length"  #: only longer or shorter ones.
    OTHER_ALBUM = "other_album"  #: a vague title, found only on other albums.
    BY_HAND = "by_hand"  #: the listener chose that the service does not have it.
    GONE = "gone"  #: the listener's own choice is no longer on the server.


@dataclass(frozen=True, slots=True)
class Wanted:
    """A song as Spotify describes it."""

    id: str
    title: str
    artist: str  #: the first
    album: str = ""
    duration_ms: int = 0
    isrc: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    remote_id: str
    how: How


@dataclass(frozen=True, slots=True)
class NotFound:
    why: Missing
    #: The songs that the service has instead, for people: titles or lengths.
    instead: str = ""


type Verdict = Found | NotFound


@dataclass(frozen=True, slots=True)
class Entry:
    song: RemoteSong
    title: Title


class Catalogue:
    """An index of a service's songs."""

    def __init__(self, songs: Iterable[RemoteSong]) -> None:
        self._by_id: dict[str, Entry] = {}
        self._by_isrc: dict[str, list[Entry]] = {}
        self._by_name: dict[str, list[Entry]] = {}
        for song in songs:
            if song.id in self._by_id:
                continue
            entry = Entry(song, fold_title(song.title))
            self._by_id[song.id] = entry
            for isrc in song.isrcs:
                self._by_isrc.setdefault(_plain_isrc(isrc), []).append(entry)
            for artist in artist_keys(song.artist):
                self._by_name.setdefault(_key(entry.title.base, artist), []).append(entry)

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, remote_id: str) -> bool:
        return remote_id in self._by_id

    def find(self, wanted: Wanted, *, present: str = "") -> Verdict:
        """``present`` is the previous match; it is kept if several songs fit."""
        if found := self._by_recording(wanted, present):
            return Found(found.song.id, How.ISRC)
        title = fold_title(wanted.title)
        entries = self._by_name.get(_key(title.base, fold_artist(wanted.artist)), [])
        if not entries:
            return NotFound(Missing.NOT_THERE)
        same_version = [each for each in entries if each.title.hard == title.hard]
        if not same_version:
            return NotFound(Missing.OTHER_VERSIONS, _titles(entries))
        if is_movement(wanted.title):
            album = fold(wanted.album)
            same_version = [each for each in same_version if fold(each.song.album) == album]
            if not same_version:
                return NotFound(Missing.OTHER_ALBUM, _titles(entries))
        close = [each for each in same_version if _is_close(each, wanted, CLOSE)]
        if not close:
            return NotFound(Missing.OTHER_LENGTH, _lengths(same_version))
        exact = [each for each in close if each.title.soft == title.soft]
        best = _best(exact or close, wanted, present)
        return Found(best.song.id, How.TITLE if exact else How.REMASTER)

    def _by_recording(self, wanted: Wanted, present: str) -> Entry | None:
        entries = self._by_isrc.get(_plain_isrc(wanted.isrc), []) if wanted.isrc else []
        close = [
            each
            for each in entries
            if _is_close(each, wanted, CLOSE_BY_ISRC) or not _is_known(each, wanted)
        ]
        return _best(close, wanted, present) if close else None


def match(
    wanted: Iterable[Wanted],
    catalogue: Catalogue,
    *,
    by_hand: Mapping[str, str],
    present: Mapping[str, str],
    gone: Iterable[str] = (),
) -> dict[str, Verdict]:
    """A verdict for each song.

    ``by_hand`` holds the listener's own choices, "" for "it is not there"; those whose remote song
    is ``gone`` count as missing. ``present`` is what was found last time.
    """
    lost = set(gone)
    verdicts: dict[str, Verdict] = {}
    for song in wanted:
        if (chosen := by_hand.get(song.id)) is None:
            verdicts[song.id] = catalogue.find(song, present=present.get(song.id, ""))
        elif not chosen:
            verdicts[song.id] = NotFound(Missing.BY_HAND)
        elif chosen in lost:
            verdicts[song.id] = NotFound(Missing.GONE)
        else:
            verdicts[song.id] = Found(chosen, How.BY_HAND)
    return verdicts


def agrees(wanted: Wanted, *, title: str, artist: str) -> bool:
    """Whether a recording without a length matches this song."""
    ours, theirs = fold_title(wanted.title), fold_title(title)
    same_title = ours.base == theirs.base and ours.hard == theirs.hard
    return same_title and fold_artist(wanted.artist) in artist_keys(artist)


def _best(entries: list[Entry], wanted: Wanted, present: str) -> Entry:
    album = fold(wanted.album)
    return min(
        entries,
        key=lambda each: (
            each.song.id != present,
            fold(each.song.album) != album,
            _distance(each, wanted),
            each.song.id,
        ),
    )


def _distance(entry: Entry, wanted: Wanted) -> float:
    """Seconds between the two lengths; infinite where one is not known."""
    if not _is_known(entry, wanted):
        return float("inf")
    return abs(entry.song.seconds - wanted.duration_ms / 1000)


def _is_known(entry: Entry, wanted: Wanted) -> bool:
    return bool(entry.song.seconds and wanted.duration_ms)


def _is_close(entry: Entry, wanted: Wanted, limit: float) -> bool:
    return _distance(entry, wanted) <= limit


def _titles(entries: list[Entry]) -> str:
    titles = list(dict.fromkeys(each.song.title for each in entries))
    return "; ".join(titles[:_MOST_NAMED])


def _lengths(entries: list[Entry]) -> str:
    seconds = sorted({each.song.seconds for each in entries})[:_MOST_NAMED]
    return ", ".join(minutes(each) if each else "unknown" for each in seconds)


def _key(base: str, artist: str) -> str:
    return f"{base}\0{artist}"


def _plain_isrc(isrc: str) -> str:
    return isrc.replace("-", "").replace(" ", "").upper()
