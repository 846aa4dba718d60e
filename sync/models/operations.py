"""Processes that are alive, and troubles that an operator was alerted of."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Process(models.Model):
    """A worker or a scheduler that was alive at ``last_seen``."""

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=255)
    last_seen = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "processes"
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="processes_name")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Incident(models.Model):
    """Something an operator was told of once; told again only after it was over."""

    key = models.CharField(max_length=100)
    message = models.TextField()
    #: Whom it names; it goes with them.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, null=True, related_name="incidents"
    )
    opened = models.DateTimeField(db_default=Now())
    closed = models.DateTimeField(null=True)

    class Meta:
        db_table = "incidents"
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(closed__isnull=True), name="incidents_one_open_per_key"
            )
        ]

    def __str__(self) -> str:
        return self.key
