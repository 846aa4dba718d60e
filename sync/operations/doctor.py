"""The checks of ``manage.py doctor``: one small function for each line of its output."""

import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.models import SpotifyConnection
from accounts.spotify_apps import App, Source, all_apps
from sync.models import Connection
from sync.operations import backups
from sync.operations.alerts import undelivered
from sync.queue import processes
from syncify import __version__
from syncify.env import PROBLEMS, env_int
from syncify.http import SEEN_SCHEME
from syncify.redirect import advice
from syncify.schema import pending_migrations
from syncify.spotify import probe
from syncify.spotify.quota import blocks, calls_last_day
from syncify.text import counted, plain

SLOW = timedelta(milliseconds=100)
#: With a larger difference of clocks, tokens expire and syncs start at the wrong time.
SKEW = timedelta(seconds=30)
#: A disk with fewer free bytes counts as nearly full.
ROOM = 500_000_000

#: Whether the check passed (None: unknown or irrelevant), and a sentence with the result or, after
#: a failure, with the action to take.
type Verdict = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    is_well: bool | None
    sentence: str


def examine() -> Iterator[Finding]:
    """Run all checks and yield each finding at once; a failed check does not stop others.

    Findings contain no secrets.

    Each setting that cannot be used is a finding, if ``syncify.env.collect_problems`` was called
    before the settings were read.
    """
    env_int("WEB_CONCURRENCY", default=1, least=1)  # read by the web server alone
    for problem in PROBLEMS:
        yield Finding("Settings", False, problem)
    for name, check in CHECKS.items():
        if check is mode and PROBLEMS:
            continue
        is_well, sentence = _verdict(check)
        yield Finding(name, is_well, sentence)


def _verdict(check: Callable[[], Verdict]) -> Verdict:
    if broken := [name for name in _NEEDS.get(check, []) if _is_broken(name)]:
        return None, f"unknown until {broken[0]} is right"
    try:
        return check()
    except Error as error:
        if check is not database:
            return None, "unknown until the database answers"
        first_line = str(error).strip().partition("\n")[0]
        return False, f"does not answer: {first_line}. Check DATABASE_URL."
    except ImproperlyConfigured as error:
        if check is not database:
            return None, "unknown until the settings are right"
        return False, str(error)
    except Exception as error:  # noqa: BLE001 - the other checks still run
        return False, f"the check itself failed: {type(error).__name__}. Please report it."


def _is_broken(setting: str) -> bool:
    return any(re.match(rf"(Set )?{setting}\b", problem) for problem in PROBLEMS)


# --- The installation itself ------------------------------------------------------------------


def mode() -> Verdict:
    if settings.DEBUG:
        return False, "DEBUG shows internals of the program to every visitor. Set DEBUG=no."
    return True, "all can be read"


def database() -> Verdict:
    latencies = []
    with connection.cursor() as cursor:
        for _ in range(5):
            began = time.perf_counter()
            cursor.execute("SELECT current_setting('server_version')")
            latencies.append(time.perf_counter() - began)
        version = cursor.fetchone()[0]
        cursor.execute("SELECT pg_is_in_recovery()")
        is_standby = cursor.fetchone()[0]
    if is_standby:
        return False, (
            "is a standby that takes no changes. Name all servers in DATABASE_URL, and add "
            "?target_session_attrs=read-write."
        )
    latency = timedelta(seconds=statistics.median(latencies))
    found = f"PostgreSQL {version} answers in {latency / timedelta(milliseconds=1):.1f} ms"
    if latency > SLOW:
        return False, f"{found}, which is slow. Move it closer, or give it more memory."
    return True, found


def migrations() -> Verdict:
    if pending := pending_migrations():
        return False, f"{', '.join(pending)} not applied. Run: python manage.py migrate"
    return True, "all applied"


