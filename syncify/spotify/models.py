"""The used part of Spotify's quota, and the block of all calls."""

from django.db import models
from django.db.models.functions import Now


class ApiHour(models.Model):
    """Calls to the API host in one hour, for the whole installation; kept for two days."""

    hour = models.DateTimeField(primary_key=True)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "spotify_api_hours"

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h: {self.calls}"


class Block(models.Model):
    """No worker calls Spotify before ``until``. One row, which stays when the block is over."""

    class Because(models.TextChoices):
        QUOTA = "quota"  #: Spotify says that the quota is spent.
        CREDENTIALS = "credentials"  #: Spotify does not know our client id or secret.
        PREMIUM = "premium"  #: the owner of the app no longer has Premium.

    #: There is one quota, so there is one row.
    id = models.SmallIntegerField(primary_key=True, default=1)
    until = models.DateTimeField()
    because = models.CharField(max_length=20, choices=Because)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "spotify_blocks"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="spotify_blocks_one_row")
        ]

    def __str__(self) -> str:
        return f"{self.because} until {self.until}"
