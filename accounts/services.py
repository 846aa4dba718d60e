"""What happens to a listener's account, from sign-in to deletion; who is the operator."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import CharField, F, TextField, Value
from django.db.models.functions import Cast, Concat, Now
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

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
_TOKENS = ("access_token", "refresh_token")


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


def granted_scopes(user_id: int) -> str:
    """Apart by spaces."""
    held = SpotifyConnection.objects.filter(user=user_id).values_list("scopes", flat=True)
    return held.first() or ""


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


def rotate_token_keys() -> tuple[int, int]:
    """Encrypt all tokens with the newest key; how many listeners' were, and cannot be read.

    Nothing stands still meanwhile: each row is locked by itself, as it is for a refresh. What no
    key decrypts stays as it is, and who waited for a key that is back goes on.
    """
    outcomes = Counter(map(_rotate, list(SpotifyConnection.objects.values_list("pk", flat=True))))
    return outcomes["rewritten"], outcomes["unreadable"]


@transaction.atomic
def _rotate(pk: int) -> str:
    raw = {f"raw_{name}": Cast(name, TextField()) for name in _TOKENS}
    held = SpotifyConnection.objects.select_for_update().annotate(**raw).filter(pk=pk).first()
    stored = [name for name in _TOKENS if held and getattr(held, f"raw_{name}")]
    if held is None or not stored:
        return "empty"
    if not all(getattr(held, name) for name in stored):
        return "unreadable"
    if held.state_reason == SpotifyConnection.Reason.TOKENS_LOST:
        held.state, held.state_reason, held.state_since = State.CONNECTED, "", timezone.now()
    held.save(update_fields=[*stored, "state", "state_reason", "state_since"])
    return "rewritten"


@transaction.atomic
def sign_out_everywhere(user: User) -> None:
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(session_version=F("session_version") + 1)
    logger.info("signed out everywhere user=%s", user.pk)


@transaction.atomic
def block_listener(user: User) -> None:
    """End their sessions, and let them neither sign in nor be synced until they are unblocked."""
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(
        is_active=False, session_version=F("session_version") + 1
    )
    logger.info("listener blocked user=%s", user.pk)


def unblock_listener(user: User) -> None:
    """They may sign in again, and their schedule goes on."""
    User.objects.filter(pk=user.pk).update(is_active=True)
    logger.info("listener unblocked user=%s", user.pk)


# --- The first operator -----------------------------------------------------------------------


def lacks_operator() -> bool:
    """Whether the code of the log makes somebody an operator: while there is none."""
    return not settings.OPERATORS and not User.objects.filter(is_operator=True).exists()


def operator_code() -> str:
    """Known to whoever reads the log; the same at every start, and of no use to a second one."""
    digest = salted_hmac("accounts.operator_code", "", algorithm="sha256").hexdigest()
    return f"{digest[:4]}-{digest[4:8]}-{digest[8:12]}"


def become_operator(user: User, *, code: str) -> bool:
    """Whether ``code`` was right and ``user`` is an operator from now on."""
    if not lacks_operator() or not constant_time_compare(code.strip().lower(), operator_code()):
        logger.warning("operator code refused user=%s", user.pk)
        return False
    User.objects.filter(pk=user.pk).update(is_operator=True)
    logger.warning("operator made by code user=%s", user.pk)
    return True


def tell_operator_code() -> None:
    """Into the log, while it is good for something; without a database there is nobody to ask."""
    try:
        is_good = lacks_operator()
    except DatabaseError as error:
        logger.warning("operators not known error=%s", error)
        return
    if is_good:
        logger.warning(
            "no operator yet: sign in, then enter %s at %s/operator/code/",
            operator_code(),
            settings.BASE_URL,
        )


@transaction.atomic
def delete_account(user: User) -> None:
    """Everything of theirs goes, an open request too: its worker finds its lease gone and stops.

    The playlist is theirs in Spotify and stays.
    """
    access_ended.send(sender=User, user_id=user.pk)
    User.objects.filter(pk=user.pk).delete()
    logger.info("account deleted user=%s", user.pk)
