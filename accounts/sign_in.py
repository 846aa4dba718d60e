"""Finishing a sign-in: tokens for a code, the listener's profile, and the account it belongs to."""

import logging

from django.conf import settings
from django.db import transaction
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from accounts.problems import Problem, SignInFailed
from accounts.scopes import NEEDED
from accounts.signals import spotify_connected
from syncify.spotify.accounts_host import Grant, TokenRefused, exchange_code
from syncify.spotify.client import SpotifyClient
from syncify.spotify.errors import AccessRefused, Blocked, BudgetSpent, SpotifyError
from syncify.spotify.quota import QuotaGate
from syncify.spotify.types import Profile

logger = logging.getLogger(__name__)


def finish_sign_in(*, code: str, verifier: str) -> User:
    """Exchange the code of a callback for tokens, ask Spotify whose they are, and connect them.

    Raises SignInFailed; then nothing is stored.
    """
    try:
        grant = exchange_code(code, verifier=verifier)
        if grant.scopes is not None and not set(NEEDED) <= set(grant.scopes.split()):
            raise SignInFailed(Problem.SCOPES_MISSING)
        profile = _profile_of(grant)
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
    if settings.ALLOWED_USERS and profile.id not in settings.ALLOWED_USERS:
        raise SignInFailed(Problem.NOT_INVITED, spotify_id=profile.id)
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
            "scopes": " ".join(NEEDED) if grant.scopes is None else grant.scopes,
            "authorized_at": timezone.now(),
            "state": SpotifyConnection.State.CONNECTED,
            "state_reason": "",
            "state_since": timezone.now(),
        },
    )
    logger.info("spotify connected user=%s first=%s", user.pk, first)
    spotify_connected.send(sender=User, user=user, first=first)
    return user


def granted_scopes(user_id: int) -> str:
    """Separated by spaces."""
    held = SpotifyConnection.objects.filter(user=user_id).values_list("scopes", flat=True)
    return held.first() or ""


def _listener(profile: Profile) -> tuple[User, bool]:
    """The account that belongs to ``profile``, and whether it is new."""
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


def _profile_of(grant: Grant) -> Profile:
    client = SpotifyClient(
        api_url=settings.SPOTIFY_API_URL,
        tokens=_NewToken(grant.access_token),
        gate=QuotaGate(reserve=True),
    )
    try:
        return client.me()
    finally:
        client.close()


class _NewToken:
    """A token that belongs to nobody yet. It cannot be refreshed: a refused one is tried again."""

    def __init__(self, token: str) -> None:
        self._token = token

    def current(self) -> str:
        return self._token

    def renewed(self, used: str) -> str:
        return used
