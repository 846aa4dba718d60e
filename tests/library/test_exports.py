"""Files of songs: they can be read back, and a spreadsheet runs nothing in them."""

import csv
import json
import tracemalloc
from datetime import UTC, date
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.library import exports
from sync.library.exports import COLUMNS, file_name, guarded, unguarded
from sync.library.search import Query, search
from sync.models import Album, Artist, SavedTrack, TrackArtist
from tests.builders import make_user
from tests.library.libraries import Drawn, libraries, liked, stored
from tests.library.rows import add_song, at, big_library, like

pytestmark = pytest.mark.django_db

NAMES = [
    '"',
    "a\nb",
    ";",
    ",",
    "=1+1",
    "+44",
    "-Te Voy",
    "@x",
    "\tx",
    "\rx",
    "'=x",
    "''",
    "שלום",
    "🎈",
]
drawing = settings(max_examples=40)


@st.composite
def odd_libraries(draw: st.DrawFn) -> list[Drawn]:
    """Libraries whose names a spreadsheet or a parser may trip over."""
    odd = st.one_of(
        st.sampled_from(NAMES),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
    )
    return [
        Drawn(draw(odd), [draw(odd), draw(odd)], draw(odd), False, *rest)
        for song in draw(libraries)
        for rest in [(song.released, song.explicit, song.isrc, song.spans)]
    ]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline="")))


def unjoined(text: str) -> list[str]:
    """Artists of the spreadsheet's column: a comma inside a name is written with a backslash."""
    parts = text.replace("\\,", "\1").split(", ")
    return [part.replace("\1", ",") for part in parts]


@drawing
@given(drawn=odd_libraries())
def test_the_spreadsheet_can_be_read_back(drawn: list[Drawn]) -> None:
    with stored(drawn) as ada:
        likes = liked(ada)
        text = "".join(exports.songs_csv(search(ada, Query(), zone=UTC)))

    assert text.startswith("\ufeff")
    rows = rows_of(text.removeprefix("\ufeff"))
    assert [list(row) for row in rows] == [list(COLUMNS)] * len(likes)
    for row, each in zip(rows, likes, strict=True):
        track = each.track
        assert row["Track URI"] == f"spotify:track:{track.pk}"
        assert unguarded(row["Track Name"]) == track.name
        joined = ", ".join(artist.replace(",", "\\,") for artist in track.artists)
        assert unguarded(row["Artist Name(s)"]) == joined
        assert unguarded(row["Album Name"]) == track.album_name
        assert row["Added At"] == f"{each.added_at:%Y-%m-%dT%H:%M:%SZ}"
        assert row["Explicit"] == str(track.explicit).lower()
        assert row["Removed At"] == ""
        assert not any(value[:1] in set("=+-@\t\r\n") for value in row.values() if value)


@drawing
@given(drawn=odd_libraries())
def test_the_transfer_file_holds_every_text_as_it_is(drawn: list[Drawn]) -> None:
    with stored(drawn) as ada:
        likes = liked(ada)
        text = "".join(exports.transfer_csv(search(ada, Query(), zone=UTC)))

    assert [tuple(row.values()) for row in rows_of(text)] == [
        (
            each.track.name,
            ", ".join(each.track.artists),
            each.track.album_name,
            each.track.isrc,
            str(round(each.track.duration_ms / 1000)),
            f"https://open.spotify.com/track/{each.track_id}",
        )
        for each in likes
    ]
    assert text.startswith("title,artist,album,isrc,duration,url\r\n")


@drawing
@given(drawn=odd_libraries())
def test_the_jspf_is_a_playlist_with_every_song(drawn: list[Drawn]) -> None:
    with stored(drawn) as ada:
        likes = liked(ada)
        pieces = exports.songs_jspf(
            search(ada, Query(), zone=UTC), title='My "songs"', creator="Ada"
        )
        playlist = json.loads("".join(pieces))["playlist"]

    assert (playlist["title"], playlist["creator"]) == ('My "songs"', "Ada")
    assert [
        (song["title"], song["creator"], song["album"], song["duration"], song["identifier"])
        for song in playlist["track"]
    ] == [
        (
            each.track.name,
            ", ".join(each.track.artists),
            each.track.album_name,
            each.track.duration_ms,
            [f"https://open.spotify.com/track/{each.track_id}"],
        )
        for each in likes
    ]
    for song, each in zip(playlist["track"], likes, strict=True):
        assert song["extension"][exports.JSPF_TRACK] == {"added_at": each.added_at.isoformat()}


