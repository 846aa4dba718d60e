"""Search and filters over one listener's likes, against plain Python."""

from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from sync.library.search import (
    LONGEST_SEARCH,
    MOST_COUNTED,
    PAGE_SIZE,
    SORTS,
    Period,
    Query,
    page_of,
    search,
)
from sync.models import Album, MirrorTrack, Playlist, PlaylistItems, SavedTrack
from syncify.text import folded
from tests.builders import make_request, make_user
from tests.library.libraries import WORDS, Drawn, libraries, liked, names, stored
from tests.library.rows import add_song, at, big_library, like

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 27)
drawing = settings(max_examples=60)


def found(user: User, zone: ZoneInfo | None = None, **params: str) -> list[str]:
    query, notes = Query.parse(params, today=TODAY)
    assert notes == []
    return [each.track_id for each in search(user, query, zone=zone or UTC)]


# --- Words ----------------------------------------------------------------------------------------


@drawing
@given(drawn=libraries, q=st.one_of(names, st.sampled_from(WORDS), st.text(max_size=8)))
def test_search_finds_what_plain_python_finds(drawn: list[Drawn], q: str) -> None:
    with stored(drawn) as ada:
        words = folded(q.replace("\0", " ")).split()
        expected = [
            each.track_id
            for each in liked(ada)
            if all(
                word in folded(each.track.name)
                or word in folded(", ".join(each.track.artists))
                or word in folded(each.track.album_name)
                for word in words
            )
        ]

        query, _ = Query.parse({"q": q}, today=TODAY)
        rows = [each.track_id for each in search(ada, query, zone=UTC)]

    assert rows == expected


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.mark.parametrize(
    "q",
    ["beyoncé halo", "HALO beyonce", "fierce  halo", "Béyoncé", "alo", "i am… halo", " halo\0 "],
)
def test_words_are_found_in_any_order_without_case_and_accents(ada: User, q: str) -> None:
    like(
        ada,
        add_song("halo", name="Halo", artists=["Beyoncé"], album="I Am… Fierce"),
        at("2020-01-01"),
    )

    assert found(ada, q=q) == ["halo"]


@pytest.mark.parametrize(
    "q", ["%", "_", "\\", "'", '"', "halo%", "h_lo", "halo halo2", "🎈", "é" * 500]
)
def test_no_character_of_a_search_is_a_wildcard(ada: User, q: str) -> None:
    like(ada, add_song("halo", name="Halo", artists=["Beyoncé"], album=""), at("2020-01-01"))

    assert found(ada, q=q) == []


def test_a_word_does_not_reach_from_the_title_into_the_artist(ada: User) -> None:
    like(ada, add_song("halo", name="Halo", artists=["Beyoncé"], album=""), at("2020-01-01"))

    assert found(ada, q="lobey") == []


def test_a_longer_search_is_cut_and_says_so() -> None:
    query, notes = Query.parse({"q": "x" * (LONGEST_SEARCH + 1)}, today=TODAY)

    assert (len(query.q), len(notes)) == (LONGEST_SEARCH, 1)


# --- Filters --------------------------------------------------------------------------------------


@drawing
@given(drawn=libraries, data=st.data())
def test_filters_narrow_as_plain_python_does(drawn: list[Drawn], data: st.DataObject) -> None:
    everybody = sorted({artist for song in drawn for artist in song.artists}) or ["nobody"]
    artist = data.draw(st.sampled_from(everybody))
    decade = data.draw(st.sampled_from(["1960", "1970", "1990", "2000", "unknown"]))
    explicit = data.draw(st.sampled_from(["yes", "no"]))
    with stored(drawn) as ada:
        likes = liked(ada)
        by_artist = [each.track_id for each in likes if artist in each.track.artists]
        by_decade = [
            each.track_id
            for each in likes
            if (
                each.track.released is None
                if decade == "unknown"
                else each.track.released is not None
                and each.track.released.year // 10 * 10 == int(decade)
            )
        ]
        by_flag = [each.track_id for each in likes if each.track.explicit == (explicit == "yes")]

        rows = (found(ada, artist=artist), found(ada, decade=decade), found(ada, explicit=explicit))

    assert rows == (by_artist, by_decade, by_flag)


def test_an_album_is_named_by_its_id_or_where_that_is_unknown_by_its_name(ada: User) -> None:
    Album.objects.create(id="album-1", name="Swept")
    like(ada, add_song("old", album="Swept"), at("2020-01-01"))
    like(ada, add_song("new", album="Swept", album_id="album-1"), at("2020-01-02"))

    assert found(ada, album="album-1") == ["new"]
    assert found(ada, album="Swept") == ["old"]


