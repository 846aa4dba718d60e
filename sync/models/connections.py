"""Services that a listener connected, and the ids of songs there."""

from django.conf import settings
from django.db import models
from django.db.models import Value
from django.db.models.functions import Now

from accounts.encryption import EncryptedTextField
from sync.models.library import Track


class Connection(models.Model):
    """A listener's account at another service."""

    class Service(models.TextChoices):
        SUBSONIC = "subsonic", "Subsonic"
        LISTENBRAINZ = "listenbrainz", "ListenBrainz"

    class State(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        FAILING = "failing"  #: ``state_reason`` says why; retried automatically.
        REFUSED = "refused"  #: the service does not accept the secret.

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="connections", db_index=False
    )
    service = models.CharField(max_length=20, choices=Service)
    address = models.CharField(max_length=300, blank=True, db_default="")
    username = models.CharField(max_length=255, blank=True, db_default="")
    #: A password or a token.
    secret = EncryptedTextField(blank=True)
    #: Data of the service's package.
    settings = models.JSONField(db_default=Value({}, models.JSONField()))
    state = models.CharField(max_length=10, choices=State, db_default=State.ACTIVE)
    state_reason = models.TextField(blank=True, db_default="")
    #: When a run last succeeded; null for never.
    succeeded_at = models.DateTimeField(null=True)
    created = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "connections"
        constraints = [
            models.UniqueConstraint(fields=["user", "service"], name="connections_one_a_service")
        ]

    def __str__(self) -> str:
        return f"{self.service} of {self.user_id}"


class TrackLink(models.Model):
    """A track's id at a connected service."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(
        Connection, models.DB_CASCADE, related_name="track_links", db_index=False
    )
    track = models.ForeignKey(Track, models.DB_CASCADE)
    #: "" where the service does not have the song.
    remote_id = models.CharField(max_length=255, blank=True)
    #: How it was found, or why not; a value of ``sync/targets/matching.py``.
    how = models.CharField(max_length=40, blank=True, db_default="")
    #: Similar songs at the service, for people.
    instead = models.TextField(blank=True, db_default="")
    #: Set by the listener; matching never changes it.
    by_hand = models.BooleanField(db_default=False)
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "track_links"
        constraints = [
            models.UniqueConstraint(fields=["connection", "track"], name="track_links_once")
        ]

    def __str__(self) -> str:
        return f"{self.track_id} is {self.remote_id or 'missing'}"
