"""A listener's access token: stored, refreshed once for all workers, deleted after the consent."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from accounts.signals import connection_changed
from accounts.spotify_apps import NoApp, app_of
from syncify.spotify import accounts_host
from syncify.spotify.accounts_host import TokenRefused
from syncify.spotify.client import SpotifyClient
from syncify.spotify.credentials import Credentials
from syncify.spotify.errors import Blocked, SignInNeeded, SpotifyError, Unavailable
from syncify.spotify.quota import QuotaGate, current_block

logger = logging.getLogger(__name__)

#: An access token that ends sooner is refreshed before it is used.
SPARE = timedelta(minutes=1)
LOCK_TIMEOUT = "15s"


def spotify_client_for(
    user: User,
    *,
    reserve: bool,
    sleep: Callable[[float], None] = time.sleep,
    before_send: Callable[[], None] = lambda: None,
) -> SpotifyClient:
    """A client that acts for ``user``; with ``reserve``, its calls may use the quota's reserve.

    ``sleep`` and ``before_send`` are those of SpotifyClient.
    """
    tokens = ConnectionTokens(user.pk)
    return SpotifyClient(
        api_url=settings.SPOTIFY_API_URL,
        tokens=tokens,
        gate=ConnectionGate(tokens, reserve=reserve),
        sleep=sleep,
        before_send=before_send,
    )


class ConnectionTokens:
    """A listener's access token, refreshed when it ends: the ``Tokens`` of their SpotifyClient."""

    def __init__(self, user_id: int) -> None:
        self._user_id = user_id
        self._token = ""
        self._expires_at: datetime | None = None
        #: The app that the token belongs to; the first, until there is one.
        self.app = Credentials("")

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
        held = SpotifyConnection.objects.filter(user=self._user_id).first()
        if held is None:
            raise SignInNeeded
        if held.access_token == unlike or not _is_usable(held):
            held = _refresh(held, unlike=unlike)
        self.app = _app_of(held)
        self._token, self._expires_at = held.access_token, held.access_expires_at


class ConnectionGate:
    """The quota's gate for the app whose token is used: a listener may move to another one."""

    def __init__(self, tokens: ConnectionTokens, *, reserve: bool) -> None:
        self._tokens = tokens
        self._reserve = reserve

    @property
    def developer(self) -> str:
        return self._tokens.app.developer

    def admit(self) -> None:
        self._gate().admit()

    def block(self, *, for_: timedelta, because: str) -> datetime:
        return self._gate().block(for_=for_, because=because)

    def _gate(self) -> QuotaGate:
        return QuotaGate(reserve=self._reserve, app=self._tokens.app)


def drop_tokens(held: SpotifyConnection) -> None:
    """Delete the tokens after the end of a consent: the listener must sign in again."""
    _need_sign_in(
        held,
        SpotifyConnection.Reason.CONSENT_ENDED,
        access_token="",
        refresh_token="",
        access_expires_at=None,
    )


def _app_of(held: SpotifyConnection) -> Credentials:
    """Raises SignInNeeded if the settings no longer name the app; its tokens are kept."""
    try:
        return app_of(held.client_id).credentials
    except NoApp as error:
        if held.state != SpotifyConnection.State.SIGN_IN_NEEDED:
            _need_sign_in(held, SpotifyConnection.Reason.APP_GONE)
        raise SignInNeeded from error


def _refresh(held: SpotifyConnection, *, unlike: str | None) -> SpotifyConnection:
    if block := current_block(_app_of(held)):
        raise Blocked(block.until, block.because)
    try:
        outcome = _refresh_locked(held.pk, unlike=unlike)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != "55P03":  # lock_not_available
            raise
        raise Unavailable from error
    # Raised only here: the transaction that recorded the cause has to commit first.
    if isinstance(outcome, SpotifyError):
        raise outcome
    return outcome


@transaction.atomic
def _refresh_locked(user_id: int, *, unlike: str | None) -> SpotifyConnection | SpotifyError:
    """Make one token request for all concurrent callers: the others find the new token stored."""
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
        app = app_of(held.client_id).credentials
        grant = accounts_host.refresh(app, held.refresh_token)
    except NoApp:
        _need_sign_in(held, SpotifyConnection.Reason.APP_GONE)
        return SignInNeeded()
    except TokenRefused:
        drop_tokens(held)
        return SignInNeeded()
    except SpotifyError as error:
        return error
    held.access_token, held.access_expires_at = grant.access_token, grant.expires_at
    held.refresh_token = grant.refresh_token or held.refresh_token
    held.scopes = held.scopes if grant.scopes is None else grant.scopes
    # Stored, because another app may become the first one later.
    held.client_id = app.client_id
    held.save(
        update_fields=[
            "access_token",
            "access_expires_at",
            "refresh_token",
            "scopes",
            "client_id",
        ]
    )
    logger.info("access token refreshed user=%s rotated=%s", user_id, bool(grant.refresh_token))
    return held


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
