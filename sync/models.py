"""Mirrors, the likes they show, and the requests to bring them up to date."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now

from sync.queue import SyncRequestManager
from syncify.text import plain


class SyncRequest(models.Model):
    """One wish to bring a listener's playlist up to date; a row of the job queue.

    Only ``sync/queue.py`` changes ``state`` and what goes with it.
    """

    class Trigger(models.TextChoices):
        MANUAL = "manual"  #: somebody pressed the button.
        SCHEDULED = "scheduled"  #: the listener's interval had passed.
        FIRST = "first"  #: the listener had just signed in.

    class State(models.TextChoices):
        QUEUED = "queued"  #: waits for a worker, not before ``run_at``.
        RUNNING = "running"  #: a worker holds the lease.
        SUCCEEDED = "succeeded"  #: the playlist was brought up to date.
        DEAD = "dead"  #: given up; kept for a person to look at and retry.
        CANCELLED = "cancelled"  #: a person stopped it.

    class Stage(models.TextChoices):
        READING = "reading"  #: reads the Liked Songs.
        COMPARING = "comparing"  #: looks at the playlist and plans.
        WRITING = "writing"  #: changes the playlist.

    # Counts are plain integers: each check of the table costs every statement of the queue.
    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="sync_requests", db_index=False
    )
    trigger = models.CharField(max_length=10, choices=Trigger)
    #: Higher goes first: manual and first before scheduled.
    priority = models.SmallIntegerField(db_default=0)
    state = models.CharField(max_length=10, choices=State, db_default=State.QUEUED)
    #: What the running attempt is doing; blank when none runs.
    stage = models.CharField(max_length=10, choices=Stage, blank=True, db_default="")
    #: Liked Songs that the running, or the last, attempt has seen.
    song_count = models.IntegerField(db_default=0)
    #: How much of the work is done, 0 to 1.
    progress = models.FloatField(db_default=0)
    #: The number of the claim; it only grows, so it is the fence against late writers.
    attempt = models.IntegerField(db_default=0)
    #: Attempts that ended in an error; they drive the backoff.
    failures = models.SmallIntegerField(db_default=0)
    #: Leases that ran out.
    rescues = models.SmallIntegerField(db_default=0)
    #: Not to be claimed before.
    run_at = models.DateTimeField(db_default=Now())
    #: The worker that holds the lease; blank when none does.
    leased_by = models.CharField(max_length=255, blank=True, db_default="")
    #: When the lease runs out, unless a heartbeat extends it.
    leased_until = models.DateTimeField(null=True)
    #: A person wants the running attempt to stop at its next safe point.
    cancel_asked_at = models.DateTimeField(null=True)
    created = models.DateTimeField(db_default=Now())
    #: When the latest attempt was claimed.
    started = models.DateTimeField(null=True)
    #: When the request reached its final state: this is what makes it happen once.
    completed = models.DateTimeField(null=True)
    #: Why the latest attempt failed or waits, or the request died: a code of ``sync/backoff.py``.
    error_code = models.CharField(max_length=40, blank=True, db_default="")
    #: The same as a sentence for people.
    error_message = models.TextField(blank=True, db_default="")
    #: One entry per failed attempt: {"attempt", "at", "code", "message"}; never a secret.
    errors = models.JSONField(db_default=Value([], models.JSONField()))
    #: Songs that came, went, changed places in the playlist, and that Spotify refused.
    added = models.IntegerField(db_default=0)
    removed = models.IntegerField(db_default=0)
    moved = models.IntegerField(db_default=0)
    skipped = models.IntegerField(db_default=0)
    #: What else the history should say, as a sentence.
    note = models.TextField(blank=True, db_default="")
    #: Calls to Spotify's API, summed over all attempts.
    api_requests = models.IntegerField(db_default=0)

    objects: ClassVar[SyncRequestManager] = SyncRequestManager()

    class Meta:
        db_table = "sync_requests"
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(completed__isnull=True),
                name="sync_requests_one_open_per_user",
            ),
            models.CheckConstraint(
                condition=Q(progress__gte=0) & Q(progress__lte=1),
                name="sync_requests_progress_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(state="running", leased_until__isnull=False) & ~Q(leased_by="")
                | ~Q(state="running") & Q(leased_until__isnull=True, leased_by="", stage=""),
                name="sync_requests_running_means_leased",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], completed__isnull=True)
                | Q(state__in=["succeeded", "dead", "cancelled"], completed__isnull=False),
                name="sync_requests_completed_means_final",
            ),
        ]
        indexes = [
            # The claim, with its whole ORDER BY: otherwise a backlog is sorted at each claim.
            models.Index(
                F("priority").desc(),
                "run_at",
                "id",
                condition=Q(state="queued"),
                name="sync_requests_claim",
            ),
            # The rescue. Not on leased_until: heartbeats must touch no indexed column.
            models.Index(fields=["id"], condition=Q(state="running"), name="sync_requests_running"),
            models.Index(
                fields=["completed"],
                condition=Q(completed__isnull=False),
                name="sync_requests_completed",
            ),
            models.Index(F("user"), F("id").desc(), name="sync_requests_history"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.state}"

    @property
    def is_open(self) -> bool:
        return self.completed is None

    @property
    def is_cancelling(self) -> bool:
        return self.is_open and self.cancel_asked_at is not None


class Mirror(models.Model):
    """A listener's rule "my Liked Songs, as this playlist"."""

    class State(models.TextChoices):
        ACTIVE = "active"  #: syncs run.
        PAUSED = "paused"  #: the listener wants a rest.
        REMOVED = "removed"  #: the playlist left their library; a manual sync brings it back.

    class Interval(models.TextChoices):
        HOURLY = "hourly", "every hour"
        SIX_HOURS = "6h", "every six hours"
        DAILY = "daily", "every day"
        WEEKLY = "weekly", "every week"
        OFF = "off", "only when I ask"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="mirror"
    )
    #: What the listener wants the playlist to be called; volumes add their number.
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    #: A wish that Spotify may ignore: whether the playlist shows on the profile.
    public = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    interval = models.CharField(max_length=10, choices=Interval, default=Interval.DAILY)
    #: When the next scheduled sync is due; null for never.
    next_due = models.DateTimeField(null=True)
    #: When the Liked Songs were last read from end to end.
    full_read_at = models.DateTimeField(null=True)
    #: A mass removal was seen, and waits for a full read at or after this time that agrees.
    confirm_after = models.DateTimeField(null=True)
    #: How many songs were left then.
    confirm_total = models.PositiveIntegerField(null=True)
    #: Before the consent ends, the playlist's description asks for a new sign-in.
    remind_in_spotify = models.BooleanField(db_default=True)
    #: When what the playlist says of itself was last changed here.
    details_changed_at = models.DateTimeField(db_default=Now())
    #: The listener comes from Syncify 2, whose playlists the first sync takes over.
    adopts_syncify2 = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "mirrors"
        indexes = [
            models.Index(
                fields=["next_due"], condition=Q(next_due__isnull=False), name="mirrors_due"
            )
        ]

    def __str__(self) -> str:
        return plain(self.name)


