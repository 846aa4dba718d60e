"""Finishing a sign-in: tokens for a code, the listener's profile, and the account it belongs to."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.access import may_use
from accounts.models import SpotifyConnection, User
from accounts.problems import Problem, SignInFailed
from accounts.scopes import NEEDED, OPTIONAL
from accounts.signals import account_locked, spotify_connected
from accounts.spotify_apps import hold_app
from syncify.spotify.accounts_host import Grant, TokenRefused, exchange_code
from syncify.spotify.client import SpotifyClient
from syncify.spotify.credentials import Credentials
from syncify.spotify.errors import AccessRefused, Blocked, BudgetSpent, SpotifyError
from syncify.spotify.quota import QuotaGate
from syncify.spotify.types import Profile

logger = logging.getLogger(__name__)

#: Sign-ins that may call Spotify at once in this process, and seconds that others wait for them.
AT_ONCE = 3
LONGEST_WAIT = 10.0
#: Seconds to connect and to read, and the longest pause between two tries: a browser waits.
TIMEOUT = (4.0, 6.0)
LONGEST_PAUSE = 2.0
LONGEST_NAME = 255

_slots = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Connected:
    user: User
    #: Optional scopes of the consent before, which this one does not include.
    lost: tuple[str, ...]


def finish_sign_in(app: Credentials, *, code: str, verifier: str) -> Connected:
    """Exchange the code of a callback for tokens, ask Spotify whose they are, and connect them.

    Holds no database connection while it waits for Spotify. Raises SignInFailed; then nothing is
    stored.
    """
    try:
        with _slot():
            grant = exchange_code(app, code, verifier=verifier)
            if grant.scopes is not None and not set(NEEDED) <= set(grant.scopes.split()):
                raise SignInFailed(Problem.SCOPES_MISSING)
            profile = _profile_of(app, grant)
    except TokenRefused as error:
        raise SignInFailed(Problem.CODE_REFUSED) from error
    except AccessRefused as error:
        registered = error.reason != SpotifyConnection.Reason.NOT_REGISTERED
        problem = Problem.FORBIDDEN if registered else Problem.NOT_REGISTERED
        raise SignInFailed(problem) from error
    except Blocked as error:
        raise SignInFailed(Problem(error.because), until=error.until) from error
    except BudgetSpent as error:
        raise SignInFailed(Problem.QUOTA, until=error.until) from error
    except SpotifyError as error:
        raise SignInFailed(Problem.UNAVAILABLE) from error
    return connect_spotify(profile=storable(profile), grant=grant, client_id=app.client_id)


@transaction.atomic
def connect_spotify(*, profile: Profile, grant: Grant, client_id: str = "") -> Connected:
    """Store the consent of ``profile`` for its listener, who is created if new.

    The listener then belongs to the app ``client_id``, which got the consent; nothing else of
    theirs changes. Raises SignInFailed if they may not use this installation, or if the grant
    cannot be renewed.
    """
    if not hold_app(client_id):
        raise SignInFailed(Problem.APP_GONE)
    if not grant.refresh_token:
        raise SignInFailed(Problem.UNREADABLE)
    user, first = _listener(profile)
    if not user.is_active:
        raise SignInFailed(Problem.DEACTIVATED)
    user.spotify_id = profile.id
    user.account_id = profile.account_id or user.account_id
    user.display_name = profile.display_name
    user.listed_ids = _listed_ids(user)
    if not may_use(user):
        raise SignInFailed(Problem.NOT_INVITED, spotify_id=profile.id)
    user.save(update_fields=["spotify_id", "account_id", "display_name", "listed_ids"])
    before = SpotifyConnection.objects.filter(user=user).values_list("scopes", flat=True).first()
    scopes = " ".join(NEEDED) if grant.scopes is None else grant.scopes
    SpotifyConnection.objects.update_or_create(
        user=user,
        defaults={
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "access_expires_at": grant.expires_at,
            "scopes": scopes,
            "authorized_at": timezone.now(),
            "state": SpotifyConnection.State.CONNECTED,
            "state_reason": "",
            "state_since": timezone.now(),
            "retry_at": None,
            "client_id": client_id,
            "move_to": "",
        },
    )
    logger.info("spotify connected user=%s first=%s", user.pk, first)
    spotify_connected.send(sender=User, user=user, first=first)
    lost = set((before or "").split()) - set(scopes.split())
    return Connected(user, tuple(scope for scope in OPTIONAL if scope in lost))


def storable(profile: Profile) -> Profile:
    """``profile`` without text that PostgreSQL cannot store. Raises SignInFailed for a bad id."""
    if not _is_id(profile.id):
        raise SignInFailed(Problem.UNREADABLE)
    return replace(
        profile,
        account_id=profile.account_id if _is_id(profile.account_id) else None,
        display_name=profile.display_name[:LONGEST_NAME],
    )


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


# --- The account of a profile -------------------------------------------------------------------


def _listener(profile: Profile) -> tuple[User, bool]:
    """The account that belongs to ``profile``, locked, and whether it is new."""
    account_id, by_id = profile.account_id, User.objects.filter(spotify_id=profile.id)
    user = User.objects.filter(account_id=account_id).first() if account_id else None
    if account_id:
        # A spotify_id can pass to another account; an account_id cannot.
        others = by_id.exclude(account_id=account_id)
        for other in others if user else others.exclude(account_id=None):
            _end_spotify_id(other)
    if user is None:
        user, is_new = User.objects.get_or_create(
            spotify_id=profile.id, defaults={"account_id": account_id}
        )
        if is_new:
            return user, True
    locked = User.objects.select_for_update().filter(pk=user.pk).first()
    if locked is None:  # the account was just deleted: create a new one
        return _listener(profile)
    account_locked.send(sender=User, user_id=locked.pk)
    return locked, False


def _end_spotify_id(former: User) -> None:
    """Free the id that ``former`` no longer has at Spotify; settings may still name them by it."""
    former.listed_ids = [former.spotify_id] if former.listed_ids is None else former.listed_ids
    former.spotify_id = f"former:{former.pk}"
    former.save(update_fields=["spotify_id", "listed_ids"])


def _listed_ids(user: User) -> list[str]:
    """The ids by which settings may name ``user``, with the present one if it is theirs first."""
    own = user.listed_ids or []
    if user.spotify_id in own:
        return own
    others = User.objects.exclude(pk=user.pk).filter(listed_ids__contains=[user.spotify_id])
    return own if others.exists() else [*own, user.spotify_id]


# --- Calling Spotify while a browser waits ------------------------------------------------------


@contextmanager
def _slot() -> Iterator[None]:
    """One of the few places for sign-ins that call Spotify. Raises SignInFailed if none is free."""
    _return_connection()
    if not _slots.acquire(timeout=LONGEST_WAIT):
        raise SignInFailed(Problem.BUSY)
    try:
        yield
    finally:
        _slots.release()


def _return_connection() -> None:
    """Return the database connection to the pool; the next statement takes one again."""
    if not connection.in_atomic_block:
        connection.close()


def _profile_of(app: Credentials, grant: Grant) -> Profile:
    gate = _Gate(app)
    client = SpotifyClient(
        api_url=settings.SPOTIFY_API_URL,
        tokens=_NewToken(grant.access_token),
        gate=gate,
        sleep=gate.pause,
        timeout=TIMEOUT,
    )
    try:
        return client.me()
    finally:
        client.close()


class _Gate:
    """The quota's gate for a web request, without a held connection and without long pauses."""

    def __init__(self, app: Credentials) -> None:
        self.developer = app.developer
        self._gate = QuotaGate(reserve=True, app=app)

    def admit(self) -> None:
        try:
            self._gate.admit()
        finally:
            _return_connection()

    def block(self, *, for_: timedelta, because: str) -> datetime:
        return self._gate.block(for_=for_, because=because)

    def pause(self, seconds: float) -> None:
        """Sleep if the wait is short; block all calls for a longer one. Raises Blocked."""
        if seconds > LONGEST_PAUSE:
            raise Blocked(self.block(for_=timedelta(seconds=seconds), because="quota"), "quota")
        time.sleep(seconds)


class _NewToken:
    """A token without an account yet. It cannot be refreshed; a refused one is tried again."""

    def __init__(self, token: str) -> None:
        self._token = token

    def current(self) -> str:
        return self._token

    def renewed(self, used: str) -> str:
        return used
