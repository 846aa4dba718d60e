"""A listener's likes for the search of duplicates, and the pairs marked as different."""

from django.core.cache import cache

from sync.library.duplicates import ComparedSong, Group, find_groups, find_pairs
from sync.library.version import likes_version
from sync.models import DifferentSongs, SavedTrack

#: Seconds that the groups of duplicates are kept.
_KEPT_FOR = 3600


def duplicate_groups(user_id: int) -> list[Group]:
    """The listener's likes that may be the same song, surest first.

    To compare all songs takes a while, so the answer is kept until the likes change.
    """
    version = likes_version(user_id)
    key = f"groups:{user_id}:{version.key}"
    groups: list[Group] | None = cache.get(key)
    if groups is None:
        songs = load_songs(user_id)
        different = different_pairs(user_id) if version.different else set()
        groups = find_groups(songs, find_pairs(songs, different))
        cache.set(key, groups, _KEPT_FOR)
    return groups


def load_songs(user_id: int) -> list[ComparedSong]:
    rows = SavedTrack.objects.filter(user=user_id, removed_at=None).values_list(
        "track_id",
        "track__name",
        "track__artists",
        "track__album_name",
        "track__isrc",
        "track__duration_ms",
        "track__explicit",
        "added_at",
    )
    return [
        ComparedSong(key, title, tuple(artists), album, isrc, length, explicit, liked_at)
        for key, title, artists, album, isrc, length, explicit, liked_at in rows
    ]


def different_pairs(user_id: int) -> set[frozenset[str]]:
    """The pairs of tracks that this listener marked as different."""
    pairs = DifferentSongs.objects.filter(user=user_id).values_list("first", "second")
    return {frozenset(pair) for pair in pairs}


def call_different(user_id: int, one: str, other: str) -> None:
    """Mark two tracks as different songs. A second call changes nothing."""
    first, second = sorted((one, other))
    if first != second:
        DifferentSongs.objects.get_or_create(user_id=user_id, first=first, second=second)


def call_alike(user_id: int, one: str, other: str) -> None:
    """Undo ``call_different``."""
    first, second = sorted((one, other))
    DifferentSongs.objects.filter(user=user_id, first=first, second=second).delete()
