"""Live processes, incidents, and backups."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

#: A permanent process counts as gone if it was not seen for this time.
ALIVE_FOR = timedelta(minutes=2)


class Process(models.Model):
    """A worker or a scheduler, which counts as alive until ``alive_until``."""

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=255)
    last_seen = models.DateTimeField(db_default=Now())
    alive_until = models.DateTimeField(
        db_default=models.ExpressionWrapper(Now() + ALIVE_FOR, output_field=models.DateTimeField())
    )

    class Meta:
        db_table = "processes"
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="processes_name")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Incident(models.Model):
    """A problem with one alert to the operator, from its beginning to its end."""

    key = models.CharField(max_length=100)
    message = models.TextField()
    #: The listener that it names; it is deleted with them.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, null=True, related_name="incidents"
    )
    opened = models.DateTimeField(db_default=Now())
    closed = models.DateTimeField(null=True)
    #: The next try of its alert; null: nothing to send.
    alert_due = models.DateTimeField(null=True)
    alert_tries = models.PositiveIntegerField(default=0, db_default=0)
    #: Hashes of the addresses that received the alert, and the time of the latest.
    alerted = models.JSONField(default=list, db_default=[])
    alerted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "incidents"
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(closed__isnull=True), name="incidents_one_open_per_key"
            )
        ]
        indexes = [
            models.Index(
                fields=["-opened"], condition=Q(closed__isnull=True), name="incidents_open"
            ),
            models.Index(
                fields=["alert_due"], condition=Q(alert_due__isnull=False), name="incidents_owed"
            ),
        ]

    def __str__(self) -> str:
        return self.key


class Backup(models.Model):
    """A backup that the scheduler made in ``SYNCIFY_BACKUP_DIR``, and has not deleted since."""

    name = models.CharField(max_length=100)
    made = models.DateTimeField(db_default=Now())
    #: In bytes.
    size = models.BigIntegerField()

    class Meta:
        db_table = "backups"

    def __str__(self) -> str:
        return self.name