def token_keys() -> Verdict:
    tokens = SpotifyConnection.objects.exclude(refresh_token="").values_list("refresh_token")
    secrets = Connection.objects.exclude(secret="").values_list("secret")
    found = []
    if closed := _closed(tokens):
        found.append(f"the tokens of {counted(closed, 'listener')}")
    if closed := _closed(secrets):
        found.append(f"the passwords of {counted(closed, 'connected service')}")
    if found:
        return False, (
            f"no key decrypts {' and '.join(found)}. Append the lost key to SYNCIFY_TOKEN_KEYS, or "
            "ask the listeners to sign in again, and to connect their services again."
        )
    return True, "all stored tokens and passwords can be decrypted"


def _closed(values: QuerySet[Any, tuple[str]]) -> int:
    """How many are stored that no key decrypts, which read as ""."""
    return sum(not value for (value,) in values.iterator())


def disk() -> Verdict:
    if not settings.DATA_DIR.exists():
        return None, "SYNCIFY_DATA_DIR does not exist, and nothing needs it"
    free = shutil.disk_usage(settings.DATA_DIR).free
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0]
    found = f"{free / 1e9:.1f} GB free, the database uses {size / 1e6:.0f} MB"
    if free < ROOM:
        return False, f"{found}. Free some space."
    return True, found


def workers() -> Verdict:
    return _seen(processes.WORKER, "python manage.py runworker")


def scheduler() -> Verdict:
    return _seen(processes.SCHEDULER, "python manage.py schedule_syncs --loop")


def _seen(kind: str, command: str) -> Verdict:
    count = processes.alive(kind).count()
    if not count:
        return False, f"none was seen lately. Run: {command}"
    return True, f"{count} seen lately"


def backup() -> Verdict:
    if not settings.BACKUP_DIR:
        return None, "no daily backups, because SYNCIFY_BACKUP_DIR is empty"
    made = backups.latest_backup()
    if made is None:
        return False, "none was made yet. The scheduler makes the first one within a minute."
    found = f"the latest was made {timesince(made)} ago".replace("\xa0", " ")
    if backups.is_late():
        return False, f"{found}. The scheduler's log says why there is no later one."
    return True, found


def alerts() -> Verdict:
    if not settings.ALERT_URLS:
        return None, "no alerts are sent, because SYNCIFY_ALERT_URLS is empty"
    import apprise  # noqa: PLC0415 - it brings a hundred services

    unknown = [not apprise.Apprise.instantiate(url) for url in settings.ALERT_URLS]
    if any(unknown):
        which = ", ".join(str(place) for place, is_bad in enumerate(unknown, 1) if is_bad)
        return False, f"Apprise cannot read address {which} of SYNCIFY_ALERT_URLS. Correct it."
    if waiting := undelivered():
        return False, (
            f"{counted(waiting, 'alert')} could not be delivered. Test the addresses in "
            "SYNCIFY_ALERT_URLS; each alert is tried again."
        )
    return True, f"go to {counted(len(unknown), 'address', 'es')}"


# --- Spotify ----------------------------------------------------------------------------------


def clock() -> Verdict:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        times = {"the database": cursor.fetchone()[0] - timezone.now()}
    with suppress(probe.NoAnswer):  # the check of Spotify reports it
        times["Spotify"] = probe.spotify_clock() - timezone.now()
    return judge_clock(times)


def judge_clock(ahead: dict[str, timedelta]) -> Verdict:
    """Judge the differences of other clocks from this one, by their owner."""
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
    apps = all_apps()
    if not apps:
        return False, (
            f"there is no Spotify app yet. Open {settings.BASE_URL}{reverse('first_run')} and "
            "enter one with the code from the web server's log, or set SPOTIFY_CLIENT_ID."
        )
    verdicts = [_credentials_of(app) for app in apps]
    if len(apps) == 1:
        return verdicts[0]
    is_well = {verdict for verdict, _ in verdicts}
    worst = False if False in is_well else None if None in is_well else True
    said = "; ".join(
        f"“{plain(app.label)}”: {sentence}"
        for app, (verdict, sentence) in zip(apps, verdicts, strict=True)
        if verdict == worst
    )
    return worst, f"of all {len(apps)} apps accepted" if worst else said


