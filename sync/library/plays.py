"""Reads Spotify's extended streaming history with limits; stores only plays of liked songs.

A history contains addresses, countries and devices. Only the times of plays leave this module, and
only until they are counted.
"""

import codecs
import io
import json
import re
import struct
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

from sync.library.duplicates import ComparedSong
from sync.library.titles import fold_title
from syncify.text import folded

ZIPPED_MAX = 200 * 2**20
UNZIPPED_MAX = 2 * 2**30
ENTRIES_MAX = 1_000
#: The maximum of the table of contents, which Python reads as a whole.
CONTENTS_MAX = 2**20
#: The maximum ratio of compression; real histories have about 20.
RATIO_MAX = 200
RATIO_COUNTS_FROM = 2**20
#: The maximum of one play, in characters.
ITEM_MAX = 2**16
CHUNK = 2**18
#: A shorter play does not count.
HEARD_MS = 30_000

_AUDIO = re.compile(r"(?:streaming_history_audio|endsong).*\.json", re.IGNORECASE)
_SHORT = re.compile(r"streaminghistory(?:_music)?_?\d*\.json", re.IGNORECASE)
_TRACK = re.compile(r"spotify:track:([0-9A-Za-z]{1,64})")
_END = b"PK\x05\x06"
_END_LENGTH = 22
_LONG_END = b"PK\x06\x07"

#: The liked track of a play, by id, title and artist; None for other songs.
Find = Callable[[str, str, str], str | None]
#: First and last second of a period, both included.
Range = tuple[int, int]


class HistoryRefused(Exception):
    """The upload is refused; the message gives the reason to the listener."""


class Heard(NamedTuple):
    plays: int
    last_played: datetime


@dataclass(slots=True)
class History:
    """The content of one upload."""

    #: The seconds at which the plays of each liked track ended.
    tracks: dict[str, array[int]] = field(default_factory=dict)
    #: Plays of at least 30 seconds, of any song.
    plays_read: int = 0
    #: Rows that are not a play of a song, or cannot be read.
    rows_skipped: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, at: int, track_id: str | None) -> None:
        self.plays_read += 1
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
        if track_id is not None:
            self.tracks.setdefault(track_id, array("I")).append(at)


def finder(songs: Iterable[ComparedSong]) -> Find:
    """Finds a play's song among ``songs``: by id, otherwise by title and first artist.

    A history often names another release of the song that was liked. If two likes have the
    same name, each play counts for the newest like.
    """
    ids: set[str] = set()
    names: dict[tuple[object, str], str] = {}
    for song in sorted(songs, key=lambda song: (song.liked_at, song.id)):
        ids.add(song.id)
        if song.artists:
            names[_name(song.title, song.artists[0])] = song.id

    def find(track_id: str, title: str, artist: str) -> str | None:
        return track_id if track_id in ids else names.get(_name(title, artist))

    return find


def read_history(
    upload: IO[bytes], find: Find, on_progress: Callable[[float], None] = lambda _: None
) -> History:
    """The plays in ``upload``, a zip or one JSON file. Raises HistoryRefused."""
    size = upload.seek(0, io.SEEK_END)
    if size > ZIPPED_MAX:
        raise HistoryRefused("The file is larger than 200 MB.")
    upload.seek(0)
    start = upload.read(4)
    upload.seek(0)
    history = History()
    if start.startswith(b"PK"):
        _read_zip(upload, size, history, find, on_progress)
    else:
        chunks = iter(lambda: upload.read(CHUNK), b"")
        _read_json(_followed(chunks, size, on_progress), history, find)
    if history.first is None:
        raise HistoryRefused("The file holds no plays of songs.")
    return history


def merge(
    history: History, known: Iterable[Range], before: Mapping[str, Heard]
) -> tuple[dict[str, Heard], list[Range]]:
    """Plays for each liked track including ``history``, and the covered periods.

    ``known`` are the periods of earlier uploads: their plays are in ``before`` and not counted
    twice. The same upload twice, or the years in any order, have the same result.
    """
    known = list(known)
    after = dict(before)
    for track_id, times in history.tracks.items():
        had = before.get(track_id)
        # A song without plays may have been liked later: then its plays were not counted before.
        new = {at for at in times if had is None or not _is_known(at, known)}
        last = datetime.fromtimestamp(max(times), UTC)
        if had is None:
            after[track_id] = Heard(len(new), last)
        else:
            after[track_id] = Heard(had.plays + len(new), max(had.last_played, last))
    if history.first is not None and history.last is not None:
        known.append((history.first, history.last))
    return after, _joined(known)


def _joined(ranges: list[Range]) -> list[Range]:
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _is_known(at: int, known: list[Range]) -> bool:
    return any(first <= at <= last for first, last in known)


@lru_cache(maxsize=50_000)
def _name(title: str, artist: str) -> tuple[object, str]:
    name = fold_title(title)
    return (name.base, name.hard), folded(artist)


# The zip


def _read_zip(
    upload: IO[bytes],
    size: int,
    history: History,
    find: Find,
    on_progress: Callable[[float], None],
) -> None:
    _check_contents(upload, size)
    try:
        with zipfile.ZipFile(upload) as archive:
            members = _members(archive)
            total = sum(member.compress_size for member in members) or 1
            done = unzipped = 0
            for member in members:
                with archive.open(member) as opened:
                    chunks = iter(lambda opened=opened: opened.read(CHUNK), b"")  # type: ignore[misc]
                    for_json = _bounded(chunks, member, unzipped)
                    _read_json(for_json, history, find)
                unzipped += member.file_size
                done += member.compress_size
                on_progress(done / total)
    except _DAMAGE as error:
        raise HistoryRefused("The zip file is damaged. Download it from Spotify again.") from error


