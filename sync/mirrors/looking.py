"""Gets the state of a listener's playlists from Spotify with few calls."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from syncify.spotify.errors import AccessRefused, BadRequest, LibraryUnknown, NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sync.mirrors.volumes import Volume
    from sync.queue.job import Job
    from syncify.spotify.types import Playlist

#: The most uris in one question about the library.
ASKED_AT_ONCE = 40
#: Seconds for which the list of playlists says what a playlist holds before a write.
FRESH = 20.0
#: A playlist counts as gone if two looks this far apart confirm it.
GONE_AFTER = timedelta(hours=1)


class Looks:
    """The state at Spotify of the playlists to look at, for all mirrors together.

    One page of the listener's playlists tells of up to 50 what one call each would tell, and
    whether they are in the library. ``due`` are looked at whether anything is to be written or not.
    """

    def __init__(self, job: Job, due: Sequence[Volume]) -> None:
        self._job = job
        self._due = [volume.spotify_id for volume in due if volume.spotify_id]
        self._waiting = dict.fromkeys(self._due)  # a set that keeps the order
        self._held: dict[str, bool] = {}
        self._shown: dict[str, Playlist] = {}
        self._is_asked = False
        self._listed_at = float("-inf")

    def expect(self, volumes: Iterable[Volume]) -> None:
        """Add playlists to look at before they are written."""
        self._waiting |= dict.fromkeys(one.spotify_id for one in volumes if one.spotify_id)

    def is_due(self, volume: Volume) -> bool:
        return volume.spotify_id in self._due

    def held(self, volume: Volume) -> bool | None:
        """Whether a due playlist is in the library; None if unknown."""
        self._ask()
        return self._held.get(volume.spotify_id)

    def is_held(self, volume: Volume) -> bool | None:
        """Like ``held``; asks for this playlist alone if necessary."""
        if volume.spotify_id not in self._held:
            self._ask_for([volume.spotify_id])
        return self._held.get(volume.spotify_id)

    def take(self, volume: Volume) -> Playlist | None:
        """The playlist as the list of playlists shows it now; None where it is to be asked alone.

        The list is read again once it is older than FRESH, so that an edit by hand has no more
        time between a look and a write than between two writes.
        """
        self._ask()
        if time.monotonic() - self._listed_at > FRESH:
            self._shown.clear()
            if self._is_worth_a_list():
                self._list()
        self._waiting.pop(volume.spotify_id, None)
        return self._shown.get(volume.spotify_id)

    def _is_worth_a_list(self) -> bool:
        return len(self._waiting) > 1

    def _ask(self) -> None:
        if self._is_asked:
            return
        self._is_asked = True
        if self._is_worth_a_list():
            self._list()
        if left := [one for one in self._due if one not in self._held]:
            self._ask_for(left)

    def _list(self) -> None:
        """Read the list of playlists while that is cheaper than single calls for the rest."""
        self._listed_at = time.monotonic()
        left, offset = set(self._waiting), 0
        while left:
            try:
                page = self._job.client.playlists_page(offset)
            except (NotFound, BadRequest, AccessRefused):
                return  # each playlist gets its own call
            for playlist in page.playlists:
                if playlist.id in left:
                    left.remove(playlist.id)
                    self._shown[playlist.id], self._held[playlist.id] = playlist, True
            offset += page.received
            if not page.has_next or not page.received:
                return
            rest = -(-max(0, (page.total or 0) - offset) // max(1, page.received))
            alone = len(left) + -(-len(left.intersection(self._due)) // ASKED_AT_ONCE)
            if rest > alone:
                return

    def _ask_for(self, ids: Sequence[str]) -> None:
        for at in range(0, len(ids), ASKED_AT_ONCE):
            some = ids[at : at + ASKED_AT_ONCE]
            try:
                held = self._job.client.in_library([f"spotify:playlist:{one}" for one in some])
            except LibraryUnknown:
                continue  # the sync continues without this check
            self._held.update(zip(some, held, strict=True))


def restore(job: Job, volume: Volume) -> bool:
    """Restore a playlist to the library; False if Spotify does not know it.

    Raises GiveUp if Spotify refuses.
    """
    try:
        job.client.save_to_library(f"spotify:playlist:{volume.spotify_id}")
    except NotFound:
        return False
    except (AccessRefused, BadRequest) as error:
        raise GiveUp(
            "library_refused",
            "Spotify does not let Syncify put the playlist back into your library. Open the "
            "playlist by its link, add it to your library there, then sync again.",
        ) from error
    return True


def not_found(volume: Volume, now: datetime, *, is_held: bool | None) -> Exception:
    """Handle a playlist that Spotify does not find; stores when it was first reported.

    One response is not enough: the playlist counts as gone only if the library confirms it, and a
    second look an hour or more later.
    """
    if is_held is not False:
        return not_found_for_now()
    if wait := _second_look(volume, now):
        return wait
    return GiveUp(
        "playlist_gone",
        "The playlist no longer exists at Spotify. You can have a new one made; it will have "
        "another link.",
    )


def not_found_for_now() -> RetryLater:
    return RetryLater(
        "not_found",
        "Spotify could not find the playlist for now. Nothing is lost; Syncify tries again soon.",
    )


def not_in_library(volume: Volume, now: datetime) -> Exception:
    """Handle a playlist that left the library, in a sync that nobody asked for."""
    return _second_look(volume, now) or GiveUp(
        "playlist_removed",
        "The playlist is no longer in your Spotify library. Press “Bring it back” if you want it "
        "again.",
    )


def _second_look(volume: Volume, now: datetime) -> SnoozeUntil | None:
    since = volume.playlist.missing_since
    if since is not None and now - since >= GONE_AFTER:
        return None
    if since is None:
        since = volume.playlist.missing_since = now
    return SnoozeUntil(
        "confirming_gone",
        "Spotify says that the playlist is no longer in your library. Syncify looks again in an "
        "hour before it believes that.",
        until=since + GONE_AFTER,
    )
