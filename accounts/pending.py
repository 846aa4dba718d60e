"""Sign-ins that a browser has begun and that have not come back from Spotify yet."""

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from accounts.problems import Problem, SignInFailed
from accounts.scopes import NEEDED
from syncify.redirect import Case
from syncify.spotify.accounts_host import consent_address

#: How long a listener may look at Spotify's consent page.
LIFE = timedelta(minutes=15)
#: Sign-ins that one browser may have begun, in as many tabs.
KEPT = 5

_SESSION_KEY = "spotify_sign_ins"


def begin_sign_in(session: SessionBase, *, show_dialog: bool, granted: str = "") -> str:
    """The address of Spotify's consent page; ``session`` keeps what the answer must match.

    Scopes that were ``granted`` before are asked for again: a new consent replaces the old one.
    """
    state, verifier, challenge = secrets.token_urlsafe(32), "", ""
    if not settings.SPOTIFY_CLIENT_SECRET:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
    begun = session.get(_SESSION_KEY, {})
    begun[state] = {"verifier": verifier, "at": time.time(), "used": False}
    session[_SESSION_KEY] = dict(list(begun.items())[-KEPT:])
    return consent_address(
        state=state,
        scopes=list(dict.fromkeys([*NEEDED, *granted.split()])),
        challenge=challenge,
        show_dialog=show_dialog,
    )


def has_begun(session: SessionBase) -> bool:
    """Whether this browser began a sign-in at the address that it uses now."""
    return bool(session.get(_SESSION_KEY))


def awaits_paste(session: SessionBase) -> bool:
    """Whether this browser went to Spotify and may come back with an address to paste."""
    return settings.SPOTIFY_REDIRECT_CASE == Case.PASTE_BACK and has_begun(session)


def end_sign_in(session: SessionBase, *, state: str) -> str:
    """The PKCE verifier of the sign-in that came back with ``state``, "" if it has none.

    Raises SignInFailed for a state that this browser did not begin, that has come back before, or
    that took too long. Each state works once.
    """
    begun = session.get(_SESSION_KEY, {})
    if not (sign_in := begun.get(state)):
        raise SignInFailed(Problem.UNKNOWN_STATE)
    if sign_in["used"]:
        raise SignInFailed(Problem.REPLAYED)
    session[_SESSION_KEY] = begun | {state: {**sign_in, "verifier": "", "used": True}}
    session.save()  # here, because Django saves no session when the answer is a 5xx
    if time.time() > sign_in["at"] + LIFE.total_seconds():
        raise SignInFailed(Problem.EXPIRED)
    return str(sign_in["verifier"])
