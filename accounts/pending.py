"""Sign-ins between the redirect to Spotify and its answer.

Each is kept in the session, so that it works once, and in a signed cookie of its own, so that it
survives two tabs that begin at once (each gets a new session), and a sign-in in another tab that
replaces the session.
"""

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.problems import Problem, SignInFailed
from accounts.scopes import NEEDED, Wish
from syncify.spotify.accounts_host import consent_address
from syncify.spotify.credentials import Credentials

#: The longest time at Spotify's consent page.
LIFE = timedelta(minutes=15)
#: Sign-ins that one browser may have begun, in as many tabs.
KEPT = 5

_SESSION_KEY = "spotify_sign_ins"
_SALT = "accounts.pending"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that was begun, as stored until its callback."""

    #: Of PKCE; "" with a client secret.
    verifier: str
    wish: Wish
    #: All scopes that were asked for.
    scopes: tuple[str, ...]
    by_paste: bool
    #: The app that requested the consent; "" is the first one.
    client_id: str = ""


def begin_sign_in(
    request: HttpRequest,
    app: Credentials,
    *,
    show_dialog: bool,
    granted: str = "",
    wish: Wish,
    by_paste: bool = False,
) -> HttpResponse:
    """Send the browser to Spotify's consent page, and store the values that its answer must match.

    The code of the answer is redeemed with the same ``app``.

    Scopes that were ``granted`` before are asked for again: a new consent replaces the old one.
    With ``by_paste`` the listener brings the answer back by hand.
    """
    state, verifier, challenge = secrets.token_urlsafe(32), "", ""
    if not app.secret:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
    scopes = list(dict.fromkeys([*NEEDED, *granted.split(), *wish.scopes]))
    kept = {
        "verifier": verifier,
        "wish": asdict(wish),
        "scopes": scopes,
        "at": time.time(),
        "used": False,
        "by_paste": by_paste,
        "client_id": app.client_id,
    }
    begun = request.session.get(_SESSION_KEY, {}) | {state: kept}
    request.session[_SESSION_KEY] = dict(list(begun.items())[-KEPT:])
    address = consent_address(
        app,
        state=state,
        scopes=scopes,
        challenge=challenge,
        show_dialog=show_dialog,
    )
    response = HttpResponseRedirect(address)
    _set_cookie(request, response, state, kept)
    return response


def is_known(request: HttpRequest, state: str) -> bool:
    """Whether this browser began any sign-in at the address that it uses now, or just this one."""
    return bool(request.session.get(_SESSION_KEY) or _from_cookie(request, state))


def awaits_paste(session: SessionBase) -> bool:
    """Whether this browser went to Spotify and may come back with an address to paste."""
    return any(kept.get("by_paste") for kept in session.get(_SESSION_KEY, {}).values())


def end_sign_in(request: HttpRequest, *, state: str) -> SignIn:
    """The sign-in that came back with ``state``.

    Raises SignInFailed for a state that this browser did not begin, that has come back before, or
    that took too long. Each state works once.
    """
    begun = request.session.get(_SESSION_KEY, {})
    kept = begun.get(state) or _from_cookie(request, state)
    if not kept:
        raise SignInFailed(Problem.UNKNOWN_STATE)
    if kept["used"]:
        raise SignInFailed(Problem.REPLAYED)
    request.session[_SESSION_KEY] = begun | {state: {**kept, "verifier": "", "used": True}}
    request.session.save()  # here, because Django saves no session when the answer is a 5xx
    if time.time() > kept["at"] + LIFE.total_seconds():
        raise SignInFailed(Problem.EXPIRED)
    # Previous versions stored less.
    wish = kept.get("wish", {})
    return SignIn(
        verifier=kept["verifier"],
        wish=Wish(tuple(wish.get("scopes", ())), wish.get("next", ""), wish.get("app", "")),
        scopes=tuple(kept.get("scopes", NEEDED)),
        by_paste=bool(kept.get("by_paste")),
        client_id=kept.get("client_id", ""),
    )


def forget(request: HttpRequest, response: HttpResponse, state: str) -> None:
    """Delete the cookie of a sign-in that has come back."""
    if (name := _cookie_name(state)) in request.COOKIES:
        response.delete_cookie(name)


def _set_cookie(
    request: HttpRequest, response: HttpResponse, state: str, kept: dict[str, Any]
) -> None:
    earlier = [name for name in request.COOKIES if name.startswith(_cookie_name(""))]
    if len(earlier) >= KEPT:  # browsers and servers limit the size of all cookies together
        for name in earlier:
            response.delete_cookie(name)
    response.set_cookie(
        _cookie_name(state),
        signing.dumps({"state": state, **kept}, salt=_SALT, compress=True),
        max_age=LIFE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _from_cookie(request: HttpRequest, state: str) -> dict[str, Any]:
    """What the cookie of the sign-in ``state`` keeps; empty if there is none that is valid."""
    try:
        kept: dict[str, Any] = signing.loads(
            request.COOKIES.get(_cookie_name(state), ""), salt=_SALT, max_age=2 * LIFE
        )
    except signing.BadSignature:
        return {}
    return kept if kept["state"] == state else {}


def _cookie_name(state: str) -> str:
    # Browsers accept a cookie with this prefix only over https, and from this host alone.
    prefix = "__Host-" if settings.SESSION_COOKIE_SECURE else ""
    return f"{prefix}sign-in-{state[:8]}"
