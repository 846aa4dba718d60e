"""One song of the listener: its history, its playlists, and similar songs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from sync.models import Mirror, SavedTrack, Track
from syncify.text import folded

if TYPE_CHECKING:
    from accounts.models import User

# " (Remastered 2011)", " [Live]", " - Single Version"
_VERSION = re.compile(r" [(\[–-].*")


def likes_of_track(user: User, track_id: str) -> list[SavedTrack]:
    """All likes of the song by the listener, the first one first."""
    rows = SavedTrack.objects.filter(user=user, track=track_id).order_by("id")
    return list(rows.select_related("track__album"))


def playlists_with(user: User, track_id: str) -> QuerySet[Mirror]:
    """The listener's mirrors whose playlists hold the song."""
    holding = {"playlists__items__uris__contains": [f"spotify:track:{track_id}"]}
    return Mirror.objects.filter(user=user, **holding).order_by("-is_main", "name").distinct()


def other_versions(user: User, track: Track) -> list[SavedTrack]:
    """Likes with the same title by one of the same artists, in any version."""
    base = base_title(track.name)
    rows = (
        SavedTrack.objects.filter(
            user=user,
            removed_at=None,
            track__search__startswith=base,
            track__artists__overlap=track.artists,
        )
        .exclude(track=track)
        .select_related("track__album")
        .order_by("-added_at", "rank")
    )
    return [like for like in rows if base_title(like.track.name) == base]


def others_by_artist(user: User, track: Track, *, most: int) -> list[SavedTrack]:
    """The newest likes by the song's first artist."""
    rows = SavedTrack.objects.filter(
        user=user, removed_at=None, track__artists__contains=track.artists[:1]
    )
    rows = rows.exclude(track=track).select_related("track__album")
    return list(rows.order_by("-added_at", "rank")[:most])


def base_title(name: str) -> str:
    """The folded title without the words for its version."""
    title = folded(name)
    return _VERSION.sub("", title) or title
