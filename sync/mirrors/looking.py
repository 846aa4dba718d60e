"""Asks Spotify what became of a listener's playlists, in as few calls as that takes."""

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

#: What one question about the library may name.
ASKED_AT_ONCE = 40
#: Seconds for which the list of playlists says what a playlist holds before a write.
FRESH = 20.0
#: A playlist is gone when Spotify says so in two looks that are so far apart.
GONE_AFTER = timedelta(hours=1)


class Looks:
    """What Spotify says of the playlists that are to be looked at, asked for all mirrors at once.

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
        """These are looked at as well, because something is to be written to them."""
        self._waiting |= dict.fromkeys(one.spotify_id for one in volumes if one.spotify_id)

    def is_due(self, volume: Volume) -> bool:
        return volume.spotify_id in self._due

    def held(self, volume: Volume) -> bool | None:
        """Whether a playlist that is due is in the library; None where Spotify does not tell."""
        self._ask()
        return self._held.get(volume.spotify_id)

    def is_held(self, volume: Volume) -> bool | None:
        """As ``held``, asking for this playlist alone where it was not asked for."""
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
        """Read the list of playlists as long as that is cheaper than to ask for those not found."""
        self._listed_at = time.monotonic()
        left, offset = set(self._waiting), 0
        while left:
            try:
                page = self._job.client.playlists_page(offset)
            except (NotFound, BadRequest, AccessRefused):
                return  # each playlist is asked for alone
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
                continue  # the sync goes on without that check
            self._held.update(zip(some, held, strict=True))


def restore(job: Job, volume: Volume) -> bool:
    """Put a playlist back into the library; False when Spotify does not know it.

    Raises GiveUp when Spotify does not let us.
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
    """What follows when Spotify does not find a playlist; notes when it first said so.

    One answer decides nothing: the playlist counts as gone only if the library says so too, and a
    second look an hour or more later agrees.
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
    """What follows when a playlist has left the library, and nobody asked to have it back."""
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
