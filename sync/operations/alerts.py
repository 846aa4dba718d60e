"""Incidents: trouble that the operator is told of, once from its beginning to its end."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.consent import NEAR, Consent, Stage
from accounts.models import CONSENT_LIFE, SpotifyConnection, User
from sync.models import Incident, Mirror, Process, SyncRequest
from sync.queue.backoff import LISTENERS_OWN
from sync.queue.processes import WORKER
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
_LOST = (
    "No key of SYNCIFY_TOKEN_KEYS decrypts the tokens of {}. Find the key and run "
    "rotate_token_keys, or ask them to sign in again."
)


@dataclass(frozen=True, slots=True)
class Trouble:
    key: str
    message: str
    #: Whom the message names.
    user: User | None = None


def check_incidents() -> None:
    """Open an incident for each new trouble, with an alert, and close those that are over."""
    consents = list(_consents())
    troubles = [*_troubles(), *consents]
    # A stage is told once for each consent, though its listener may have rested in between.
    Incident.objects.filter(
        key__in=[trouble.key for trouble in consents],
        opened__gt=F("user__connection__authorized_at"),
    ).update(closed=None)
    keys = [trouble.key for trouble in troubles]
    for incident in Incident.objects.filter(closed=None).exclude(key__in=keys):
        if Incident.objects.filter(pk=incident.pk, closed=None).update(closed=Now()):
            logger.info("incident over key=%s", incident.key)
    for trouble in troubles:
        _, is_new = Incident.objects.get_or_create(
            key=trouble.key,
            closed=None,
            defaults={"message": trouble.message, "user": trouble.user},
        )
        # The row is committed first: two schedulers at once send one alert.
        if is_new:
            _send(trouble)


def _troubles() -> Iterator[Trouble]:
    """All that is wrong at this moment."""
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
        yield Trouble(f"dead:{code}", f"Syncs of {people} were given up: {code}.")

    waiting = Q(state=SyncRequest.State.QUEUED, run_at__lt=Now() - MISSING_AFTER) | Q(
        state=SyncRequest.State.RUNNING, leased_until__lt=Now() - MISSING_AFTER
    )
    workers = Process.objects.filter(kind=WORKER, last_seen__gt=Now() - MISSING_AFTER)
    if SyncRequest.objects.filter(waiting).exists() and not workers.exists():
        yield Trouble("worker", "Syncs are waiting, and no worker is running.")

    for block in Block.objects.filter(until__gt=Now() - BLOCK_GRACE):
        yield Trouble(f"block:{block.because}", _BLOCKS[Block.Because(block.because)])


def _consents() -> Iterator[Trouble]:
    """Consents that end soon or have ended, each at the stage that it has reached.

    Only of those whose playlist would otherwise be kept up to date.
    """
    now = timezone.now()
    near = SpotifyConnection.objects.filter(
        Q(authorized_at__lte=now + NEAR - CONSENT_LIFE)
        | Q(state=SpotifyConnection.State.SIGN_IN_NEEDED),
        user__is_active=True,
        user__mirrors__is_main=True,
        user__mirrors__state=Mirror.State.ACTIVE,
    )
    for held in near.select_related("user").defer("access_token", "refresh_token"):
        consent = held.consent(now)
        lost = held.state_reason == SpotifyConnection.Reason.TOKENS_LOST
        message = _LOST.format(held.user) if lost else _consent_in_words(held.user, consent)
        yield Trouble(f"consent:{held.pk}:{consent.stage}", message, held.user)


def _consent_in_words(user: User, consent: Consent) -> str:
    if consent.stage == Stage.ENDED:
        return (
            f"Spotify's permission to act for {user} has ended. Their playlist stays as it is "
            "until they have signed in again."
        )
    days = "a day" if consent.days_left <= 1 else f"{consent.days_left} days"
    return (
        f"Spotify's permission to act for {user} ends within {days}. Ask them to sign in again, "
        "which is one tap; then nothing stops."
    )


def _send(trouble: Trouble) -> None:
    # A listener's name may hold anything, such as the end of a line.
    logger.error("incident key=%s message=%r", trouble.key, trouble.message)
    if not settings.ALERT_URLS:
        return
    import apprise  # noqa: PLC0415 - it brings a hundred services, for the one who sends an alert

    alert = apprise.Apprise()
    alert.add(settings.ALERT_URLS)
    body = f"{trouble.message}\n{settings.BASE_URL}/operator/"
    if not alert.notify(title="Syncify needs you", body=body):
        logger.error("alert not sent key=%s", trouble.key)
