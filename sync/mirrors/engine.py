"""One sync, from the Liked Songs that Spotify shows to the playlist that equals them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NoReturn

from django.db import transaction

from accounts.services import mark_connected
from sync.library import reader
from sync.library import store as library
from sync.library.reader import PAGE_SIZE, Like, changes
from sync.mirrors import tracks
from sync.mirrors.adoption import playlists_to_adopt
from sync.mirrors.details import Details
from sync.mirrors.planner import MirrorPlan, plan_mirror
from sync.mirrors.volumes import Volume, save_volumes, volumes_of
from sync.mirrors.writer import Diverged, PlaylistWriter
from sync.models import Library, Mirror, Playlist, SyncRequest
from sync.queue import store as queue
from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from sync.queue.job import Job
from sync.queue.store import Fields
from syncify.spotify import quota, types
from syncify.spotify.errors import NotFound

logger = logging.getLogger(__name__)

#: What page 0 and ``total`` cannot show comes right this long after the last full read.
FULL_READ_EVERY = timedelta(days=7)
#: From how many songs on the loss of more than half must be seen twice, and how far apart.
GUARDED_FROM = 50
CONFIRM_AFTER = timedelta(minutes=10)
CONFIRM_EMPTY_AFTER = timedelta(hours=1)
#: How often one attempt plans anew because a playlist is not what it was thought to be.
REPLANS = 3


def run_sync(job: Job) -> None:
    """Bring the playlist of ``job`` up to date, and end its request in success.

    Whatever keeps it from that is raised: LeaseLost, Cancelled, Released, a SpotifyError or a
    SyncError. Nothing is lost then; the next attempt goes on from what is stored.
    """
    _Sync(job).run()


class _Sync:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.library, _ = Library.objects.get_or_create(user=job.user)
        self.mirror = Mirror.objects.get(user=job.user, is_main=True)
        self.volumes = volumes_of(self.mirror)
        self.is_manual = job.request.trigger != SyncRequest.Trigger.SCHEDULED
        self.details = Details(job, self.mirror, say=self._say)
        self.note = job.request.note
        self.counts = Counter(
            added=job.request.added,
            removed=job.request.removed,
            moved=job.request.moved,
            skipped=job.request.skipped,
        )
        self.song_count = 0
        self.pages_read = 0

    def run(self) -> None:
        job = self.job
        known = library.known_likes(job.user)
        found = self._read(known)
        self._guard(known, found)
        with transaction.atomic():
            self._fence()
            library.store_library(job, known, found)
            self._remember_reading(found)
        del known, found

        job.safe_point(stage=SyncRequest.Stage.COMPARING, song_count=self.song_count)
        if self.mirror.adopts_syncify2:
            self._adopt_playlists()
        self._look()
        self._write()
        self._finish()

    # --- The Liked Songs ----------------------------------------------------------------------

    def _read(self, known: Sequence[Like]) -> reader.Library:
        self.job.safe_point(stage=SyncRequest.Stage.READING)
        read_at = self.library.full_read_at
        full = (
            read_at is None
            or self.library.confirm_after is not None
            or self.job.now() - read_at >= FULL_READ_EVERY
        )
        return library.read_library(self.job, known, full=full, on_page=self._on_page)

    def _on_page(self, pages: int, total: int) -> None:
        all_pages = max(1, -(-total // PAGE_SIZE))
        writes = -(-total // 100) + 2 if not self.volumes else 2
        if pages == 1 and self.library.full_read_at is None:
            quota.check_fits(all_pages - 1 + writes, reserve=self.is_manual)
        self.pages_read = pages
        self.job.safe_point(
            song_count=min(pages * PAGE_SIZE, total), progress=min(1, pages / (all_pages + writes))
        )

    def _guard(self, known: Sequence[Like], found: reader.Library) -> None:
        """Let a mass removal wait until a second full read agrees with the first.

        Raises SnoozeUntil.
        """
        stored, total = self.library, len(found.likes)
        gone = sorted(like.track_id for like in changes(known, found).gone)
        if len(known) < GUARDED_FROM or len(gone) * 2 <= len(known):
            return
        now = self.job.now()
        agrees = stored.confirm_gone == gone
        if stored.confirm_after and now >= stored.confirm_after and agrees:
            return
        if stored.confirm_after is None or not agrees:
            stored.confirm_after = now + (CONFIRM_AFTER if total else CONFIRM_EMPTY_AFTER)
            stored.confirm_gone = gone
            stored.save(update_fields=["confirm_after", "confirm_gone"])
        raise SnoozeUntil(
            "confirming_removal",
            f"Spotify shows {total:,} Liked Songs where there were {len(known):,}. To be safe, "
            "nothing is removed before a second look has seen the same.",
            until=stored.confirm_after,
        )

    def _remember_reading(self, found: reader.Library) -> None:
        self.song_count = self.library.song_count = len(found.likes)
        if found.complete:
            self.library.full_read_at = self.job.now()
            tracks.retry_refused(self.mirror)
        self.library.confirm_after = self.library.confirm_gone = None
        self.library.save(
            update_fields=["full_read_at", "confirm_after", "confirm_gone", "song_count"]
        )

    # --- The playlists ------------------------------------------------------------------------

    def _look(self) -> None:
        """Learn what the playlists hold, in as few calls as that takes.

        Nothing is asked when there is nothing to change and they were looked at today.
        """
        existing = [volume for volume in self.volumes if volume.playlist.spotify_id]
        today = self.job.now().date()
        is_due = self.mirror.state == Mirror.State.REMOVED or any(
            volume.playlist.checked_at is None or volume.playlist.checked_at.date() < today
            for volume in existing
        )
        if existing and is_due:
            self._look_in_library(existing)
        in_doubt = not all(volume.playlist.items_known for volume in existing)
        is_stale = any(self.details.is_stale(volume.playlist) for volume in existing)
        if is_due or in_doubt or is_stale or self._plan().steps:
            missing = [uri for volume in existing for uri in self._look_at(volume)]
            if given_up := tracks.count_missing(self.mirror, missing):
                tracks.refuse(self.mirror, given_up, "Spotify does not keep it in the playlist")

    def _look_in_library(self, volumes: Sequence[Volume]) -> None:
        """Find out which playlists the listener took out of their library."""
        uris = [f"spotify:playlist:{volume.playlist.spotify_id}" for volume in volumes]
        held = self.job.client.in_library(uris)
        for uri, is_held in zip(uris, held, strict=True):
            if is_held:
                continue
            if not self.is_manual:
                self._rest_without_playlist()
            self.job.before_write()
            try:
                self.job.client.save_to_library(uri)
            except NotFound:
                continue  # gone altogether: the look that follows deals with it
            self._say("The playlist had left your library, and is back in it.")

    def _rest_without_playlist(self) -> NoReturn:
        with transaction.atomic():
            self._fence()
            self.mirror.state = Mirror.State.REMOVED
            self.mirror.save(update_fields=["state"])
        raise GiveUp(
            "playlist_removed",
            "The playlist is no longer in your Spotify library. Press “Bring it back” if you want "
            "it again.",
        )

    def _look_at(self, volume: Volume) -> list[str]:
        """Compare a playlist's version with the one we know, and read it where they differ.

        Returns the songs that we had put there and somebody else took out.
        """
        self.job.safe_point()
        known, ours = volume.playlist.items_known, volume.uris
        try:
            playlist = self.job.client.playlist(volume.playlist.spotify_id or "")
            is_as_left = (
                playlist.snapshot_id == volume.playlist.snapshot_id and playlist.total == len(ours)
            )
            if not (known and is_as_left):
                volume.uris = self.job.client.playlist_uris(playlist.id) if playlist.total else []
        except NotFound:
            if not self.is_manual:
                self._rest_without_playlist()
            self._say("The playlist was gone, so a new one was made.")
            volume.playlist.spotify_id, volume.playlist.written_name, volume.uris = None, "", []
            self._save([volume])
            return []
        volume.playlist.items_known, volume.playlist.snapshot_id = True, playlist.snapshot_id
        volume.playlist.checked_at, volume.playlist.seen_public = self.job.now(), playlist.public
        self.details.adopt(volume.playlist, playlist)
        self._save([volume])
        if known and volume.uris != ours:
            self._note_edits(ours, volume.uris)
            return [uri for uri in set(ours).difference(volume.uris) if uri]
        return []

    def _note_edits(self, ours: Sequence[str | None], found: Sequence[str | None]) -> None:
        foreign, missing = len(set(found).difference(ours)), len(set(ours).difference(found))
        parts = [f"{foreign:,} added there"] * bool(foreign)
        parts += [f"{missing:,} removed there"] * bool(missing)
        what = ", ".join(parts) or "the order changed"
        self._say(f"Somebody had edited the playlist in Spotify ({what}): set right.")

    # --- Writing ------------------------------------------------------------------------------

    def _plan(self) -> MirrorPlan:
        wanted = tracks.wanted_uris(self.mirror)
        return plan_mirror(wanted, [volume.uris for volume in self.volumes])

    def _write(self) -> None:
        replans = 0
        while replans < REPLANS:
            plan = self._plan()
            self._make_playlists(len(plan.contents))
            self._write_details()
            if not plan.steps:
                self._learn_versions()
                return
            self.job.safe_point(stage=SyncRequest.Stage.WRITING)
            if any(set(plan.contents[at]) & set(self.volumes[at].items) for at in plan.rewritten):
                self._say("The playlist was written anew, so its dates are today's.")
            try:
                self._apply(plan)
            except Diverged as diverged:
                logger.info("playlist diverged request=%s", self.job.request.pk)
                volume = diverged.volume
                volume.uris = self.job.client.playlist_uris(volume.playlist.spotify_id or "")
                replans += 1
        raise RetryLater(
            "playlist_changing",
            "Something else changes the playlist while Syncify writes it. It tries again soon.",
        )

    def _learn_versions(self) -> None:
        """Ask for the version that a write without an answer made: else it must all be read."""
        for volume in self.volumes:
            if (
                volume.playlist.spotify_id
                and not volume.playlist.snapshot_id
                and len(volume.uris) > PAGE_SIZE
            ):
                playlist = self.job.client.playlist(volume.playlist.spotify_id)
                if playlist.total == len(volume.uris):
                    volume.playlist.snapshot_id = playlist.snapshot_id
                    self._save([volume])

    def _apply(self, plan: MirrorPlan) -> None:
        """Send the steps of a plan, up to the first that did not come out as planned."""
        touched = [self.volumes[number] for number in {step.volume for step in plan.steps}]
        for volume in touched:
            volume.playlist.items_known = False
        self._save(touched)
        writer = PlaylistWriter(self.job, self.mirror, self.volumes, plan)
        effort = self.pages_read + len(plan.steps)
        try:
            for done, step in enumerate(plan.steps, start=self.pages_read + 1):
                complete = writer.send(step)
                fields = self._totals(writer.counts)
                fields["progress"] = done / effort
                self.job.safe_point(**fields)
                if not complete:
                    break
        finally:
            self.counts += writer.counts
            for volume in touched:
                volume.playlist.items_known = volume is not writer.in_doubt
            self._save(touched)

    def _make_playlists(self, count: int) -> None:
        """Let the first ``count`` volumes have a playlist each."""
        for number in range(len(self.volumes) + 1, count + 1):
            self.volumes.append(Volume(Playlist(mirror=self.mirror, number=number)))
        for volume in self.volumes[:count]:
            if volume.playlist.spotify_id is None:
                self._make_playlist(volume)

    def _make_playlist(self, volume: Volume) -> None:
        """Create a playlist, or take the empty one that an earlier attempt may have created."""
        playlist = (
            self._find_empty(volume.playlist.written_name) if volume.playlist.written_name else None
        )
        volume.playlist.details_written_at, volume.playlist.reminds = None, False
        if playlist is None:
            volume.playlist.written_name = self.details.name_of(volume.playlist)
            self._save([volume])  # so that a creation without an answer is looked for
            playlist = self.details.create(volume.playlist)
        volume.playlist.spotify_id, volume.playlist.snapshot_id = playlist.id, playlist.snapshot_id
        volume.uris, volume.playlist.items_known, volume.playlist.checked_at = (
            [],
            True,
            self.job.now(),
        )
        volume.playlist.seen_public = playlist.public
        self._save([volume])

    def _find_empty(self, name: str) -> types.Playlist | None:
        empty = (one for one in self._unused_playlists() if one.name == name and not one.total)
        return next(empty, None)

    def _adopt_playlists(self) -> None:
        """Take over the playlists that Syncify 2 kept: their links, names and songs stay."""
        found = playlists_to_adopt(self._unused_playlists(), self.song_count)
        self.volumes = [
            Volume(Playlist(mirror=self.mirror, number=number))
            for number in range(1, max(found, default=0) + 1)
        ]
        for number, playlist in found.items():
            volume = self.volumes[number - 1]
            volume.playlist.spotify_id, volume.playlist.items_known = (
                playlist.id,
                False,
            )  # the look reads them
            # A name that the listener has given here since they came over is written.
            volume.playlist.details_written_at = self.job.user.date_joined
            volume.playlist.checked_at = self.job.now()
        self.mirror.adopts_syncify2 = False
        with transaction.atomic():
            self._save(self.volumes)
            self.mirror.save(update_fields=["adopts_syncify2"])

    def _unused_playlists(self) -> Iterator[types.Playlist]:
        """The listener's own playlists that are no volume of any mirror."""
        used = set(Playlist.objects.values_list("spotify_id", flat=True))
        for playlist in self.job.client.own_playlists():
            if playlist.owner_id == self.job.user.spotify_id and playlist.id not in used:
                yield playlist

    def _write_details(self) -> None:
        for volume in self.volumes:
            if self.details.is_stale(volume.playlist):
                self.details.write(volume.playlist)
                self._save([volume])

    # --- Keeping ------------------------------------------------------------------------------

    def _save(self, volumes: Sequence[Volume]) -> None:
        """Fenced, so that a worker that lost its lease stores nothing over its successor's."""
        with transaction.atomic():
            self._fence()
            save_volumes(volumes)

    def _fence(self) -> None:
        """Make sure, to the end of this transaction, that the job is still ours.

        The mirror is locked first, as by those who change it and then queue a sync: in the other
        order each could wait for the other.
        """
        Mirror.objects.select_for_update(no_key=True).filter(pk=self.mirror.pk).first()
        fields = self._totals(Counter())
        fields["api_requests"], fields["note"] = self.job.calls, self.note
        queue.record_progress(self.job.request, **fields)

    def _say(self, sentence: str) -> None:
        """Let the history say so; what an earlier attempt said stays."""
        if sentence not in self.note:
            self.note = f"{self.note} {sentence}".strip()

    def _totals(self, fresh: Counter[str]) -> Fields:
        total = self.counts + fresh
        return Fields(
            added=total["added"],
            removed=total["removed"],
            moved=total["moved"],
            skipped=total["skipped"],
        )

    def _finish(self) -> None:
        user = self.job.user
        with transaction.atomic():
            self._fence()
            queue.succeed(self.job.request, song_count=self.song_count)
            Mirror.objects.filter(pk=self.mirror.pk, state=Mirror.State.REMOVED).update(
                state=Mirror.State.ACTIVE
            )
        mark_connected(user)
