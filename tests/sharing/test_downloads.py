"""Files of songs, read back by what reads such files."""

import csv
import io
import json
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.library.exports import JSPF_TRACK, unguarded
from sync.sharing.downloads import file_name, songs_csv, songs_json, songs_jspf
from sync.sharing.songs import SharedSong
from tests.sharing.rows import NOON

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
SONGS = st.lists(
    st.builds(
        SharedSong,
        track_id=st.just("x1"),
        name=TEXT,
        artists=st.lists(TEXT, max_size=3),
        album=TEXT,
        cover_url=st.just(""),
        added_at=st.sampled_from([NOON, None]),
        duration_ms=st.integers(0, 10**7),
        explicit=st.booleans(),
        isrc=st.just("GB1"),
        release_date=st.sampled_from(["", "2014", "2014-10-24"]),
    ),
    max_size=4,
)


@given(SONGS)
def test_csv_has_a_row_for_each_song_and_no_formula(songs: list[SharedSong]) -> None:
    text = "".join(songs_csv(songs))

    assert text[0] == "\ufeff"
    rows = list(csv.DictReader(io.StringIO(text[1:], newline="")))
    assert [unguarded(row["title"]) for row in rows] == [song.name for song in songs]
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@given(TEXT, SONGS)
def test_json_and_jspf_are_valid_however_songs_are_called(
    title: str, songs: list[SharedSong]
) -> None:
    plain = json.loads("".join(songs_json(title, songs)))
    playlist = json.loads("".join(songs_jspf(title, songs)))["playlist"]

    assert plain["title"] == playlist["title"] == title
    assert [song["title"] for song in plain["songs"]] == [song.name for song in songs]
    assert [track["title"] for track in playlist["track"]] == [song.name for song in songs]
    assert "creator" not in playlist
    moments = [song.added_at and song.added_at.isoformat() for song in songs]
    added = [track.get("extension", {}).get(JSPF_TRACK, {}) for track in playlist["track"]]
    assert [each.get("added_at") for each in added] == moments
    assert [track["duration"] for track in playlist["track"]] == [s.duration_ms for s in songs]


def test_a_file_is_written_in_pieces_of_some_hundred_songs() -> None:
    [song] = [SharedSong("x", "Looped", ["Kiasmos"], "", "", None, 1, False, "", "")]
    read = 0

    def songs() -> Iterator[SharedSong]:
        nonlocal read
        for read in range(1, 2_001):  # noqa: B007 - counts
            yield song

    for write in (songs_csv, partial(songs_json, "A"), partial(songs_jspf, "A")):
        pieces = write(songs())
        next(pieces)
        next(pieces)
        assert read <= 1_000
        assert sum(piece.count("Looped") for piece in pieces) >= 1_000


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Liked Songs of Ada", "Liked Songs of Ada.csv"),
        ("Jazz: 2010s/2020s", "Jazz 2010s 2020s.csv"),
        ("../../etc/passwd", "etc passwd.csv"),
        ("Björk – 日本", "Björk 日本.csv"),
        ('a"b\r\nSet-Cookie: x', "a bSet-Cookie x.csv"),
        ("\u202egnp.exe", "gnp exe.csv"),
        ("", "Liked Songs.csv"),
        ("***", "Liked Songs.csv"),
        ("x" * 300, f"{'x' * 80}.csv"),
    ],
)
def test_a_title_makes_a_safe_file_name(title: str, name: str) -> None:
    assert file_name(title, "csv") == name
