"""Spotify's accounts host: the address of its consent page, and its token endpoint."""

import logging
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils import timezone

from syncify.spotify.credentials import Credentials
from syncify.spotify.errors import Blocked, Unavailable
from syncify.spotify.quota import QuotaGate
from syncify.spotify.waits import block_for, named_wait

logger = logging.getLogger(__name__)

#: Seconds to connect, between two bytes, and for the whole call: during a refresh the connection's
#: row is locked.
TIMEOUT = (4.0, 6.0)
DEADLINE = 10.0
CREDENTIALS_BLOCK = timedelta(hours=1)
#: The lifetime of an access token if Spotify gives no valid one.
USUAL_LIFE = timedelta(hours=1)
LONGEST_LIFE = timedelta(days=1)

_TOKEN = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens from the token endpoint. ``refresh_token`` is "" when the answer had none."""

    access_token: str
    refresh_token: str
    #: The granted scopes, separated by spaces; None when Spotify names none (then all asked for).
    scopes: str | None
    expires_at: datetime


class TokenRefused(Exception):
    """The token endpoint refused the code or the refresh token itself (invalid_grant)."""


def consent_address(
    app: Credentials,
    *,
    state: str,
    scopes: list[str],
    challenge: str = "",
    show_dialog: bool = False,
) -> str:
    """The address of the page where a listener grants ``scopes`` to ``app``.

    ``challenge`` is the PKCE challenge. Without ``show_dialog`` Spotify skips the page for scopes
    that the listener has granted before.
    """
    query = {
        "client_id": app.client_id,
        "response_type": "code",
        "redirect_uri": settings.SPOTIFY_REDIRECT_URI,
        "scope": " ".join(scopes),
        "state": state,
    }
    if challenge:
        query |= {"code_challenge_method": "S256", "code_challenge": challenge}
    if show_dialog:
        query["show_dialog"] = "true"
    return f"{settings.SPOTIFY_AUTHORIZE_URL}?{urlencode(query)}"


def exchange_code(app: Credentials, code: str, *, verifier: str) -> Grant:
    """Tokens for the code of a callback. Raises TokenRefused, Blocked or Unavailable."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.SPOTIFY_REDIRECT_URI,
    }
    return _request_token(app, form | ({"code_verifier": verifier} if verifier else {}))


def refresh(app: Credentials, refresh_token: str) -> Grant:
    """A new access token. Raises TokenRefused, Blocked or Unavailable."""
    return _request_token(app, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def _request_token(app: Credentials, form: dict[str, str]) -> Grant:
    # 4 MB, loaded only by a process that calls Spotify.
    import requests  # noqa: PLC0415

    from syncify.spotify.deadline import DeadlineSession  # noqa: PLC0415

    try:
        with DeadlineSession(DEADLINE) as session:
            answer = session.post(
                f"{settings.SPOTIFY_ACCOUNTS_URL}/api/token",
                # Never both a secret and PKCE: Spotify treats them as alternatives.
                data=form if app.secret else {**form, "client_id": app.client_id},
                auth=(app.client_id, app.secret) if app.secret else None,
                timeout=TIMEOUT,
            )
    except requests.RequestException as error:
        logger.warning(
            "token request failed grant=%s error=%s", form["grant_type"], type(error).__name__
        )
        raise Unavailable from error
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if answer.status_code == 200:
        return _grant(body)
    if wait := named_wait(answer.headers, timezone.now()):
        raise _blocked_for(app, wait)
    raise _refusal(app, answer.status_code, body)


def _grant(body: Any) -> Grant:
    """The tokens in a successful answer. Raises Unavailable if it has no usable access token."""
    if not isinstance(body, dict) or not (access_token := _token(body.get("access_token"))):
        raise Unavailable(200)
    scopes = body.get("scope")
    return Grant(
        access_token=access_token,
        refresh_token=_token(body.get("refresh_token")),
        scopes=" ".join(re.findall(r"[!-~]+", scopes)) if isinstance(scopes, str) else None,
        expires_at=timezone.now() + _life(body.get("expires_in")),
    )


def _token(value: Any) -> str:
    """``value`` if it can be stored and sent as a token, else ""."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else ""


def _life(seconds: Any) -> timedelta:
    """The lifetime of an access token; a wrong guess costs one refused call."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or seconds <= 0:
        return USUAL_LIFE
    return timedelta(seconds=min(seconds, LONGEST_LIFE.total_seconds()))


def _refusal(app: Credentials, status: int, body: Any) -> Exception:
    """The error for an answer that brings no tokens. Only ``invalid_grant`` is the listener's."""
    error = body.get("error") if isinstance(body, dict) else None
    if status not in {400, 401, 403} or not isinstance(error, str):
        return Unavailable(status)
    if error == "invalid_grant":
        return TokenRefused(error)
    logger.error("token endpoint refused this app status=%d error=%r", status, error[:100])
    if error not in {"invalid_client", "unauthorized_client"}:
        return Unavailable(status)
    gate = QuotaGate(reserve=True, app=app)
    until = gate.block(for_=CREDENTIALS_BLOCK, because="credentials")
    return Blocked(until, "credentials")


def _blocked_for(app: Credentials, wait: timedelta) -> Blocked:
    """A wait that Spotify names concerns every listener of the app's developer account."""
    logger.warning("token endpoint asked for a pause seconds=%d", wait.total_seconds())
    gate = QuotaGate(reserve=True, app=app)
    return Blocked(gate.block(for_=block_for(wait), because="quota"), "quota")