def _credentials_of(app: App) -> Verdict:
    if not app.credentials.secret:
        if app.source == Source.PAGE:
            return False, "no key decrypts its secret. Enter it again at /operator/apps/."
        return None, "without a client secret, only the next sign-in can test them"
    try:
        problem = probe.credentials_problem(app.credentials)
    except probe.NoAnswer as error:
        return None, f"the token endpoint does not answer ({error})"
    if problem:
        what = {
            Source.ENVIRONMENT: "Copy SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET again",
            Source.LIST: "Copy its client_id and client_secret in SPOTIFY_APPS again",
            Source.PAGE: "Enter it again at /operator/apps/, as you find it",
        }[app.source]
        where = "from" if app.source != Source.PAGE else "on"
        return False, f"Spotify says {problem}. {what} {where} developer.spotify.com/dashboard."
    return True, "accepted"


def redirect_address() -> Verdict:
    return True, advice(settings.BASE_URL)


def quota() -> Verdict:
    developers = list(dict.fromkeys(["", *(app.developer for app in all_apps())]))
    running = blocks()
    if running:
        labels = {app.credentials.key: app.label for app in all_apps()}
        of = {block.whose: labels.get(block.whose, block.whose) for block in running}
        said = [
            f"no calls to Spotify before {block.until:%d %b %H:%M} UTC: {block.because}"
            + (f" of “{plain(of[block.whose])}”" if block.whose else "")
            for block in running
        ]
        return False, "; ".join(said)
    verdicts = [_quota_of(developer) for developer in developers]
    said = [
        sentence + (f" in the developer account of {plain(developer)}" if developer else "")
        for developer, (_, sentence) in zip(developers, verdicts, strict=True)
    ]
    is_well = all(verdict for verdict, _ in verdicts)
    ending = "" if is_well else ". Syncs continue when the budget allows."
    return is_well, "; ".join(said) + ending


def _quota_of(developer: str) -> Verdict:
    spent, budget = calls_last_day(developer), settings.SPOTIFY_DAILY_QUOTA
    found = f"{spent:,} calls in the last day"
    if not budget:
        return True, f"{found}, no limit set"
    return spent < budget, f"{found} of {budget:,}"


# --- The proxy --------------------------------------------------------------------------------


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
            return True, "passes on all needed headers"
        case (200 | 503, "http"):
            return False, "does not pass on the scheme. Let it set X-Forwarded-Proto: https."
        case (400, _):
            return False, "changes the Host header, or SYNCIFY_BASE_URL is another address."
        case _:
            return False, f"answers {status} for Syncify. Let it pass all paths to the web process."


def version() -> Verdict:
    return True, f"Syncify {__version__}"


CHECKS: dict[str, Callable[[], Verdict]] = {
    "Version": version,
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
    "Backup": backup,
    "Alerts": alerts,
}

#: The settings that a check needs for a correct result.
_NEEDS: dict[Callable[[], Verdict], list[str]] = {
    database: ["DATABASE_URL", "DATABASE_PASSWORD"],
    credentials: [
        "SPOTIFY_CLIENT_ID",
        "SPOTIFY_CLIENT_SECRET",
        "SPOTIFY_APPS",
        "SPOTIFY_ACCOUNTS_URL",
    ],
    spotify: ["SPOTIFY_API_URL"],
    redirect_address: ["SYNCIFY_BASE_URL"],
    proxy: ["SYNCIFY_BASE_URL"],
    quota: ["SPOTIFY_DAILY_QUOTA"],
    token_keys: ["SYNCIFY_TOKEN_KEYS", "SYNCIFY_DATA_DIR"],
}
