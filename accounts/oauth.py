"""Spotify's OAuth: asking a listener for permission, and tokens from there on."""

import hashlib
import logging
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import SpotifyConnection
from accounts.signals import connection_changed
from syncify.redirect import Case
from syncify.spotify.errors import Blocked, SignInNeeded, SpotifyError, Unavailable
from syncify.spotify.quota import QuotaGate, current_block

logger = logging.getLogger(__name__)

SCOPES = (
    "user-library-read",
    "playlist-read-private",
    "playlist-modify-public",
    "playlist-modify-private",
)
#: How long a listener may look at Spotify's consent page.
SIGN_IN_LIFE = timedelta(minutes=15)
#: Sign-ins that one browser may have begun, in as many tabs.
SIGN_INS_KEPT = 5
#: An access token that ends sooner is not worth a call.
SPARE = timedelta(minutes=1)
#: Seconds to connect and to read: a row is locked meanwhile.
TOKEN_TIMEOUT = (4.0, 6.0)
LOCK_TIMEOUT = "15s"
CREDENTIALS_BLOCK = timedelta(hours=1)

_SESSION_KEY = "spotify_sign_ins"


class Problem(StrEnum):
    """Why a sign-in did not succeed; ``accounts/views.py`` has the words for people."""

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


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens, as the token endpoint gave them. ``refresh_token`` is "" when it gave no new one."""

    access_token: str
    refresh_token: str
    #: As granted, apart by spaces; None when Spotify does not say, which means as asked for.
    scopes: str | None
    expires_at: datetime


class TokenRefused(Exception):
    """The token endpoint's ``error``, such as invalid_grant."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


# --- Sign-in ----------------------------------------------------------------------------------


