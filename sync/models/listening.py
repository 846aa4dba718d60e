"""Listening histories, songs marked as different, and gates of other services."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now


class ListeningHistory(models.Model):
    """What a listener's uploaded listening histories covered; the plays are in ``Play``."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.DB_CASCADE,
        primary_key=True,
        related_name="listening_history",
    )
    #: Periods whose plays are counted: [[first second, last second], …] since 1970.
    known = models.JSONField(db_default=Value([], models.JSONField()))
    #: Numbers of the last upload: plays of at least 30 seconds, and likes among them.
    plays_read = models.IntegerField(db_default=0)
    likes_found = models.IntegerField(db_default=0)
    likes_asked = models.IntegerField(db_default=0)
    imported_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "listening_histories"
        constraints = [
            models.CheckConstraint(
                condition=Q(likes_found__lte=F("likes_asked")),
                name="listening_histories_found_of_asked",
            )
        ]

    def __str__(self) -> str:
        return f"history of {self.user_id}"


class UploadPart(models.Model):
    """A piece of an uploaded listening history, until a worker has read it.

    Stored in the database because web server and worker may run on different machines.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="upload_parts", db_index=False
    )
    #: From 0; all parts but the last have the same length.
    number = models.IntegerField()
    data = models.BinaryField()
    created = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "upload_parts"
        constraints = [
            models.UniqueConstraint(fields=["user", "number"], name="upload_parts_number")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} part {self.number}"


class DifferentSongs(models.Model):
    """Two tracks that look like duplicates and that the listener marked as different."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="different_songs", db_index=False
    )
    #: The lower track id.
    first = models.CharField(max_length=64)
    second = models.CharField(max_length=64)

    class Meta:
        db_table = "different_songs"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "first", "second"], name="different_songs_once"
            ),
            models.CheckConstraint(
                condition=Q(first__lt=F("second")), name="different_songs_lower_id_first"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first} is not {self.second}"


class ServiceGate(models.Model):
    """The time of the next allowed call to another service, for all workers together."""

    service = models.CharField(max_length=20, primary_key=True)
    next_at = models.DateTimeField()

    class Meta:
        db_table = "service_gates"

    def __str__(self) -> str:
        return f"{self.service} at {self.next_at}"
