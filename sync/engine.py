"""One sync, from the Liked Songs that Spotify shows to the playlist that equals them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NoReturn

from django.db import transaction

from accounts.connections import mark_connected
from sync import library
from sync.details import Details
from sync.errors import GiveUp, RetryLater, SnoozeUntil
from sync.job import Job
from sync.models import Mirror, MirrorVolume, SyncRequest
from sync.planner import MirrorPlan, plan_mirror
from sync.playlists import Diverged, PlaylistWriter
from sync.queue import Fields
from sync.reader import PAGE_SIZE, Library, Like, changes
from sync.syncify2 import playlists_to_adopt
from syncify.spotify import quota
from syncify.spotify.errors import NotFound
from syncify.spotify.types import Playlist

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
        self.mirror = Mirror.objects.get(user=job.user)
        self.volumes = list(MirrorVolume.objects.filter(mirror=self.mirror))
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

    def _read(self, known: Sequence[Like]) -> Library:
        self.job.safe_point(stage=SyncRequest.Stage.READING)
        read_at = self.mirror.full_read_at
        full = (
            read_at is None
            or self.mirror.confirm_after is not None
            or self.job.now() - read_at >= FULL_READ_EVERY
        )
        return library.read_library(self.job, known, full=full, on_page=self._on_page)

    def _on_page(self, pages: int, total: int) -> None:
        all_pages = max(1, -(-total // PAGE_SIZE))
        writes = -(-total // 100) + 2 if not self.volumes else 2
        if pages == 1 and self.mirror.full_read_at is None:
            quota.check_fits(all_pages - 1 + writes, reserve=self.is_manual)
        self.pages_read = pages
        self.job.safe_point(
            song_count=min(pages * PAGE_SIZE, total), progress=min(1, pages / (all_pages + writes))
        )

    def _guard(self, known: Sequence[Like], found: Library) -> None:
        """Let a mass removal wait until a second full read agrees with the first.

        Raises SnoozeUntil.
        """
        mirror, total = self.mirror, len(found.likes)
        gone = len(changes(known, found).gone)
        if len(known) < GUARDED_FROM or gone * 2 <= len(known):
            return
        now = self.job.now()
        if mirror.confirm_after and now >= mirror.confirm_after and mirror.confirm_total == total:
            return
        if mirror.confirm_total != total or mirror.confirm_after is None:
            mirror.confirm_after = now + (CONFIRM_AFTER if total else CONFIRM_EMPTY_AFTER)
            mirror.confirm_total = total
            mirror.save(update_fields=["confirm_after", "confirm_total"])
        raise SnoozeUntil(
            "confirming_removal",
            f"Spotify shows {total:,} Liked Songs where there were {len(known):,}. To be safe, "
            "nothing is removed before a second look has seen the same.",
            until=mirror.confirm_after,
        )

    def _remember_reading(self, found: Library) -> None:
        self.song_count = len(found.likes)
        if found.complete:
            self.mirror.full_read_at = self.job.now()
        self.mirror.confirm_after = self.mirror.confirm_total = None
        self.mirror.save(update_fields=["full_read_at", "confirm_after", "confirm_total"])

    # --- The playlists ------------------------------------------------------------------------

    def _look(self) -> None:
        """Learn what the playlists hold, in as few calls as that takes.

        Nothing is asked when there is nothing to change and they were looked at today.
        """
        existing = [volume for volume in self.volumes if volume.spotify_id]
        today = self.job.now().date()
        is_due = self.mirror.state == Mirror.State.REMOVED or any(
            volume.checked_at is None or volume.checked_at.date() < today for volume in existing
        )
        if existing and is_due:
            self._look_in_library(existing)
        in_doubt = not all(volume.items_known for volume in existing)
        is_stale = any(map(self.details.is_stale, existing))
        if is_due or in_doubt or is_stale or self._plan().steps:
            missing = [uri for volume in existing for uri in self._look_at(volume)]
            if given_up := library.count_missing(self.job.user, missing):
                library.refuse(self.job.user, given_up, "Spotify does not keep it in the playlist")

    def _look_in_library(self, volumes: Sequence[MirrorVolume]) -> None:
        """Find out which playlists the listener took out of their library."""
        uris = [f"spotify:playlist:{volume.spotify_id}" for volume in volumes]
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

    def _look_at(self, volume: MirrorVolume) -> list[str]:
        """Compare a playlist's version with the one we know, and read it where they differ.

        Returns the songs that we had put there and somebody else took out.
        """
        self.job.safe_point()
        known, ours = volume.items_known, volume.items
        try:
            playlist = self.job.client.playlist(volume.spotify_id or "")
            is_as_left = playlist.snapshot_id == volume.snapshot_id and playlist.total == len(ours)
            if not (known and is_as_left):
                volume.items = self.job.client.playlist_uris(playlist.id) if playlist.total else []
        except NotFound:
            if not self.is_manual:
                self._rest_without_playlist()
            self._say("The playlist was gone, so a new one was made.")
            volume.spotify_id, volume.written_name, volume.items = None, "", []
            self._save([volume])
            return []
        volume.items_known, volume.snapshot_id = True, playlist.snapshot_id
        volume.checked_at, volume.seen_public = self.job.now(), playlist.public
        self.details.adopt(volume, playlist)
        self._save([volume])
        if known and volume.items != ours:
            self._note_edits(ours, volume.items)
            return [uri for uri in set(ours).difference(volume.items) if uri]
        return []

    def _note_edits(self, ours: Sequence[str | None], found: Sequence[str | None]) -> None:
        foreign, missing = len(set(found).difference(ours)), len(set(ours).difference(found))
        parts = [f"{foreign:,} added there"] * bool(foreign)
        parts += [f"{missing:,} removed there"] * bool(missing)
        what = ", ".join(parts) or "the order changed"
        self._say(f"Somebody had edited the playlist in Spotify ({what}): set right.")

    # --- Writing ------------------------------------------------------------------------------

    def _plan(self) -> MirrorPlan:
        wanted = library.wanted_uris(self.job.user)
        return plan_mirror(wanted, [volume.items for volume in self.volumes])

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
                volume.items = self.job.client.playlist_uris(volume.spotify_id or "")
                replans += 1
        raise RetryLater(
            "playlist_changing",
            "Something else changes the playlist while Syncify writes it. It tries again soon.",
        )

    def _learn_versions(self) -> None:
        """Ask for the version that a write without an answer made: else it must all be read."""
        for volume in self.volumes:
            if volume.spotify_id and not volume.snapshot_id and len(volume.items) > PAGE_SIZE:
                playlist = self.job.client.playlist(volume.spotify_id)
                if playlist.total == len(volume.items):
                    volume.snapshot_id = playlist.snapshot_id
                    self._save([volume])

    def _apply(self, plan: MirrorPlan) -> None:
        """Send the steps of a plan, up to the first that did not come out as planned."""
        touched = [self.volumes[number] for number in {step.volume for step in plan.steps}]
        for volume in touched:
            volume.items_known = False
        self._save(touched)
        writer = PlaylistWriter(self.job, self.volumes, plan)
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
                volume.items_known = volume is not writer.in_doubt
            self._save(touched)

    def _make_playlists(self, count: int) -> None:
        """Let the first ``count`` volumes have a playlist each."""
        for number in range(len(self.volumes) + 1, count + 1):
            self.volumes.append(MirrorVolume(mirror=self.mirror, number=number))
        for volume in self.volumes[:count]:
            if volume.spotify_id is None:
                self._make_playlist(volume)

    def _make_playlist(self, volume: MirrorVolume) -> None:
        """Create a playlist, or take the empty one that an earlier attempt may have created."""
        playlist = self._find_empty(volume.written_name) if volume.written_name else None
        volume.details_written_at, volume.reminds = None, False
        if playlist is None:
            volume.written_name = self.details.name_of(volume)
            self._save([volume])  # so that a creation without an answer is looked for
            playlist = self.details.create(volume)
        volume.spotify_id, volume.snapshot_id = playlist.id, playlist.snapshot_id
        volume.items, volume.items_known, volume.checked_at = [], True, self.job.now()
        volume.seen_public = playlist.public
        self._save([volume])

    def _find_empty(self, name: str) -> Playlist | None:
        empty = (one for one in self._unused_playlists() if one.name == name and not one.total)
        return next(empty, None)

    def _adopt_playlists(self) -> None:
        """Take over the playlists that Syncify 2 kept: their links, names and songs stay."""
        found = playlists_to_adopt(self._unused_playlists(), self.song_count)
        self.volumes = [
            MirrorVolume(mirror=self.mirror, number=number)
            for number in range(1, max(found, default=0) + 1)
        ]
        for number, playlist in found.items():
            volume = self.volumes[number - 1]
            volume.spotify_id, volume.items_known = playlist.id, False  # the look reads them
            # A name that the listener has given here since they came over is written.
            volume.details_written_at = self.job.user.date_joined
            volume.checked_at = self.job.now()
        self.mirror.adopts_syncify2 = False
        with transaction.atomic():
            self._save(self.volumes)
            self.mirror.save(update_fields=["adopts_syncify2"])

    def _unused_playlists(self) -> Iterator[Playlist]:
        """The listener's own playlists that are no volume of any mirror."""
        used = set(MirrorVolume.objects.values_list("spotify_id", flat=True))
        for playlist in self.job.client.own_playlists():
            if playlist.owner_id == self.job.user.spotify_id and playlist.id not in used:
                yield playlist

    def _write_details(self) -> None:
        for volume in filter(self.details.is_stale, self.volumes):
            self.details.write(volume)
            self._save([volume])

    # --- Keeping ------------------------------------------------------------------------------

    def _save(self, volumes: Sequence[MirrorVolume]) -> None:
        """Fenced, so that a worker that lost its lease stores nothing over its successor's."""
        with transaction.atomic():
            self._fence()
            for volume in volumes:
                volume.save()

    def _fence(self) -> None:
        """Make sure, to the end of this transaction, that the job is still ours.

        The mirror is locked first, as by those who change it and then queue a sync: in the other
        order each could wait for the other.
        """
        Mirror.objects.select_for_update(no_key=True).filter(pk=self.mirror.pk).first()
        fields = self._totals(Counter())
        fields["api_requests"], fields["note"] = self.job.calls, self.note
        SyncRequest.objects.record_progress(self.job.request, **fields)

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
            SyncRequest.objects.succeed(self.job.request, song_count=self.song_count)
            Mirror.objects.filter(pk=user.pk, state=Mirror.State.REMOVED).update(
                state=Mirror.State.ACTIVE
            )
            mirror = Mirror.objects.get(pk=user.pk)
            if mirror.details_changed_at > self.mirror.details_changed_at:
                SyncRequest.objects.enqueue(user=user, trigger=SyncRequest.Trigger.MANUAL)
        mark_connected(user)
