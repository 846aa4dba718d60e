"""A listener's Liked Songs, and the songs, artists and albums that all listeners share."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from sync.models.requests import SyncRequest


class Library(models.Model):
    """One listener's Liked Songs as a whole: the schedule, and the result of the last read."""

    class Interval(models.TextChoices):
        HOURLY = "hourly", "every hour"
        SIX_HOURS = "6h", "every six hours"
        DAILY = "daily", "every day"
        WEEKLY = "weekly", "every week"
        OFF = "off", "only when I ask"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="library"
    )
    interval = models.CharField(max_length=10, choices=Interval, db_default=Interval.DAILY)
    #: The hour of the day, in ``time_zone``, at which a daily or weekly sync is due; null: any.
    preferred_hour = models.SmallIntegerField(null=True)
    #: When the next scheduled sync is due; null for never.
    next_due = models.DateTimeField(null=True)
    #: Whether scheduled syncs are paused for all mirrors.
    is_paused = models.BooleanField(db_default=False)
    #: When the Liked Songs were last read from end to end.
    full_read_at = models.DateTimeField(null=True)
    #: The number of Liked Songs after the last read.
    song_count = models.IntegerField(db_default=0)
    #: Set if many likes were missing: a full read at or after this time must confirm it.
    confirm_after = models.DateTimeField(null=True)
    #: The ids of the missing tracks.
    confirm_gone = ArrayField(models.CharField(max_length=64), null=True)
    #: Likes that Spotify returned in an unreadable form: [{"name", "added_at", …}, …], as
    #: ``sync/library/believing.py`` keeps them.
    unreadable = models.JSONField(db_default=Value([], models.JSONField()))
    #: Whether songs that the listener adds to a mirrored playlist are liked automatically.
    likes_own_additions = models.BooleanField(db_default=False)
    #: An IANA name; "" until a browser has sent one.
    time_zone = models.CharField(max_length=64, blank=True, db_default="")

    class Meta:
        db_table = "libraries"
        constraints = [
            models.CheckConstraint(
                condition=Q(preferred_hour__isnull=True)
                | Q(preferred_hour__gte=0, preferred_hour__lte=23),
                name="libraries_preferred_hour_is_an_hour",
            ),
            models.CheckConstraint(
                condition=Q(song_count__gte=0), name="libraries_song_count_is_a_count"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_due"], condition=Q(next_due__isnull=False), name="libraries_due"
            )
        ]

    def __str__(self) -> str:
        return f"library of {self.user_id}"


class Artist(models.Model):
    id = models.CharField(max_length=64, primary_key=True)
    name = models.TextField()
    #: ``syncify.text.folded`` of the name.
    search = models.TextField(blank=True, db_default="")
    #: The id at MusicBrainz; "" if unknown.
    mbid = models.CharField(max_length=36, blank=True, db_default="")
    #: When genres were last looked up; null for never.
    genres_checked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "artists"
        indexes = [models.Index(fields=["search"], name="artists_search")]

    def __str__(self) -> str:
        return self.name


class Album(models.Model):
    id = models.CharField(max_length=64, primary_key=True)
    name = models.TextField(blank=True)
    #: Spotify's value: album, single, compilation.
    album_type = models.CharField(max_length=20, blank=True, db_default="")
    #: The address of a picture about 300 pixels wide; "" if there is none.
    cover_url = models.CharField(max_length=300, blank=True, db_default="")

    class Meta:
        db_table = "albums"

    def __str__(self) -> str:
        return self.name


class Track(models.Model):
    """A song as Spotify last described it; shared by all listeners."""

    id = models.CharField(max_length=64, primary_key=True)
    name = models.TextField()
    artists = ArrayField(models.TextField())
    album_name = models.TextField(blank=True, db_column="album")
    #: Null until the first read after the upgrade. The album's row may be missing.
    album = models.ForeignKey(
        Album, models.DO_NOTHING, null=True, db_column="album_id", db_constraint=False
    )
    duration_ms = models.PositiveIntegerField(default=0)
    explicit = models.BooleanField(default=False)
    isrc = models.CharField(max_length=32, blank=True)
    #: Spotify's value: a year, a month or a day.
    release_date = models.CharField(max_length=10, blank=True)
    #: The first possible day of ``release_date``; null if unknown.
    released = models.DateField(null=True)
    disc_number = models.SmallIntegerField(db_default=0)
    track_number = models.SmallIntegerField(db_default=0)
    #: ``syncify.text.folded`` of title, artists and album, one line for each.
    search = models.TextField(blank=True, db_default="")

    class Meta:
        db_table = "tracks"

    def __str__(self) -> str:
        return f"{self.name} – {', '.join(self.artists)}"