@pytest.mark.parametrize(
    ("zone", "in_january", "in_february"),
    [("UTC", ["late"], []), ("Pacific/Auckland", [], ["late"])],
)
def test_a_month_is_one_of_the_listeners_calendar(
    ada: User, zone: str, in_january: list[str], in_february: list[str]
) -> None:
    like(ada, add_song("late"), at("2024-01-31 23:30"))

    assert found(ada, ZoneInfo(zone), liked="2024-01") == in_january
    assert found(ada, ZoneInfo(zone), liked="2024-02") == in_february
    assert found(ada, ZoneInfo(zone), liked="2024") == ["late"]


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2024", Period(date(2024, 1, 1), date(2025, 1, 1))),
        ("2024-12", Period(date(2024, 12, 1), date(2025, 1, 1))),
        ("2024-02-29", Period(date(2024, 2, 29), date(2024, 3, 1))),
        *((text, None) for text in ["2023-02-29", "2024-13", "9999", "0000", "24", "²⁰²⁴", ""]),
    ],
)
def test_a_period_is_a_year_a_month_or_a_day(text: str, period: Period | None) -> None:
    assert Period.parse(text) == period


def test_songs_that_are_gone_are_shown_once_and_never_while_they_are_liked(ada: User) -> None:
    for key in ("twice", "again", "held"):
        add_song(key)
    like(ada, "twice", at("2020-01-01"), removed_at=at("2020-02-01"))
    like(ada, "twice", at("2021-01-01"), removed_at=at("2021-02-01"))
    like(ada, "again", at("2020-01-01"), removed_at=at("2022-02-01"))
    like(ada, "again", at("2022-03-01"))
    like(ada, "held", at("2020-01-01"))

    rows = search(ada, Query(show="gone"), zone=UTC)

    assert [(each.track_id, each.removed_at) for each in rows] == [("twice", at("2021-02-01"))]


def test_refused_songs_are_those_of_the_listeners_own_playlists(ada: User) -> None:
    bea = make_user("bea")
    for key in ("hers", "mine"):
        like(ada, add_song(key), at("2020-01-01"))
    now = timezone.now()
    MirrorTrack.objects.create(mirror=ada.mirrors.get(), track_id="mine", refused_at=now)
    MirrorTrack.objects.create(mirror=bea.mirrors.get(), track_id="hers", refused_at=now)

    assert found(ada, show="refused") == ["mine"]


def test_duplicates_are_the_same_song_or_the_same_recording(ada: User) -> None:
    assert found(ada, show="duplicates") == []
    for key, name, isrc in [
        ("one", "Looped", ""),
        ("two", "LOOPED", ""),
        ("three", "Swayed", "X1"),
        ("four", "Swayed (Remastered)", "X1"),
        ("five", "Burnt", "X2"),
    ]:
        like(ada, add_song(key, name=name, isrc=isrc), at("2020-01-01"))
    like(ada, add_song("six", name="Burnt"), at("2020-01-01"), removed_at=at("2021-01-01"))

    assert set(found(ada, show="duplicates")) == {"one", "two", "three", "four"}
    like(ada, add_song("seven", name="Burnt"), at("2020-01-01"))
    assert set(found(ada, show="duplicates")) == {"one", "two", "three", "four", "five", "seven"}


def test_a_playlist_is_what_its_playlists_hold_of_the_likes(ada: User) -> None:
    bea = make_user("bea")
    for user, number in ((ada, 1), (ada, 2), (bea, 1)):
        playlist = Playlist.objects.create(mirror=user.mirrors.get(), number=number)
        PlaylistItems.objects.create(
            playlist=playlist, uris=[f"spotify:track:{user}{number}", None]
        )
        like(ada, add_song(f"{user}{number}"), at("2020-01-01"))

    assert set(found(ada, playlist=str(ada.mirrors.get().pk))) == {"Ada1", "Ada2"}
    assert found(ada, playlist=str(bea.mirrors.get().pk)) == []


def test_the_songs_of_a_sync_are_those_that_came_and_went_with_it(ada: User) -> None:
    one, two = (make_request(ada, state="succeeded") for _ in range(2))
    like(ada, add_song("came"), at("2020-01-02"), added_in=one)
    like(
        ada,
        add_song("went"),
        at("2020-01-01"),
        added_in=two,
        removed_in=one,
        removed_at=at("2021-01-01"),
    )
    like(ada, add_song("other"), at("2020-01-01"), added_in=two)

    assert found(ada, sync=str(one.pk)) == ["came", "went"]


# --- Order ----------------------------------------------------------------------------------------


