"""The common part of all runs for services: states, errors, and fenced writes."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Model
from django.db.models.functions import Now

from sync.models import Connection, Mirror, SyncRequest, TargetPlaylist
from sync.queue import store as queue
from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil, SyncError
from sync.queue.job import Cancelled, Job
from sync.queue.locks import lock_user
from sync.targets.mirroring import Outcome, bring_up_to_date
from sync.targets.protocol import BadCredentials, RateLimited, Target, TargetError
from sync.targets.songs import ids_of, liked_ids

logger = logging.getLogger(__name__)

#: Settings that runs write; all others are the listener's options.
_RUNS_OWN = ("sign_in",)
LEAST_PAUSE = timedelta(seconds=30)
#: The number of times that one job restarts because the songs changed.
ROUNDS = 3

LEFT = {
    "empty": "None of its songs was found, so the playlist was left as it is.",
    "shrinks": (
        "More than half of its songs would be removed, so it is not changed until a later check "
        "confirms it."
    ),
    "gone": (
        "The service says that the playlist is gone. If a later check confirms it, a new one is "
        "made."
    ),
}


@dataclass
class Songs:
    """The songs of one round: ids of tracks, in order."""

    likes: list[str]
    mirrors: dict[int, list[str]]

    @property
    def all_ids(self) -> list[str]:
        ids = list(self.likes)
        for each in self.mirrors.values():
            ids += each
        return list(dict.fromkeys(ids))


@dataclass
class Summary:
    """The result of a run, for its request."""

    song_count: int = 0
    found: int = 0
    added: int = 0
    removed: int = 0
    loved: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def note(self) -> str:
        first = f"{self.found:,} of {self.song_count:,} songs found."
        loved = f"{self.loved:,} songs loved." if self.loved else ""
        return " ".join(filter(None, [first, loved, *dict.fromkeys(self.notes)]))


type Round = Callable[[Job, Connection, Songs], Summary]


def run(job: Job, service: str, work: Round) -> None:
    """Bring the service of ``job`` up to date, and end its request in success.

    ``work`` does one round. Another follows if the songs have changed in the meantime, because a
    scheduled request during this run is merged into it. Raises SyncErrors, and what ``job`` raises.
    """
    connection = Connection.objects.filter(user=job.user, service=service).first()
    if connection is None or connection.state == Connection.State.PAUSED:
        queue.succeed(job.request, note="The service is not connected, or paused.")
        return
    total = Summary()
    try:
        for number in range(1, ROUNDS + 1):
            songs = songs_for(connection)
            summary = work(job, connection, songs)
            summary.added += total.added
            summary.removed += total.removed
            summary.loved += total.loved
            total = summary
            if _finish(job, connection, songs, total, is_last=number == ROUNDS):
                return
    except TargetError as error:
        raise _consequence(job, connection, error) from error


def songs_for(connection: Connection) -> Songs:
    """The songs that the service should have; a paused mirror is skipped."""
    chosen = Mirror.objects.filter(target_playlists__connection=connection)
    mirrors = {each.pk: ids_of(each) for each in chosen.exclude(state=Mirror.State.PAUSED)}
    return Songs(liked_ids(connection.user_id), mirrors)


@contextmanager
def fenced(job: Job) -> Iterator[None]:
    """A transaction that holds the job until its end; raises LeaseLost or Cancelled."""
    with transaction.atomic():
        lock_user(job.request.user_id)
        # Disconnecting first cancels the job, then deletes the connection.
        if queue.record_progress(job.request, api_requests=job.calls).cancel_asked_at:
            raise Cancelled
        yield


def write_playlists(
    job: Job,
    connection: Connection,
    target: Target,
    songs: Songs,
    *,
    remote_ids: Mapping[str, str],
    summary: Summary,
) -> None:
    """Update each chosen playlist; an error of one is raised after the others are done."""
    trouble: TargetError | None = None
    rows = TargetPlaylist.objects.filter(connection=connection).select_related("mirror")
    for row in rows.order_by("pk"):
        if (ids := songs.mirrors.get(row.mirror_id)) is None:
            continue
        job.safe_point(stage=SyncRequest.Stage.WRITING)
        wanted = [remote_ids[each] for each in ids if each in remote_ids]
        row.wanted_count = len(ids)
        try:
            outcome = _write(job, target, row, wanted)
        except TargetError as error:
            row.note = str(error)
            trouble = trouble or error
            _save(job, row)
            continue
        summary.added += outcome.added
        summary.removed += outcome.removed
        row.song_count = outcome.count
        row.note = LEFT.get(outcome.left, "")
        if outcome.left:
            summary.notes.append(f"{row.mirror}: {row.note}")
        _save(job, row)
    if trouble:
        raise trouble


def _write(job: Job, target: Target, row: TargetPlaylist, wanted: Sequence[str]) -> Outcome:
    name = str(row.mirror)
    return bring_up_to_date(
        target, row, name=name, wanted=wanted, now=job.now(), save=lambda: _save(job, row)
    )


def _save(job: Job, row: TargetPlaylist) -> None:
    row.checked_at = job.now()
    fields = [each.name for each in row._meta.concrete_fields if not each.primary_key]
    with fenced(job):
        # Deleted if the listener deselected it in the meantime.
        if TargetPlaylist.objects.select_for_update().filter(pk=row.pk).exists():
            Model.save(row, update_fields=fields)


def _finish(
    job: Job, connection: Connection, songs: Songs, total: Summary, *, is_last: bool
) -> bool:
    """End the request, unless the songs have changed since this round read them.

    The row of the request is locked before they are read again: a transaction that changes them and
    queues a run either committed before, and is visible here, or queues a new request afterwards.
    """
    with fenced(job):
        if not is_last and songs_for(connection) != songs:
            return False
        _note_state(connection, Connection.State.ACTIVE, "", refused_at=None)
        Connection.objects.filter(pk=connection.pk).update(succeeded_at=Now())
        queue.succeed(
            job.request,
            song_count=total.song_count,
            added=total.added,
            removed=total.removed,
            skipped=total.song_count - total.found,
            note=total.note,
        )
    return True


def remember(connection: Connection, **values: object) -> None:
    """Store ``values`` in the settings of the connection at its next change of state."""
    connection.settings = {**connection.settings, **values}


def _note_state(connection: Connection, state: str, reason: str, **values: object) -> None:
    """Store the state, the remembered settings and ``values``; None deletes a setting.

    Call it in a fenced transaction. Options and a pause that the listener set in the meantime stay.
    """
    row = Connection.objects.select_for_update().filter(pk=connection.pk).first()
    if row is None:
        return
    kept = {name: connection.settings[name] for name in _RUNS_OWN if name in connection.settings}
    merged = {**row.settings, **kept, **values}
    row.settings = {name: value for name, value in merged.items() if value is not None}
    if row.state != Connection.State.PAUSED:
        row.state, row.state_reason = state, reason
    row.save(update_fields=["settings", "state", "state_reason"])


def _consequence(job: Job, connection: Connection, error: TargetError) -> SyncError:
    """The error that ends the job; stores the state of the connection."""
    name = connection.get_service_display()
    now = job.now()
    state, refused_at = Connection.State.FAILING, connection.settings.get("refused_at")
    result: SyncError
    match error:
        case BadCredentials() if refused_at:
            state = Connection.State.REFUSED
            result = GiveUp("target_refused", f"{error} Connect {name} again.")
        case BadCredentials():
            # One refusal is not final: a starting server may refuse all users.
            refused_at = now.isoformat()
            result = RetryLater("target_refused", f"{error} Syncify tries once more.")
        case RateLimited():
            wait = max(error.wait, LEAST_PAUSE)
            result = SnoozeUntil("target_pause", str(error), until=now + wait)
        case _:
            result = RetryLater("target_trouble", f"{name}: {error}")
    with fenced(job):
        _note_state(connection, state, str(error), refused_at=refused_at)
    return result
