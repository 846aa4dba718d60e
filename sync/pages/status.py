"""A listener's state in plain words and, where somebody may act, one button."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from accounts.consent import Stage
from accounts.models import SpotifyConnection
from sync.models import Library, Mirror, SyncRequest
from sync.pages.words import day, left, songs
from syncify.spotify.models import Block

#: From this share of the work on, and after this long, the rest of it can be told.
_FORESEEABLE_FROM, _FORESEEABLE_AFTER = 0.05, timedelta(seconds=3)

_AS_IT_IS = "Your playlist stays as it is meanwhile."
_TRIES_DAILY = "Syncify also tries again by itself once a day."


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
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Status:
    """``title`` is what happened, ``detail`` what it means for the playlist."""

    #: Names the case: a screen reader is told when it changes, not at each number.
    key: str
    title: str
    tone: Tone
    detail: str = ""
    action: Action = Action.NONE
    label: str = "Sync now"
    #: How long it has been so.
    since: datetime | None = None
    #: When it goes on by itself.
    until: datetime | None = None

    @property
    def asks_for_sync(self) -> bool:
        return self.action in {Action.SYNC, Action.RETRY}


@dataclass(frozen=True, slots=True)
class Step:
    """One of the three of a sync; ``place``: "done", "current" or "to come"."""

    name: str
    place: str


def describe(
    *,
    connection: SpotifyConnection,
    mirror: Mirror,
    library: Library,
    latest: SyncRequest | None,
    block: Block | None,
    has_worker: bool,
    is_told: bool = False,
    now: datetime,
) -> Status:
    """``latest`` is the newest request; the others matter while it is queued.

    ``is_told``: an alert of the block has reached the operator.
    """
    if latest and latest.state == SyncRequest.State.RUNNING:
        return _running(latest, now)
    if connection.state == SpotifyConnection.State.SIGN_IN_NEEDED:
        lost = connection.state_reason == SpotifyConnection.Reason.TOKENS_LOST
        return Status(
            "sign_in_needed",
            "Syncify has lost Spotify's permission" if lost else "Spotify's permission has ended",
            Tone.TROUBLE,
            "Your playlist and its link stay as they are, but nothing new arrives there until you "
            "sign in again. It is one tap, and no setting is lost.",
            Action.SIGN_IN,
            "Sign in again",
        )
    if latest and latest.state == SyncRequest.State.QUEUED:
        if block and block.until > now:
            return _blocked(block, is_told=is_told)
        return _queued(latest, has_worker=has_worker, now=now)
    if connection.state == SpotifyConnection.State.REFUSED:
        return _refused(connection.state_reason)
    if mirror.state == Mirror.State.REMOVED:
        return Status(
            "removed",
            "The playlist is no longer in your library",
            Tone.RESTING,
            "You, or somebody with your Spotify account, removed it there. Nothing is synced until "
            "you want it back; its link stays the same.",
            Action.RETURN,
            "Bring it back",
        )
    if mirror.state == Mirror.State.PAUSED:
        return Status(
            "paused", "Paused", Tone.RESTING, "Your playlist stays as it is until you resume.",
            Action.RESUME, "Resume",
        )  # fmt: skip
    if latest and latest.state == SyncRequest.State.DEAD:
        return _dead(latest)
    if library.confirm_after:
        is_early = library.confirm_after > now
        return Status(
            "guard",
            "Many of your Liked Songs seem to be gone",
            Tone.WAITING,
            "To be safe, nothing is removed from your playlist before a second look has seen the "
            "same.",
            Action.NONE if is_early else Action.SYNC,
            "Look now",
            until=library.confirm_after if is_early else None,
        )
    return _at_rest(library, latest)


def steps(request: SyncRequest) -> list[Step]:
    """The way of a running sync, with the place where it is."""
    stage = SyncRequest.Stage
    names = {stage.READING: "Read", stage.COMPARING: "Compare", stage.WRITING: "Write"}
    current = list(names).index(stage(request.stage)) if request.stage else 0
    return [
        Step(name, "done" if at < current else "current" if at == current else "to come")
        for at, name in enumerate(names.values())
    ]


def _running(job: SyncRequest, now: datetime) -> Status:
    stage = SyncRequest.Stage
    if job.is_cancelling:
        return Status("cancelling", "Stopping at the next safe point", Tone.BUSY)
    details = []
    match job.stage:
        case stage.READING:
            title = "Reading your Liked Songs"
            if job.song_count:
                details = [f"{job.song_count:,} so far"]
        case stage.COMPARING:
            title = "Comparing them with your playlist"
            details = [songs(job.song_count)]
        case stage.WRITING:
            title = "Writing your playlist"
            details = [f"{job.progress:.0%} done"]
        case _:
            title = "Your sync is starting"
    if remaining := _remaining(job, now):
        details.append(left(remaining))
    return Status(job.stage or "starting", title, Tone.BUSY, " · ".join(details))


def _remaining(job: SyncRequest, now: datetime) -> timedelta | None:
    """By the pace so far."""
    taken = now - (job.started or now)
    if job.progress < _FORESEEABLE_FROM or taken < _FORESEEABLE_AFTER:
        return None
    return taken * ((1 - job.progress) / job.progress)


def _queued(request: SyncRequest, *, has_worker: bool, now: datetime) -> Status:
    title, rest = _parted(request.error_message)
    detail = f"{rest} {_AS_IT_IS}".strip()
    if request.run_at > now and request.failures:
        return Status(
            "retrying",
            title or "The last try did not succeed",
            Tone.WAITING,
            detail,
            Action.SYNC,
            "Try now",
            until=request.run_at,
        )
    if request.run_at > now:
        title = title or "Your sync waits a while"
        return Status("snoozed", title, Tone.WAITING, detail, until=request.run_at)
    if not has_worker:
        return Status(
            "no_worker",
            "Your sync is waiting, but no worker is running",
            Tone.WAITING,
            "The operator of this Syncify has to start one. Your sync then goes on by itself.",
        )
    if request.trigger == SyncRequest.Trigger.FIRST:
        return Status(
            "queued",
            "Your playlist is about to be made",
            Tone.BUSY,
            "It starts in a moment, by itself.",
        )
    return Status("queued", "Your sync is waiting for its turn", Tone.BUSY)


def _blocked(block: Block, *, is_told: bool) -> Status:
    match block.because:
        case Block.Because.QUOTA:
            title = "Spotify asks us to wait"
            detail = f"Its quota of requests for today is used up. {_AS_IT_IS}"
            return Status("blocked_quota", title, Tone.WAITING, detail, until=block.until)
        case Block.Because.PREMIUM:
            title = "Spotify has stopped this Syncify for now"
            cause = "It wants the operator to have Premium, and they do not have it at the moment."
            end = "Your sync goes on once it is renewed."
        case _:
            title = "This Syncify's own access to Spotify is broken"
            cause, end = "", "Your sync goes on once it is mended."
    told = "Its operator has been told." if is_told else "Please tell its operator."
    detail = " ".join(filter(None, [cause, told, _AS_IT_IS, end]))
    return Status(f"blocked_{block.because}", title, Tone.WAITING, detail)


def _refused(reason: str) -> Status:
    match reason:
        case SpotifyConnection.Reason.NOT_REGISTERED:
            title = "Spotify does not let you in here yet"
            detail = (
                "Your account is not on the list of people who may use this Syncify. Ask its "
                f"operator to add you, then try again. {_TRIES_DAILY} {_AS_IT_IS}"
            )
        case SpotifyConnection.Reason.SCOPE_MISSING:
            title = "A permission is missing"
            detail = f"Sign in again and agree to all that Spotify shows. {_AS_IT_IS}"
            return Status("refused", title, Tone.TROUBLE, detail, Action.SIGN_IN, "Sign in again")
        case _:
            title = "Spotify refuses, and does not say why"
            detail = f"If it stays like this, tell the operator. {_TRIES_DAILY} {_AS_IT_IS}"
    return Status("refused", title, Tone.TROUBLE, detail, Action.SYNC, "Try again")


def _dead(request: SyncRequest) -> Status:
    title, rest = _parted(request.error_message)
    tries = f"Syncify gave up after {request.failures} tries." if request.failures > 1 else ""
    kept = "Your playlist is as the last sync left it, and nothing of it is lost."
    return Status(
        "dead",
        title or "The last sync failed for a reason that we do not know",
        Tone.TROUBLE,
        " ".join(filter(None, [rest, tries, kept])),
        Action.RETRY,
        "Try again",
        since=request.completed,
    )


def _at_rest(library: Library, latest: SyncRequest | None) -> Status:
    if latest is None or latest.completed is None:
        if library.full_read_at is None:
            title, detail = "Your playlist has not been made yet", "The first sync makes it."
        else:
            title, detail = f"No sync since {day(library.full_read_at)}", ""
        return Status("never", title, Tone.RESTING, detail, Action.SYNC)
    ended = latest.completed
    if latest.state == SyncRequest.State.CANCELLED:
        title, detail = "The last sync was stopped", "The next one goes on from there."
        return Status("cancelled", title, Tone.RESTING, detail, Action.SYNC, since=ended)
    if not latest.song_count:
        title = "You have no Liked Songs yet"
        detail = "Like a song in Spotify, and the next sync adds it."
        return Status("no_songs", title, Tone.GOOD, detail, Action.SYNC, since=ended)
    if latest.trigger == SyncRequest.Trigger.FIRST and latest.added == latest.song_count:
        title = "Your playlist is ready"
        detail = "Copy its link and send it to whoever should hear it. The link never changes."
        return Status("ready", title, Tone.GOOD, detail, Action.SYNC, since=ended)
    title = "In step with your Liked Songs"
    return Status("in_step", title, Tone.GOOD, "", Action.SYNC, since=ended)


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


def outcome(request: SyncRequest) -> str:
    """How a finished sync came out, as a headline."""
    match request.state:
        case SyncRequest.State.DEAD:
            return _parted(request.error_message)[0] or "It failed"
        case SyncRequest.State.CANCELLED:
            changes = changes_in_words(request)
            return f"Stopped half-way: {changes}" if changes else "Stopped before it was done"
    return changes_in_words(request) or "Nothing had changed"


def rhythm(connection: SpotifyConnection, mirror: Mirror, library: Library) -> str:
    """When syncs happen by themselves; "" while they rest. ``Library.next_due`` is the next."""
    is_connected = connection.state == SpotifyConnection.State.CONNECTED
    if not is_connected or mirror.state != Mirror.State.ACTIVE:
        return ""
    if library.interval == Library.Interval.OFF or library.next_due is None:
        return "Looks for changes only when you ask"
    return f"Looks for changes {Library.Interval(library.interval).label}"


@dataclass(frozen=True, slots=True)
class Permission:
    """What is said of the consent beside the status, which says itself when it has ended."""

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
    return Permission(sentence, notice)


def _parted(message: str) -> tuple[str, str]:
    """The first sentence, as a title without its stop, and the rest."""
    first, _, rest = message.partition(". ")
    return first.rstrip("."), rest
