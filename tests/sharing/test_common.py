"""What two listeners have in common, and playlists of both."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import access
from accounts.models import User
from sync.mirrors.rules import Of, PairSongs
from sync.models import Artist, Mirror, Pair, Playlist, PlaylistItems, TrackArtist
from sync.sharing import common, pairs, sources
from sync.sharing.codes import make_code
from sync.sharing.playlists import (
    create_shared_mirror,
    playlists_over,
    tracks_with_owners,
    whose_songs,
)
from syncify.simulator.server import Simulator
from tests.builders import connect, make_user
from tests.driving import run
from tests.library.rows import add_song, at, like

artists = st.sets(st.text(alphabet="abcdefghij", min_size=1, max_size=1))


def sizes(one: set[str], other: set[str]) -> tuple[int, int, int]:
    return len(one & other), len(one), len(other)


@given(artists, artists)
def test_overlap_is_symmetric(one: set[str], other: set[str]) -> None:
    there, back = sizes(one, other), sizes(other, one)

    assert common.overlap(*there) == common.overlap(*back)
    assert common.in_words(*there) == common.in_words(*back)
    assert 0 <= common.overlap(*there) <= 1


@given(artists.filter(bool), artists)
def test_overlap_is_one_for_subsets_and_zero_for_disjoint_sets(
    one: set[str], other: set[str]
) -> None:
    assert common.overlap(*sizes(one, one | other)) == 1
    assert common.overlap(*sizes(one, other - one)) == 0


@pytest.mark.parametrize(
    ("shared", "words"),
    [(0, "far apart"), (2, "here and there"), (4, "are near"), (6, "very near"), (10, "very near")],
)
def test_overlap_is_told_in_words(shared: int, words: str) -> None:
    assert words in common.in_words(shared, 10, shared + 30)


def test_few_artists_tell_nothing() -> None:
    assert common.in_words(4, 4, 100) == common.UNKNOWN


# --- Songs ----------------------------------------------------------------------------------------

Both = tuple[User, User, Pair]


@pytest.fixture
def both(db: None) -> Both:
    """Ada likes a, b and x1; Bea likes b, c and x2, the recording of x1 on another album."""
    ada, bea = make_user("ada"), make_user("bea")
    for key, isrc in [("a", ""), ("b", ""), ("c", ""), ("x1", "ISRC1"), ("x2", "ISRC1")]:
        add_song(key, name=key, isrc=isrc)
    Artist.objects.create(id="kiasmos", name="Kiasmos")
    TrackArtist.objects.bulk_create(
        TrackArtist(track_id=key, artist_id="kiasmos", position=0)
        for key in ("a", "b", "c", "x1", "x2")
    )
    for number, key in enumerate(["a", "b", "x1"], 1):
        like(ada, key, at(f"2025-05-0{number}"))
    for number, key in enumerate(["b", "c", "x2"], 4):
        like(bea, key, at(f"2025-05-0{number}"))
    like(bea, "a", at("2024-01-01"), removed_at=at("2024-02-01"))
    return ada, bea, pairs.accept(bea, make_code(ada))


def of(user: User, pair: Pair, what: Of) -> list[str]:
    songs = sources.songs_of_pair(user.pk, PairSongs(pair.pk, what))
    return sorted(songs.values_list("track_id", flat=True))


def test_songs_of_a_pair_by_source(both: Both) -> None:
    ada, bea, pair = both

    assert of(ada, pair, "both") == ["b", "x1"]
    assert of(bea, pair, "both") == ["b", "x2"]
    assert of(ada, pair, "theirs_not_mine") == ["c"]
    assert of(bea, pair, "theirs_not_mine") == ["a"]
    assert of(ada, pair, "turns") == ["a", "b", "b", "c", "x1", "x2"]


def _end(ada: User, bea: User, pair: Pair) -> None:
    pairs.end(bea, pair.pk)


def _block(ada: User, bea: User, pair: Pair) -> None:
    access.block_listener(bea)


def _delete(ada: User, bea: User, pair: Pair) -> None:
    bea.delete()


@pytest.mark.parametrize("how", [_end, _block, _delete])
@pytest.mark.parametrize("what", ["both", "turns", "theirs_not_mine"])
def test_without_consent_a_pair_has_no_songs(
    both: Both, what: Of, how: Callable[[User, User, Pair], None]
) -> None:
    ada, bea, pair = both
    assert of(make_user("cleo"), pair, what) == []

    how(ada, bea, pair)

    assert of(ada, pair, what) == []


def test_comparison_of_both(both: Both) -> None:
    ada, bea, _ = both

    found = common.compare(ada, bea)

    assert (found.songs_count, found.songs) == (2, ["x1", "b"])
    assert [(one.name, one.mine, one.theirs) for one in found.artists] == [("Kiasmos", 3, 3)]
    assert found.suggestions == ["c"]
    assert found.taste == common.UNKNOWN


def test_each_song_of_a_shared_playlist_says_whose_it_is(both: Both) -> None:
    ada, bea, pair = both
    mirror = create_shared_mirror(ada, pair.pk, "turns")
    playlist = Playlist.objects.create(mirror=mirror, number=1, spotify_id="both")
    uris: list[str | None] = [f"spotify:track:{key}" for key in ("c", "b", "a", "gone")]
    PlaylistItems.objects.create(playlist=playlist, uris=[*uris, None])

    [shown] = playlists_over(ada, PairSongs, pair.pk)
    songs = whose_songs(shown, tracks_with_owners(shown.ids, [ada, bea]), ada, [ada, bea])

    assert shown.url.endswith("/playlist/both")
    assert [(track.pk, who) for track, who in songs] == [
        ("c", "Bea"),
        ("b", "Both"),
        ("a", "You"),
    ]


# --- From sync to sync ----------------------------------------------------------------------------


@pytest.fixture
def ada(simulator: Simulator, db: None) -> User:
    return connect(simulator, "ada")


@pytest.fixture
def bea(simulator: Simulator, db: None) -> User:
    return connect(simulator, "bea")


@pytest.fixture
def together(simulator: Simulator, ada: User, bea: User) -> Pair:
    """Ada and Bea, synced, with 30 songs in common and 40 of Bea's own."""
    shared = [simulator.new_track() for _ in range(30)]
    simulator.set_liked("ada", *shared, simulator.new_track())
    simulator.set_liked("bea", *shared, *[simulator.new_track() for _ in range(40)])
    run(ada, "first")
    run(bea, "first")
    return pairs.accept(bea, make_code(ada))


