"""Playlists by rule, their contents, and the changes of other people."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from sync.models.library import Track
from syncify.text import plain


class Mirror(models.Model):
    """A listener's rule over their Liked Songs, kept as a playlist; the main mirror has all."""

    class State(models.TextChoices):
        ACTIVE = "active"  #: syncs update it.
        PAUSED = "paused"  #: the listener paused it.
        REMOVED = "removed"  #: the playlist left their library; a manual sync brings it back.

    class Refresh(models.TextChoices):
        SYNC = "sync", "with every sync"
        DAILY = "daily", "once a day"
        WEEKLY = "weekly", "once a week"
        MONTHLY = "monthly", "once a month"

    class KeepSame(models.TextChoices):
        """Which likes of the same song the playlist contains."""

        ALL = "all", "all of them"
        NEWEST = "newest", "the one liked last"
        OLDEST = "oldest", "the one liked first"

    class KeepTwin(models.TextChoices):
        """Which of an explicit and a clean version the playlist contains."""

        BOTH = "both", "both"
        EXPLICIT = "explicit", "the explicit one"
        CLEAN = "clean", "the clean one"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="mirrors", db_index=False
    )
    #: The mirror of all Liked Songs; each listener has exactly one.
    is_main = models.BooleanField(db_default=True)
    #: The listener's name for the playlist; volumes append their number.
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    #: Whether the playlist should be on the profile; Spotify may ignore it.
    public = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    #: The rule as ``sync/mirrors/rules.py`` reads it; null for the main mirror.
    rule = models.JSONField(null=True)
    #: Why the rule cannot be used; "" if it can.
    broken = models.TextField(blank=True, db_default="")
    refresh = models.CharField(max_length=10, choices=Refresh, db_default=Refresh.SYNC)
    #: When the songs were last selected; null: never.
    refreshed_at = models.DateTimeField(null=True)
    #: The position of the order "rediscover", as ``sync/mirrors/rotation.py`` stores it; null
    #: for every other order.
    rotation = models.JSONField(null=True)
    keep_same = models.CharField(max_length=10, choices=KeepSame, db_default=KeepSame.ALL)
    keep_twin = models.CharField(max_length=10, choices=KeepTwin, db_default=KeepTwin.BOTH)
    #: Whether the main mirror leaves out the songs of this one.
    takes_from_main = models.BooleanField(db_default=False)
    #: Whether songs that other people added stay in the playlist, below the mirrored ones.
    keeps_additions = models.BooleanField(db_default=False)
    #: The listener asked for a rewrite, to remove rows that cannot be removed one by one.
    rewrite_asked = models.BooleanField(db_default=False)
    #: Set if many songs would be removed: a look at or after this time must confirm it.
    confirm_after = models.DateTimeField(null=True)
    #: The uris that would be removed.
    confirm_gone = ArrayField(models.TextField(), null=True)
    #: Whether the playlist's description asks for a new sign-in before the consent ends.
    remind_in_spotify = models.BooleanField(db_default=True)
    #: When name, description or ``public`` were last changed here.
    details_changed_at = models.DateTimeField(db_default=Now())
    #: The palette of the cover that Syncify draws; "" leaves the cover to Spotify.
    cover = models.CharField(max_length=20, blank=True, db_default="")
    cover_changed_at = models.DateTimeField(null=True)
    cover_written_at = models.DateTimeField(null=True)
    #: The listener was imported from Syncify 2; the first sync adopts the old playlists.
    adopts_syncify2 = models.BooleanField(default=False, db_default=False)
    created = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "mirrors"
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(is_main=True), name="mirrors_one_main"
            ),
            models.CheckConstraint(
                condition=Q(is_main=True, rule__isnull=True) | Q(is_main=False, rule__isnull=False),
                name="mirrors_main_has_no_rule",
            ),
        ]
        indexes = [models.Index(fields=["user", "id"], name="mirrors_of_user")]

    def __str__(self) -> str:
        return plain(self.name)


class Playlist(models.Model):
    """A playlist at Spotify: one volume of a mirror, which takes 10,000 songs."""

    id = models.BigAutoField(primary_key=True)
    mirror = models.ForeignKey(Mirror, models.DB_CASCADE, related_name="playlists", db_index=False)
    #: 1, 2, …, in the order of the songs.
    number = models.PositiveSmallIntegerField()
    #: The playlist's id at Spotify. Null from before it is created until the answer is stored, so
    #: that a creation whose outcome is unknown is looked for instead of repeated.
    spotify_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    #: Spotify's version of the playlist after we last wrote or read it; blank: unknown.
    snapshot_id = models.CharField(max_length=255, blank=True, db_default="")
    #: False while a write is under way, or its outcome is unknown: the items must be read again.
    items_known = models.BooleanField(default=True, db_default=True)
    #: When the playlist was last looked at.
    checked_at = models.DateTimeField(null=True)
    #: When Spotify first reported that the playlist is gone; null otherwise.
    missing_since = models.DateTimeField(null=True)
    details_written_at = models.DateTimeField(null=True)
    #: Whether the last written description asks for a new sign-in.
    reminds = models.BooleanField(db_default=False)
    #: The name that was last written or read; a different name was set in Spotify. Without a
    #: ``spotify_id``: the name of a playlist that may have been created.
    written_name = models.CharField(max_length=255, blank=True, db_default="")
    #: Spotify's last value of ``public``; null if it was missing.
    seen_public = models.BooleanField(null=True)

    class Meta:
        db_table = "playlists"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["mirror", "number"], name="playlists_number"),
            models.UniqueConstraint(fields=["spotify_id"], name="playlists_spotify_id"),
        ]

    def __str__(self) -> str:
        return f"{self.mirror_id} volume {self.number}"

    @property
    def url(self) -> str:
        """The playlist's page in Spotify: the link to share."""
        return f"{settings.SPOTIFY_OPEN_URL}/playlist/{self.spotify_id}"


