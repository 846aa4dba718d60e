"""A listener's state as one plain sentence and, where somebody may act, one button."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils import timezone

from accounts.consent import Stage
from accounts.models import SpotifyConnection
from sync.models import Mirror, SyncRequest
from syncify.spotify.models import Block

_JUST_NOW = timedelta(minutes=1)

_REFUSED: dict[str, str] = {
    SpotifyConnection.Reason.NOT_REGISTERED: (
        "Spotify refuses, because your account is not on the list of people who may use this "
        "Syncify. Ask its operator to add you, then try again."
    ),
    SpotifyConnection.Reason.SCOPE_MISSING: (
        "Spotify refuses, because one of the permissions was not granted. Sign in again and "
        "agree to all of them."
    ),
    SpotifyConnection.Reason.FORBIDDEN: (
        "Spotify refuses and does not say why. Try again in a while; if it stays like this, "
        "tell the operator."
    ),
}
_SIGN_IN_NEEDED: dict[str, str] = {
    SpotifyConnection.Reason.TOKENS_LOST: (
        "Syncify can no longer read the permission that Spotify gave it for you."
    ),
}


class Tone(StrEnum):
    GOOD = "good"  #: all is well.
    BUSY = "busy"  #: a worker is at it.
    WAITING = "waiting"  #: it goes on by itself.
    RESTING = "resting"  #: nothing happens until the listener wants it.
    TROUBLE = "trouble"  #: a person must act.


class Action(StrEnum):
    """What the one button does; the template knows the form for each."""

    NONE = ""
    SYNC = "sync"
    RETRY = "retry"
    SIGN_IN = "sign_in"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Status:
    """``key`` names the case: a screen reader is told when it changes, not at each number."""

    key: str
    sentence: str
    tone: Tone
    action: Action = Action.NONE
    label: str = "Sync now"


def describe(
    *,
    connection: SpotifyConnection,
    mirror: Mirror,
    latest: SyncRequest | None,
    block: Block | None,
    has_worker: bool,
    now: datetime,
) -> Status:
    """``latest`` is the newest request; ``block`` and ``has_worker`` matter while it is queued."""
    if latest and latest.state == SyncRequest.State.RUNNING:
        return _running(latest)
    if connection.state == SpotifyConnection.State.SIGN_IN_NEEDED:
        sentence = _SIGN_IN_NEEDED.get(connection.state_reason, "Spotify's permission has ended.")
        sentence += " Sign in again to go on; your playlist and its link stay as they are."
        return Status("sign_in_needed", sentence, Tone.TROUBLE, Action.SIGN_IN, "Sign in again")
    if latest and latest.state == SyncRequest.State.QUEUED:
        return _queued(latest, block=block, has_worker=has_worker, now=now)
    if connection.state == SpotifyConnection.State.REFUSED:
        return _refused(connection.state_reason)
    if mirror.state == Mirror.State.REMOVED:
        sentence = (
            "The playlist is no longer in your Spotify library, so nothing is synced until you "
            "want it back."
        )
        return Status("removed", sentence, Tone.RESTING, Action.SYNC, "Bring it back")
    if mirror.state == Mirror.State.PAUSED:
        sentence = "Paused: the playlist stays as it is until you resume."
        return Status("paused", sentence, Tone.RESTING, Action.RESUME, "Resume")
    if latest and latest.state == SyncRequest.State.DEAD:
        sentence = latest.error_message or "The last sync failed for a reason we do not know."
        return Status("dead", sentence, Tone.TROUBLE, Action.RETRY, "Try again")
    if mirror.confirm_after:
        sentence = (
            "More than half of your Liked Songs seem to be gone. To be safe nothing is removed "
            f"before a second look, {at(mirror.confirm_after, now)} or later, has seen the same."
        )
        return Status("guard", sentence, Tone.WAITING, Action.SYNC)
    return _at_rest(mirror, latest, now)


def _running(job: SyncRequest) -> Status:
    stage = SyncRequest.Stage
    if job.is_cancelling:
        return Status("cancelling", "Stopping at the next safe point.", Tone.BUSY)
    if job.stage == stage.READING and job.song_count:
        sentence = f"Reading your Liked Songs: {job.song_count:,} so far."
    elif job.stage == stage.READING:
        sentence = "Reading your Liked Songs."
    elif job.stage == stage.COMPARING:
        sentence = f"Comparing your {songs(job.song_count)} with the playlist."
    elif job.stage == stage.WRITING:
        sentence = f"Writing to the playlist: {job.progress:.0%} done."
    else:
        sentence = "Your sync is starting."
    return Status(job.stage or "starting", sentence, Tone.BUSY)


def _queued(
    request: SyncRequest, *, block: Block | None, has_worker: bool, now: datetime
) -> Status:
    if block and block.until > now:
        if block.because == Block.Because.QUOTA:
            sentence = (
                f"Spotify's daily quota is used up, and it asks us to wait until "
                f"{clock(block.until, now)}. Your sync then goes on by itself."
            )
        else:
            sentence = (
                "This Syncify's own access to Spotify is broken. Its operator has been told, and "
                "your sync goes on as soon as it is mended."
            )
        return Status(f"blocked_{block.because}", sentence, Tone.WAITING)
    if request.run_at > now and request.failures:
        sentence = f"{request.error_message} We try again {at(request.run_at, now)}."
        return Status("retrying", sentence.strip(), Tone.WAITING, Action.SYNC, "Try now")
    if request.run_at > now:
        sentence = f"{request.error_message} Your sync goes on by itself {at(request.run_at, now)}."
        return Status("snoozed", sentence.strip(), Tone.WAITING)
    if not has_worker:
        sentence = (
            "Your sync is waiting, but no worker is running: the operator of this Syncify has to "
            "start one."
        )
        return Status("no_worker", sentence, Tone.WAITING)
    if request.trigger == SyncRequest.Trigger.FIRST:
        return Status("queued", "Your first sync starts in a moment.", Tone.BUSY)
    return Status("queued", "Your sync is waiting for its turn.", Tone.BUSY)


def _refused(reason: str) -> Status:
    sentence = _REFUSED.get(reason, _REFUSED[SpotifyConnection.Reason.FORBIDDEN])
    if reason == SpotifyConnection.Reason.SCOPE_MISSING:
        return Status("scope_missing", sentence, Tone.TROUBLE, Action.SIGN_IN, "Sign in again")
    return Status(reason or "refused", sentence, Tone.TROUBLE, Action.SYNC, "Try again")


def _at_rest(mirror: Mirror, latest: SyncRequest | None, now: datetime) -> Status:
    if latest is None and mirror.full_read_at is None:
        sentence = "Your playlist has not been made yet."
        return Status("never", sentence, Tone.RESTING, Action.SYNC)
    if latest is None:
        sentence = f"There was no sync since {day(mirror.full_read_at or now)}."
        return Status("long_ago", sentence, Tone.RESTING, Action.SYNC)
    ended = latest.completed or now
    when = "just now" if now - ended < _JUST_NOW else at(ended, now)
    if latest.state == SyncRequest.State.CANCELLED:
        sentence = f"The last sync was stopped {when}. The next one goes on from there."
        return Status("cancelled", sentence, Tone.RESTING, Action.SYNC)
    if not latest.song_count:
        sentence = "You have no Liked Songs yet. Like a song in Spotify, and the next sync adds it."
        return Status("no_songs", sentence, Tone.GOOD, Action.SYNC)
    if latest.trigger == SyncRequest.Trigger.FIRST and latest.added == latest.song_count:
        sentence = f"Your playlist is ready: {songs(latest.added)} copied {when}."
        return Status("ready", sentence, Tone.GOOD, Action.SYNC)
    if changes := changes_in_words(latest):
        return Status("changed", f"Up to date: {changes} {when}.", Tone.GOOD, Action.SYNC)
    sentence = f"Up to date: nothing had changed when we looked {when}."
    return Status("unchanged", sentence, Tone.GOOD, Action.SYNC)


def changes_in_words(request: SyncRequest) -> str:
    """What a sync did, as "3 songs added, 1 removed"; "" for nothing."""
    done = [
        (request.added, "added"),
        (request.removed, "removed"),
        (request.moved, "put in their place" if request.moved > 1 else "put in its place"),
        (request.skipped, "refused by Spotify"),
    ]
    parts = [f"{count:,} {what}" for count, what in done if count]
    if parts:
        count, rest = parts[0].split(" ", 1)
        parts[0] = f"{count} {'song' if count == '1' else 'songs'} {rest}"
    return ", ".join(parts)


def song_list(names: list[str], total: int) -> str:
    """ "A, B and 4 more", where ``names`` are the first of ``total`` songs, or none of them."""
    if not names:
        return songs(total) if total else ""
    if (more := total - len(names)) > 0:
        return f"{', '.join(names)} and {more:,} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def schedule(connection: SpotifyConnection, mirror: Mirror, now: datetime) -> str:
    """When syncs happen by themselves, as a sentence; "" while they rest."""
    is_connected = connection.state == SpotifyConnection.State.CONNECTED
    if not is_connected or mirror.state != Mirror.State.ACTIVE:
        return ""
    if mirror.interval == Mirror.Interval.OFF or mirror.next_due is None:
        return "Looks for changes only when you ask."
    rhythm = f"Looks for changes {Mirror.Interval(mirror.interval).label}"
    if mirror.next_due <= now:
        return f"{rhythm}; the next time shortly."
    return f"{rhythm}; the next time {at(mirror.next_due, now)} or so."


@dataclass(frozen=True, slots=True)
class Permission:
    """What is said of the consent beside the status, which says itself when it has ended."""

    days_left: int
    stage: Stage
    #: How long it lasts, said quietly; "" where ``notice`` says it, and after the end.
    sentence: str
    #: Asks for a new sign-in from 30 days before the end on; else "".
    notice: str


def permission(connection: SpotifyConnection, now: datetime) -> Permission:
    consent = connection.consent(now)
    sentence = notice = ""
    match consent.stage:
        case Stage.FAR:
            sentence = f"Spotify's permission lasts another {consent.days_left} days."
        case Stage.MONTH | Stage.WEEK:
            notice = (
                f"Spotify's permission ends in {consent.days_left} days, on "
                f"{day(consent.ends_at)}. Sign in again before then, and nothing stops."
            )
        case Stage.DAY:
            when = "within a day" if consent.days_left else "any moment now"
            notice = f"Spotify's permission ends {when}. Sign in again, and nothing stops."
    return Permission(consent.days_left, consent.stage, sentence, notice)


def songs(count: int) -> str:
    return "1 song" if count == 1 else f"{count:,} songs"


def clock(moment: datetime, now: datetime) -> str:
    """ "14:20", "tomorrow at 14:20" or "3 December at 14:20", in the listener's time zone.

    Where that is not known it is UTC, and says so.
    """
    local = timezone.localtime(moment)
    zone = " UTC" if timezone.get_current_timezone_name() == "UTC" else ""
    days = (local.date() - timezone.localtime(now).date()).days
    near = {-1: "yesterday at ", 0: "", 1: "tomorrow at "}
    return f"{near.get(days, f'{day(moment)} at ')}{local:%H:%M}{zone}"


def at(moment: datetime, now: datetime) -> str:
    """``clock`` where a preposition is wanted: "at 14:20", "tomorrow at 14:20"."""
    words = clock(moment, now)
    if words.startswith(("yesterday", "tomorrow")):
        return words
    return f"on {words}" if " at " in words else f"at {words}"


def day(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{local.day} {local:%B}"
