"""One sync: reads the Liked Songs once, then updates every mirror of the listener."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from accounts.access import may_use
from accounts.connections import mark_connected
from accounts.models import SpotifyConnection
from accounts.spotify_apps import credentials_of
from sync.library.continued import Continuation
from sync.library.likes import PAGE_SIZE
from sync.library.read import read_library
from sync.library.record import MirrorGone, Record
from sync.mirrors import decisions, guard, tracks
from sync.mirrors.adoption import adopt_playlists
from sync.mirrors.looking import Looks
from sync.mirrors.mirror_sync import MirrorSync, Surroundings
from sync.mirrors.volumes import Volume, held_in, volumes_of
from sync.mirrors.wanted import select_all
from sync.models import Library, Mirror, SyncRequest, SyncResult
from sync.queue import store as queue
from sync.queue.backoff import decide
from sync.queue.connected import enqueue_connected
from sync.queue.errors import GiveUp, SnoozeUntil, SyncError
from sync.queue.job import Job
from syncify.spotify import quota
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    NotFound,
    OutcomeUnknown,
    SignInNeeded,
    Unavailable,
)

logger = logging.getLogger(__name__)

#: Errors of one mirror, which do not stop the others.
MIRRORS_OWN = (SyncError, Unavailable, OutcomeUnknown, BadRequest, NotFound)


def run_sync(job: Job) -> None:
    """Update the playlists of ``job``, and end its request in success.

    Otherwise raises LeaseLost, Cancelled, Released, a SpotifyError or a
    SyncError. Nothing is lost then; the next attempt goes on from what is stored.
    """
    _Sync(job).run()


class _Sync:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.record = Record(job)
        self.library, _ = Library.objects.get_or_create(user_id=job.request.user_id)
        self.is_manual = job.request.trigger != SyncRequest.Trigger.SCHEDULED
        mirrors = Mirror.objects.filter(user_id=job.request.user_id, state=Mirror.State.ACTIVE)
        # The main mirror first: most shared links are its own.
        self.mirrors = list(mirrors.order_by("-is_main", "id"))
        self.has_several = len(self.mirrors) > 1
        self.volumes = {mirror.pk: volumes_of(mirror) for mirror in self.mirrors}
        self.is_first_copy = not any(self.volumes.values())
        self.now = job.now()
        self.continued = Continuation(job)
        self.failures: list[tuple[Mirror, Exception]] = []
        self.pages = 0

    def run(self) -> None:
        self._check_states()
        decisions.send(self.job, self.record)
        self._check_waits()
        self.job.safe_point(stage=SyncRequest.Stage.READING)
        outcome = read_library(
            self.job,
            self.record,
            self.library,
            full=any(mirror.confirm_after for mirror in self.mirrors),
            since=max((m.confirm_after for m in self.mirrors if m.confirm_after), default=None),
            on_page=self._on_page,
        )
        if outcome.complete:
            with self.record.fenced():
                tracks.retry_refused(self.mirrors)
        self.job.safe_point(stage=SyncRequest.Stage.COMPARING, song_count=outcome.songs)
        self._bring_up_all()
        self._finish(outcome.songs)

    def _check_states(self) -> None:
        """Check that the listener wants this sync, and may have it.

        Raises GiveUp or SignInNeeded.
        """
        user = self.job.user
        held = SpotifyConnection.objects.filter(user=user).values_list("state", flat=True).first()
        if not user.is_active:
            raise GiveUp("blocked", "The operator has blocked this account.")
        if not may_use(user):
            raise GiveUp("not_allowed", "SYNCIFY_ALLOWED_USERS does not list this account.")
        if held == SpotifyConnection.State.SIGN_IN_NEEDED:
            raise SignInNeeded
        if self.library.is_paused and not self.is_manual:
            raise GiveUp("paused", "Syncs are paused.")

    def _check_waits(self) -> None:
        """Raises SnoozeUntil while a second look is pending."""
        waiting = [mirror for mirror in self.mirrors if guard.waits(mirror, self.now)]
        if waiting and len(waiting) == len(self.mirrors):
            raise guard.wait_of(min(waiting, key=lambda one: one.confirm_after or self.now))

    def _on_page(self, pages: int, total: int) -> None:
        all_pages = max(1, -(-total // PAGE_SIZE))
        writes = -(-total // 100) + 2 if self.is_first_copy else 2
        if pages == 1 and self.library.full_read_at is None:
            app = credentials_of(self.job.user.pk)
            developer = app.developer if app else ""
            quota.check_fits(all_pages - 1 + writes, reserve=self.is_manual, developer=developer)
        self.pages = pages
        self.job.safe_point(
            song_count=min(pages * PAGE_SIZE, total),
            song_total=total,
            progress=min(1, pages / (all_pages + writes)),
        )

    # --- The mirrors --------------------------------------------------------------------------

    def _bring_up_all(self) -> None:
        self._adopt()
        selected = select_all(self.record, self.library, self.mirrors, self.volumes, self.now)
        around = Surroundings(
            job=self.job,
            record=self.record,
            now=self.now,
            looks=Looks(self.job, self._due()),
            continued=self.continued,
            is_manual=self.is_manual,
            pages=self.pages,
            has_several=self.has_several,
        )
        syncs = [
            MirrorSync(around, mirror, self.volumes[mirror.pk], selected[mirror.pk])
            for mirror in self.mirrors
            if not mirror.broken
        ]
        # Known before the first look, so that one list of playlists serves them all.
        around.looks.expect(volume for sync in syncs for volume in sync.to_compare())
        for sync in syncs:
            mirror = sync.mirror
            try:
                sync.run()
                self._done(mirror)
            except MirrorGone:
                logger.info("mirror gone request=%s mirror=%s", self.job.request.pk, mirror.pk)
                continue
            except MIRRORS_OWN as error:
                self._fail(mirror, error)
            except AccessRefused as error:
                if not self.has_several or error.reason != "forbidden":
                    raise
                self._fail(mirror, error)

    def _adopt(self) -> None:
        for mirror in self.mirrors:
            if mirror.adopts_syncify2:
                songs = self.library.song_count
                self.volumes[mirror.pk] = adopt_playlists(self.job, self.record, mirror, songs)

    def _due(self) -> list[Volume]:
        """The playlists to check even without known changes.

        A person who asks for a sync gets a look; without that, one a day is enough. What this
        request has brought up to date in an earlier attempt is not looked at again.
        """
        today = self.now.date()
        done = {
            mirror.pk
            for mirror in self.mirrors
            if self.record.of(mirror).state == SyncResult.State.DONE
        }
        volumes = [
            volume
            for mirror in self.mirrors
            if not mirror.broken and mirror.pk not in done
            for volume in self.volumes[mirror.pk]
            if volume.spotify_id
        ]
        return [
            volume
            for volume in volumes
            if self.is_manual
            or volume.playlist.checked_at is None
            or volume.playlist.checked_at.date() < today
            or volume.playlist.missing_since is not None
        ]

    def _fail(self, mirror: Mirror, error: Exception) -> None:
        decision = decide(error, 0, jitter=0)
        result = self.record.of(mirror)
        result.state = SyncResult.State.FAILED
        result.error_code, result.error_message = decision.code, decision.message
        self.failures.append((mirror, error))
        try:
            with self.record.fenced(mirror):
                pass
        except MirrorGone:
            self.failures.pop()
        logger.info(
            "mirror failed request=%s mirror=%s code=%s",
            self.job.request.pk,
            mirror.pk,
            decision.code,
        )

    def _done(self, mirror: Mirror) -> None:
        result = self.record.of(mirror)
        result.state = SyncResult.State.DONE
        result.error_code = result.error_message = ""
        if len(self.mirrors) > 1:
            with self.record.fenced(mirror):
                pass

    # --- The end ------------------------------------------------------------------------------

    def _finish(self, songs: int) -> None:
        for mirror, error in self.failures:
            if self.has_several and isinstance(error, GiveUp) and not mirror.is_main:
                self.record.say(f"Left out: {error.message}", of=mirror.name)
        if worst := self._worst():
            raise worst
        # Asks for a sync after this one, which tells Spotify.
        decisions.like_own_additions(self.job, self.record, self.library)
        try:
            self._succeed(self.mirrors, songs)
        except MirrorGone:
            self._succeed(self._there(), songs)
        mark_connected(self.job.user)

    def _succeed(self, mirrors: Sequence[Mirror], songs: int) -> None:
        with self.record.fenced(*mirrors):
            totals = self.record.totals()
            if totals["added"] or totals["removed"] or totals["moved"]:
                enqueue_connected(self.job.request.user_id)
            self.continued.finish(self._held_by_main)
            queue.succeed(self.job.request, song_count=songs)

    def _held_by_main(self) -> set[str | None]:
        main = Mirror.objects.get(user_id=self.job.request.user_id, is_main=True)
        return held_in(volumes_of(main))

    def _there(self) -> list[Mirror]:
        """The mirrors that still exist."""
        keys = [mirror.pk for mirror in self.mirrors]
        there = set(Mirror.objects.filter(pk__in=keys).values_list("pk", flat=True))
        return [mirror for mirror in self.mirrors if mirror.pk in there]

    def _worst(self) -> Exception | None:
        """The failure that ends the request: one that a retry may solve comes first.

        Lost or refused playlists of further mirrors do not prevent success.
        """
        counting = [
            (mirror, error)
            for mirror, error in self.failures
            if mirror.is_main or not isinstance(error, GiveUp)
        ]
        for kind in (_is_passing, _is_wait, _is_final):
            for mirror, error in counting:
                if kind(error):
                    return _named(error, mirror) if self.has_several else error
        return None


def _is_wait(error: Exception) -> bool:
    return isinstance(error, SnoozeUntil)


def _is_final(error: Exception) -> bool:
    return isinstance(error, GiveUp)


def _is_passing(error: Exception) -> bool:
    return not _is_wait(error) and not _is_final(error)


def _named(error: Exception, mirror: Mirror) -> Exception:
    """The error with the name of its mirror."""
    if isinstance(error, SyncError):
        error.message = f"{mirror.name}: {error.message}"
    return error