@given(st.text())
def test_the_guard_can_be_undone_and_leaves_no_formula(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in set("=+-@\t\r\n\0＝＋－＠") or not text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("=1", "'=1"), ("'=1", "''=1"), ("''=1", "'''=1"), ("'quoted'", "'quoted'"), ("a=1", "a=1")],
)
def test_an_apostrophe_guards_only_what_a_spreadsheet_may_run(text: str, shown: str) -> None:
    assert guarded(text) == shown


def test_the_columns_are_those_of_exportify() -> None:
    ada = make_user("ada")
    Album.objects.create(id="al", name="Swept", cover_url="https://i.scdn.co/image/x")
    for key in ("a1", "a2"):
        Artist.objects.create(id=key, name=key)
    track = add_song(
        "looped",
        artists=["Kiasmos", "Earth, Wind"],
        album="Swept",
        album_id="al",
        isrc="X1",
        disc_number=1,
        track_number=3,
    )
    TrackArtist.objects.create(track=track, artist_id="a2", position=1)
    TrackArtist.objects.create(track=track, artist_id="a1", position=0)
    like(ada, track, at("2024-01-31 23:30"), removed_at=at("2024-02-01"))

    [header, line, end] = "".join(
        exports.songs_csv(search(ada, Query(show="gone"), zone=UTC))
    ).split("\r\n")

    assert header == "\ufeff" + ",".join(f'"{column}"' for column in COLUMNS)
    assert COLUMNS[:19] == (
        *("Track URI", "Track Name", "Artist URI(s)", "Artist Name(s)", "Album URI", "Album Name"),
        *("Album Artist URI(s)", "Album Artist Name(s)", "Album Release Date", "Album Image URL"),
        *("Disc Number", "Track Number", "Track Duration (ms)", "Track Preview URL", "Explicit"),
        *("Popularity", "ISRC", "Added By", "Added At"),
    )
    assert end == ""
    assert line == (
        '"spotify:track:looped","Looped","spotify:artist:a1, spotify:artist:a2",'
        '"Kiasmos, Earth\\, Wind","spotify:album:al","Swept","","","2014-10-27",'
        '"https://i.scdn.co/image/x","1","3","215000","","false","","X1","",'
        '"2024-01-31T23:30:00Z","2024-02-01T00:00:00Z"'
    )


def test_an_empty_list_is_a_valid_file_of_each_kind() -> None:
    nothing = SavedTrack.objects.none()

    assert rows_of("".join(exports.songs_csv(nothing))) == []
    assert rows_of("".join(exports.transfer_csv(nothing))) == []
    playlist = json.loads("".join(exports.songs_jspf(nothing, title="x", creator="y")))
    assert playlist["playlist"]["track"] == []


def test_a_file_is_written_piece_by_piece() -> None:
    ada = big_library("ada", songs=3_000, syncs=0)
    likes = search(ada, Query(), zone=UTC)

    tracemalloc.start()
    pieces = [len(piece) for piece in exports.songs_csv(likes)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(pieces) >= 6
    assert max(pieces) < 300_000
    assert peak < 20 * 2**20


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Liked Songs of Ada", "liked-songs-of-ada-2026-11-27.csv"),
        ("../../etc/passwd\r\n", "etc-passwd-2026-11-27.csv"),
        ("שלום", "songs-2026-11-27.csv"),
        ("x" * 200, "x" * 60 + "-2026-11-27.csv"),
    ],
)
def test_a_file_is_named_after_its_songs_and_the_day(title: str, name: str) -> None:
    assert file_name(title, date(2026, 11, 27), "csv") == name
