"""One song of the listener: its history, its playlists, and similar songs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db.models import F, Func, IntegerField, Q, QuerySet, Value
from django.db.models.functions import StrIndex

from sync.models import Mirror, SavedTrack, Track
from syncify.text import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    rows = _by_one_of(_other_likes(user, track), track.artists)
    rows = rows.alias(base_at=StrIndex("track__search", Value(base))).filter(base_at__gt=0)
    return [like for like in rows if base_title(like.track.name) == base]


def others_by_artist(user: User, track: Track, *, most: int) -> list[SavedTrack]:
    """The newest likes by the song's first artist."""
    return list(_by_one_of(_other_likes(user, track), track.artists[:1])[:most])


def _other_likes(user: User, track: Track) -> QuerySet[SavedTrack]:
    """All likes but that of ``track``, newest first."""
    rows = SavedTrack.objects.filter(user=user, removed_at=None).exclude(track=track)
    return rows.select_related("track__album").order_by("-added_at", "rank")


def _by_one_of(rows: QuerySet[SavedTrack], artists: Sequence[str]) -> QuerySet[SavedTrack]:
    # As in ``search``: conditions of which the planner expects much, so that it begins with the
    # listener's likes, and not with the songs of everybody.
    wanted = Q(pk=None)
    for number, artist in enumerate(artists):
        place = Func(F("track__artists"), Value(artist), function="array_position")
        place.output_field = IntegerField()
        rows = rows.alias(**{f"artist{number}": place})
        wanted |= Q(**{f"artist{number}__isnull": False})
    return rows.filter(wanted)


def base_title(name: str) -> str:
    """The folded title without the words for its version."""
    title = folded(name)
    return _VERSION.sub("", title) or title
