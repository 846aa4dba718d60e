"""One song of the listener: its history, its playlists, and similar songs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import F, Func, IntegerField, Q, QuerySet, Value

from sync.models import Mirror, SavedTrack, Track
from syncify.text import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import User

# " (Remastered 2011)", " [Live]", " - Single Version"
_VERSION = re.compile(r" [(\[–-].*")


class Similar(NamedTuple):
    """Likes that are like a song, newest first."""

    #: With the same title by one of the same artists, in any version.
    versions: list[SavedTrack]
    #: By the song's first artist.
    others: list[SavedTrack]


def likes_of_track(user: User, track_id: str) -> list[SavedTrack]:
    """All likes of the song by the listener, the first one first."""
    rows = SavedTrack.objects.filter(user=user, track=track_id).order_by("id")
    return list(rows.select_related("track__album"))


def playlists_with(user: User, track_id: str) -> QuerySet[Mirror]:
    """The listener's mirrors whose playlists hold the song."""
    holding = {"playlists__items__uris__contains": [f"spotify:track:{track_id}"]}
    return Mirror.objects.filter(user=user, **holding).order_by("-is_main", "name").distinct()


def similar(user: User, track: Track, *, most: int) -> Similar:
    """The likes that are like ``track``; at most ``most`` others by its artist."""
    # All likes are looked at once; then only the found ones are read.
    likes = SavedTrack.objects.filter(user=user, removed_at=None).exclude(track=track)
    by_artists = _by_one_of(likes.order_by("-added_at", "rank"), track.artists)
    known = list(by_artists.values_list("pk", "track__name", "track__artists"))
    base = base_title(track.name)
    versions = [pk for pk, name, _ in known if base_title(name) == base]
    others = [pk for pk, _, artists in known if track.artists[0] in artists][:most]
    rows = SavedTrack.objects.select_related("track__album").in_bulk({*versions, *others})
    return Similar(
        [rows[pk] for pk in versions if pk in rows], [rows[pk] for pk in others if pk in rows]
    )


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
