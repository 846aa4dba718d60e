"""Sharing: links for anybody, pairs and households of listeners, and invitations."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.encryption import EncryptedTextField
from sync.models.mirrors import Mirror


class ShareLink(models.Model):
    """A secret address; the database holds only a hash of its token."""

    class Kind(models.TextChoices):
        PAGE = "page"
        FEED = "feed"
        DOWNLOAD = "download"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="share_links", db_index=False
    )
    #: Null for the whole library.
    mirror = models.ForeignKey(Mirror, models.DB_CASCADE, null=True, related_name="share_links")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100, blank=True, db_default="")
    #: SHA-256 of the token, in hexadecimal digits.
    token_hash = models.CharField(max_length=64, unique=True)
    shows_name = models.BooleanField(db_default=False)
    has_downloads = models.BooleanField(db_default=False)
    has_insights = models.BooleanField(db_default=False)
    created = models.DateTimeField(db_default=Now())
    last_used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)

    class Meta:
        db_table = "share_links"
        indexes = [models.Index(fields=["user", "-id"], name="share_links_of_user")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"


class Pair(models.Model):
    """Two listeners who agreed to see common songs; the row is deleted when one ends it."""

    id = models.BigAutoField(primary_key=True)
    first = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="pairs_as_first"
    )
    second = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="pairs_as_second"
    )
    #: Whether each shows the other their newest likes.
    first_shows_newest = models.BooleanField(db_default=False)
    second_shows_newest = models.BooleanField(db_default=False)
    created = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "pairs"
        constraints = [
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="pairs_lower_id_first"),
            models.UniqueConstraint(fields=["first", "second"], name="pairs_once"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} and {self.second_id}"


class Household(models.Model):
    """Up to five listeners who keep playlists over the likes of all of them."""

    id = models.BigAutoField(primary_key=True)
    #: Who invites, and may end it. The household goes with this account.
    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="own_household"
    )
    created = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "households"

    def __str__(self) -> str:
        return f"household of {self.owner_id}"


class HouseholdMember(models.Model):
    """A listener in a household, the owner included; the row goes when they leave."""

    #: Grows in the order of joining.
    id = models.BigAutoField(primary_key=True)
    household = models.ForeignKey(
        Household, models.DB_CASCADE, related_name="members", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="household_members"
    )
    #: The member agrees to share with all members up to this id.
    agreed_upto = models.BigIntegerField(db_default=0)
    created = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "household_members"
        constraints = [
            models.UniqueConstraint(fields=["household", "user"], name="household_members_once"),
            models.CheckConstraint(
                condition=Q(agreed_upto__gte=0), name="household_members_agreed_upto"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in household {self.household_id}"


class PairInvitation(models.Model):
    """A code that another listener may use once; the database holds only its hash."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="pair_invitations"
    )
    #: What the code leads into; null for a pair.
    household = models.ForeignKey(
        Household, models.DB_CASCADE, null=True, related_name="invitations"
    )
    code_hash = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(db_default=Now())
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)

    class Meta:
        db_table = "pair_invitations"

    def __str__(self) -> str:
        return f"invitation by {self.user_id}"


class Invitation(models.Model):
    """A secret address at which a guest without account asks an operator for a seat at Spotify."""

    id = models.BigAutoField(primary_key=True)
    #: The operator who invites.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="invitations"
    )
    #: SHA-256 of the code, in hexadecimal digits.
    code_hash = models.CharField(max_length=64, unique=True)
    #: The guest's address, for operators only; "" unless it waits to be added at Spotify.
    email = EncryptedTextField(blank=True)
    #: When the guest entered it.
    given = models.DateTimeField(null=True)
    #: When an operator added it at Spotify.
    added = models.DateTimeField(null=True)
    #: The Spotify app with the guest's seat; "", as older versions leave it, is the first one.
    client_id = models.CharField(max_length=100, blank=True, db_default="")
    created = models.DateTimeField(db_default=Now())
    expires = models.DateTimeField()

    class Meta:
        db_table = "invitations"
        constraints = [
            models.CheckConstraint(
                condition=Q(email="") | Q(given__isnull=False, added__isnull=True),
                name="invitations_email_while_needed",
            )
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk} by {self.user_id}"
