"""What has been spent of Spotify's quota, and until when Spotify wants silence.

Spotify counts by developer account, and refuses by app. The rows of the first app and of its
developer are in tables of their own, as the versions that knew one app wrote them.
"""

from django.db import models
from django.db.models.functions import Now


class ApiHour(models.Model):
    """Calls to the API host in one hour, with the first developer's apps; kept for two days."""

    hour = models.DateTimeField(primary_key=True)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "spotify_api_hours"

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h: {self.calls}"


class DeveloperHour(models.Model):
    """The same of every other developer account."""

    pk = models.CompositePrimaryKey("developer", "hour")
    developer = models.CharField(max_length=100)
    hour = models.DateTimeField()
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "spotify_developer_hours"

    def __str__(self) -> str:
        return f"{self.developer}, {self.hour:%Y-%m-%d %H}h: {self.calls}"


class Silence(models.Model):
    """Nobody calls Spotify before ``until``, with some apps; what has passed is history."""

    class Because(models.TextChoices):
        QUOTA = "quota"  #: Spotify says that the quota of the developer account is spent.
        CREDENTIALS = "credentials"  #: Spotify does not know the app's client id or secret.
        PREMIUM = "premium"  #: the app's owner has no Premium any more.

    until = models.DateTimeField()
    because = models.CharField(max_length=20, choices=Because)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.because} until {self.until}"

    @property
    def whose(self) -> str:
        """The key of the app or, of the quota, the developer account; "" for the first."""
        return ""

    @property
    def incident(self) -> str:
        """The key of the incident of this block."""
        return ":".join(filter(None, ["block", self.because, self.whose]))


class Block(Silence):
    """The quota of the first developer, or the credentials or Premium of the first app. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)

    class Meta:
        db_table = "spotify_blocks"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="spotify_blocks_one_row")
        ]


class AppBlock(Silence):
    """The same of every other app and developer account, one row each."""

    #: "app " and a Client ID, or "developer " and the name of an account.
    key = models.CharField(primary_key=True, max_length=120)

    class Meta:
        db_table = "spotify_app_blocks"

    @property
    def whose(self) -> str:
        return self.key.partition(" ")[2]
