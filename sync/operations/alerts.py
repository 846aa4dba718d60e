"""Incidents: problems with one alert each to the operator, tried until it is delivered."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django.conf import settings
from django.db import connection
from django.db.models import CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat, Now
from django.utils import timezone

from accounts.connections import moved_lately_q, near_q, stage_of_near
from accounts.consent import Consent, ConsentStage
from accounts.models import SpotifyConnection, User
from accounts.spotify_apps import all_apps
from sync.models import Incident, Mirror, SyncRequest
from sync.operations import backups
from sync.operations.blocks import block_in_words
from sync.queue.backoff import LISTENERS_OWN
from sync.queue.processes import WORKER, alive
from sync.queue.sweeps import EVER, Sweeps
from syncify.spotify.quota import blocks
from syncify.text import counted

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Key(TypedDict):
        key: str

    KeyedConnection = WithAnnotations[SpotifyConnection, _Key]

logger = logging.getLogger(__name__)

#: Without a live worker for this long, while requests wait, there is an incident.
MISSING_AFTER = timedelta(minutes=5)
#: A dead letter is a problem until its listener's next success, or for this long: more than a day,
#: so that daily syncs that fail every time make one incident.
DEAD_LETTER_AGE = timedelta(days=2)
#: A block counts as over this long after its end: the first call may renew it.
BLOCK_GRACE = timedelta(minutes=15)
#: The wait before an alert that was not delivered is tried again: doubled each time.
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
#: For this long after the end of an incident, its undelivered alert is still sent.
TOLD_AFTERWARDS = timedelta(days=1)

# Listeners that are being deleted get no incident.
_OPEN = """
INSERT INTO incidents (key, message, user_id, alert_due)
SELECT key, message, user_id, statement_timestamp()
  FROM unnest(%(keys)s::text[], %(messages)s::text[], %(users)s::bigint[])
       AS troubles (key, message, user_id)
 WHERE user_id IS NULL OR EXISTS (SELECT FROM users WHERE id = user_id FOR KEY SHARE)
    ON CONFLICT (key) WHERE closed IS NULL DO NOTHING