def _check_contents(upload: IO[bytes], size: int) -> None:
    """Check the table of contents before Python reads all of it into memory."""
    upload.seek(max(0, size - 2**16 - _END_LENGTH - 20))
    tail = upload.read()
    upload.seek(0)
    place = len(tail) - _END_LENGTH
    if place < 0 or tail[place : place + 4] != _END or tail[-2:] != b"\0\0":
        place = tail.rfind(_END)
    record = tail[place : place + _END_LENGTH]
    if place < 0 or len(record) < _END_LENGTH:
        raise HistoryRefused("The zip file is damaged. Download it from Spotify again.")
    entries = int.from_bytes(record[10:12], "little")
    length = int.from_bytes(record[12:16], "little")
    is_long = tail[max(0, place - 20) : place].startswith(_LONG_END)
    if entries > ENTRIES_MAX or length > CONTENTS_MAX or is_long:
        raise HistoryRefused("The zip file holds too many files to be Spotify's.")


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members with plays of songs; other members are never opened."""
    everything = archive.infolist()
    if len(everything) > ENTRIES_MAX:
        raise HistoryRefused("The zip file holds too many files to be Spotify's.")
    for member in everything:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.orig_filename:
            raise HistoryRefused("The zip file names files outside of itself. It is not Spotify's.")
    names = {member: PurePosixPath(member.filename).name for member in everything}
    members = [member for member in everything if _AUDIO.fullmatch(names[member])]
    if not members:
        if any(_SHORT.fullmatch(name) for name in names.values()):
            raise HistoryRefused(_SHORT_FORMAT)
        raise HistoryRefused(
            "The zip file holds no listening history: no file is called Streaming_History_Audio…"
        )
    for member in members:
        if member.flag_bits & 0x1:
            raise HistoryRefused("The zip file needs a password. Send one without.")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise HistoryRefused("The zip file is packed in a way that Spotify does not use.")
    if sum(member.file_size for member in members) > UNZIPPED_MAX:
        raise HistoryRefused(_TOO_LARGE)
    return sorted(members, key=lambda member: member.filename)


def _bounded(chunks: Iterable[bytes], member: zipfile.ZipInfo, unzipped: int) -> Iterator[bytes]:
    """``chunks`` of one member, up to the limits, for any header."""
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if unzipped + length > UNZIPPED_MAX:
            raise HistoryRefused(_TOO_LARGE)
        if length > RATIO_COUNTS_FROM and length > RATIO_MAX * member.compress_size:
            raise HistoryRefused(_TOO_LARGE)
        yield chunk


#: The errors of Python's zipfile for damaged data.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
_TOO_LARGE = "The zip file unpacks to far more than a listening history has."
_SHORT_FORMAT = (
    "This is the short listening history, of one year and without the songs' addresses. Ask Spotify"
    " for the “Extended streaming history” at Account → Privacy; it takes some days to arrive."
)


# The JSON


def _followed(
    chunks: Iterable[bytes], size: int, on_progress: Callable[[float], None]
) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        on_progress(done / size)


def _read_json(chunks: Iterable[bytes], history: History, find: Find) -> None:
    for item in _items(chunks):
        if not isinstance(item, dict):
            history.rows_skipped += 1
        elif "endTime" in item and "msPlayed" in item:
            raise HistoryRefused(_SHORT_FORMAT)
        else:
            _read_play(item, history, find)


def _read_play(item: dict[str, Any], history: History, find: Find) -> None:
    played, track = item.get("ms_played"), item.get("spotify_track_uri")
    at = _second(item.get("ts"))
    uri = _TRACK.fullmatch(track) if isinstance(track, str) else None
    if at is None or uri is None or not isinstance(played, int):
        history.rows_skipped += 1
    elif played >= HEARD_MS:
        title = item.get("master_metadata_track_name")
        artist = item.get("master_metadata_album_artist_name")
        names = (title, artist) if isinstance(title, str) and isinstance(artist, str) else ("", "")
        history.add(at, find(uri[1], *names))


def _second(written: object) -> int | None:
    """A time such as 2020-04-10T12:33:16Z as seconds since 1970."""
    if not isinstance(written, str) or len(written) > 40:
        return None
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    seconds = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    return seconds if 0 <= seconds < 2**32 else None


def _items(chunks: Iterable[bytes]) -> Iterator[Any]:
    """The items of a JSON list of any length, one at a time."""
    decode = json.JSONDecoder().raw_decode
    text = _texts(chunks)
    buffer = ""
    while not buffer.strip():
        if (more := next(text, None)) is None:
            raise HistoryRefused("The file is empty.")
        buffer = more
    buffer = buffer.lstrip("\ufeff \t\r\n")
    if not buffer.startswith("["):
        raise HistoryRefused("This is neither a zip file nor a listening history in JSON.")
    at = 1
    while True:
        while at < len(buffer) and buffer[at] in ", \t\r\n":
            at += 1
        if buffer.startswith("]", at):
            return
        try:
            item, at = decode(buffer, at)
        except (ValueError, RecursionError):
            # Incomplete or invalid: more text is needed to decide.
            more = next(text, None)
            if more is None or len(buffer) - at > ITEM_MAX:
                raise HistoryRefused(
                    "The file is incomplete, or is not in the format of Spotify's history."
                ) from None
            buffer, at = buffer[at:] + more, 0
        else:
            yield item


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise HistoryRefused("The file is not text in UTF-8, as Spotify's history is.") from None