def held(simulator: Simulator, mirror: Mirror) -> set[str | None]:
    playlist = Playlist.objects.get(mirror=mirror)
    return set(simulator.playlist_uris(playlist.spotify_id or ""))


@pytest.mark.django_db
def test_shared_playlist_follows_both_until_the_pair_ends(
    simulator: Simulator, ada: User, bea: User, together: Pair
) -> None:
    mirror = create_shared_mirror(ada, together.pk, "both")
    run(ada)
    likes = set(simulator.liked("ada")) & set(simulator.liked("bea"))
    assert held(simulator, mirror) == likes
    assert len(likes) == 30

    assert pairs.end(bea, together.pk)
    request = run(ada)

    assert request.state == "succeeded"
    assert held(simulator, mirror) == set()
    assert len(simulator.liked("ada")) == 31


@pytest.mark.django_db
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("refresh", ["sync", "monthly"])
def test_deleted_account_takes_its_songs_out_of_shared_playlists(
    simulator: Simulator, ada: User, bea: User, together: Pair, refresh: str, *, keeps: bool
) -> None:
    mirror = create_shared_mirror(ada, together.pk, "theirs_not_mine")
    Mirror.objects.filter(pk=mirror.pk).update(refresh=refresh, keeps_additions=keeps)
    run(ada)
    assert len(held(simulator, mirror)) == 40
    simulator.advance(timedelta(seconds=2))  # no song may seem as old as the last look
    hers = simulator.new_track()
    playlist = Playlist.objects.get(mirror=mirror).spotify_id or ""
    simulator.insert(playlist, f"spotify:track:{hers}", position=0, by="cleo")
    run(ada)

    bea.delete()
    request = run(ada, "scheduled")

    assert request.state == "succeeded"
    assert held(simulator, mirror) == ({f"spotify:track:{hers}"} if keeps else set())
