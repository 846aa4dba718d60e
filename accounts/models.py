"""Who a listener is, and Spotify's permission to act for them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from accounts.consent import Consent, consent
from accounts.encryption import EncryptedTextField
from syncify.sessions import SessionStore
from syncify.text import plain

#: Spotify ends a consent this long after the listener gave it; a refresh does not extend it.
#: Six months, in the calendar's shortest reading, so that we ask early rather than late.
CONSENT_LIFE = timedelta(days=181)


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(spotify_id=username)


class User(AbstractBaseUser):
    """A listener. There are no passwords: Spotify identifies listeners."""

    password = None  # type: ignore[assignment]  # Django's way to leave a field out
    last_login = None

    spotify_id = models.CharField(max_length=255, unique=True)
    #: Spotify's immutable id; a spotify_id may change. Null until Spotify has sent one.
    account_id = models.CharField(max_length=255, unique=True, null=True)  # noqa: DJ001
    display_name = models.CharField(max_length=255, blank=True)
    is_active = models.BooleanField(default=True)
    #: Set by an operator code. Read ``is_operator`` instead.
    is_operator_by_code = models.BooleanField(default=False, db_column="is_operator")
    #: The Spotify ids by which a setting may name this listener: those that this account was the
    #: first to use here. Null, as an older version leaves it, stands for ``spotify_id``.
    listed_ids = ArrayField(models.CharField(max_length=255), null=True)
    #: Raising it signs this listener out everywhere.
    session_version = models.PositiveIntegerField(default=0)
    date_joined = models.DateTimeField(db_default=Now())

    USERNAME_FIELD = "spotify_id"

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        db_table = "users"

    def __str__(self) -> str:
        return plain(self.display_name) or self.spotify_id

    @property
    def is_operator(self) -> bool:
        """Named in SYNCIFY_OPERATORS or, if that is empty, by an operator code."""
        if settings.OPERATORS:
            return self.is_named_in(settings.OPERATORS)
        return self.is_operator_by_code

    def is_named_in(self, ids: Collection[str]) -> bool:
        """Whether ``ids``, as settings list them, name this listener.

        A Spotify id that has passed from one account to another still names the first.
        """
        own = [self.spotify_id] if self.listed_ids is None else self.listed_ids
        return self.account_id in ids or any(each in ids for each in own)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django derives this from the password; listeners have none.
        value = f"{self.pk}:{self.session_version}"
        digest = salted_hmac("accounts.User.session", value, secret=secret, algorithm="sha256")
        return digest.hexdigest()


class SpotifyApp(models.Model):
    """An app at Spotify that an operator entered on a page; ``accounts.spotify_apps`` has all."""

    id = models.BigAutoField(primary_key=True)
    label = models.CharField(max_length=60)
    client_id = models.CharField(max_length=100, unique=True)
    secret = EncryptedTextField()
    #: The owner of the developer account at Spotify; "": that of the first app.
    developer = models.CharField(max_length=60, blank=True, db_default="")
    #: Takes no further listeners.
    is_resting = models.BooleanField(db_default=False)
    created = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_SET_NULL, null=True, related_name="+"
    )

    class Meta:
        db_table = "spotify_apps"

    def __str__(self) -> str:
        return self.label


class SpotifyConnection(models.Model):
    """A listener's consent, as tokens, and whether it is still valid."""

    class State(models.TextChoices):
        CONNECTED = "connected"  #: Spotify lets us act for them.
        SIGN_IN_NEEDED = "sign_in_needed"  #: there is no token; ``state_reason`` has the cause.
        REFUSED = "refused"  #: Spotify answers 403; ``state_reason`` has the cause.

    class Reason(models.TextChoices):
        CONSENT_ENDED = "consent_ended"  #: six months are over, or access was withdrawn.
        TOKENS_LOST = "tokens_lost"  #: no key decrypts them; they are kept, a key may be found.
        APP_GONE = "app_gone"  #: the settings no longer name the app that got the consent.
        NOT_REGISTERED = "not_registered"  #: not on the allow-list of the operator's app.
        SCOPE_MISSING = "scope_missing"  #: the listener did not grant all that is needed.
        FORBIDDEN = "forbidden"  #: a bare 403.

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="connection"
    )
    refresh_token = EncryptedTextField(blank=True)
    access_token = EncryptedTextField(blank=True)
    access_expires_at = models.DateTimeField(null=True)
    #: The granted scopes, separated by spaces.
    scopes = models.TextField(blank=True)
    authorized_at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=State, default=State.CONNECTED)
    state_reason = models.CharField(max_length=20, choices=Reason, blank=True)
    state_since = models.DateTimeField(db_default=Now())
    #: While refused: when a scheduled sync tries again. ``accounts.connections`` has the rule.
    retry_at = models.DateTimeField(null=True)
    #: The app that got the consent; "", as older versions leave it, is the first one.
    client_id = models.CharField(max_length=100, blank=True, db_default="")
    #: The app that an operator chose for the listener's next sign-in; "" if none was chosen.
    move_to = models.CharField(max_length=100, blank=True, db_default="")

    class Meta:
        db_table = "spotify_connections"
        indexes = [
            # Consents that end soon, refused ones to be tried again, counts by state; and what
            # has changed lately.
            models.Index(fields=["state", "authorized_at"], name="spotify_connections_consent"),
            models.Index(fields=["state_since"], name="spotify_connections_since"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.state}"

    @property
    def consent_ends_at(self) -> datetime:
        return self.authorized_at + CONSENT_LIFE

    def consent(self, now: datetime) -> Consent:
        has_ended = self.state == self.State.SIGN_IN_NEEDED
        return consent(ends_at=self.consent_ends_at, has_ended=has_ended, now=now)


class ListenerSession(AbstractBaseSession):
    """Django's table of sessions, with a column for the user.

    A second model of the same table, so that an upgrade keeps the sessions, and the previous
    version can run beside this one.
    """

    #: Null before a sign-in.
    user_id = models.BigIntegerField(null=True)

    class Meta(AbstractBaseSession.Meta):
        db_table = "django_session"
        managed = False

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        return SessionStore


class OperatorCode(models.Model):
    """The latest code that makes an operator, as a digest. One row; a used code stays."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "operator_codes"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="operator_codes_one_row")
        ]

    def __str__(self) -> str:
        return f"used at {self.used_at}" if self.used_at else "unused"


class RateLimit(models.Model):
    """How full a bucket of ``accounts.limits`` is. The key is a digest and identifies no person."""

    key = models.CharField(primary_key=True, max_length=64)
    empty_at = models.DateTimeField()

    class Meta:
        db_table = "rate_limits"

    def __str__(self) -> str:
        return f"{self.key} until {self.empty_at}"
