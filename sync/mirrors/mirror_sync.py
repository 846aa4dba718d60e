"""Updates the playlists of one mirror: reads, plans and writes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sync.library.likes import PAGE_SIZE
from sync.mirrors import guard, tracks
from sync.mirrors.covers import write_cover
from sync.mirrors.details import Details
from sync.mirrors.inbox import kept_additions, note_present
from sync.mirrors.look import Look
from sync.mirrors.looking import not_found_for_now
from sync.mirrors.making import create, find_created
from sync.mirrors.planner import DATES_ARE_WORTH, MirrorPlan, plan_mirror
from sync.mirrors.relinks import as_added
from sync.mirrors.volumes import Volume, held_in, new_volume, save_volumes
from sync.mirrors.writer import Diverged, PlaylistWriter
from sync.models import Mirror, SyncRequest
from sync.queue.errors import RetryLater
from syncify.spotify.errors import NotFound

if TYPE_CHECKING:
    from sync.library.continued import Continuation
    from sync.library.record import Record
    from sync.mirrors.looking import Looks
    from sync.queue.job import Job

logger = logging.getLogger(__name__)

#: The number of new plans in one attempt, after a playlist turned out different.
REPLANS = 3


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Data that the mirrors of one sync share.

    ``now`` is when it began, ``pages`` how many pages of likes were read.
    """

    job: Job
    record: Record
    now: datetime
    looks: Looks
    continued: Continuation
    is_manual: bool
    pages: int
    has_several: bool


