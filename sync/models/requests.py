"""The rows of the job queue, and the result of each sync for each mirror."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now


class SyncRequest(models.Model):
    """A request of a listener or the scheduler; a row of the job queue.

    Only ``sync/queue/store.py`` changes ``state`` and related columns.
    """

    class Kind(models.TextChoices):
        SPOTIFY = "spotify"  #: reads the Liked Songs and updates all mirrors.
        GENRES = "genres"  #: looks up genres of artists.
        IMPORT = "import"  #: reads an uploaded listening history.
        SUBSONIC = "subsonic"  #: brings playlists at a music server up to date.
        LISTENBRAINZ = "listenbrainz"  #: brings ListenBrainz up to date.

    class Trigger(models.TextChoices):
        MANUAL = "manual"  #: the listener pressed the button.
        SCHEDULED = "scheduled"  #: the listener's interval had passed.
        FIRST = "first"  #: the listener had just signed in.

    class State(models.TextChoices):
        QUEUED = "queued"  #: waits for a worker, not before ``run_at``.
        RUNNING = "running"  #: a worker holds the lease.
        SUCCEEDED = "succeeded"  #: the work is done.
        DEAD = "dead"  #: given up; kept for a person to look at and retry.
        CANCELLED = "cancelled"  #: a person stopped it.

    class Stage(models.TextChoices):
        READING = "reading"  #: reads the Liked Songs.
        COMPARING = "comparing"  #: reads the playlist and plans.
        WRITING = "writing"  #: changes the playlist.

    # Counts have no check constraints: each one slows every statement of the queue.
    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="sync_requests", db_index=False
    )
    kind = models.CharField(max_length=20, choices=Kind, db_default=Kind.SPOTIFY)
    trigger = models.CharField(max_length=10, choices=Trigger)
    #: The trigger of a sync that was requested during the run; it runs afterwards.
    again = models.CharField(max_length=10, choices=Trigger, blank=True, db_default="")
    #: Higher goes first: manual and first before scheduled.
    priority = models.SmallIntegerField(db_default=0)
    state = models.CharField(max_length=10, choices=State, db_default=State.QUEUED)
    #: The step of the running attempt; blank otherwise.
    stage = models.CharField(max_length=10, choices=Stage, blank=True, db_default="")
    #: Liked Songs that the running, or the last, attempt has seen.
    song_count = models.IntegerField(db_default=0)
    #: The number of Liked Songs, as Spotify says; null until its first page is read.
    song_total = models.IntegerField(null=True)
    #: The share of the work that is done, 0 to 1.
    progress = models.FloatField(db_default=0)
    #: The number of the claim. It only grows, so it fences off earlier attempts.
    attempt = models.IntegerField(db_default=0)
    #: Attempts that ended in an error; they drive the backoff.
    failures = models.SmallIntegerField(db_default=0)
    #: Leases that expired.
    rescues = models.SmallIntegerField(db_default=0)
    #: The earliest time of the next claim.
    run_at = models.DateTimeField(db_default=Now())
    #: The worker that holds the lease; blank when none does.
    leased_by = models.CharField(max_length=255, blank=True, db_default="")
    #: When the lease expires unless a heartbeat extends it.
    leased_until = models.DateTimeField(null=True)
    #: When a person asked the running attempt to stop at its next safe point.
    cancel_asked_at = models.DateTimeField(null=True)
    created = models.DateTimeField(db_default=Now())
    #: When the latest attempt was claimed.
    started = models.DateTimeField(null=True)
    #: When the request reached its final state; it happens once.
    completed = models.DateTimeField(null=True)
    #: Why the latest attempt failed or waits, or the request died: a code of
    #: ``sync/queue/backoff.py``.
    error_code = models.CharField(max_length=40, blank=True, db_default="")
    #: The same as a sentence for people.
    error_message = models.TextField(blank=True, db_default="")
    #: One entry per failed attempt: {"attempt", "at", "code", "message"}; never a secret.
    errors = models.JSONField(db_default=Value([], models.JSONField()))
    #: Songs added, removed, moved, and refused by Spotify.
    added = models.IntegerField(db_default=0)
    removed = models.IntegerField(db_default=0)
    moved = models.IntegerField(db_default=0)
    skipped = models.IntegerField(db_default=0)
    #: Further text for the history.
    note = models.TextField(blank=True, db_default="")
    #: Calls to Spotify's API, summed over all attempts.
    api_requests = models.IntegerField(db_default=0)

    class Meta:
        db_table = "sync_requests"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind"],
                condition=Q(completed__isnull=True),
                name="sync_requests_one_open_per_kind",
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
            # The operator's list of dead letters, and the alerts of the recent ones.
            models.Index(
                F("completed").desc(), condition=Q(state="dead"), name="sync_requests_dead"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.state}"

    @property
    def is_open(self) -> bool:
        return self.completed is None

    @property
    def is_cancelling(self) -> bool:
        return self.is_open and self.cancel_asked_at is not None


class SyncResult(models.Model):
    """The result of one sync for one mirror; the request has the sums."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"  #: ``error_code`` says why; the other mirrors were still updated.

    id = models.BigAutoField(primary_key=True)
    request = models.ForeignKey(
        SyncRequest, models.DB_CASCADE, related_name="results", db_index=False
    )
    mirror = models.ForeignKey("sync.Mirror", models.DB_CASCADE, related_name="results")
    state = models.CharField(max_length=10, choices=State, db_default=State.RUNNING)
    added = models.IntegerField(db_default=0)
    removed = models.IntegerField(db_default=0)
    moved = models.IntegerField(db_default=0)
    skipped = models.IntegerField(db_default=0)
    note = models.TextField(blank=True, db_default="")
    error_code = models.CharField(max_length=40, blank=True, db_default="")
    error_message = models.TextField(blank=True, db_default="")

    class Meta:
        db_table = "sync_results"
        constraints = [
            models.UniqueConstraint(fields=["request", "mirror"], name="sync_results_once")
        ]

    def __str__(self) -> str:
        return f"{self.request_id} for {self.mirror_id}: {self.state}"
