"""Processes that are alive, and troubles that an operator was alerted of."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

#: A process that runs all the time counts as gone when it was not seen for this long.
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
    """A trouble of which the operator gets one alert; another one only after it was over."""

    key = models.CharField(max_length=100)
    message = models.TextField()
    #: Whom it names; it goes with them.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, null=True, related_name="incidents"
    )
    opened = models.DateTimeField(db_default=Now())
    closed = models.DateTimeField(null=True)
    #: When its alert is tried next; null: nothing is left to send.
    alert_due = models.DateTimeField(null=True)
    alert_tries = models.PositiveIntegerField(default=0, db_default=0)
    #: Marks of the addresses that took the alert, and when the latest did.
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
