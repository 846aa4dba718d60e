"""Sends edits to playlists and always knows what those hold, whatever Spotify answers."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from sync.mirrors import tracks
from sync.mirrors.planner import Edit, Insert, MirrorPlan, Move, Remove, Replace, Step, apply
from sync.queue.errors import RetryLater
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    NotFound,
    OutcomeUnknown,
    SpotifyError,
)

if TYPE_CHECKING:
    from sync.mirrors.volumes import Volume
    from sync.models import Mirror
    from sync.queue.job import Job

logger = logging.getLogger(__name__)

#: Seconds from a write without an answer to the look at what came of it: Spotify shows new items
#: within about 0.6 s (measured by others, September 2026).
SETTLE = 2.0
#: Besides 400, the only status that may follow a song.
SONG_AT_FAULT = 502
#: How often an edit that was not applied is sent.
TRIES = 2
#: So many songs that fail one after the other mean that Spotify is at fault, not the songs.
MOST_SUSPECTS = 3


class Diverged(Exception):
    """A playlist is neither as it was before an edit nor as it should be after."""

    def __init__(self, volume: Volume) -> None:
        super().__init__(volume.playlist.spotify_id)
        self.volume = volume


class PlaylistWriter:
    """Sends the steps of one plan. ``in_doubt`` is the volume whose items are not known, if any."""

    def __init__(self, job: Job, mirror: Mirror, volumes: list[Volume], plan: MirrorPlan) -> None:
        self.in_doubt: Volume | None = None
        self.counts: Counter[str] = Counter()
        self._job = job
        self._mirror = mirror
        self._volumes = volumes
        self._added, self._removed = set(plan.added), set(plan.removed)
        self._suspects: list[str] = []
        self._took_songs = False

    def send(self, step: Step) -> bool:
        """False when songs were refused, so that the positions of later steps do not hold.

        Raises Diverged, RetryLater, a SpotifyError, or what ``Job.before_write`` raises.
        """
        volume, edit = self._volumes[step.volume], step.edit
        match edit:
            case Insert():
                complete = self._insert(volume, edit)
            case Replace(uris) if uris:
                complete = self._replace(volume, edit)
            case _:
                complete = self._deliver(volume, edit)
                if not complete:
                    raise _spotify_fails()
        self._judge_suspects()
        return complete

    def _insert(self, volume: Volume, edit: Insert) -> bool:
        if self._deliver(volume, edit):
            return True
        if len(edit.uris) == 1:
            return self._suspect(edit.uris[0])
        half = len(edit.uris) // 2
        # The lower half first: the upper one's position holds whatever comes of that.
        lower = self._insert(volume, Insert(edit.position, edit.uris[half:]))
        return self._insert(volume, Insert(edit.position, edit.uris[:half])) and lower

    def _replace(self, volume: Volume, edit: Replace) -> bool:
        if self._deliver(volume, edit):
            return True
        if len(edit.uris) == 1:
            return self._suspect(edit.uris[0])
        half = len(edit.uris) // 2
        if self._replace(volume, Replace(edit.uris[:half])):
            return self._insert(volume, Insert(half, edit.uris[half:]))
        self._replace(volume, Replace(edit.uris[half:]))
        return False

    def _deliver(self, volume: Volume, edit: Edit) -> bool:
        """Send one edit; False when Spotify does not take it, which may be the fault of a song."""
        status = None
        for _ in range(TRIES):
            self._job.before_write()
            self.in_doubt = volume
            try:
                snapshot_id = _send(self._job, volume, edit)
            except BadRequest as error:
                logger.info("edit refused request=%s: %s", self._job.request.pk, error)
                self.in_doubt = None
                return False
            except OutcomeUnknown as error:
                # Never sent again blindly: an insert that was applied would double its songs.
                if not self._was_applied(volume, edit):
                    self.in_doubt, status = None, error.status
                    continue
                snapshot_id = ""
            except (NotFound, AccessRefused):
                raise  # the playlist may be another than we thought
            except SpotifyError:
                self.in_doubt = None
                raise
            volume.uris, volume.playlist.snapshot_id = apply(edit, volume.uris), snapshot_id
            self.in_doubt = None
            self._count(edit)
            return True
        if status != SONG_AT_FAULT:
            raise _spotify_fails()
        return False

    def _was_applied(self, volume: Volume, edit: Edit) -> bool:
        """Settle an edit's outcome by reading the place that it changes."""
        time.sleep(SETTLE)
        before, after = volume.uris, apply(edit, volume.uris)
        place = next(
            (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
            min(len(before), len(after)),
        )
        page = self._job.client.playlist_items(volume.playlist.spotify_id or "", place)
        for outcome, items in ((True, after), (False, before)):
            if (
                page.total == len(items)
                and list(page.uris) == items[place : place + len(page.uris)]
            ):
                return outcome
        raise Diverged(volume)

    def _count(self, edit: Edit) -> None:
        match edit:
            case Insert(uris=uris) | Replace(uris):
                self._took_songs = True
                self.counts["added"] += len(self._added.intersection(uris))
                if isinstance(edit, Replace):
                    self.counts["removed"] += len(self._removed)
                    self._removed.clear()
            case Remove(uris):
                self.counts["removed"] += len(self._removed.intersection(uris))
            case Move(length=length):
                self.counts["moved"] += length

    def _suspect(self, uri: str) -> bool:
        self._suspects.append(uri)
        if len(self._suspects) >= MOST_SUSPECTS:
            self._judge_suspects()
        return False

    def _judge_suspects(self) -> None:
        """Refuse the songs that failed alone, if it is they: others went through, or often so."""
        if not self._suspects:
            return
        is_sure = self._took_songs or self._job.request.failures >= TRIES
        if not is_sure and not tracks.were_refused(self._mirror, self._suspects):
            raise _spotify_fails()
        tracks.refuse(self._mirror, self._suspects, "Spotify does not take it into a playlist")
        self.counts["skipped"] += len(self._suspects)
        self._suspects.clear()


def _send(job: Job, volume: Volume, edit: Edit) -> str:
    """The playlist's snapshot id afterwards."""
    client, playlist_id = job.client, volume.playlist.spotify_id or ""
    match edit:
        case Insert(position, uris):
            return client.add_items(playlist_id, uris, position)
        case Remove(uris):
            return client.remove_items(playlist_id, uris)
        case Move(start, length, before):
            return client.move_items(playlist_id, start=start, length=length, before=before)
        case Replace(uris):
            return client.replace_items(playlist_id, uris)


def _spotify_fails() -> RetryLater:
    return RetryLater(
        "spotify_unavailable",
        "Spotify could not change the playlist. Nothing is lost; Syncify tries again soon.",
    )
