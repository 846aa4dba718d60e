"""Playlists, songs and recordings at connected services."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from sync.models.connections import Connection
from sync.models.library import Track
from sync.models.mirrors import Mirror


class TargetPlaylist(models.Model):
    """A mirror that the listener chose for a connected service, and its playlist there."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(
        Connection, models.DB_CASCADE, related_name="playlists", db_index=False
    )
    mirror = models.ForeignKey(Mirror, models.DB_CASCADE, related_name="target_playlists")
    #: The playlist's id at the service; "" until it exists.
    remote_id = models.CharField(max_length=255, blank=True, db_default="")
    #: The mirror's name when the playlist was last named, and the name that it got.
    asked_name = models.CharField(max_length=100, blank=True, db_default="")
    written_name = models.CharField(max_length=150, blank=True, db_default="")
    #: Why the playlist was not changed although other songs are wanted, and since when.
    doubt = models.CharField(max_length=20, blank=True, db_default="")
    doubt_since = models.DateTimeField(null=True)
    #: Songs in the playlist, and songs of the mirror, after the last run.
    song_count = models.IntegerField(db_default=0)
    wanted_count = models.IntegerField(db_default=0)
    #: The last run's problem with it, as a sentence; "" without one.
    note = models.TextField(blank=True, db_default="")
    checked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "target_playlists"
        constraints = [
            models.UniqueConstraint(fields=["connection", "mirror"], name="target_playlists_once"),
            models.CheckConstraint(
                condition=Q(song_count__gte=0, wanted_count__gte=0),
                name="target_playlists_counts_are_counts",
            ),
            models.CheckConstraint(
                condition=Q(doubt="", doubt_since__isnull=True)
                | ~Q(doubt="") & Q(doubt_since__isnull=False),
                name="target_playlists_doubt_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mirror_id} at {self.connection_id}"


class TargetCatalogue(models.Model):
    """The songs of a music server, so that only albums that changed are read again."""

    connection = models.OneToOneField(
        Connection, models.DB_CASCADE, primary_key=True, related_name="catalogue"
    )
    #: In the format of ``sync/targets/subsonic/catalogue.py``.
    packed = models.BinaryField()
    #: When all albums were last read.
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "target_catalogues"

    def __str__(self) -> str:
        return f"catalogue of {self.connection_id}"


class TrackRecording(models.Model):
    """The MusicBrainz recording of a track, shared by all listeners."""

    track = models.OneToOneField(
        Track, models.DB_CASCADE, primary_key=True, related_name="recording"
    )
    #: "" if ListenBrainz has none.
    mbid = models.CharField(max_length=36, blank=True)
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "track_recordings"

    def __str__(self) -> str:
        return f"{self.track_id} is {self.mbid or 'unknown'}"
