"""Why a sign-in may fail, and the words of its page."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Problem(StrEnum):
    """Why a sign-in did not succeed."""

    DENIED = "denied"  #: the listener said no, or Spotify did.
    EXPIRED = "expired"  #: too much time at Spotify.
    UNKNOWN_STATE = "unknown_state"  #: begun in another browser, forged, or without a state.
    REPLAYED = "replayed"  #: this sign-in has come back before.
    CODE_REFUSED = "code_refused"  #: Spotify does not take the code.
    SCOPES_MISSING = "scopes_missing"  #: not all that is needed was granted.
    NOT_REGISTERED = "not_registered"  #: not on the allow-list of the operator's app.
    NOT_INVITED = "not_invited"  #: not among SYNCIFY_ALLOWED_USERS.
    FORBIDDEN = "forbidden"  #: Spotify refuses this account without a cause.
    DEACTIVATED = "deactivated"  #: the operator has blocked this listener.
    QUOTA = "quota"
    CREDENTIALS = "credentials"
    PREMIUM = "premium"
    UNAVAILABLE = "unavailable"


class SignInFailed(Exception):
    """``until`` is set where waiting helps, ``spotify_id`` where the operator needs to know it."""

    def __init__(
        self, problem: Problem, *, until: datetime | None = None, spotify_id: str = ""
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.until = until
        self.spotify_id = spotify_id


class Words(NamedTuple):
    status: int
    title: str
    message: str


WORDS = {
    Problem.DENIED: Words(
        403,
        "Nothing was connected",
        "Spotify says that you did not agree. Syncify needs to read your Liked Songs and to keep "
        "one playlist; if you want that, sign in once more and choose Agree.",
    ),
    Problem.EXPIRED: Words(
        400,
        "That took a little long",
        "A sign-in is good for 15 minutes, and this one is older. Please begin again.",
    ),
    Problem.UNKNOWN_STATE: Words(
        400,
        "This sign-in did not begin here",
        "It was begun in another browser, or the link was made up by somebody else. Nothing was "
        "connected. Please begin on this page.",
    ),
    Problem.REPLAYED: Words(
        400,
        "This sign-in was used already",
        "Each sign-in works once, so reloading its page does nothing. If you are not signed in, "
        "please begin again.",
    ),
    Problem.CODE_REFUSED: Words(
        400,
        "Spotify did not accept this sign-in",
        "It may have been used already, or have waited too long. Please begin again.",
    ),
    Problem.SCOPES_MISSING: Words(
        403,
        "A permission is missing",
        "Syncify cannot copy your Liked Songs with only some of the permissions. Please sign in "
        "again and leave all boxes ticked.",
    ),
    Problem.NOT_REGISTERED: Words(
        403,
        "Spotify does not know you here yet",
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
        "It does not say why. Try again later or with another Spotify account, and tell the "
        "operator if it stays so.",
    ),
    Problem.DEACTIVATED: Words(
        403,
        "This account is blocked",
        "The operator of this Syncify has blocked it. Please ask them.",
    ),
    Problem.QUOTA: Words(
        503,
        "Spotify asks us to wait",
        "This Syncify has used up the requests that Spotify allows it in a day, so it cannot find "
        "out who you are. Please sign in again later.",
    ),
    Problem.CREDENTIALS: Words(
        503,
        "Something is set up wrongly here",
        "Spotify does not accept this Syncify's own client ID or secret. That is for its operator "
        "to put right; your Spotify account and your playlist are fine.",
    ),
    Problem.PREMIUM: Words(
        503,
        "Spotify lets nobody in here at the moment",
        "Spotify wants the operator of this Syncify to have Premium, and they do not have it now. "
        "Your Spotify account and your playlist are fine.",
    ),
    Problem.UNAVAILABLE: Words(
        503,
        "Spotify does not answer",
        "Nothing was connected. Please try again in a few minutes.",
    ),
}
