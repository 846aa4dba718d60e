"""Incidents: trouble that the operator is told of, once from its beginning to its end."""

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Now

from sync.backoff import LISTENERS_OWN
from sync.models import Incident, Process, SyncRequest
from sync.processes import WORKER
from syncify.spotify.models import Block

logger = logging.getLogger(__name__)

#: A worker that was not seen for so long, while requests wait, is missing.
MISSING_AFTER = timedelta(minutes=5)
#: A dead letter is trouble until its listener's next success, or for so long: longer than a day,
#: so that somebody whose daily sync fails every time makes one incident.
DEAD_LETTER_AGE = timedelta(days=2)
#: A block counts as over so long after its end: it may come back with the first call.
BLOCK_GRACE = timedelta(minutes=15)

_BLOCKS = {
    Block.Because.QUOTA: "Spotify's quota is spent. Syncs wait, and go on by themselves.",
    Block.Because.CREDENTIALS: "Spotify does not accept the client id or secret. Check "
    "SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET, then restart the worker.",
    Block.Because.PREMIUM: "Spotify wants the owner of the app to have Premium. Renew it, then "
    "restart the worker.",
}


def check_incidents() -> None:
    """Open an incident for each new trouble, with an alert, and close those that are over."""
    troubles = dict(_troubles())
    for incident in Incident.objects.filter(closed=None).exclude(key__in=troubles):
        if Incident.objects.filter(pk=incident.pk, closed=None).update(closed=Now()):
            logger.info("incident over key=%s", incident.key)
    for key, message in troubles.items():
        _, is_new = Incident.objects.get_or_create(
            key=key, closed=None, defaults={"message": message}
        )
        # The row is committed first: two schedulers at once send one alert.
        if is_new:
            _send(key, message)


def _troubles() -> Iterator[tuple[str, str]]:
    """Key and message of all that is wrong at this moment."""
    later = SyncRequest.objects.filter(
        user=OuterRef("user"), pk__gt=OuterRef("pk"), state=SyncRequest.State.SUCCEEDED
    )
    dead = (
        SyncRequest.objects.filter(
            ~Exists(later), state=SyncRequest.State.DEAD, completed__gt=Now() - DEAD_LETTER_AGE
        )
        .exclude(error_code__in=LISTENERS_OWN)
        .values_list("error_code")
        .annotate(count=Count("user", distinct=True))
    )
    for code, count in dead.order_by("error_code"):
        people = "one listener" if count == 1 else f"{count} listeners"
        yield f"dead:{code}", f"Syncs of {people} were given up: {code}."

    waiting = Q(state=SyncRequest.State.QUEUED, run_at__lt=Now() - MISSING_AFTER) | Q(
        state=SyncRequest.State.RUNNING, leased_until__lt=Now() - MISSING_AFTER
    )
    workers = Process.objects.filter(kind=WORKER, last_seen__gt=Now() - MISSING_AFTER)
    if SyncRequest.objects.filter(waiting).exists() and not workers.exists():
        yield "worker", "Syncs are waiting, and no worker is running."

    for block in Block.objects.filter(until__gt=Now() - BLOCK_GRACE):
        yield f"block:{block.because}", _BLOCKS[Block.Because(block.because)]


def _send(key: str, message: str) -> None:
    logger.error("incident key=%s message=%s", key, message)
    if not settings.ALERT_URLS:
        return
    import apprise  # noqa: PLC0415 - it brings a hundred services, for the one who sends an alert

    alert = apprise.Apprise()
    alert.add(settings.ALERT_URLS)
    body = f"{message}\n{settings.BASE_URL}/operator/"
    if not alert.notify(title="Syncify needs you", body=body):
        logger.error("alert not sent key=%s", key)
