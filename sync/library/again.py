"""Likes songs again that are no longer liked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC
from typing import TYPE_CHECKING

from accounts.tokens import spotify_client_for
from sync.library.search import Query, search
from sync.models import SavedTrack

if TYPE_CHECKING:
    from accounts.models import User

#: The maximum of songs in one call.
AT_ONCE = 40
SCOPE = "user-library-modify"


def lost_likes(user: User, *, track: str = "") -> list[SavedTrack]:
    """The oldest likes that have ended, at most AT_ONCE, or that of ``track`` alone."""
    rows = search(user, Query(show="gone", sort="oldest_like"), zone=UTC)
    if track:
        rows = rows.filter(track=track)
    return list(rows.select_related("track__album")[:AT_ONCE])


def like_again(user: User, tracks: Collection[str]) -> int:
    """Like those of ``tracks`` that the listener once liked; returns their number.

    The song with the oldest like is the lowest. Spotify gives all of them today's date. The next
    sync stores the likes. Raises SpotifyError.
    """
    rows = search(user, Query(show="gone", sort="oldest_like"), zone=UTC)
    oldest_first = list(
        rows.filter(track__in=list(tracks)[:AT_ONCE]).values_list("track", flat=True)
    )
    if oldest_first:
        uris = [f"spotify:track:{track}" for track in reversed(oldest_first)]
        spotify_client_for(user, reserve=True).save_tracks(uris)
    return len(oldest_first)