class TrackArtist(models.Model):
    """The artists of a track, in Spotify's order."""

    id = models.BigAutoField(primary_key=True)
    track = models.ForeignKey(
        Track, models.DB_CASCADE, related_name="track_artists", db_index=False
    )
    artist = models.ForeignKey(Artist, models.DB_CASCADE, related_name="track_artists")
    position = models.SmallIntegerField()

    class Meta:
        db_table = "track_artists"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["track", "position"], name="track_artists_position")
        ]

    def __str__(self) -> str:
        return f"{self.track_id} by {self.artist_id}"


class SavedTrack(models.Model):
    """One like; the row stays as history. A song that is liked again gets another row."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="saved_tracks", db_index=False
    )
    track = models.ForeignKey(Track, models.DO_NOTHING, db_index=False)
    added_at = models.DateTimeField()
    #: The order of likes with the same ``added_at``; the lowest is first.
    rank = models.IntegerField(default=0)
    removed_at = models.DateTimeField(null=True)
    #: The requests that found the like, and its end.
    added_in = models.ForeignKey(
        SyncRequest, models.DB_SET_NULL, null=True, related_name="likes_added", db_index=False
    )
    removed_in = models.ForeignKey(
        SyncRequest, models.DB_SET_NULL, null=True, related_name="likes_removed", db_index=False
    )

    class Meta:
        db_table = "saved_tracks"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "track"],
                condition=Q(removed_at__isnull=True),
                name="saved_tracks_one_like_at_a_time",
            )
        ]
        indexes = [
            models.Index(fields=["user", "-added_at", "rank"], name="saved_tracks_order"),
            # The first songs of a sync, in the order that shows them: a first copy has thousands.
            models.Index(fields=["added_in", "-added_at", "rank"], name="saved_tracks_added"),
            models.Index(
                fields=["removed_in", "-added_at", "rank"],
                condition=Q(removed_in__isnull=False),
                name="saved_tracks_removed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} likes {self.track_id}"


class StoredPage(models.Model):
    """A page of an unfinished read of the Liked Songs, so that the read can continue."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="stored_pages", db_index=False
    )
    offset = models.PositiveIntegerField()
    total = models.PositiveIntegerField()
    #: {"likes": [[track id, added_at in ISO 8601 or null, name], …], "has_next"}
    items = models.JSONField()
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "read_pages"
        constraints = [models.UniqueConstraint(fields=["user", "offset"], name="read_pages_offset")]

    def __str__(self) -> str:
        return f"{self.user_id} from {self.offset}"


class Play(models.Model):
    """A listener's plays of a song: number and last time. No other listening history is stored."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="plays", db_index=False
    )
    track = models.ForeignKey(Track, models.DB_CASCADE)
    plays = models.IntegerField()
    last_played = models.DateTimeField()

    class Meta:
        db_table = "plays"
        constraints = [
            models.UniqueConstraint(fields=["user", "track"], name="plays_one_row_a_song"),
            models.CheckConstraint(condition=Q(plays__gte=1), name="plays_at_least_one"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} played {self.track_id}"


class ArtistGenre(models.Model):
    """A genre of an artist: from MusicBrainz for all listeners, or set by one listener."""

    id = models.BigAutoField(primary_key=True)
    artist = models.ForeignKey(Artist, models.DB_CASCADE, related_name="genres", db_index=False)
    genre = models.CharField(max_length=100)
    #: The listener who set it for themselves; null: from MusicBrainz.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, null=True, related_name="artist_genres"
    )

    class Meta:
        db_table = "artist_genres"
        constraints = [
            models.UniqueConstraint(
                fields=["artist", "genre", "user"], nulls_distinct=False, name="artist_genres_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.artist_id}: {self.genre}"
