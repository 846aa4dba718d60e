"""The status of a listener's mirror in plain words, with at most one button."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from accounts.consent import ConsentStage
from accounts.models import SpotifyConnection
from sync.models import Library, Mirror, SyncRequest
from sync.pages.words import day, left, songs
from syncify.spotify.models import Silence

#: The remaining time is estimated from this share of the work and this duration on.
_FORESEEABLE_FROM, _FORESEEABLE_AFTER = 0.05, timedelta(seconds=3)

_AS_IT_IS = "Your playlist stays as it is."
_TRIES_DAILY = "Syncify also tries again once a day."


class Tone(StrEnum):
    GOOD = "good"  #: up to date.
    BUSY = "busy"  #: a sync runs or starts soon.
    WAITING = "waiting"  #: continues automatically.
    RESTING = "resting"  #: nothing happens until the listener acts.
    TROUBLE = "trouble"  #: a person must act.


class Action(StrEnum):
    """The action of the button; ``card.py`` has the form for each."""

    NONE = ""
    SYNC = "sync"
    RETRY = "retry"
    SIGN_IN = "sign_in"
    RESUME = "resume"
    #: Make a new playlist, under another link.
    MAKE = "make"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Status:
    """``title`` names the event, ``detail`` its effect on the playlist."""

    #: Identifies the case. Screen readers announce a new key, not each new number.
    key: str
    title: str
    tone: Tone
    detail: str = ""
    action: Action = Action.NONE
    label: str = "Sync now"
    #: When the state began.
    since: datetime | None = None
    #: When the sync continues automatically.
    until: datetime | None = None

    @property
    def asks_for_sync(self) -> bool:
        return self.action in {Action.SYNC, Action.RETRY}


@dataclass(frozen=True, slots=True)
class Step:
    """One of the three steps of a sync; ``place`` is "done", "current" or "to come"."""

    name: str
    place: str


def describe(
    *,
    connection: SpotifyConnection,
    mirror: Mirror,
    library: Library,
    latest: SyncRequest | None,
    block: Silence | None,
    has_worker: bool,
    is_told: bool = False,
    now: datetime,
) -> Status:
    """The status to show; ``latest`` is the newest request.

    ``is_told``: an alert of the block has reached the operator.
    """
    if latest and latest.state == SyncRequest.State.RUNNING:
        return _running(latest, now)
    if connection.state == SpotifyConnection.State.SIGN_IN_NEEDED:
        titles: dict[str, str] = {
            SpotifyConnection.Reason.TOKENS_LOST: "Syncify has lost Spotify's permission",
            SpotifyConnection.Reason.APP_GONE: "This Syncify has another Spotify app now",
        }
        return Status(
            "sign_in_needed",
            titles.get(connection.state_reason, "Spotify's permission has ended"),
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
        return _removed(latest)
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
            "Nothing is removed from your playlist until a second check confirms it.",
            Action.NONE if is_early else Action.SYNC,
            "Check now",
            until=library.confirm_after if is_early else None,
        )
    return _at_rest(library, latest)


def steps(request: SyncRequest) -> list[Step]:
    """The steps of a running sync, with the current one marked."""
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
                of = f"of {job.song_total:,}" if job.song_total else "so far"
                details = [f"{job.song_count:,} {of}"]
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
    """The remaining time at the pace so far; None if it is too early to estimate."""
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
            "The operator of this Syncify must start one. Your sync then continues automatically.",
        )
    if request.trigger == SyncRequest.Trigger.FIRST:
        return Status(
            "queued",
            "Your playlist is about to be made",
            Tone.BUSY,
            "It starts in a moment.",
        )
    return Status("queued", "Your sync is waiting for its turn", Tone.BUSY)


def _blocked(block: Silence, *, is_told: bool) -> Status:
    match block.because:
        case Silence.Because.QUOTA:
            title = "Spotify asks us to wait"
            detail = f"Its quota of requests for today is used up. {_AS_IT_IS}"
            return Status("blocked_quota", title, Tone.WAITING, detail, until=block.until)
        case Silence.Because.PREMIUM:
            title = "Spotify has stopped this Syncify for now"
            owner = "the owner of your Spotify app" if block.whose else "the operator"
            cause = f"Spotify requires {owner} to have Premium, and they do not have it."
            end = "Your sync continues after they renew it."
        case _:
            title = "This Syncify's own access to Spotify is broken"
            cause, end = "", "Your sync continues after a repair."
    told = "The operator was alerted." if is_told else "Please tell the operator."
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
            detail = f"Sign in again and agree to all permissions. {_AS_IT_IS}"
            return Status("refused", title, Tone.TROUBLE, detail, Action.SIGN_IN, "Sign in again")
        case _:
            title = "Spotify refuses access without a reason"
            detail = f"If this continues, tell the operator. {_TRIES_DAILY} {_AS_IT_IS}"
    return Status("refused", title, Tone.TROUBLE, detail, Action.SYNC, "Try again")


def _removed(latest: SyncRequest | None) -> Status:
    if latest and latest.error_code == "playlist_gone":
        return Status(
            "gone",
            "The playlist no longer exists at Spotify",
            Tone.TROUBLE,
            "Its link no longer works. Syncify can make a new playlist, which has another link.",
            Action.MAKE,
            "Make a new playlist",
        )
    return Status(
        "removed",
        "The playlist is no longer in your library",
        Tone.RESTING,
        "It was removed with your Spotify account. Nothing is synced until "
        "you bring it back; its link stays the same.",
        Action.RETURN,
        "Bring it back",
    )


def _dead(request: SyncRequest) -> Status:
    title, rest = _parted(request.error_message)
    tries = f"Syncify gave up after {request.failures} tries." if request.failures > 1 else ""
    kept = "Your playlist stays as the last sync left it."
    return Status(
        "dead",
        title or "The last sync failed for an unknown reason",
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
        title, detail = "The last sync was stopped", "The next one continues from there."
        return Status("cancelled", title, Tone.RESTING, detail, Action.SYNC, since=ended)
    if not latest.song_count:
        title = "You have no Liked Songs yet"
        detail = "Like a song in Spotify, and the next sync adds it."
        return Status("no_songs", title, Tone.GOOD, detail, Action.SYNC, since=ended)
    if latest.trigger == SyncRequest.Trigger.FIRST and latest.added == latest.song_count:
        title = "Your playlist is ready"
        detail = "Copy its link and send it to your friends. The link never changes."
        return Status("ready", title, Tone.GOOD, detail, Action.SYNC, since=ended)
    title = "In step with your Liked Songs"
    return Status("in_step", title, Tone.GOOD, "", Action.SYNC, since=ended)


def changes_in_words(request: SyncRequest) -> str:
    """The changes of a sync, such as "3 songs added, 1 removed"; "" without changes."""
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
    """The result of a finished sync, as a headline."""
    match request.state:
        case SyncRequest.State.DEAD:
            return _parted(request.error_message)[0] or "It failed"
        case SyncRequest.State.CANCELLED:
            changes = changes_in_words(request)
            return f"Stopped half-way: {changes}" if changes else "Stopped before it finished"
    return changes_in_words(request) or "Nothing had changed"


def rhythm(connection: SpotifyConnection, mirror: Mirror, library: Library) -> str:
    """How often scheduled syncs run; "" if none do. ``Library.next_due`` is the next one."""
    is_connected = connection.state == SpotifyConnection.State.CONNECTED
    if not is_connected or mirror.state != Mirror.State.ACTIVE:
        return ""
    if library.interval == Library.Interval.OFF or library.next_due is None:
        return "Checks for changes only when you ask"
    return f"Checks for changes {Library.Interval(library.interval).label}"


@dataclass(frozen=True, slots=True)
class Permission:
    """Texts about the consent beside the status; the status itself says when it has ended."""

    #: How long it lasts, in small print; "" if ``notice`` says it, and after the end.
    sentence: str
    #: Asks for a new sign-in, from 30 days before the end; otherwise "".
    notice: str


def permission(connection: SpotifyConnection, now: datetime) -> Permission:
    consent = connection.consent(now)
    sentence = notice = ""
    match consent.stage:
        case ConsentStage.FAR:
            sentence = f"Spotify's permission lasts another {consent.days_left} days."
        case ConsentStage.MONTH | ConsentStage.WEEK:
            notice = (
                f"Spotify's permission ends in {consent.days_left} days, on "
                f"{day(consent.ends_at)}. Sign in again before then, so that syncs continue."
            )
        case ConsentStage.DAY:
            when = "within a day" if consent.days_left else "any moment now"
            notice = f"Spotify's permission ends {when}. Sign in again, so that syncs continue."
    return Permission(sentence, notice)


def _parted(message: str) -> tuple[str, str]:
    """The first sentence, as a title without its full stop, and the rest."""
    first, _, rest = message.partition(". ")
    return first.rstrip("."), rest
