"""A listener's likes as the duplicates need them."""

from sync.library.duplicates import Song
from sync.models import SavedTrack


def load_songs(user_id: int) -> list[Song]:
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
        Song(key, title, tuple(artists), album, isrc, length, explicit, liked_at)
        for key, title, artists, album, isrc, length, explicit, liked_at in rows.iterator()
    ]
