"""What ``manage.py doctor`` looks at: one small function for each line that it says."""

import logging
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from accounts.models import SpotifyConnection
from sync.models import Process
from sync.pages.card import GONE_AFTER
from sync.queue import processes
from syncify.http import SEEN_SCHEME
from syncify.redirect import advice
from syncify.schema import pending_migrations
from syncify.spotify import probe
from syncify.spotify.quota import calls_last_day, current_block

SLOW = timedelta(milliseconds=100)
#: Clocks that differ by more make tokens end, and syncs begin, at the wrong time.
SKEW = timedelta(seconds=30)
#: A scheduler that cron starts may be seen no oftener.
BETWEEN_TURNS = timedelta(minutes=15)
#: Bytes below which a disk counts as nearly full.
ROOM = 500_000_000

#: Whether all is well, None where it cannot be told or does not matter; and a sentence: what was
#: found or, if it is not well, what to do.
type Verdict = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    is_well: bool | None
    sentence: str


def examine() -> Iterator[Finding]:
    """All findings, each as soon as it is made. Holds no secret."""
    for name, check in CHECKS.items():
        try:
            is_well, sentence = check()
        except Error as error:
            is_well, sentence = None, "not to be told before the database is well"
            if check is database:
                first_line = str(error).strip().partition("\n")[0]
                is_well, sentence = False, f"does not answer: {first_line}. Check DATABASE_URL."
        yield Finding(name, is_well, sentence)


# --- The installation itself ------------------------------------------------------------------


def mode() -> Verdict:
    if settings.DEBUG:
        return False, "DEBUG shows the program's inside to every visitor. Set DEBUG=no."
    return True, "can all be read"


def database() -> Verdict:
    latencies = []
    with connection.cursor() as cursor:
        for _ in range(5):
            began = time.perf_counter()
            cursor.execute("SELECT current_setting('server_version')")
            latencies.append(time.perf_counter() - began)
        version = cursor.fetchone()[0]
    latency = timedelta(seconds=statistics.median(latencies))
    found = f"PostgreSQL {version} answers in {latency / timedelta(milliseconds=1):.1f} ms"
    if latency > SLOW:
        return False, f"{found}, which is slow. Move it closer, or give it more room."
    return True, found


def migrations() -> Verdict:
    if pending := pending_migrations():
        return False, f"{', '.join(pending)} not applied. Run: python manage.py migrate"
    return True, "all applied"


def token_keys() -> Verdict:
    stored = SpotifyConnection.objects.exclude(refresh_token="").values_list("refresh_token")
    # What no key opens reads as "".
    closed = sum(not token for (token,) in stored.iterator())
    if closed:
        return False, (
            f"no key opens the tokens of {_count(closed, 'listener')}. Put the key that was lost "
            "behind the others in SYNCIFY_TOKEN_KEYS, or let them sign in again."
        )
    return True, "open all that is stored"


def disk() -> Verdict:
    if not settings.DATA_DIR.exists():
        return None, "SYNCIFY_DATA_DIR does not exist, and nothing needs it"
    free = shutil.disk_usage(settings.DATA_DIR).free
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0]
    found = f"{free / 1e9:.1f} GB free, the database takes {size / 1e6:.0f} MB"
    if free < ROOM:
        return False, f"{found}. Make room."
    return True, found


def workers() -> Verdict:
    return _seen(processes.WORKER, GONE_AFTER, "python manage.py runworker")


def scheduler() -> Verdict:
    return _seen(processes.SCHEDULER, BETWEEN_TURNS, "python manage.py schedule_syncs --loop")


def _seen(kind: str, lately: timedelta, command: str) -> Verdict:
    count = Process.objects.filter(kind=kind, last_seen__gt=timezone.now() - lately).count()
    if not count:
        return False, f"none was seen lately. Run: {command}"
    return True, f"{count} seen lately"


