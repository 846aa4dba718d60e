"""Rules against the database, compared with a naive evaluator."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from sync.library.duplicates import find_pairs, ids_with_duplicates
from sync.library.songs import call_alike, call_different, load_songs
from sync.mirrors.conditions import Scope
from sync.mirrors.rule_json import from_json
from sync.mirrors.rules import SORTS, PairSongs, SharedSongs
from sync.mirrors.selection import is_due, matching, select
from sync.models import (
    Artist,
    ArtistGenre,
    Mirror,
    Play,
    Playlist,
    PlaylistItems,
    SavedTrack,
    Track,
    TrackArtist,
)
from syncify.text import folded
from tests.mirrors import naive
from tests.mirrors.naive import Asked, NaiveSong

pytestmark = pytest.mark.django_db

NOW = datetime(2024, 3, 31, 11, 30, tzinfo=UTC)
NAMES = ("Ólafur", "Kiasmos", "Bonobo", "Simon & Garfunkel", "Tyler, The Creator")
TITLES = ("Looped", "looped", "Lóóped 100%", "Held_On", "桜", "Looped (Live)", "\\")
GENRES = ("jazz", "bebop", "techno", "zeuhl")
_serial = count()


def new_user() -> User:
    name = f"listener{next(_serial)}"
    return User.objects.create(spotify_id=name, display_name=name)


def store(user: User, songs: Iterable[NaiveSong], genres: dict[str, set[str]]) -> None:
    """Rows for ``songs``, whose ids become unique; artists have the ids of their names."""
    songs = list(songs)
    prefix = f"{user.pk}-"
    for song in songs:
        song.id = prefix + song.id
    Artist.objects.bulk_create(
        Artist(id=prefix + name, name=name, search=folded(name)) for name in NAMES
    )
    Track.objects.bulk_create(
        Track(
            id=song.id,
            name=song.title,
            artists=song.artists,
            album_name=song.album,
            duration_ms=song.duration_ms,
            explicit=song.explicit,
            released=song.released,
            search="\n".join(map(folded, (song.title, ", ".join(song.artists), song.album))),
        )
        for song in songs
    )
    TrackArtist.objects.bulk_create(
        TrackArtist(track_id=song.id, artist_id=prefix + name, position=place)
        for song in songs
        for place, name in enumerate(song.artists)
    )
    SavedTrack.objects.bulk_create(
        SavedTrack(
            user=user,
            track_id=song.id,
            added_at=song.added_at,
            rank=song.rank,
            removed_at=song.removed_at,
        )
        for song in songs
    )
    Play.objects.bulk_create(
        Play(user=user, track_id=song.id, plays=song.plays, last_played=song.last_played)
        for song in songs
        if song.plays
    )
    ArtistGenre.objects.bulk_create(
        ArtistGenre(artist_id=prefix + name, genre=genre)
        for name, names in genres.items()
        for genre in names
    )


def hold(user: User, songs: Iterable[NaiveSong]) -> Mirror:
    """A playlist of ``user`` that holds these songs."""
    mirror = Mirror.objects.create(user=user, is_main=False, rule={}, name="Evening")
    playlist = Playlist.objects.create(mirror=mirror, number=1)
    uris = [f"spotify:track:{song.id}" for song in songs]
    PlaylistItems.objects.create(playlist=playlist, uris=[*uris, None])
    return mirror


moments = st.integers(0, 763 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))
years = st.dates(date(1989, 12, 30), date(2024, 3, 31))


@st.composite
def naive_songs(draw: st.DrawFn) -> NaiveSong:
    plays = draw(st.sampled_from((0, 0, 1, 2, 5)))
    return NaiveSong(
        id="",
        title=draw(st.sampled_from(TITLES)),
        artists=draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)),
        album=draw(st.sampled_from(("", "Blurred", "Blúrred EP"))),
        released=draw(st.none() | years),
        duration_ms=draw(st.sampled_from((179_999, 180_000, 180_001, 240_000))),
        explicit=draw(st.booleans()),
        added_at=draw(st.sampled_from((NOW, NOW - timedelta(days=31))) | moments),
        rank=0,
        removed_at=draw(st.none() | st.none() | moments),
        plays=plays,
        last_played=draw(moments) if plays else None,
    )


days = st.dates(date(2022, 2, 1), date(2024, 4, 1)).map(date.isoformat)
spans = st.builds(
    lambda n, unit: {"n": n, "unit": unit},
    st.integers(1, 30),
    st.sampled_from(("days", "months", "years")),
)


def _tests(field: str, ops: tuple[str, ...], values: Any) -> Any:
    return st.builds(
        lambda op, value: {"field": field, "op": op, "value": value}, st.sampled_from(ops), values
    )


def _ranges(field: str, numbers: Any) -> Any:
    pairs = st.lists(numbers, min_size=2, max_size=2).map(sorted)
    return _tests(field, ("at_least", "at_most"), numbers) | _tests(field, ("between",), pairs)


_texts = ("is", "is_not", "contains", "not_contains")
_sets = ("in", "not_in")
near_tests = st.one_of(
    _tests("title", _texts, st.sampled_from((*TITLES, "loop", "%", "_", "'"))),
    _tests("artist", _texts, st.sampled_from((*NAMES, "Tyler", "o", ", kiasmos"))),
    _tests("album", _texts, st.sampled_from(("blurred", "ep", "EP"))),
    *(
        _tests(field, ("before", "after"), days) | _tests(field, ("in_last", "not_in_last"), spans)
        for field in ("liked", "last_played", "released")
    ),
    _ranges("length", st.integers(179, 181)),
    _ranges("year", st.integers(1989, 2025)),
    _ranges("plays", st.integers(0, 6)),
    _tests("explicit", ("is",), st.booleans()),
    _tests("duplicate", ("is",), st.booleans()),
    _tests("genre", _sets, st.lists(st.sampled_from(GENRES), min_size=1, max_size=2)),
    _tests("mirror", _sets, st.sampled_from(([-1], [-1, 999_999_999], [999_999_999]))),
)
near_groups = st.builds(
    lambda match, tests: {"match": match, "tests": tests},
    st.sampled_from(("all", "any")),
    st.lists(near_tests, min_size=1, max_size=3),
)
near_rules = st.fixed_dictionaries(
    {
        "source": st.just("likes") | days.map(lambda day: {"likes_at": day}),
        "match": st.sampled_from(("all", "any")),
        "tests": st.lists(near_tests | near_groups, max_size=4),
        "sort": st.sampled_from(tuple(sort for sort in SORTS if sort != "rediscover")),
        "limit": st.none() | st.integers(1, 6),
        "per_artist": st.none() | st.integers(1, 2),
        "refresh": st.sampled_from(("sync", "daily", "weekly", "monthly")),
    }
)
_zones = st.sampled_from(("UTC", "Pacific/Auckland", "America/New_York"))
_genres = st.dictionaries(
    st.sampled_from(NAMES), st.sets(st.sampled_from(GENRES), max_size=2), max_size=5
)


def _with_mirror(raw: Any, mirror_id: int) -> Any:
    """``raw`` with the id of a real mirror where it says -1."""
    if isinstance(raw, dict):
        return {name: _with_mirror(value, mirror_id) for name, value in raw.items()}
    if isinstance(raw, list):
        return [_with_mirror(value, mirror_id) for value in raw]
    return mirror_id if raw == -1 else raw


@given(
    raw=near_rules,
    songs=st.lists(naive_songs(), max_size=10),
    genres=_genres,
    held=st.sets(st.integers(0, 9)),
    zone=_zones,
)
def test_the_database_selects_what_the_naive_evaluator_selects(
    raw: dict[str, Any],
    songs: list[NaiveSong],
    genres: dict[str, set[str]],
    held: set[int],
    zone: str,
) -> None:
    user, stranger = new_user(), new_user()
    for number, song in enumerate(songs):
        song.id, song.rank = f"s{number}", number
    store(user, songs, genres)
    SavedTrack.objects.bulk_create(
        SavedTrack(user=stranger, track_id=song.id, added_at=NOW) for song in songs
    )
    Play.objects.bulk_create(
        Play(user=stranger, track_id=song.id, plays=9, last_played=NOW) for song in songs
    )
    mirror = hold(user, [songs[number] for number in held if number < len(songs)])
    doubles = ids_with_duplicates(find_pairs(load_songs(user.pk)))
    for number, song in enumerate(songs):
        song.genres = {genre for name in song.artists for genre in genres.get(name, ())}
        song.mirrors = {mirror.pk} if number in held else set()
        song.has_duplicate = song.id in doubles
    rule = from_json(_with_mirror(raw, mirror.pk))
    scope = Scope(user_id=user.pk, now=NOW, zone=ZoneInfo(zone), mirror_id=mirror.pk)

    selected = select(rule, scope).track_ids

    assert selected == naive.select(rule, songs, Asked(NOW, ZoneInfo(zone), mirror.pk))


def plain_song(key: str, days: int = 0, **changes: Any) -> NaiveSong:
    facts: dict[str, Any] = {
        "title": "Looped",
        "artists": ["Kiasmos"],
        "album": "",
        "released": None,
        "duration_ms": 240_000,
        "explicit": False,
        "added_at": NOW - timedelta(days=days),
        "rank": 0,
    }
    return NaiveSong(key, **{**facts, **changes})


def ids(user: User, raw: dict[str, Any], **scope: Any) -> list[str]:
    selected = select(from_json(raw), Scope(user_id=user.pk, now=NOW, **scope))
    return [track.removeprefix(f"{user.pk}-") for track in selected.track_ids]


def one(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"tests": [{"field": field, "op": op, "value": value}]}


def test_a_genre_set_by_hand_counts_for_that_listener_alone() -> None:
    user, other = new_user(), new_user()
    store(user, [plain_song("a")], {"Kiasmos": {"techno"}})
    SavedTrack.objects.create(user=other, track_id=f"{user.pk}-a", added_at=NOW)
    ArtistGenre.objects.create(artist_id=f"{user.pk}-Kiasmos", genre="bebop", user=user)

    assert ids(user, one("genre", "in", ["jazz"])) == ["a"]
    assert ids(user, one("genre", "in", ["techno"])) == []
    assert ids(other, one("genre", "in", ["jazz"])) == []
    assert len(ids(other, one("genre", "in", ["electronic"]))) == 1


def test_a_playlist_of_somebody_else_cannot_be_asked_for() -> None:
    user, other = new_user(), new_user()
    songs = [plain_song("a")]
    store(user, songs, {})
    theirs = hold(other, songs)

    assert ids(user, one("mirror", "in", [theirs.pk])) == []
    assert ids(user, one("mirror", "not_in", [theirs.pk])) == ["a"]


def test_a_deleted_playlist_holds_nothing() -> None:
    user = new_user()
    songs = [plain_song("a")]
    store(user, songs, {})
    mirror = hold(user, songs)
    rule = one("mirror", "in", [mirror.pk])
    assert ids(user, rule) == ["a"]

    mirror.delete()

    assert ids(user, rule) == []


def test_a_song_liked_twice_is_selected_once() -> None:
    user = new_user()
    store(user, [plain_song("a", 10), plain_song("b", 5)], {})
    SavedTrack.objects.filter(track=f"{user.pk}-a").update(removed_at=NOW)
    SavedTrack.objects.create(user=user, track_id=f"{user.pk}-a", added_at=NOW - timedelta(days=1))

    # Seen as ended only after the new like began: both rows hold for that day.
    assert ids(user, {"source": {"likes_at": "2024-03-30"}}) == ["a", "b"]


def test_one_per_artist_comes_before_the_limit() -> None:
    user = new_user()
    songs = [plain_song(f"k{n}", n) for n in range(3)]
    store(user, [*songs, plain_song("b", 9, artists=["Bonobo"])], {})

    assert ids(user, {"per_artist": 1, "limit": 2}) == ["k0", "b"]


def test_a_pair_takes_turns() -> None:
    user, other = new_user(), new_user()
    store(user, [plain_song("a", 1), plain_song("b", 2), plain_song("c", 3)], {})
    store(other, [plain_song("x", 8), plain_song("y", 9)], {})
    asked: list[SharedSongs] = []

    def shared_songs(source: SharedSongs) -> Any:
        asked.append(source)
        return SavedTrack.objects.filter(user__in=[user, other], removed_at=None)

    found = ids(user, {"source": {"pair": 4, "of": "turns"}, "limit": 4}, shared_songs=shared_songs)

    assert [key[-1] for key in found] == ["a", "x", "b", "y"]
    assert asked == [PairSongs(4, "turns")]


def test_a_recording_that_several_listeners_like_comes_once() -> None:
    user, other = new_user(), new_user()
    store(user, [plain_song("a", 1), plain_song("b", 4)], {})
    store(other, [plain_song("c", 2), plain_song("d", 3)], {})
    Track.objects.filter(pk__endswith="a").update(isrc="ISRC1")
    Track.objects.filter(pk__endswith="c").update(isrc="ISRC1")

    def shared_songs(_source: SharedSongs) -> Any:
        return SavedTrack.objects.filter(user__in=[user, other], removed_at=None)

    found = ids(user, {"source": {"household": 4, "of": "everyone"}}, shared_songs=shared_songs)

    assert [key[-1] for key in found] == ["a", "d", "b"]


@pytest.mark.parametrize("of", ["everyone", "turns"])
@pytest.mark.parametrize("limit", [1, 3, 10, 40, 100])
def test_a_limit_cuts_the_songs_of_several_listeners_and_changes_nothing_else(
    of: str, limit: int
) -> None:
    """Most rows are of few recordings, so that the first rows are not enough."""
    users = [new_user() for _ in range(3)]
    for number, user in enumerate(users):
        songs = [plain_song(f"{number}-{at}", at * 3 + number) for at in range(25 + number)]
        store(user, songs, {})
    Track.objects.filter(savedtrack__user__in=users, pk__regex="[0-8]$").update(isrc="ISRC1")

    def shared_songs(_source: SharedSongs) -> Any:
        return SavedTrack.objects.filter(user__in=users, removed_at=None)

    def found(limit: int | None) -> list[str]:
        rule = {"source": {"household": 4, "of": of}, "limit": limit}
        return ids(users[0], rule, shared_songs=shared_songs)

    assert found(limit) == found(None)[:limit]
    assert len(found(None)) > 3


def test_a_pair_that_is_not_offered_selects_nothing() -> None:
    user = new_user()
    store(user, [plain_song("a")], {})

    assert ids(user, {"source": {"pair": 1, "of": "both"}}) == []


def test_shuffled_songs_stay_for_a_period_and_then_change() -> None:
    user = new_user()
    store(user, [plain_song(f"{n}", n) for n in range(20)], {})
    rule = from_json({"sort": "random", "refresh": "daily"})

    def order(hours: int, mirror_id: int = 1) -> list[str]:
        scope = Scope(user_id=user.pk, now=NOW + timedelta(hours=hours), mirror_id=mirror_id)
        return select(rule, scope).track_ids

    assert order(0) == order(12)
    assert order(0) != order(13)
    assert order(0) != order(0, mirror_id=2)
    assert sorted(order(0)) == sorted(order(13))


def test_rediscover_goes_through_all_songs() -> None:
    user = new_user()
    store(user, [plain_song(f"{n}", n) for n in range(10)], {})
    rule = from_json({"sort": "rediscover", "limit": 4, "refresh": "daily"})
    rotation, shown = None, []

    for day in range(5):
        scope = Scope(user_id=user.pk, now=NOW + timedelta(days=day), mirror_id=1)
        selected, again = select(rule, scope, rotation), None
        again = select(rule, scope, selected.rotation)
        assert again == selected
        rotation = selected.rotation
        shown += selected.track_ids

    assert set(shown[:10]) == set(shown[10:]) == set(shown)
    assert len(set(shown)) == 10


@pytest.mark.parametrize(
    ("refresh", "hours", "due"),
    [("sync", 0, True), ("daily", 12, False), ("daily", 13, True), ("weekly", 13, True),
     ("weekly", 12, False), ("monthly", 12, False), ("monthly", 13, True)],
)  # fmt: skip
def test_a_list_is_due_in_a_new_period(refresh: str, hours: int, due: bool) -> None:
    rule = from_json({"refresh": refresh})

    assert is_due(rule, Scope(user_id=1, now=NOW + timedelta(hours=hours)), NOW) is due
    assert is_due(rule, Scope(user_id=1, now=NOW), None)


def test_one_rule_is_one_query() -> None:
    user = new_user()
    songs = [plain_song("a")]
    store(user, songs, {})
    mirror = hold(user, songs)
    tests = [
        {"field": "title", "op": "contains", "value": "loop"},
        {"field": "artist", "op": "is", "value": "kiasmos"},
        {"field": "genre", "op": "not_in", "value": ["jazz"]},
        {"field": "mirror", "op": "in", "value": [mirror.pk]},
        {"field": "plays", "op": "at_most", "value": 0},
    ]

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert ids(user, {"tests": tests}) == ["a"]

    assert len(queries) == 1


def test_the_sql_has_no_text_of_the_rule() -> None:
    user = new_user()
    rule = from_json(one("title", "contains", "'; DROP TABLE tracks; --"))
    sql, parameters = matching(rule, Scope(user_id=user.pk, now=NOW)).query.sql_with_params()

    assert "DROP" not in sql
    assert any("drop table" in str(value) for value in parameters)


def test_songs_that_are_called_different_have_no_duplicate() -> None:
    user, other = new_user(), new_user()
    store(user, [plain_song("a"), plain_song("b", 1)], {})
    key_a, key_b = f"{user.pk}-a", f"{user.pk}-b"
    with_duplicate = one("duplicate", "is", True)
    assert ids(user, with_duplicate) == ["a", "b"]

    call_different(other.pk, key_a, key_b)
    assert ids(user, with_duplicate) == ["a", "b"]
    call_different(user.pk, key_b, key_a)
    call_different(user.pk, key_a, key_b)
    call_different(user.pk, key_a, key_a)
    assert ids(user, with_duplicate) == []
    call_alike(user.pk, key_a, key_b)

    assert ids(user, with_duplicate) == ["a", "b"]