class MirrorSync:
    """``wanted`` are the uris that the mirror's rule selects, in order."""

    def __init__(
        self, around: Surroundings, mirror: Mirror, volumes: list[Volume], wanted: Sequence[str]
    ) -> None:
        self._around = around
        self._job = around.job
        self._record = around.record
        self._result = around.record.of(mirror)
        self.mirror = mirror
        self._volumes = volumes
        self._facts = tracks.facts_of(mirror)
        self._selected = wanted
        self._ours = {uri for volume in volumes for uri in volume.uris if volume.has_base}
        self._details = Details(self._job, mirror, around.now, say=self._say)
        self._is_anew = mirror.rewrite_asked
        self._is_new_choice = mirror.refreshed_at == around.now

    def run(self) -> None:
        """Raises the error that prevents the update."""
        if guard.waits(self.mirror, self._around.now):
            raise guard.wait_of(self.mirror)
        self._look()
        if self.mirror.is_main:
            self._around.continued.begin(held_in(self._volumes))
        self._write()
        self._settle()
        write_cover(
            self._job, self.mirror, [each.playlist for each in self._volumes], say=self._say
        )

    # --- Looking ------------------------------------------------------------------------------

    def to_compare(self) -> list[Volume]:
        """The playlists whose versions a look before a write compares."""
        if guard.waits(self.mirror, self._around.now) or not self._has_to_write():
            return []
        return [
            volume
            for volume in self._existing()
            if volume.playlist.items_known and volume.playlist.snapshot_id
        ]

    def _existing(self) -> list[Volume]:
        return [volume for volume in self._volumes if volume.spotify_id]

    def _has_to_write(self) -> bool:
        """Whether there is something to write, or an unknown outcome of a write."""
        existing = self._existing()
        in_doubt = not all(volume.playlist.items_known for volume in existing)
        is_stale = any(self._details.is_stale(volume.playlist) for volume in existing)
        return in_doubt or is_stale or bool(self._plan().steps)

    def _look(self) -> None:
        """Update the stored items of the playlists with few calls.

        Makes no call if there is nothing to change and they were checked today.
        """
        existing = self._existing()
        is_due = any(self._around.looks.is_due(volume) for volume in existing)
        if not is_due and not self._has_to_write():
            return
        # The listener may have decided about songs while other mirrors were written.
        self._facts = tracks.facts_of(self.mirror)
        look = Look(
            self._job,
            self._record,
            self.mirror,
            looks=self._around.looks,
            details=self._details,
            facts=self._facts,
            wanted=self._wanted(),
            is_manual=self._around.is_manual,
            say=self._say,
        )
        look.at(existing)
        self._facts = tracks.facts_of(self.mirror)

    # --- Writing ------------------------------------------------------------------------------

    def _wanted(self) -> list[str]:
        """The songs that the playlists should have, in order."""
        left_out = self._facts.refused | self._facts.excluded
        wanted = dict.fromkeys(uri for uri in self._selected if uri not in left_out)
        wanted |= dict.fromkeys(uri for uri in self._facts.kept if uri not in left_out)
        if self.mirror.keeps_additions:
            rows = [uri for volume in self._volumes for uri in volume.uris if uri]
            others = [uri for uri in rows if uri not in wanted and uri not in left_out]
            liked = tracks.ever_liked(self.mirror.user_id, others) if others else set()
            wanted |= dict.fromkeys(kept_additions(self.mirror, others, liked) if others else ())
        return list(wanted)

    def _plan(self) -> MirrorPlan:
        wanted = self._wanted()
        return plan_mirror(
            wanted,
            [volume.uris for volume in self._volumes],
            stuck=self._facts.stuck.difference(wanted),
            anew=self._is_anew,
            # The dates of a list that changes each day have no meaning.
            dates_are_worth=0 if self._is_new_choice else DATES_ARE_WORTH,
        )

    def _write(self) -> None:
        replans = 0
        while replans < REPLANS:
            plan = self._plan()
            self._guard(plan)
            self._make_playlists(len(plan.contents))
            self._write_details()
            if not plan.steps:
                self._learn_versions()
                return
            self._job.safe_point(stage=SyncRequest.Stage.WRITING)
            if self._loses_dates(plan):
                self._say("The playlist was written anew, so its dates are today's.")
            try:
                self._apply(plan)
            except Diverged as diverged:
                logger.info("playlist diverged request=%s", self._job.request.pk)
                self._read_again(diverged.volume)
                replans += 1
            except NotFound as error:
                # The next attempt looks, and knows what to make of it.
                raise not_found_for_now() from error
            self._facts = tracks.facts_of(self.mirror)
        raise RetryLater(
            "playlist_changing",
            "Something else changes the playlist while Syncify writes it. It tries again soon.",
        )

    def _loses_dates(self, plan: MirrorPlan) -> bool:
        """Whether staying songs get another date, in a list whose dates have a meaning."""
        return not self._is_new_choice and any(
            set(plan.contents[at]) & set(self._volumes[at].uris) for at in plan.rewritten
        )

    def _read_again(self, volume: Volume) -> None:
        rows = self._job.client.playlist_rows(volume.spotify_id)
        uris = [row.uri for row in rows]
        volume.uris = as_added(uris, self._facts.shown_as, self._wanted())

    def _guard(self, plan: MirrorPlan) -> None:
        """Raises SnoozeUntil while the removal of many songs waits for a second look."""
        if not plan.removed:
            return
        now = self._around.now
        before = (self.mirror.confirm_after, self.mirror.confirm_gone)
        held = sum(1 for volume in self._volumes for uri in volume.uris if uri)
        leaving = guard.leaving_unexplained(self.mirror.user_id, plan.removed, self._ours)
        left = sum(map(len, plan.contents))
        is_confirmed = guard.is_confirmed(self.mirror, leaving, now, held=held, left=left)
        if (self.mirror.confirm_after, self.mirror.confirm_gone) != before:
            with self._record.fenced(self.mirror):
                self.mirror.save(update_fields=["confirm_after", "confirm_gone"])
        if not is_confirmed:
            raise guard.wait_of(self.mirror)

    def _learn_versions(self) -> None:
        """Get the snapshot id after a write without a response, to avoid reading all items."""
        for volume in self._volumes:
            if (
                volume.spotify_id
                and not volume.playlist.snapshot_id
                and len(volume.uris) > PAGE_SIZE
            ):
                playlist = self._job.client.playlist(volume.spotify_id)
                if playlist.total == len(volume.uris):
                    volume.playlist.snapshot_id = playlist.snapshot_id
                    self._save([volume])

    def _apply(self, plan: MirrorPlan) -> None:
        """Send the steps of a plan, up to the first with an unexpected result."""
        touched = [self._volumes[number] for number in {step.volume for step in plan.steps}]
        for volume in touched:
            volume.playlist.items_known = False
        self._save(touched)
        writer = PlaylistWriter(
            self._job,
            self._record,
            self.mirror,
            volumes=self._volumes,
            plan=plan,
            shown_as=self._facts.shown_as,
        )
        effort = self._around.pages + len(plan.steps)
        try:
            for done, step in enumerate(plan.steps, start=self._around.pages + 1):
                complete = writer.send(step)
                fields = self._record.totals()
                fields["progress"] = done / effort
                self._job.safe_point(**fields)
                if not complete:
                    break
        finally:
            for volume in touched:
                volume.playlist.items_known = volume is not writer.in_doubt
            self._save(touched, is_written=True)

    def _make_playlists(self, count: int) -> None:
        """Make playlists for the first ``count`` volumes."""
        for number in range(len(self._volumes) + 1, count + 1):
            self._volumes.append(new_volume(self.mirror, number))
        for volume in self._volumes[:count]:
            if not volume.spotify_id:
                self._make_playlist(volume)

    def _make_playlist(self, volume: Volume) -> None:
        """Create a playlist, or take the empty one that an earlier attempt may have created."""
        row, playlist = volume.playlist, None
        if row.written_name:
            playlist = find_created(self._job, row.written_name)
        row.details_written_at, row.reminds = None, False
        if playlist is None:
            row.written_name = self._details.name_of(row)
            self._save([volume])  # so that a creation without an answer is looked for
            playlist = create(self._details, row)
        row.spotify_id, row.snapshot_id = playlist.id, playlist.snapshot_id
        row.items_known, row.checked_at, row.missing_since = True, self._job.now(), None
        row.seen_public = playlist.public
        volume.uris = []
        self._save([volume])

    def _write_details(self) -> None:
        for volume in self._volumes:
            if self._details.is_stale(volume.playlist):
                self._details.write(volume.playlist)
                self._save([volume])

    # --- Keeping ------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Clear the pending confirmation and the request for a rewrite."""
        done = {"confirm_after": None, "confirm_gone": None, "rewrite_asked": False}
        if changed := [name for name, value in done.items() if getattr(self.mirror, name) != value]:
            for name in changed:
                setattr(self.mirror, name, done[name])
            with self._record.fenced(self.mirror):
                self.mirror.save(update_fields=changed)
        if self._is_new_choice:
            self._keep_choice()

    def _keep_choice(self) -> None:
        """Store that the songs were selected, after they are in the playlist.

        Not where the listener has changed the rule meanwhile: the next sync chooses by that one.
        """
        mirror = self.mirror
        same = {name: getattr(mirror, name) for name in ("rule", "keep_same", "keep_twin")}
        with self._record.fenced(mirror):
            Mirror.objects.filter(pk=mirror.pk, **same).update(
                refreshed_at=mirror.refreshed_at, rotation=mirror.rotation
            )

    def _save(self, volumes: Sequence[Volume], *, is_written: bool = False) -> None:
        with self._record.fenced(self.mirror):
            save_volumes(volumes)
            if is_written:
                held = held_in(self._volumes)
                note_present(self.mirror, held)
                if self.mirror.is_main:
                    self._around.continued.note(held)

    def _say(self, sentence: str) -> None:
        name = self.mirror.name if self._around.has_several else ""
        self._record.say(sentence, self._result, of=name)
