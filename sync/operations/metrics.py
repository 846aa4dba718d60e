"""Metrics for Prometheus, from the database, so that any web process gives the same answer.

All are gauges, the sums too: rows are pruned, so that what is counted over them may fall.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from accounts.consent import NEAR
from accounts.models import CONSENT_LIFE, SpotifyConnection
from accounts.spotify_apps import all_apps
from sync.models import Incident, SyncRequest
from sync.operations import backups
from sync.queue import processes
from sync.queue.counts import open_requests
from sync.queue.processes import SCHEDULER, WORKER
from syncify.spotify.quota import blocks, calls_by_hour

DAY = timedelta(days=1)

State = SyncRequest.State
Connection = SpotifyConnection.State


def exposition(accept: str) -> tuple[bytes, str]:
    """The metrics in the format that ``accept`` prefers, and its content type."""
    registry = CollectorRegistry()
    registry.register(_Installation())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Installation(Collector):
    """A few statements, and one for each developer account, however many the listeners are."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from _queue()
        yield from _finished()
        yield from _quota()
        yield from _listeners()
        alive = processes.alive(WORKER, SCHEDULER).values_list("kind")
        yield _gauges(
            "processes",
            "Workers and schedulers that were seen lately.",
            "kind",
            {WORKER: 0, SCHEDULER: 0} | dict(alive.annotate(Count("pk"))),
        )
        if made := backups.latest_backup():
            yield _gauge(
                "backup_age_seconds",
                "Age of the latest backup of the day; absent while there is none.",
                (timezone.now() - made).total_seconds(),
            )
        yield _gauge(
            "incidents_open",
            "Open incidents.",
            Incident.objects.filter(closed=None).count(),
        )


def _queue() -> Iterator[GaugeMetricFamily]:
    queue = open_requests()
    yield _gauges(
        "queue_requests",
        "Syncs that are ready for a worker, wait for a later time, or run.",
        "state",
        {"ready": queue.ready, "waiting": queue.waiting, "running": queue.running},
    )
    wait = (timezone.now() - queue.oldest).total_seconds() if queue.oldest else 0
    yield _gauge("queue_oldest_wait_seconds", "How long the oldest ready sync has waited.", wait)


def _finished() -> Iterator[GaugeMetricFamily]:
    rows = (
        SyncRequest.objects.filter(completed__gt=Now() - DAY)
        .values_list("state", "error_code")
        .annotate(count=Count("pk"), took=Sum(F("completed") - F("started")))
    )
    finals = [State.SUCCEEDED.value, State.DEAD.value, State.CANCELLED.value]
    counts, seconds = dict.fromkeys(finals, 0), dict.fromkeys(finals, 0.0)
    causes: dict[str, int] = {}
    for state, code, count, took in rows:
        counts[state] += count
        seconds[state] += took.total_seconds() if took else 0
        if state == State.DEAD:
            causes[code] = count
    yield _gauges("syncs_last_day", "Syncs that ended in the last 24 hours.", "result", counts)
    yield _gauges(
        "sync_seconds_last_day",
        "Seconds that the last attempts of these took, in all.",
        "result",
        seconds,
    )
    yield _gauges(
        "failures_last_day", "Syncs given up in the last 24 hours, by cause.", "cause", causes
    )


def _quota() -> Iterator[GaugeMetricFamily]:
    """Those of the first developer account have no label, as if there were no other."""
    this_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    developers = dict.fromkeys(["", *(app.developer for app in all_apps())])
    hours = {developer: dict(calls_by_hour(developer)) for developer in developers}
    spent = {developer: sum(calls.values()) for developer, calls in hours.items()}
    yield _labelled(
        "api_calls_this_hour",
        "Calls to Spotify's API since the full hour.",
        "developer",
        {developer: calls.get(this_hour, 0) for developer, calls in hours.items()},
    )
    yield _labelled(
        "api_calls_last_day", "Calls to Spotify's API in the last day.", "developer", spent
    )
    if budget := settings.SPOTIFY_DAILY_QUOTA:
        left = {developer: max(0, budget - calls) for developer, calls in spent.items()}
        yield _labelled("api_calls_left", "Calls left of SPOTIFY_DAILY_QUOTA.", "developer", left)
    ends = {"": 0.0}
    for block in blocks():
        ends[block.whose] = max(ends.get(block.whose, 0.0), block.until.timestamp())
    yield _labelled(
        "blocked_until_timestamp_seconds",
        "End of the block of calls to Spotify; 0: no block. Other apps by their Client ID, other "
        "developer accounts by their name.",
        "whose",
        ends,
    )


def _listeners() -> Iterator[GaugeMetricFamily]:
    ends_soon = Q(state=Connection.CONNECTED, authorized_at__lt=Now() - CONSENT_LIFE + NEAR)
    # Only columns of the index, so that no row is read.
    rows = SpotifyConnection.objects.values_list("state").annotate(
        count=Count("state"), ending=Count("state", filter=ends_soon)
    )
    found = {state: (count, ending) for state, count, ending in rows}
    yield _gauges(
        "listeners",
        "Listeners by the state of their connection to Spotify.",
        "state",
        {state: found.get(state, (0, 0))[0] for state in Connection.values},
    )
    yield _gauge(
        "consents_ending",
        "Listeners whose consent ends within 30 days.",
        sum(ending for _, ending in found.values()),
    )


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"syncify_{name}", meaning, value=value)


def _gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """One sample for each value of ``label``."""
    family = GaugeMetricFamily(f"syncify_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _labelled(
    name: str, meaning: str, label: str, values: Mapping[str, float]
) -> GaugeMetricFamily:
    """As ``_gauges``, but the value of "" has no label."""
    family = GaugeMetricFamily(f"syncify_{name}", meaning)
    for key, value in values.items():
        family.add_sample(f"syncify_{name}", {label: key} if key else {}, value)
    return family