class PlaylistItems(models.Model):
    """The items of a playlist when it was last written or read; large, so in its own table."""

    playlist = models.OneToOneField(
        Playlist, models.DB_CASCADE, primary_key=True, related_name="items"
    )
    #: The uris in order; null for a row without one.
    uris = ArrayField(models.TextField(null=True), default=list)

    class Meta:
        db_table = "playlist_items"

    def __str__(self) -> str:
        return f"items of {self.playlist_id}"


class MirrorTrack(models.Model):
    """A fact about one song in one mirror."""

    class Choice(models.TextChoices):
        NONE = ""
        KEPT = "kept"  #: in the playlist although the rule does not select it.
        EXCLUDED = "excluded"  #: not in the playlist although the rule selects it.

    id = models.BigAutoField(primary_key=True)
    mirror = models.ForeignKey(Mirror, models.DB_CASCADE, related_name="tracks", db_index=False)
    track = models.ForeignKey(Track, models.DO_NOTHING, db_constraint=False)
    #: When Spotify refused the song for this playlist; tried again some days later.
    refused_at = models.DateTimeField(null=True)
    #: Kept when the song is tried again: a second refusal is believed at once.
    refused_reason = models.TextField(blank=True, db_default="")
    #: The number of successive syncs in which a song that Syncify added was missing.
    times_missing = models.SmallIntegerField(db_default=0)
    #: The uri under which Spotify shows the song in this playlist; "" for its own.
    shown_as = models.CharField(max_length=100, blank=True, db_default="")
    choice = models.CharField(max_length=10, choices=Choice, blank=True, db_default="")

    class Meta:
        db_table = "mirror_tracks"
        constraints = [
            models.UniqueConstraint(fields=["mirror", "track"], name="mirror_tracks_once")
        ]
        indexes = [
            # For the card: refused songs are few.
            models.Index(
                fields=["mirror"],
                condition=Q(refused_at__isnull=False),
                name="mirror_tracks_refused",
            )
        ]

    def __str__(self) -> str:
        return f"{self.track_id} in {self.mirror_id}"


class InboxItem(models.Model):
    """A song that a person added to, or removed from, a mirrored playlist."""

    class Kind(models.TextChoices):
        ADDED = "added"
        TAKEN_OUT = "taken_out"

    class State(models.TextChoices):
        WAITING = "waiting"
        LIKED = "liked"
        UNLIKED = "unliked"
        DISMISSED = "dismissed"

    class Delivery(models.TextChoices):
        """The progress of a decision that a sync sends to Spotify."""

        NONE = ""
        ASKED = "asked"  #: waits for a sync; can be undone.
        SENDING = "sending"  #: the request to Spotify may have been sent.
        DONE = "done"
        REFUSED = "refused"  #: Spotify refused it.

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="inbox_items", db_index=False
    )
    mirror = models.ForeignKey(Mirror, models.DB_CASCADE, related_name="inbox_items")
    kind = models.CharField(max_length=10, choices=Kind, db_default=Kind.ADDED)
    state = models.CharField(max_length=10, choices=State, db_default=State.WAITING)
    track_id = models.CharField(max_length=64)
    #: Spotify's description of the song then: it may not be in the catalogue.
    name = models.TextField(blank=True)
    artists = ArrayField(models.TextField(), default=list)
    cover_url = models.CharField(max_length=300, blank=True, db_default="")
    #: The Spotify id of the person who added it; "" where it is not known.
    added_by = models.CharField(max_length=255, blank=True, db_default="")
    added_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(db_default=Now())
    #: Whether the song is in the playlist, as far as known.
    is_present = models.BooleanField(db_default=False)
    decided_at = models.DateTimeField(null=True)
    delivery = models.CharField(
        max_length=10, choices=Delivery, blank=True, db_default=Delivery.NONE
    )

    class Meta:
        db_table = "inbox_items"
        constraints = [
            models.UniqueConstraint(
                fields=["mirror", "track_id", "kind"],
                condition=Q(state="waiting"),
                name="inbox_items_one_waiting",
            )
        ]
        indexes = [models.Index(fields=["user", "state", "-id"], name="inbox_items_of_user")]

    def __str__(self) -> str:
        return f"{self.track_id} {self.kind} {self.state}"
