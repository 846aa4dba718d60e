"""Sends edits to playlists, and tracks their items for any response of Spotify."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING

from sync.mirrors import tracks
from sync.mirrors.planner import (
    WRITE_LIMIT,
    Edit,
    Insert,
    MirrorPlan,
    Move,
    Remove,
    Replace,
    VolumeEdit,
    apply,
)
from sync.mirrors.relinks import as_added
from sync.queue.errors import RetryLater
from sync.queue.job import Cancelled, Released
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    NotFound,
    OutcomeUnknown,
    SpotifyError,
)

if TYPE_CHECKING:
    from sync.library.record import Record
    from sync.mirrors.volumes import Volume
    from sync.models import Mirror, SyncResult
    from sync.queue.job import Job

logger = logging.getLogger(__name__)

#: Seconds from a write without an answer to the look at what came of it: Spotify shows new items
#: within about 0.6 s (measured by others, September 2026).
SETTLE = 2.0
#: What no answer, and these, say of Spotify, and not of a song.
OVERLOADED = (None, 503, 504)
#: The number of tries of an edit that was not applied.
TRIES = 2
#: After this many successive failures, Spotify is the cause and not the songs.
MOST_SUSPECTS = 3


class Diverged(Exception):
    """A playlist is neither as it was before an edit nor as it should be after."""

    def __init__(self, volume: Volume) -> None:
        super().__init__(volume.playlist.spotify_id)
        self.volume = volume


class PlaylistWriter:
    """Sends the steps of one plan, and counts the results in ``result``.

    ``in_doubt`` is the volume whose items are not known, if any. ``shown_as`` has the uris under
    which Spotify shows songs.
    """

    def __init__(
        self,
        job: Job,
        record: Record,
        mirror: Mirror,
        *,
        volumes: list[Volume],
        plan: MirrorPlan,
        shown_as: Mapping[str, str],
    ) -> None:
        self.in_doubt: Volume | None = None
        self.result: SyncResult = record.of(mirror)
        self._job = job
        self._record = record
        self._mirror = mirror
        self._volumes = volumes
        self._wanted = [uri for uris in plan.contents for uri in uris]
        self._held = frozenset(self._wanted)
        self._shown_as = shown_as
        self._added, self._removed = set(plan.added), set(plan.removed)
        self._suspects: list[str] = []
        self._took_songs = False
        self._in_a_row = 0  # songs that failed since the last that went through
        self._refusal: SpotifyError | None = None

    def send(self, step: VolumeEdit) -> bool:
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
                    raise self._failure()
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
        """Send one edit; False if Spotify refuses it, perhaps because of a song."""
        status = None
        for _ in range(TRIES):
            self.in_doubt = volume
            try:
                snapshot_id = self._send(volume, edit)
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
            except (NotFound, AccessRefused) as error:
                self._blame_songs(volume, edit, error)
                return False
            except (SpotifyError, Cancelled, Released):
                self.in_doubt = None  # it had no effect, or was not sent
                raise
            volume.uris, volume.playlist.snapshot_id = apply(edit, volume.uris), snapshot_id
            self.in_doubt = None
            self._count(edit)
            return True
        if status == 502 or self._persists(edit, status):
            return False
        raise self._failure()

    def _persists(self, edit: Edit, status: int | None) -> bool:
        """Whether a song may be the cause of what looks like trouble of Spotify's.

        It is once an earlier attempt has met the same. That a single song brings it about is
        believed where others went through, or of an answer that says nothing of the load.
        """
        if not self._job.request.failures or not isinstance(edit, Insert | Replace):
            return False
        return len(edit.uris) > 1 or self._took_songs or status not in OVERLOADED

    def _blame_songs(self, volume: Volume, edit: Edit, error: NotFound | AccessRefused) -> None:
        """Return if the playlist exists and is unchanged, so that a song may be refused."""
        if not isinstance(edit, Insert | Replace) or (
            isinstance(error, AccessRefused) and error.reason != "forbidden"
        ):
            raise error
        if self._was_applied(volume, edit, settle=0):
            raise Diverged(volume) from error
        logger.info("edit refused request=%s: %r", self._job.request.pk, error)
        self._refusal, self.in_doubt = error, None

    def _was_applied(self, volume: Volume, edit: Edit, settle: float | None = None) -> bool:
        """Determine an edit's outcome by reading the positions that it changes."""
        time.sleep(SETTLE if settle is None else settle)
        before, after = volume.uris, apply(edit, volume.uris)
        place = next(
            (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
            min(len(before), len(after)),
        )
        page = self._job.client.playlist_items(volume.spotify_id, place)
        shown = as_added(page.uris, self._shown_as, self._wanted)
        for outcome, items in ((True, after), (False, before)):
            if page.total == len(items) and shown == items[place : place + len(shown)]:
                return outcome
        raise Diverged(volume)

    def _count(self, edit: Edit) -> None:
        match edit:
            case Insert(uris=uris) | Replace(uris):
                self._took_songs, self._in_a_row = True, 0
                self.result.added += len(self._added.intersection(uris))
                if isinstance(edit, Replace):
                    self.result.removed += len(self._removed)
                    self._removed.clear()
            case Remove(uris):
                self.result.removed += len(self._removed.intersection(uris))
            case Move(length=length):
                self.result.moved += length

    def _suspect(self, uri: str) -> bool:
        self._suspects.append(uri)
        self._in_a_row += 1
        if self._in_a_row >= MOST_SUSPECTS and self._job.request.failures < TRIES:
            raise self._failure()
        return False

    def _judge_suspects(self) -> None:
        """Refuse the songs that failed alone, if it is they: others went through, or often so."""
        if not self._suspects:
            return
        is_sure = self._took_songs or self._job.request.failures >= TRIES
        if not is_sure and not tracks.were_refused(self._mirror, self._suspects):
            raise self._failure()
        with self._record.fenced(self._mirror):
            tracks.refuse(self._mirror, self._suspects, tracks.NOT_TAKEN)
            self.result.skipped += len(self._suspects)
        self._suspects.clear()

    def _failure(self) -> Exception:
        return self._refusal or RetryLater(
            "spotify_unavailable",
            "Spotify could not change the playlist. Nothing is lost; Syncify tries again soon.",
        )

    def _send(self, volume: Volume, edit: Edit) -> str:
        """The playlist's snapshot id afterwards."""
        client, playlist_id = self._job.client, volume.spotify_id
        match edit:
            case Insert(position, uris):
                return client.add_items(playlist_id, uris, position)
            case Remove(uris):
                snapshot_id = ""
                for some in batched(self._all_names(uris), WRITE_LIMIT):
                    snapshot_id = client.remove_items(playlist_id, some)
                return snapshot_id
            case Move(start, length, before):
                return client.move_items(playlist_id, start=start, length=length, before=before)
            case Replace(uris):
                return client.replace_items(playlist_id, uris)

    def _all_names(self, uris: Sequence[str]) -> list[str]:
        """The uris, and those under which Spotify shows the songs, unless those are wanted."""
        shown = [self._shown_as[uri] for uri in uris if uri in self._shown_as]
        return [*uris, *(uri for uri in shown if uri not in self._held)]
