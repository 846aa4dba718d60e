"""Why a sign-in may fail, and the words of its page."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Problem(StrEnum):
    """Why a sign-in did not succeed."""

    DENIED = "denied"  #: the listener did not agree.
    REFUSED_BY_SPOTIFY = "refused_by_spotify"  #: Spotify sent an error other than a refusal.
    INCOMPLETE = "incomplete"  #: neither a code nor an error.
    EXPIRED = "expired"  #: too much time at Spotify.
    UNKNOWN_STATE = "unknown_state"  #: begun in another browser, forged, or without a state.
    REPLAYED = "replayed"  #: this sign-in has come back before.
    CODE_REFUSED = "code_refused"  #: Spotify does not accept the code.
    SCOPES_MISSING = "scopes_missing"  #: not all needed scopes were granted.
    NOT_REGISTERED = "not_registered"  #: not on the allow-list of the operator's app.
    NOT_INVITED = "not_invited"  #: not among SYNCIFY_ALLOWED_USERS.
    FORBIDDEN = "forbidden"  #: Spotify refuses this account and names no cause.
    APP_GONE = "app_gone"  #: the app that the sign-in began with is not used here any more.
    DEACTIVATED = "deactivated"  #: the operator has blocked this listener.
    BUSY = "busy"  #: as many sign-ins as may call Spotify at once already do.
    QUOTA = "quota"
    CREDENTIALS = "credentials"
    PREMIUM = "premium"
    UNREADABLE = "unreadable"  #: Spotify's answer has no usable token or profile.
    UNAVAILABLE = "unavailable"


#: After these the listener may want another Spotify account, or to answer differently, so Spotify
#: shows its consent page again.
ASK_AGAIN = frozenset(
    {
        Problem.DENIED,
        Problem.SCOPES_MISSING,
        Problem.NOT_REGISTERED,
        Problem.NOT_INVITED,
        Problem.FORBIDDEN,
    }
)


class SignInFailed(Exception):
    """``until`` is set where waiting helps, ``spotify_id`` where the operator needs to know it."""

    def __init__(
        self, problem: Problem, *, until: datetime | None = None, spotify_id: str = ""
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.until = until
        self.spotify_id = spotify_id


def problem_of(error: str) -> Problem:
    """The problem for an ``error`` in Spotify's redirect."""
    match error:
        case "access_denied":
            return Problem.DENIED
        case "server_error" | "temporarily_unavailable":
            return Problem.UNAVAILABLE
        case _:
            return Problem.REFUSED_BY_SPOTIFY


class Words(NamedTuple):
    status: int
    title: str
    message: str


WORDS = {
    Problem.DENIED: Words(
        403,
        "Nothing was connected",
        "You did not agree on Spotify's page. Syncify needs to read your Liked Songs and to keep "
        "one playlist. If you want that, sign in again and choose Agree.",
    ),
    Problem.REFUSED_BY_SPOTIFY: Words(
        400,
        "Spotify refused this sign-in",
        "Spotify's page answered with an error, and nothing was connected. Please try once more. "
        "If it happens again, tell the operator of this Syncify; the log has Spotify's error.",
    ),
    Problem.INCOMPLETE: Words(
        400,
        "Spotify's answer is incomplete",
        "A part of the address is missing, so nothing was connected. Please sign in again.",
    ),
    Problem.EXPIRED: Words(
        400,
        "This sign-in has expired",
        "A sign-in is valid for 15 minutes, and this one is older. Please sign in again.",
    ),
    Problem.UNKNOWN_STATE: Words(
        400,
        "This sign-in did not start in this browser",
        "Nothing was connected. Usually Spotify's page was opened in another browser or in an app, "
        "or this browser blocks cookies. Please sign in again here, and stay in this browser.",
    ),
    Problem.REPLAYED: Words(
        400,
        "This sign-in was used already",
        "Each sign-in works once; reloading its page does nothing. If you are not signed in, "
        "please sign in again.",
    ),
    Problem.CODE_REFUSED: Words(
        400,
        "Spotify did not accept this sign-in",
        "It was used already, or it waited too long. Please sign in again.",
    ),
    Problem.SCOPES_MISSING: Words(
        403,
        "A permission is missing",
        "Syncify cannot copy your Liked Songs with only some of the permissions. Please sign in "
        "again and leave all boxes ticked.",
    ),
    Problem.NOT_REGISTERED: Words(
        403,
        "Spotify does not let you use this Syncify yet",
        "This Syncify's operator has to add you in Spotify's developer dashboard. Send them the "
        "name and the e-mail address of your Spotify account, then sign in again.",
    ),
    Problem.NOT_INVITED: Words(
        403,
        "This Syncify is by invitation",
        "Your Spotify account is not on the list of this Syncify's listeners, and nothing about "
        "you was stored. Ask its operator to add you, or sign in with another Spotify account.",
    ),
    Problem.FORBIDDEN: Words(
        403,
        "Spotify refuses this account",
        "Spotify names no cause. Try again later or with another Spotify account, and tell the "
        "operator if it happens again.",
    ),
    Problem.APP_GONE: Words(
        400,
        "This sign-in is for another Spotify app",
        "The operator changed the Spotify app during your sign-in. Please sign in again.",
    ),
    Problem.DEACTIVATED: Words(
        403,
        "This account is blocked",
        "The operator of this Syncify has blocked it. Please ask them.",
    ),
    Problem.BUSY: Words(
        503,
        "Many people are signing in",
        "Nothing was connected. Please sign in again in a minute.",
    ),
    Problem.QUOTA: Words(
        503,
        "Spotify asks us to wait",
        "Spotify accepts no requests from this Syncify at the moment, so it cannot find out who "
        "you are. Please sign in again later.",
    ),
    Problem.CREDENTIALS: Words(
        503,
        "This Syncify has a wrong setting",
        "Spotify does not accept its client ID or secret. Its operator has to correct that; your "
        "Spotify account and your playlist are fine.",
    ),
    Problem.PREMIUM: Words(
        503,
        "Spotify blocks all sign-ins here at the moment",
        "Spotify requires the operator of this Syncify to have Premium, and they do not have it. "
        "Your Spotify account and your playlist are fine.",
    ),
    Problem.UNREADABLE: Words(
        503,
        "Spotify's answer could not be read",
        "Nothing was connected. Please try again in a few minutes.",
    ),
    Problem.UNAVAILABLE: Words(
        503,
        "Spotify does not answer",
        "Nothing was connected. Please try again in a few minutes.",
    ),
}


#: The messages if there are several apps; they name ``label`` and ``owner`` of the app that has the
#: problem.
OF_AN_APP = {
    Problem.NOT_REGISTERED: (
        "This sign-in used the Spotify app “{label}”, and you are not on its list. Only {owner} "
        "can add you there, in Spotify's developer dashboard: send them the name and the e-mail "
        "address of your Spotify account, then sign in again. If you were added to another app of "
        "this Syncify, sign in with that one."
    ),
    Problem.QUOTA: (
        "Spotify accepts no requests with the app “{label}” at the moment, so Syncify cannot find "
        "out who you are. Please sign in again later, or with the app that you were added to."
    ),
    Problem.CREDENTIALS: (
        "Spotify does not accept the Client ID or secret of the app “{label}”. The operator has to "
        "correct that; your Spotify account and your playlist are fine. If you were added to "
        "another app of this Syncify, sign in with that one."
    ),
    Problem.PREMIUM: (
        "Spotify requires the owner of the app “{label}” ({owner}) to have Premium, and they do "
        "not have it. Your Spotify account and your playlist are fine. If you were added to "
        "another app of this Syncify, sign in with that one."
    ),
}
