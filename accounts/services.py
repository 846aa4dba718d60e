"""What happens to a listener's account: sign-in, their client, sign-out everywhere, deletion."""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat, Now
from django.utils import timezone

from accounts import oauth
from accounts.models import SpotifyConnection, User
from accounts.oauth import ConnectionTokens, Grant, Problem, SignInFailed
from accounts.signals import access_ended, connection_changed, spotify_connected
from syncify.spotify.client import SpotifyClient, Tokens
from syncify.spotify.errors import AccessRefused, Blocked, BudgetSpent, SpotifyError
from syncify.spotify.quota import QuotaGate
from syncify.spotify.types import Profile

logger = logging.getLogger(__name__)

State = SpotifyConnection.State


def finish_sign_in(*, code: str, verifier: str) -> User:
    """Trade the code of a callback for tokens, ask Spotify whose they are, and connect them.

    Raises SignInFailed; nothing is stored then.
    """
    try:
        grant = oauth.exchange_code(code, verifier=verifier)
        if grant.scopes is not None and not set(oauth.SCOPES) <= set(grant.scopes.split()):
            raise SignInFailed(Problem.SCOPES_MISSING)
        client = _client(_NewToken(grant.access_token), reserve=True)
        try:
            profile = client.me()
        finally:
            client.close()
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
    if settings.ALLOWED_USERS and profile.id not in settings.ALLOWED_USERS:
        raise SignInFailed(Problem.NOT_INVITED)
    return connect_spotify(profile=profile, grant=grant)


@transaction.atomic
def connect_spotify(*, profile: Profile, grant: Grant) -> User:
    """Store the consent that ``profile`` gave, for the listener they are or now become."""
    user, first = _listener(profile)
    if not user.is_active:
        raise SignInFailed(Problem.DEACTIVATED)
    user.spotify_id = profile.id
    user.account_id = profile.account_id or user.account_id
    user.display_name = profile.display_name
    if settings.OPERATORS:
        user.is_operator = profile.id in settings.OPERATORS
    user.save(update_fields=["spotify_id", "account_id", "display_name", "is_operator"])
    SpotifyConnection.objects.update_or_create(
        user=user,
        defaults={
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "access_expires_at": grant.expires_at,
            "scopes": " ".join(oauth.SCOPES) if grant.scopes is None else grant.scopes,
            "authorized_at": timezone.now(),
            "state": State.CONNECTED,
            "state_reason": "",
            "state_since": timezone.now(),
        },
    )
    logger.info("spotify connected user=%s first=%s", user.pk, first)
    spotify_connected.send(sender=User, user=user, first=first)
    return user


def _listener(profile: Profile) -> tuple[User, bool]:
    """Whose profile this is, and whether they are new here."""
    account_id, by_id = profile.account_id, User.objects.filter(spotify_id=profile.id)
    user = User.objects.filter(account_id=account_id).first() if account_id else None
    if account_id:
        # A spotify_id may pass to somebody else; an account_id never does.
        others = by_id.exclude(account_id=account_id)
        (others if user else others.exclude(account_id=None)).update(
            spotify_id=Concat(Value("former:"), Cast("pk", CharField()))
        )
    if user:
        return user, False
    return User.objects.get_or_create(spotify_id=profile.id, defaults={"account_id": account_id})


def spotify_client_for(
    user: User, *, reserve: bool, sleep: Callable[[float], None] = time.sleep
) -> SpotifyClient:
    """Spotify as ``user``; with ``reserve``, calls may use the last of the daily budget."""
    return _client(ConnectionTokens(user.pk), reserve=reserve, sleep=sleep)


def _client(
    tokens: Tokens, *, reserve: bool, sleep: Callable[[float], None] = time.sleep
) -> SpotifyClient:
    return SpotifyClient(
        api_url=settings.SPOTIFY_API_URL,
        tokens=tokens,
        gate=QuotaGate(reserve=reserve),
        sleep=sleep,
    )


class _NewToken:
    """A token that belongs to nobody yet: if Spotify refuses it at once, it is tried again."""

    def __init__(self, token: str) -> None:
        self._token = token

    def current(self) -> str:
        return self._token

    def renewed(self, used: str) -> str:
        return used


@transaction.atomic
def mark_refused(user: User, reason: str) -> None:
    """Spotify answers 403 for ``user``; ``reason`` is a value of ``SpotifyConnection.Reason``."""
    news = SpotifyConnection.objects.filter(user=user).exclude(state=State.SIGN_IN_NEEDED)
    news = news.exclude(state=State.REFUSED, state_reason=reason)
    if news.update(state=State.REFUSED, state_reason=reason, state_since=Now()):
        connection_changed.send(sender=SpotifyConnection, user_id=user.pk)


@transaction.atomic
def mark_connected(user: User) -> None:
    """A sync succeeded, so nothing is refused."""
    refused = SpotifyConnection.objects.filter(user=user, state=State.REFUSED)
    if refused.update(state=State.CONNECTED, state_reason="", state_since=Now()):
        connection_changed.send(sender=SpotifyConnection, user_id=user.pk)


@transaction.atomic
def sign_out_everywhere(user: User) -> None:
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(session_version=F("session_version") + 1)
    logger.info("signed out everywhere user=%s", user.pk)


@transaction.atomic
def delete_account(user: User) -> None:
    """Everything of theirs goes, an open request too: its worker finds its lease gone and stops.

    The playlist is theirs in Spotify and stays.
    """
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).delete()
    logger.info("account deleted user=%s", user.pk)