RETURNING key, message"""
_LOST = (
    "No key of SYNCIFY_TOKEN_KEYS decrypts the tokens of {}. Find the key and run "
    "rotate_token_keys, or ask them to sign in again."
)


@dataclass(frozen=True, slots=True)
class OpenProblem:
    key: str
    message: str
    #: The listener that the message names.
    user: User | None = None


class Watch:
    """``check_incidents`` for each turn of a scheduler: the consents of all listeners once a day.

    In between, it checks listeners who signed in, reached a stage or lost their token; listeners
    who paused or resumed are checked within the day.
    """

    def __init__(self) -> None:
        self._sweeps = Sweeps()

    def __call__(self) -> None:
        with self._sweeps.turn() as lately:
            check_incidents(lately=lately)


def check_incidents(*, lately: timedelta = EVER) -> None:
    """Open an incident for each new trouble, close those that are over, and send what is due.

    The number of statements does not grow with the listeners, except for new and closed
    incidents. With ``lately``, it checks only the consents that changed within this time.
    """
    now = timezone.now()
    troubles = list(_troubles())
    lasting, open_ones = _consents_in_trouble(now), Incident.objects.filter(closed=None)
    of_consents = open_ones.filter(user__isnull=False)
    fresh = lasting
    if lately < EVER:
        moved = SpotifyConnection.objects.filter(moved_lately_q(now, lately))
        of_consents = of_consents.filter(user__in=moved.values("user"))
        fresh = lasting.filter(moved_lately_q(now, lately))
    keys = [trouble.key for trouble in troubles]
    _close(open_ones.filter(user=None).exclude(key__in=keys))
    still = lasting.filter(user=OuterRef("user"), key=OuterRef("key"))
    _close(of_consents.exclude(Exists(still)))
    is_told = open_ones.filter(user=OuterRef("user"), key=OuterRef("key"))
    consents = list(_told_of(fresh.filter(~Exists(is_told)), now))
    if consents:
        # A stage has one alert for each consent, even if its listener paused in between.
        Incident.objects.filter(
            user__in=[trouble.user for trouble in consents],
            key__in=[trouble.key for trouble in consents],
            opened__gt=F("user__connection__authorized_at"),
        ).update(closed=None)
    _open([*troubles, *consents])
    deliver_alerts()


def _close(over: QuerySet[Incident]) -> None:
    ended = dict(over.values_list("pk", "key"))
    if ended:
        Incident.objects.filter(pk__in=ended, closed=None).update(closed=Now())
    for key in ended.values():
        logger.info("incident closed key=%s", key)


def _open(troubles: Sequence[OpenProblem]) -> None:
    """Open an incident for each trouble without one; only one of several schedulers logs it."""
    if not troubles:
        return
    rows: dict[str, Any] = {
        "keys": [trouble.key for trouble in troubles],
        "messages": [trouble.message for trouble in troubles],
        "users": [trouble.user.pk if trouble.user else None for trouble in troubles],
    }
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, rows)
        opened = cursor.fetchall()
    for key, message in opened:
        # A listener's name may hold anything, such as the end of a line.
        logger.error("incident key=%s message=%r", key, message)


def undelivered() -> int:
    """The number of alerts that were tried and have not reached all addresses."""
    return _owed().filter(alert_tries__gt=0).count()


def _owed() -> QuerySet[Incident]:
    is_told = Q(closed=None) | Q(closed__gt=Now() - TOLD_AFTERWARDS)
    return Incident.objects.filter(is_told, alert_due__isnull=False)


def _troubles() -> Iterator[OpenProblem]:
    """The present problems, other than consents."""
    later = SyncRequest.objects.filter(
        user=OuterRef("user"),
        kind=OuterRef("kind"),
        pk__gt=OuterRef("pk"),
        state=SyncRequest.State.SUCCEEDED,
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
        people = counted(count, "listener")
        yield OpenProblem(f"dead:{code}", f"Syncs of {people} were given up: {code}.")

    waiting = Q(state=SyncRequest.State.QUEUED, run_at__lt=Now() - MISSING_AFTER) | Q(
        state=SyncRequest.State.RUNNING, leased_until__lt=Now() - MISSING_AFTER
    )
    workers = alive(WORKER)
    if SyncRequest.objects.filter(waiting).exists() and not workers.exists():
        yield OpenProblem("worker", "Syncs are waiting, and no worker is running.")

    if backups.is_late():
        yield OpenProblem(
            "backup", "No backup was made for two days. The scheduler's log says why."
        )

    if running := blocks(since=BLOCK_GRACE):
        labels = {app.credentials.key: app.label for app in all_apps()}
        for block in running:
            yield OpenProblem(block.incident, block_in_words(block, labels))


def _consents_in_trouble(now: datetime) -> "QuerySet[KeyedConnection]":
    """Consents that end soon or have ended, each with the ``key`` of its stage.

    Only listeners whose playlist is active.
    """
    return SpotifyConnection.objects.filter(
        near_q(now),
        user__is_active=True,
        user__mirrors__is_main=True,
        user__mirrors__state=Mirror.State.ACTIVE,
    ).annotate(
        key=Concat(Value("consent:"), Cast("pk", CharField()), Value(":"), stage_of_near(now))
    )


def _told_of(consents: "QuerySet[KeyedConnection]", now: datetime) -> Iterator[OpenProblem]:
    for held in consents.select_related("user").defer("access_token", "refresh_token"):
        lost = held.state_reason == SpotifyConnection.Reason.TOKENS_LOST
        message = (
            _LOST.format(held.user) if lost else _consent_in_words(held.user, held.consent(now))
        )
        yield OpenProblem(held.key, message, held.user)


def _consent_in_words(user: User, consent: Consent) -> str:
    if consent.stage == ConsentStage.ENDED:
        return (
            f"Spotify's permission to act for {user} has ended. Their playlist stays as it is "
            "until they have signed in again."
        )
    days = "a day" if consent.days_left <= 1 else f"{consent.days_left} days"
    return (
        f"Spotify's permission to act for {user} ends within {days}. Ask them to sign in again; "
        "it is one tap, and syncs continue."
    )


# --- Delivery ---------------------------------------------------------------------------------


def deliver_alerts() -> None:
    """Send the alerts that are due, each to the addresses that have not received it.

    Safe in several schedulers at once; an alert is sent twice only if its sender dies in between.
    """
    if not settings.ALERT_URLS:
        return
    silent: set[str] = set()
    for incident in _owed().filter(alert_due__lte=Now()).order_by("opened", "pk"):
        # An address that failed is skipped for the rest of this turn.
        addresses = [
            url
            for url in settings.ALERT_URLS
            if url not in silent and _mark(url) not in incident.alerted
        ]
        if addresses and _claim(incident):
            silent |= _send(incident, addresses)


def _claim(incident: Incident) -> bool:
    """Postpone the next try before this one begins, so that no other scheduler makes it."""
    wait = min(FIRST_WAIT * 2 ** min(incident.alert_tries, 10), LONGEST_WAIT)
    return bool(
        _owed()
        .filter(pk=incident.pk, alert_due=incident.alert_due)
        .update(alert_due=Now() + wait, alert_tries=F("alert_tries") + 1)
    )


def _send(incident: Incident, addresses: list[str]) -> set[str]:
    """Send one alert, store the addresses that accepted it, and return the others."""
    import apprise  # noqa: PLC0415 - it brings a hundred services, for the one who sends an alert

    body = f"{incident.message}\n{settings.BASE_URL}/operator/"
    if incident.closed:
        body = f"{incident.message} (It ended at {incident.closed:%d %b %H:%M} UTC.)"
    failed = set()
    for address in addresses:
        alert = apprise.Apprise()
        # An address that Apprise cannot read counts as failed.
        if not (alert.add(address) and alert.notify(title="Syncify needs you", body=body)):
            failed.add(address)
    taken = [_mark(address) for address in addresses if address not in failed]
    if taken:
        incident.alerted += taken
        incident.alerted_at = timezone.now()
    if all(_mark(address) in incident.alerted for address in settings.ALERT_URLS):
        Incident.objects.filter(pk=incident.pk).update(alert_due=None)
    if taken:
        incident.save(update_fields=["alerted", "alerted_at"])
        logger.info("alert sent key=%s addresses=%d", incident.key, len(taken))
    if failed:
        # Their places in SYNCIFY_ALERT_URLS: the addresses may hold passwords.
        places = [n for n, url in enumerate(settings.ALERT_URLS, 1) if url in failed]
        logger.error("alert not sent key=%s addresses=%s", incident.key, places)
    return failed


def _mark(address: str) -> str:
    """A digest of an address, which may contain a password."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]