@drawing
@given(drawn=libraries)
def test_every_order_has_the_same_songs_and_is_the_same_each_time(drawn: list[Drawn]) -> None:
    with stored(drawn) as ada:
        orders = {sort: found(ada, sort=sort) for sort in SORTS}
        again = {sort: found(ada, sort=sort) for sort in SORTS}
        tracks = {each.track_id: each.track for each in liked(ada)}

    assert orders == again
    assert all(sorted(rows) == sorted(tracks) for rows in orders.values())
    titles = [folded(tracks[key].name) for key in orders["title"]]
    artists = [folded(", ".join(tracks[key].artists)) for key in orders["artist"]]
    assert (titles, artists) == (sorted(titles), sorted(artists))
    lengths = [tracks[key].duration_ms for key in orders["longest"]]
    assert lengths == sorted(lengths, reverse=True)
    released = [tracks[key].released for key in orders["oldest_release"]]
    known = [day for day in released if day]
    assert released == sorted(known) + [None] * (len(released) - len(known))


def test_pages_neither_repeat_nor_leave_out_a_song(ada: User) -> None:
    for number in range(30):
        like(ada, add_song(f"song{number}"), at("2020-01-01"), rank=number % 3)

    rows = search(ada, Query(sort="title"), zone=UTC)
    pages = [each.pk for start in range(0, 30, 7) for each in rows[start : start + 7]]

    assert len(set(pages)) == 30


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"sort": "loudest"},
        {"sort": "-added_at; DROP TABLE tracks"},
        {"show": "everything"},
        {"explicit": "maybe"},
        {"decade": "1995"},
        {"decade": "decades"},
        {"liked": "yesterday"},
        {"liked": "2024-02-30"},
        {"at": "2024"},
        {"at": "2024-02-30"},
        {"at": (TODAY + timedelta(days=1)).isoformat()},
        {"since": "x"},
        {"playlist": "9" * 19},
        {"playlist": "-1"},
        {"sync": "٣"},
    ],
)
def test_what_is_not_understood_is_left_out_with_a_note(params: dict[str, str]) -> None:
    query, notes = Query.parse(params, today=TODAY)

    assert query == Query()
    assert len(notes) == 1


@given(
    st.dictionaries(
        st.sampled_from(["q", "sort", "show", "at", "since", "liked", "artist", "playlist"]),
        st.one_of(st.text(max_size=30), st.dates().map(str)),
    )
)
def test_the_address_of_a_query_means_the_query(params: dict[str, str]) -> None:
    from django.http import QueryDict

    query, _ = Query.parse(params, today=TODAY)
    again, notes = Query.parse(QueryDict(query.urlencoded()).dict(), today=TODAY)

    assert (again, notes) == (query, [])


def test_two_days_in_the_wrong_order_are_swapped() -> None:
    query, notes = Query.parse({"at": "2024-01-01", "since": "2025-01-01"}, today=TODAY)

    assert (query.since, query.at) == ("2024-01-01", "2025-01-01")
    assert len(notes) == 1


def test_nobody_finds_a_song_of_somebody_else(ada: User) -> None:
    bea = make_user("bea")
    like(bea, add_song("hers"), at("2020-01-01"), removed_at=at("2022-01-01"))
    like(bea, add_song("hers too"), at("2020-01-01"))

    for params in (
        {},
        {"show": "gone"},
        {"at": "2021-01-01"},
        {"q": "looped"},
        {"since": "2019-01-01"},
    ):
        assert found(ada, **params) == []
    assert SavedTrack.objects.count() == 2


# --- Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", ["", "e"])
def test_a_page_is_a_slice_of_the_list_and_counts_what_it_saw(q: str) -> None:
    ada = big_library("ada", songs=MOST_COUNTED + 150, syncs=4)
    query = Query(q=q)
    likes = search(ada, query, zone=UTC)
    ids = list(likes.values_list("pk", flat=True))
    assert len(ids) > MOST_COUNTED + PAGE_SIZE
    last = (len(ids) - 1) // PAGE_SIZE + 1

    for number in (1, 2, MOST_COUNTED // PAGE_SIZE, MOST_COUNTED // PAGE_SIZE + 1, last, last + 1):
        page = page_of(query, likes, number)

        start = (number - 1) * PAGE_SIZE
        assert [each.pk for each in page.rows] == ids[start : start + PAGE_SIZE]
        assert page.has_more == (number < last)
        assert page.total == (MOST_COUNTED + 1 if q else None)


@pytest.mark.parametrize("q", ["", "looped"])
def test_a_list_of_one_page_is_counted(ada: User, q: str) -> None:
    for number in range(3):
        like(ada, add_song(f"song{number}", name="Looped"), at("2020-01-01"))
    query = Query(q=q)

    page = page_of(query, search(ada, query, zone=UTC), 1)

    assert (len(page.rows), page.has_more, page.total) == (3, False, 3)
