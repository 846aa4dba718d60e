"""Decides what follows an attempt that ended in an error: retry, snooze or bury; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    Blocked,
    BudgetSpent,
    NotFound,
    OutcomeUnknown,
    SignInNeeded,
    Unavailable,
)

#: The wait after each failure; the failure after the last wait buries the job.
WAITS = [
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=8),
    timedelta(minutes=32),
]
JITTER = 0.2

#: The code of an unexpected error.
INTERNAL = "internal"

#: Only the listener can solve these: their page says so, and the operator is not alerted.
LISTENERS_OWN = [
    "sign_in_needed",
    "scope_missing",
    "playlist_removed",
    "target_refused",
    "target_trouble",
    "history_refused",
    "listenbrainz",
    "listens_no_user",
    "listens_not_public",
    "playlist_gone",
    "library_refused",
    "creation_refused",
    "blocked",
    "paused",
]

_REFUSED = {
    "not_registered": "Spotify does not let this app act for you, because the app's owner has not "
    "added you to it. Ask the owner, or the operator of this Syncify, then try again.",
    "scope_missing": "Spotify says that a permission is missing. Sign in again and allow all "
    "permissions.",
    "forbidden": "Spotify refused access without saying why. Try again; if this continues, sign "
    "in again.",
}
_BLOCKED = {
    "quota": "Spotify asked for a pause, because this Syncify has made many requests.",
    "credentials": "Spotify does not accept this Syncify's own credentials. The operator must "
    "correct them.",
    "premium": "Spotify requires the owner of the Spotify app to have Premium. They must renew it.",
}


@dataclass(frozen=True, slots=True)
class Retry:
    """A failure was counted; the job runs again after ``wait``."""

    wait: timedelta
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Snooze:
    """No failure was counted; the job runs again at ``until``."""

    until: datetime
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Bury:
    """A retry cannot help, or all were used up; ``alert``: alert the operator."""

    code: str
    message: str
    alert: bool


def decide(error: Exception, failures: int, *, jitter: float) -> Retry | Snooze | Bury:
    """The decision after ``failures`` earlier ones; ``jitter``, from -1 to 1, spreads retries."""
    match error:
        case SnoozeUntil():
            return Snooze(error.until, error.code, error.message)
        case Blocked():
            return Snooze(error.until, error.because, _BLOCKED[error.because])
        case BudgetSpent():
            return Snooze(error.until, "budget", "Today's budget of requests to Spotify is spent.")
        case GiveUp():
            return _bury(error.code, error.message)
        case SignInNeeded():
            return _bury("sign_in_needed", "Spotify needs your consent again. Please sign in.")
        case AccessRefused():
            return _bury(error.reason, _REFUSED[error.reason])
    code, message = _failure(error)
    if failures >= len(WAITS):
        return _bury(code, message)
    return Retry(WAITS[failures] * (1 + JITTER * jitter), code, message)


def _bury(code: str, message: str) -> Bury:
    return Bury(code, message, alert=code not in LISTENERS_OWN)


def _failure(error: Exception) -> tuple[str, str]:
    """Code and sentence of an error that a retry may solve."""
    match error:
        case RetryLater():
            return error.code, error.message
        case Unavailable():
            return "unavailable", "Spotify did not answer."
        case OutcomeUnknown():
            return "outcome_unknown", "Spotify did not confirm a change."
        case NotFound():
            return "not_found", "Spotify could not find the playlist."
        case BadRequest():
            return "bad_request", "Spotify did not accept a request."
    return INTERNAL, "Something went wrong inside Syncify."