class MirrorVolume(models.Model):
    """One playlist of a mirror. A playlist takes 10,000 songs, so a mirror may need several."""

    mirror = models.ForeignKey(Mirror, models.DB_CASCADE, related_name="volumes", db_index=False)
    #: 1, 2, …, in the order of the songs.
    number = models.PositiveSmallIntegerField()
    #: The playlist's id at Spotify. Null from before it is created until the answer is stored, so
    #: that a creation whose outcome is unknown is looked for instead of repeated.
    spotify_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    #: Spotify's version of the playlist after we last wrote or read it; blank: unknown.
    snapshot_id = models.CharField(max_length=255, blank=True)
    #: What it held then: uris in order, null for a row without one.
    items = ArrayField(models.TextField(null=True), default=list)
    #: False while a write is under way, or its outcome is unknown: ``items`` must be read anew.
    items_known = models.BooleanField(default=True)
    #: When the playlist was last looked at.
    checked_at = models.DateTimeField(null=True)
    details_written_at = models.DateTimeField(null=True)
    #: Whether the description as we last sent it asks for a new sign-in.
    reminds = models.BooleanField(db_default=False)
    #: The name as we last wrote or read it; another one at Spotify was given there. Without a
    #: ``spotify_id``: the one under which a playlist may have been created.
    written_name = models.CharField(max_length=255, blank=True)
    #: What Spotify last said of ``public``; null when it did not say.
    seen_public = models.BooleanField(null=True)

    class Meta:
        db_table = "mirror_volumes"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["mirror", "number"], name="mirror_volumes_number"),
            models.UniqueConstraint(fields=["spotify_id"], name="mirror_volumes_playlist"),
        ]

    def __str__(self) -> str:
        return f"{self.mirror_id} volume {self.number}"

    @property
    def url(self) -> str:
        """The playlist's page in Spotify: the link to share."""
        return f"{settings.SPOTIFY_OPEN_URL}/playlist/{self.spotify_id}"


class Track(models.Model):
    """A song, as Spotify last described it; shared by all who like it."""

    id = models.CharField(max_length=64, primary_key=True)
    name = models.TextField()
    artists = ArrayField(models.TextField())
    album = models.TextField(blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    explicit = models.BooleanField(default=False)
    isrc = models.CharField(max_length=32, blank=True)
    #: As Spotify writes it: a year, a month or a day.
    release_date = models.CharField(max_length=10, blank=True)

    class Meta:
        db_table = "tracks"

    def __str__(self) -> str:
        return f"{self.name} – {', '.join(self.artists)}"


class SavedTrack(models.Model):
    """One like, while it lasts and as history after. A song liked again is a further row."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="saved_tracks", db_index=False
    )
    track = models.ForeignKey(Track, models.DO_NOTHING, db_index=False)
    added_at = models.DateTimeField()
    #: Order among likes of one ``added_at``; the lowest is on top.
    rank = models.IntegerField(default=0)
    removed_at = models.DateTimeField(null=True)
    #: The requests that saw it come and go.
    added_in = models.ForeignKey(
        SyncRequest, models.DB_SET_NULL, null=True, related_name="likes_added"
    )
    removed_in = models.ForeignKey(
        SyncRequest, models.DB_SET_NULL, null=True, related_name="likes_removed"
    )
    #: Spotify would not take it into a playlist; tried again some days later. The reason stays.
    refused_at = models.DateTimeField(null=True)
    refused_reason = models.TextField(blank=True)
    #: Syncs running in which a song that we had put there was not in the playlist.
    times_missing = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "saved_tracks"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "track"],
                condition=Q(removed_at__isnull=True),
                name="saved_tracks_one_like_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["user", "-added_at", "rank"], name="saved_tracks_order")]

    def __str__(self) -> str:
        return f"{self.user_id} likes {self.track_id}"


class ReadPage(models.Model):
    """A page of an unfinished read of the Liked Songs, so that a stopped read goes on."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="read_pages", db_index=False
    )
    offset = models.PositiveIntegerField()
    total = models.PositiveIntegerField()
    #: [[track id, added_at in ISO 8601], …]
    items = models.JSONField()
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "read_pages"
        constraints = [models.UniqueConstraint(fields=["user", "offset"], name="read_pages_offset")]

    def __str__(self) -> str:
        return f"{self.user_id} from {self.offset}"


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