def begin_sign_in(session: SessionBase, *, show_dialog: bool, granted: str = "") -> str:
    """Spotify's address for the listener's consent; what must come back is kept in ``session``.

    Permissions ``granted`` before, beyond those that are needed, are asked for again: a new consent
    replaces the old one.
    """
    state, verifier = secrets.token_urlsafe(32), ""
    asked = {
        "client_id": settings.SPOTIFY_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": settings.SPOTIFY_REDIRECT_URI,
        "scope": " ".join(dict.fromkeys([*SCOPES, *granted.split()])),
        "state": state,
    }
    if show_dialog:
        asked["show_dialog"] = "true"
    if not settings.SPOTIFY_CLIENT_SECRET:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked["code_challenge_method"] = "S256"
        asked["code_challenge"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
    begun = session.get(_SESSION_KEY, {})
    begun[state] = {"verifier": verifier, "at": time.time(), "used": False}
    session[_SESSION_KEY] = dict(list(begun.items())[-SIGN_INS_KEPT:])
    return f"{settings.SPOTIFY_AUTHORIZE_URL}?{urlencode(asked)}"


def has_begun(session: SessionBase) -> bool:
    """Whether any sign-in began in this browser, at the address that it knows us by."""
    return bool(session.get(_SESSION_KEY))


def awaits_paste(session: SessionBase) -> bool:
    """Whether this browser went to Spotify and may come back with an address to paste."""
    return settings.SPOTIFY_REDIRECT_CASE == Case.PASTE_BACK and has_begun(session)


def end_sign_in(session: SessionBase, *, state: str) -> str:
    """The PKCE verifier of the sign-in that came back with ``state``, "" if it has none.

    Raises SignInFailed for a state that this browser did not begin, that has been here before, or
    that took too long. None is good twice.
    """
    begun = session.get(_SESSION_KEY, {})
    if not (sign_in := begun.get(state)):
        raise SignInFailed(Problem.UNKNOWN_STATE)
    if sign_in["used"]:
        raise SignInFailed(Problem.REPLAYED)
    session[_SESSION_KEY] = begun | {state: {**sign_in, "verifier": "", "used": True}}
    session.save()  # by ourselves, because Django saves none when the answer is a 5xx
    if time.time() > sign_in["at"] + SIGN_IN_LIFE.total_seconds():
        raise SignInFailed(Problem.EXPIRED)
    return str(sign_in["verifier"])


def exchange_code(code: str, *, verifier: str) -> Grant:
    """Tokens for the code of a callback. Raises SignInFailed, Blocked or Unavailable."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.SPOTIFY_REDIRECT_URI,
    }
    if verifier:
        form["code_verifier"] = verifier
    try:
        return _request_token(form)
    except TokenRefused as error:
        if error.error == "invalid_grant":
            raise SignInFailed(Problem.CODE_REFUSED) from error
        raise _operator_error(error) from error


# --- Access tokens ----------------------------------------------------------------------------


class ConnectionTokens:
    """A listener's access token, refreshed when it ends: the ``Tokens`` of their SpotifyClient."""

    def __init__(self, user_id: int) -> None:
        self._user_id = user_id
        self._token = ""
        self._expires_at: datetime | None = None

    def current(self) -> str:
        """Raises SignInNeeded, Blocked or Unavailable, as ``renewed`` does."""
        if not _is_fresh(self._token, self._expires_at):
            self._take(unlike=None)
        return self._token

    def renewed(self, used: str) -> str:
        self._take(unlike=used)
        return self._token

    def _take(self, *, unlike: str | None) -> None:
        """Read the stored token, or refresh it where it has ended or is ``unlike``."""
        connection = SpotifyConnection.objects.filter(user=self._user_id).first()
        if connection is None:
            raise SignInNeeded
        if connection.access_token == unlike or not _is_usable(connection):
            connection = _refresh(self._user_id, unlike=unlike)
        self._token, self._expires_at = connection.access_token, connection.access_expires_at


def _refresh(user_id: int, *, unlike: str | None) -> SpotifyConnection:
    if block := current_block():
        raise Blocked(block.until, block.because)
    try:
        outcome = _refresh_locked(user_id, unlike=unlike)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != "55P03":  # lock_not_available
            raise
        raise Unavailable from error
    # Raised here, where what the transaction wrote is committed.
    match outcome:
        case TokenRefused():
            raise _operator_error(outcome)
        case SpotifyError():
            raise outcome
    return outcome


@transaction.atomic
def _refresh_locked(
    user_id: int, *, unlike: str | None
) -> SpotifyConnection | TokenRefused | SignInNeeded:
    """One token request for all who ask at once: whoever waited finds the new token stored."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    held = SpotifyConnection.objects.select_for_update().filter(user=user_id).first()
    if held is None:
        return SignInNeeded()
    if not held.refresh_token:
        if held.state != SpotifyConnection.State.SIGN_IN_NEEDED:
            _need_sign_in(held, SpotifyConnection.Reason.TOKENS_LOST)
        return SignInNeeded()
    if held.access_token != unlike and _is_usable(held):
        return held
    try:
        grant = _request_token({"grant_type": "refresh_token", "refresh_token": held.refresh_token})
    except TokenRefused as error:
        if error.error != "invalid_grant":
            return error
        drop_tokens(held)
        return SignInNeeded()
    held.access_token, held.access_expires_at = grant.access_token, grant.expires_at
    held.refresh_token = grant.refresh_token or held.refresh_token
    held.scopes = held.scopes if grant.scopes is None else grant.scopes
    held.save(update_fields=["access_token", "access_expires_at", "refresh_token", "scopes"])
    logger.info("access token refreshed user=%s rotated=%s", user_id, bool(grant.refresh_token))
    return held


def drop_tokens(held: SpotifyConnection) -> None:
    """Consent is over: the listener must sign in again; everything else of theirs stays."""
    _need_sign_in(
        held,
        SpotifyConnection.Reason.CONSENT_ENDED,
        access_token="",
        refresh_token="",
        access_expires_at=None,
    )


def _need_sign_in(held: SpotifyConnection, reason: str, **changes: Any) -> None:
    SpotifyConnection.objects.filter(pk=held.pk).update(
        state=SpotifyConnection.State.SIGN_IN_NEEDED,
        state_reason=reason,
        state_since=Now(),
        **changes,
    )
    connection_changed.send(sender=SpotifyConnection, user_id=held.pk)
    logger.warning("sign-in needed user=%s reason=%s", held.pk, reason)


def _is_usable(held: SpotifyConnection) -> bool:
    return _is_fresh(held.access_token, held.access_expires_at)


def _is_fresh(token: str, expires_at: datetime | None) -> bool:
    return bool(token and expires_at and expires_at > timezone.now() + SPARE)


# --- The token endpoint -----------------------------------------------------------------------


def _request_token(form: dict[str, str]) -> Grant:
    """Raises TokenRefused, or Unavailable when no answer came that can be relied on."""
    import requests  # noqa: PLC0415 - 4 MB, once the process speaks to Spotify

    client_id, secret = settings.SPOTIFY_CLIENT_ID, settings.SPOTIFY_CLIENT_SECRET
    try:
        answer = requests.post(
            f"{settings.SPOTIFY_ACCOUNTS_URL}/api/token",
            # Never both a secret and PKCE: Spotify knows them as alternatives.
            data=form if secret else {**form, "client_id": client_id},
            auth=(client_id, secret) if secret else None,
            timeout=TOKEN_TIMEOUT,
            allow_redirects=False,
        )
        body = answer.json()
    except (requests.RequestException, ValueError) as error:
        logger.warning(
            "token endpoint failed grant=%s error=%s", form["grant_type"], type(error).__name__
        )
        raise Unavailable from error
    return _grant(answer.status_code, body)


def _grant(status: int, body: Any) -> Grant:
    """What the token endpoint's answer means. Raises TokenRefused or Unavailable."""
    if not isinstance(body, dict):
        raise Unavailable(status)
    if status in {400, 401, 403} and isinstance(body.get("error"), str):
        raise TokenRefused(body["error"])
    if status != 200 or not isinstance(token := body.get("access_token"), str) or not token:
        raise Unavailable(status)
    life = body.get("expires_in")
    scopes = body.get("scope")
    return Grant(
        access_token=token,
        refresh_token=str(body.get("refresh_token") or ""),
        scopes=scopes if isinstance(scopes, str) else None,
        expires_at=timezone.now() + timedelta(seconds=life if isinstance(life, int) else 3600),
    )


def _operator_error(refused: TokenRefused) -> SpotifyError:
    """Anything but invalid_grant is nobody's consent: no listener's token is touched."""
    logger.error("token endpoint refused us error=%s", refused.error)
    if refused.error not in {"invalid_client", "unauthorized_client"}:
        return Unavailable(400)
    because = "credentials"
    until = QuotaGate(reserve=True).block(for_=CREDENTIALS_BLOCK, because=because)
    return Blocked(until, because)
