"""Songs that are like a song, and the version of all likes."""

import pytest
from django.utils import timezone

from accounts.models import User
from sync.library.songs import call_alike, call_different
from sync.library.version import likes_version
from sync.library.versions import similar
from sync.models import SavedTrack
from tests.builders import make_user
from tests.library.rows import add_song, at, like

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("ada")


def test_other_versions_have_the_title_and_one_of_the_artists(ada: User) -> None:
    song = add_song("song", name="Looped", artists=["Kiasmos", "Bonobo"])
    liked = {
        "live": add_song("live", name="Looped (Live)", artists=["Bonobo"]),
        "remix": add_song("remix", name="LOOPED - Remix", artists=["Someone", "Kiasmos"]),
        "other": add_song("other", name="Looped", artists=["Nobody"]),
        "longer": add_song("longer", name="Looped Again", artists=["Kiasmos"]),
        "inside": add_song("inside", name="Not Looped", artists=["Kiasmos"]),
        "gone": add_song("gone", name="Looped (Demo)", artists=["Kiasmos"]),
    }
    like(ada, song, at("2024-01-01"))
    for number, track in enumerate(liked.values(), start=2):
        like(ada, track, at(f"2024-01-0{number}"))
    like(make_user("bea"), add_song("hers", name="Looped"), at("2024-01-01"))
    SavedTrack.objects.filter(track="gone").update(removed_at=timezone.now())

    assert [found.track_id for found in similar(ada, song, most=9).versions] == ["remix", "live"]


def test_others_by_the_artist_are_the_newest_likes_of_the_first_artist(ada: User) -> None:
    song = add_song("song", artists=["Kiasmos", "Bonobo"])
    like(ada, song, at("2024-01-01"))
    for number in range(1, 5):
        track = add_song(f"k{number}", name=f"Song {number}", artists=["Someone", "Kiasmos"])
        like(ada, track, at(f"2024-02-0{number}"))
    like(ada, add_song("b", artists=["Bonobo"]), at("2024-03-01"))

    assert [found.track_id for found in similar(ada, song, most=3).others] == ["k4", "k3", "k2"]


@pytest.mark.parametrize("title", ["100% (Live)", "_", "", "\\", "'; --"])
def test_odd_titles_and_songs_without_artists_have_no_versions(ada: User, title: str) -> None:
    song = add_song("song", name=title, artists=[])
    like(ada, song, at("2024-01-01"))
    like(ada, add_song("other", name="Other"), at("2024-01-02"))

    assert similar(ada, song, most=3) == ([], [])


def test_the_version_of_the_likes_changes_with_each_change_of_them(ada: User) -> None:
    bea = make_user("bea")
    seen = [likes_version(ada.pk)]
    first = like(ada, add_song("a"), at("2024-01-01"))
    seen.append(likes_version(ada.pk))
    like(ada, add_song("b"), at("2024-01-02"))
    seen.append(likes_version(ada.pk))
    SavedTrack.objects.filter(pk=first.pk).update(removed_at=timezone.now())
    seen.append(likes_version(ada.pk))
    like(ada, "a", at("2024-02-01"))
    seen.append(likes_version(ada.pk))
    call_different(ada.pk, "a", "b")
    seen.append(likes_version(ada.pk))
    call_alike(ada.pk, "a", "b")
    call_different(ada.pk, "a", "c")
    seen.append(likes_version(ada.pk))

    assert len({version.key for version in seen}) == len(seen)
    assert [version.songs for version in seen] == [0, 1, 2, 1, 2, 2, 2]
    like(bea, "a", at("2024-01-01"))
    call_different(bea.pk, "a", "b")
    assert likes_version(ada.pk) == seen[-1]
