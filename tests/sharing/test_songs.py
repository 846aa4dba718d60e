"""Which songs a link shows, in which order, and what a search finds."""

import pytest

from accounts.models import User
from sync.models import MirrorTrack, PlaylistItems, SavedTrack, ShareLink
from sync.sharing.songs import (
    ON_PAGE,
    all_songs,
    facts_of,
    newest_of,
    page_of,
    version_of,
)
from tests.builders import main_mirror, make_request, make_user
from tests.sharing.rows import NOON, make_mirror, make_playlist, make_songs, share

pytestmark = pytest.mark.django_db


def names(link: ShareLink, query: str = "", number: int = 1) -> list[str]:
    page = page_of(link, query=query, number=number, places=facts_of(link).places)
    return [song.name for song in page.songs]


def test_a_link_to_the_library_shows_the_likes_of_today_newest_first(ada: User) -> None:
    likes = make_songs(ada, "Looped", "Swayed", "Burnt")
    SavedTrack.objects.filter(pk=likes[1].pk).update(removed_at=NOON)
    make_songs(make_user("bea"), "Held")

    link, _ = share(ada, None)

    assert names(link) == ["Looped", "Burnt"]
    assert facts_of(link).count == 2
    assert facts_of(link).newest == NOON


def test_a_link_to_a_playlist_shows_what_it_holds_volume_by_volume(ada: User) -> None:
    jazz, likes = make_mirror(ada, "Jazz"), make_songs(ada, "A", "B", "C", "D")
    make_playlist(jazz, [likes[3], likes[1]])
    make_playlist(jazz, [likes[2]], number=2)

    link, _ = share(ada, jazz)

    assert names(link) == ["D", "B", "C"]
    assert [song.name for song in all_songs(link)] == ["D", "B", "C"]
    assert [song.name for song in newest_of(link, limit=2)] == ["B", "C"]
    assert facts_of(link).newest == likes[1].added_at


def test_a_playlist_may_hold_local_files_gaps_and_songs_without_a_like(ada: User) -> None:
    mirror, likes = main_mirror(ada), make_songs(ada, "A", "B", "C")
    make_playlist(mirror, likes)
    PlaylistItems.objects.update(
        uris=[None, "spotify:local:a:b:c:1", "odd", f"spotify:track:{likes[0].track_id}",
              "spotify:track:shown", f"spotify:track:{likes[2].track_id}"],
    )  # fmt: skip
    MirrorTrack.objects.create(mirror=mirror, track=likes[1].track, shown_as="spotify:track:shown")
    SavedTrack.objects.filter(pk=likes[2].pk).update(removed_at=NOON)

    link, _ = share(ada, mirror)

    assert names(link) == ["A", "B", "C"]
    assert facts_of(link).count == 3
    assert [song.name for song in newest_of(link, limit=9)] == ["A", "B"]
    assert list(all_songs(link))[2].added_at is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("looped", ["Looped"]),
        ("LÖÖPED", ["Looped"]),
        ("kiasmos album", ["Looped", "100% Burnt", "under_score"]),
        ("burnt looped", []),
        ("%", ["100% Burnt"]),
        ("_", ["under_score"]),
        ("\\", []),
        ("\0", ["Looped", "100% Burnt", "under_score"]),
        ("   ", ["Looped", "100% Burnt", "under_score"]),
        ("a " * 500, ["Looped", "100% Burnt", "under_score"]),
        ("' OR 1=1 --", []),
    ],
)
@pytest.mark.parametrize("has_mirror", [True, False])
def test_a_search_finds_songs_that_hold_every_word(
    ada: User, query: str, found: list[str], has_mirror: bool
) -> None:
    likes = make_songs(ada, "Looped", "100% Burnt", "under_score")
    make_playlist(main_mirror(ada), likes)

    link, _ = share(ada, main_mirror(ada) if has_mirror else None)

    assert names(link, query) == found
    assert page_of(link, query=query, number=1, places=3).count == len(found)


@pytest.mark.parametrize("has_mirror", [True, False])
def test_songs_come_a_hundred_at_a_time(ada: User, has_mirror: bool) -> None:
    likes = make_songs(ada, *(f"Song {at}" for at in range(ON_PAGE + 5)))
    make_playlist(main_mirror(ada), likes)
    link, _ = share(ada, main_mirror(ada) if has_mirror else None)

    assert [len(names(link, "", at)) for at in (-1, 0, 1, 2, 3, 10**6)] == [100, 100, 100, 5, 5, 5]
    assert names(link, "", 2)[0] == "Song 100"
    assert len(names(link, "song", 2)) == 5


def test_a_page_reaches_from_one_volume_into_the_next(ada: User) -> None:
    jazz = make_mirror(ada, "Jazz")
    likes = make_songs(ada, *(f"Song {at}" for at in range(ON_PAGE * 2 + 5)))
    for number, part in enumerate((likes[:70], [], likes[70:75], likes[75:]), start=1):
        make_playlist(jazz, part, number=number)
    link, _ = share(ada, jazz)

    pages = [names(link, number=number) for number in (1, 2, 3)]

    assert [len(page) for page in pages] == [100, 100, 5]
    assert [name for page in pages for name in page] == [
        f"Song {at}" for at in range(ON_PAGE * 2 + 5)
    ]


def test_facts_are_kept_for_a_version_of_the_songs(ada: User) -> None:
    make_playlist(main_mirror(ada), make_songs(ada, "A", "B"))
    link, _ = share(ada, main_mirror(ada))
    facts = facts_of(link, version=1)
    PlaylistItems.objects.update(uris=[])

    assert (facts.count, facts.places) == (2, 2)
    assert facts_of(link, version=1) == facts
    assert facts_of(link, version=2).count == 0
    assert facts_of(link).newest is None


def test_the_version_changes_with_each_finished_sync(ada: User) -> None:
    link, _ = share(ada, None)
    assert version_of(link) == (0, None)
    first = make_request(ada, state="succeeded")
    make_request(make_user("bea"), state="succeeded")
    make_request(ada, state="succeeded", kind="genres")
    make_request(ada, state="running")

    assert version_of(link) == (first.pk, first.completed)