def alerts() -> Verdict:
    if not settings.ALERT_URLS:
        return None, "nobody is alerted; SYNCIFY_ALERT_URLS is empty"
    import apprise  # noqa: PLC0415 - it brings a hundred services

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would name the address
    unknown = [not apprise.Apprise.instantiate(url) for url in settings.ALERT_URLS]
    if any(unknown):
        which = ", ".join(str(place) for place, is_bad in enumerate(unknown, 1) if is_bad)
        return False, f"Apprise cannot read address {which} of SYNCIFY_ALERT_URLS. Correct it."
    return True, f"go to {_count(len(unknown), 'address', 'es')}"


# --- Spotify ----------------------------------------------------------------------------------


def clock() -> Verdict:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        times = {"the database": cursor.fetchone()[0] - timezone.now()}
    with suppress(probe.NoAnswer):  # which has a line of its own
        times["Spotify"] = probe.spotify_clock() - timezone.now()
    return judge_clock(times)


def judge_clock(ahead: dict[str, timedelta]) -> Verdict:
    """By how much the clocks of others are ahead of ours, each by its owner."""
    wrong = [
        f"{owner}'s by {abs(by).total_seconds():.0f} s"
        for owner, by in ahead.items()
        if abs(by) > SKEW
    ]
    if wrong:
        return False, f"differs from {' and '.join(wrong)}. Set all clocks by NTP."
    return True, f"agrees with {' and '.join(ahead)}"


def spotify() -> Verdict:
    try:
        probe.spotify_clock()
    except probe.NoAnswer as error:
        where = urlsplit(settings.SPOTIFY_API_URL).netloc
        return False, f"{where} does not answer ({error}). Check network, DNS and firewall."
    return True, "answers"


def credentials() -> Verdict:
    if not settings.SPOTIFY_CLIENT_SECRET:
        return None, "without a client secret they show at the next sign-in only"
    try:
        problem = probe.credentials_problem()
    except probe.NoAnswer as error:
        return None, f"the token endpoint does not answer ({error})"
    if problem:
        return False, (
            f"Spotify says {problem}. Copy SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET anew from "
            "developer.spotify.com/dashboard."
        )
    return True, "accepted"


def redirect_address() -> Verdict:
    return True, advice(settings.BASE_URL)


def quota() -> Verdict:
    spent, budget = calls_last_day(), settings.SPOTIFY_DAILY_QUOTA
    if block := current_block():
        return False, f"nobody calls Spotify before {block.until:%d %b %H:%M} UTC: {block.because}"
    found = f"{spent:,} calls in the last day"
    if not budget:
        return True, f"{found}, no limit of our own"
    if spent >= budget:
        return False, f"{found} of {budget:,}. Syncs go on by themselves when there is room."
    return True, f"{found} of {budget:,}"


# --- The way in -------------------------------------------------------------------------------


def proxy() -> Verdict:
    if urlsplit(settings.BASE_URL).scheme != "https":
        return None, "SYNCIFY_BASE_URL is not https, so none is needed"
    try:
        answer = requests.get(f"{settings.BASE_URL}/healthz", timeout=10, allow_redirects=False)
    except requests.RequestException as error:
        return False, (
            f"{settings.BASE_URL} cannot be reached from here ({type(error).__name__}). Check DNS, "
            "the certificate, and that the proxy runs."
        )
    return judge_proxy(answer.status_code, answer.headers.get(SEEN_SCHEME))


def judge_proxy(status: int, seen_scheme: str | None) -> Verdict:
    match status, seen_scheme:
        case (200 | 503, "https"):
            return True, "passes on what is needed"
        case (200 | 503, "http"):
            return False, "hides that visitors come by https. Let it set X-Forwarded-Proto: https."
        case (400, _):
            return False, "changes the Host header, or SYNCIFY_BASE_URL is another address."
        case _:
            return False, f"answers {status} for Syncify. Let it pass all paths to the web process."


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


CHECKS: dict[str, Callable[[], Verdict]] = {
    "Settings": mode,
    "Database": database,
    "Migrations": migrations,
    "Clock": clock,
    "Spotify": spotify,
    "Credentials": credentials,
    "Redirect address": redirect_address,
    "Quota": quota,
    "Workers": workers,
    "Scheduler": scheduler,
    "Token keys": token_keys,
    "Proxy": proxy,
    "Disk": disk,
    "Alerts": alerts,
}
