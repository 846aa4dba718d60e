"""Whatever JSON Spotify sends: an odd field or row spoils itself only, and nothing unstorable."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.spotify import parsing
from syncify.spotify.parsing import Unreadable
from syncify.spotify.types import PlaylistRow, Profile

ID = "4iV5W9uYEdYUVa79Axb7Rh"
URI = f"spotify:track:{ID}"
COVER = "https://i.scdn.co/image/ab67616d00001e02"
AT = datetime(2026, 11, 20, 18, 3, 11, tzinfo=UTC)


def track(**changes: Any) -> dict[str, Any]:
    album = {
        "id": "2up3OPMp9Tb4dAKM2erWXQ",
        "name": "LP",
        "album_type": "album",
        "release_date": "1999-05-01",
        "artists": [{"id": "1dfeR4HaWDbWqFHLkxsg1d", "name": "Someone"}],
        "images": [
            {"url": "https://i.scdn.co/image/640", "width": 640, "height": 640},
            {"url": COVER, "width": 300, "height": 300},
            {"url": "https://i.scdn.co/image/64", "width": 64, "height": 64},
        ],
    }
    whole = {
        "id": ID,
        "uri": URI,
        "type": "track",
        "name": "Example",
        "duration_ms": 201_000,
        "explicit": True,
        "disc_number": 1,
        "track_number": 3,
        "external_ids": {"isrc": "GBAYE0000001"},
        "artists": [
            {"id": "1dfeR4HaWDbWqFHLkxsg1d", "name": "Someone"},
            {"id": None, "name": "A guest"},
        ],
        "album": album | changes.pop("album_changes", {}),
    }
    return whole | changes


def saved(**changes: Any) -> dict[str, Any]:
    return {"added_at": "2026-11-20T18:03:11Z", "track": track()} | changes


# --- Songs --------------------------------------------------------------------------------------


def test_a_song_is_told_in_full() -> None:
    item = parsing.saved_track(saved())

    song = item.song
    assert song is not None
    assert (item.added_at, item.name) == (AT, "Example")
    assert (song.id, song.uri, song.name, song.album) == (ID, URI, "Example", "LP")
    assert song.artists == ("Someone", "A guest")
    assert song.artist_ids == ("1dfeR4HaWDbWqFHLkxsg1d", "")
    assert (song.album_id, song.album_type) == ("2up3OPMp9Tb4dAKM2erWXQ", "album")
    assert song.album_artists == ("Someone",)
    assert (song.disc_number, song.track_number, song.duration_ms) == (1, 3, 201_000)
    assert (song.isrc, song.release_date, song.explicit) == ("GBAYE0000001", "1999-05-01", True)
    assert song.cover_url == COVER


NUL = "with\0NUL"
LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"name": None}, "name", ""),
        ({"name": 5}, "name", ""),
        ({"name": NUL}, "name", "withNUL"),
        ({"name": "half \ud83d"}, "name", "half ?"),
        ({"name": LONG}, "name", "x" * parsing.NAME_MAX),
        ({"artists": None}, "artists", ()),
        ({"artists": {}}, "artists", ()),
        ({"artists": [None, {"name": "One"}, 5]}, "artists", ("One",)),
        ({"artists": [{"name": None, "id": None}]}, "artists", ()),
        ({"artists": [{"name": "One", "id": NUL}]}, "artist_ids", ("",)),
        ({"artists": [{"name": "A"}] * 10_000}, "artists", ("A",) * parsing.ARTISTS_MAX),
        ({"album": None}, "album", ""),
        ({"album": []}, "album_id", ""),
        ({"album_changes": {"name": None}}, "album", ""),
        ({"album_changes": {"album_type": "mixtape"}}, "album_type", ""),
        ({"album_changes": {"album_type": ["album"]}}, "album_type", ""),
        ({"album_changes": {"artists": None}}, "album_artists", ()),
        ({"duration_ms": -1}, "duration_ms", 0),
        ({"duration_ms": 10**12}, "duration_ms", 0),
        ({"duration_ms": {"ms": 5}}, "duration_ms", 0),
        ({"duration_ms": None}, "duration_ms", 0),
        ({"duration_ms": True}, "duration_ms", 0),
        ({"duration_ms": "201000"}, "duration_ms", 0),
        ({"explicit": "false"}, "explicit", False),
        ({"explicit": None}, "explicit", False),
        ({"disc_number": -1}, "disc_number", 0),
        ({"track_number": 10**9}, "track_number", 0),
        ({"external_ids": None}, "isrc", ""),
        ({"external_ids": []}, "isrc", ""),
        ({"type": None, "id": ID}, "id", None),
    ],
)
def test_an_odd_field_spoils_itself_only(
    changes: dict[str, Any], field: str, value: object
) -> None:
    item = parsing.saved_track(saved(track=track(**changes)))

    if value is None:
        assert item.song is None
        return
    assert item.song is not None
    assert (item.song.id, item.added_at) == (ID, AT)
    assert getattr(item.song, field) == value


@pytest.mark.parametrize(
    ("written", "isrc"),
    [
        ("GBAYE0000001", "GBAYE0000001"),
        ("gb-aye-00-00001", "GBAYE0000001"),
        (" GB AYE 00 00001 ", "GBAYE0000001"),
        ("gbaye0000001", "GBAYE0000001"),
        ("GBAYE000000", ""),
        ("GBAYE00000012", ""),
        ("G" * 44, ""),
        ("GBAYE\x000000001", ""),
        ("GBAYE000000١", ""),
        (None, ""),
        (5, ""),
        (["GBAYE0000001"], ""),
    ],
)
def test_a_recordings_code_is_normal_or_none(written: Any, isrc: str) -> None:
    assert parsing.isrc(written) == isrc


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("1999", "1999"),
        ("1999-05", "1999-05"),
        ("1999-05-01", "1999-05-01"),
        ("2024-02-29", "2024-02-29"),
        ("2023-02-29", ""),
        ("1999-13", ""),
        ("0000", ""),
        ("0000-00-00", ""),
        ("0001-01-01", ""),
        ("1999-5-1", ""),
        ("1999-05-01T00:00:00Z", ""),
        ("199", ""),
        ("May 1999", ""),
        ("1999\0", ""),
        ("١٩٩٩", ""),
        (None, ""),
        (1999, ""),
    ],
)
def test_a_release_date_exists_or_is_none(written: Any, date: str) -> None:
    assert parsing.release_date(written) == date


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-20T18:03:11Z", AT),
        ("2026-11-20T19:03:11+01:00", AT),
        ("2026-11-20T18:03:11", AT),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1_764_000_000, None),
        ({"date": "2026-11-20"}, None),
    ],
)
def test_a_date_is_a_moment_or_none(written: Any, at: datetime | None) -> None:
    item = parsing.saved_track(saved(added_at=written))

    assert item.added_at == at
    assert item.song is not None


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (None, ""),
        (5, ""),
        ([], ""),
        ({}, ""),
        ({"added_at": "2026-11-20T18:03:11Z", "track": None}, ""),
        (saved(track=track(id=None)), "Example"),
        (saved(track=track(id="4iV5W9uYEd\0")), "Example"),
        (saved(track=track(id="x" * 65)), "Example"),
        (saved(track=track(id="spotify:track:x")), "Example"),
        (saved(track=track(id=5)), "Example"),
        (saved(track=track(type="episode")), "Example"),
        (saved(track=track(id=None, name=None)), ""),
    ],
)
def test_a_row_without_a_song_keeps_its_place_and_its_name(row: Any, name: str) -> None:
    page = parsing.saved_tracks({"total": 3, "items": [saved(), row, saved()], "next": None}, 50)

    assert [item.song is None for item in page.items] == [False, True, False]
    assert page.items[1].name == name


@pytest.mark.parametrize(
    ("images", "address"),
    [
        (None, ""),
        ([], ""),
        ([None, 5, {}], ""),
        ([{"url": COVER}], COVER),
        ([{"url": COVER, "width": None}, {"url": "https://i.scdn.co/b", "width": 290}],
         "https://i.scdn.co/b"),
        ([{"url": "http://i.scdn.co/image/a", "width": 300}], ""),
        ([{"url": "https://i.scdn.co.example.org/a", "width": 300}], ""),
        ([{"url": "https://i.scdn.co@example.org/a", "width": 300}], ""),
        ([{"url": "javascript:alert(1)"}], ""),
        ([{"url": 'https://i.scdn.co/"><script>'}], ""),
        ([{"url": "https://i.scdn.co/ " }], ""),
        ([{"url": "https://i.scdn.co/\0"}], ""),
        ([{"url": "https://i.scdn.co/" + LONG}], ""),
        ([{"url": {"of": "it"}}], ""),
    ],
)  # fmt: skip
def test_a_cover_comes_from_spotifys_host_or_not_at_all(images: Any, address: str) -> None:
    assert parsing.cover_url(images) == address


@pytest.mark.parametrize(
    ("api_url", "hosts"),
    [
        ("https://api.spotify.com/v1/", ("https://i.scdn.co/",)),
        ("http://127.0.0.1:9090/v1/", ("https://i.scdn.co/", "http://127.0.0.1:9090/")),
    ],
)
def test_the_simulator_may_draw_covers_too(api_url: str, hosts: tuple[str, ...]) -> None:
    assert parsing.picture_hosts(api_url) == hosts


# --- Pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "known"),
    [(3, 3), (0, 0), (None, None), ("3", None), (-1, None), ({"of": 3}, None), (3.5, None),
     (True, None), (10**12, None)],
)  # fmt: skip
def test_an_odd_total_of_likes_is_none(total: Any, known: int | None) -> None:
    page = parsing.saved_tracks({"total": total, "items": [], "next": None}, 0)

    assert page.total == known


@pytest.mark.parametrize(
    ("page", "has_next"),
    [
        ({"next": "https://api.spotify.com/v1/me/tracks?offset=50", "total": 1}, True),
        ({"next": None, "total": 99}, False),
        ({"next": "", "total": 99}, False),
        ({"total": 99}, True),
        ({"total": 1}, False),
        ({"total": None}, False),
        ({}, False),
    ],
)
def test_the_end_is_where_next_ends(page: dict[str, Any], has_next: bool) -> None:
    assert parsing.saved_tracks(page | {"items": [saved()]}, 0).has_next is has_next


@pytest.mark.parametrize("total", [None, {"of": 3}, "3", -1, True])
def test_a_playlists_page_without_its_total_is_none(total: Any) -> None:
    with pytest.raises(Unreadable):
        parsing.playlist_items({"total": total, "items": []}, 0)


@pytest.mark.parametrize("answer", [None, [], 5, "x", {}, {"items": None}, {"items": {}}])
@pytest.mark.parametrize(
    "parse",
    [
        lambda answer: parsing.playlist_items(answer, 0),
        lambda answer: parsing.saved_tracks(answer, 0),
        lambda answer: parsing.playlists(answer, 0),
    ],
)
def test_a_page_without_rows_is_none(answer: Any, parse: Callable[[Any], object]) -> None:
    with pytest.raises(Unreadable):
        parse(answer)


# --- Playlists ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"items": {"total": 5}}, "total", 5),
        ({"items": None, "tracks": {"total": 5}}, "total", 5),
        ({"items": {"total": None}}, "total", None),
        ({"items": {"total": "5"}}, "total", None),
        ({"items": {}}, "total", None),
        ({"items": None}, "total", None),
        ({}, "total", None),
        ({"name": None}, "name", ""),
        ({"name": LONG}, "name", "x" * parsing.SHORT_MAX),
        ({"description": "Ada&#x27;s &lt;b&gt;\0"}, "description", "Ada's <b>"),
        ({"description": None}, "description", ""),
        ({"description": LONG}, "description", "x" * parsing.DESCRIPTION_MAX),
        ({"public": None}, "public", None),
        ({"public": "yes"}, "public", None),
        ({"snapshot_id": None}, "snapshot_id", ""),
        ({"snapshot_id": LONG}, "snapshot_id", ""),
        ({"owner": None}, "owner_id", ""),
        ({"owner": {"id": None}}, "owner_id", ""),
        ({"owner": {"id": "ada"}}, "owner_id", "ada"),
    ],
)
def test_an_odd_field_of_a_playlist_spoils_itself_only(
    changes: dict[str, Any], field: str, value: object
) -> None:
    found = parsing.playlist({"id": ID, "name": "Mirror"} | changes)

    assert found.id == ID
    assert getattr(found, field) == value


@pytest.mark.parametrize("answer", [None, [], {}, {"id": None}, {"id": "a\0b"}, {"id": "a/b"}])
def test_a_playlist_without_an_id_is_none(answer: Any) -> None:
    with pytest.raises(Unreadable):
        parsing.playlist(answer)


def test_odd_playlists_keep_their_places_in_the_count() -> None:
    answer = {"items": [{"id": ID}, None, {"id": None}, 5], "next": "more", "total": 90}

    page = parsing.playlists(answer, 50)

    assert [one.id for one in page.playlists] == [ID]
    assert (page.received, page.total, page.has_next) == (4, 90, True)


LOCAL = "spotify:local:Tante+Jo:Cellar:Rain:183"
EMPTY = PlaylistRow(uri=None, kind="none")


@pytest.mark.parametrize(
    ("row", "kind", "uri"),
    [
        ({"item": track()}, "track", URI),
        ({"track": track()}, "track", URI),
        ({"item": None, "track": track()}, "track", URI),
        ({"item": {"uri": f"spotify:episode:{ID}", "type": "track"}}, "episode",
         f"spotify:episode:{ID}"),
        ({"item": {"uri": LOCAL, "id": None}, "is_local": True}, "local", LOCAL),
        ({"item": None}, "none", None),
        ({"item": {}}, "none", None),
        ({"item": []}, "none", None),
        ({"item": {"uri": "spotify:track:"}}, "none", None),
        ({"item": {"uri": "spotify:track:a\0"}}, "none", None),
        ({"item": {"uri": f"spotify:album:{ID}"}}, "none", None),
        ({"item": {"uri": 5}}, "none", None),
        ({"item": {"uri": LOCAL + LONG}}, "none", None),
        (None, "none", None),
        (5, "none", None),
    ],
)  # fmt: skip
def test_each_entry_has_its_place_and_its_kind(row: Any, kind: str, uri: str | None) -> None:
    page = parsing.playlist_items({"items": [row], "total": 1, "next": None}, 0)

    assert [(one.kind, one.uri) for one in page.rows] == [(kind, uri)]
    assert page.uris == (uri,)


def test_an_entry_says_what_it_is_and_who_added_it() -> None:
    row = {"item": track(), "added_by": {"id": "bea"}, "added_at": "2026-11-20T18:03:11Z"}

    assert parsing.playlist_row(row) == PlaylistRow(
        uri=URI,
        kind="track",
        name="Example",
        artists=("Someone", "A guest"),
        album="LP",
        isrc="GBAYE0000001",
        duration_ms=201_000,
        explicit=True,
        cover_url=COVER,
        added_by="bea",
        added_at=AT,
    )
    assert parsing.playlist_row({"item": None, "added_by": None, "added_at": None}) == EMPTY


# --- Profiles and the rest ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "account_id", "display_name"),
    [
        ({}, "a1", "Ada"),
        ({"account_id": None}, None, "Ada"),
        ({"account_id": ""}, None, "Ada"),
        ({"account_id": 7}, None, "Ada"),
        ({"account_id": "x" * 256}, None, "Ada"),
        ({"account_id": "a\0"}, None, "Ada"),
        ({"display_name": None}, "a1", ""),
        ({"display_name": ["Ada"]}, "a1", ""),
        ({"display_name": "x" * 256}, "a1", "x" * 255),
        ({"display_name": "A\0da"}, "a1", "Ada"),
    ],
)
def test_an_odd_field_of_a_profile_spoils_itself_only(
    changes: dict[str, Any], account_id: str | None, display_name: str
) -> None:
    answer = {"id": "ada", "account_id": "a1", "display_name": "Ada"} | changes

    assert parsing.profile(answer) == Profile("ada", account_id, display_name)


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"id": None}, {"id": ""}, {"id": 5}, {"id": "x" * 256}, {"id": "a\0"}]
)
def test_a_profile_without_an_id_is_none(answer: Any) -> None:
    with pytest.raises(Unreadable):
        parsing.profile(answer)


@pytest.mark.parametrize("answer", [None, {}, [True], [True, None], [True, 1], [True] * 3, "ab"])
def test_a_short_or_odd_answer_of_the_library_is_none(answer: Any) -> None:
    with pytest.raises(Unreadable):
        parsing.contained(answer, 2)


# --- Anything at all ----------------------------------------------------------------------------

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text()
    | st.sampled_from([ID, URI, LOCAL, COVER, NUL, LONG[:600], "2026-11-20T18:03:11Z", "\ud83d"])
)
_NAMES = st.sampled_from(
    [
        *(
            "id",
            "uri",
            "type",
            "name",
            "items",
            "item",
            "track",
            "tracks",
            "total",
            "next",
            "owner",
        ),
        *("added_at", "added_by", "artists", "album", "images", "url", "width", "description"),
        *("public", "snapshot_id", "external_ids", "isrc", "duration_ms", "explicit"),
        *("account_id", "display_name", "release_date", "album_type"),
    ]
)
_ANY: Any = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=8),
    max_leaves=40,
)


@st.composite
def anything(draw: st.DrawFn) -> Any:
    return draw(_ANY)


JSON = anything()
_TRACK = st.fixed_dictionaries(
    {"id": st.just(ID) | JSON}, optional=dict.fromkeys(track().keys() - {"id"}, JSON)
)
_ROW = st.fixed_dictionaries(
    {}, optional={"track": _TRACK | JSON, "item": _TRACK | JSON, "added_at": JSON, "added_by": JSON}
)
ANSWER = JSON | st.fixed_dictionaries(
    {"items": st.lists(_ROW | JSON, max_size=4)},
    optional={"total": st.integers(0, 9) | JSON, "next": JSON, "id": JSON, "owner": JSON},
)

PARSERS: list[Callable[[Any], object]] = [
    parsing.profile,
    parsing.playlist,
    parsing.snapshot_id,
    parsing.names_no_item,
    lambda answer: parsing.saved_tracks(answer, 0),
    lambda answer: parsing.playlists(answer, 0),
    lambda answer: parsing.playlist_items(answer, 0),
    lambda answer: parsing.contained(answer, 2),
]


def values(found: Any) -> Iterator[Any]:
    """All texts and numbers in it."""
    if is_dataclass(found):
        for field in fields(found):
            yield from values(getattr(found, field.name))
    elif isinstance(found, tuple | list):
        for one in found:
            yield from values(one)
    else:
        yield found


@given(answer=ANSWER, parse=st.sampled_from(PARSERS))
def test_no_answer_raises_anything_else_or_yields_what_cannot_be_stored(
    answer: Any, parse: Callable[[Any], object]
) -> None:
    try:
        found = parse(answer)
    except Unreadable:
        return

    for value in values(found):
        if isinstance(value, str):
            assert "\0" not in value
            assert len(value.encode()) <= 4 * parsing.DESCRIPTION_MAX
        elif isinstance(value, int):
            assert 0 <= value <= parsing.NUMBER_MAX


@given(rows=st.lists(_ROW | JSON, max_size=60))
def test_every_row_has_its_place(rows: list[Any]) -> None:
    likes = parsing.saved_tracks({"items": rows, "total": 5}, 0)
    entries = parsing.playlist_items({"items": rows, "total": 5}, 0)

    assert len(likes.items) == len(entries.rows) == len(entries.uris) == len(rows)
    for item in likes.items:
        assert item.song is None or (item.song.uri == f"spotify:track:{item.song.id}")
        assert item.song is None or len(item.song.artists) == len(item.song.artist_ids)
    assert all((row.uri is None) == (row.kind == "none") for row in entries.rows)
