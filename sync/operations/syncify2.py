"""Imports the database of Syncify 2."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from psycopg.rows import namedtuple_row

from accounts.models import CONSENT_LIFE, SpotifyConnection, User
from accounts.scopes import NEEDED
from sync.models import Library, Mirror, SyncRequest
from sync.queue import store as queue
from sync.queue.scheduler import plan_next

#: Syncify 2 did not store the time of a consent. Listeners are asked for a new one at once, as if
#: the old one ended this soon.
CONSENT_LEFT = timedelta(days=7)


class NotSyncify2(Exception):
    """``str`` says, for people, why a database cannot be read as one of Syncify 2."""


@dataclass
class Report:
    """What an import did."""

    listeners: int = 0
    already_here: int = 0
    syncs: int = 0
    unfinished: int = 0
    #: One sentence for each invalid row.
    skipped: list[str] = field(default_factory=list)


def import_database(url: str, *, dry_run: bool = False) -> Report:
    """Import the listeners of Syncify 2 with their finished syncs, and queue a first sync for each.

    Who is already here stays as they are, so a second run changes nothing. Raises NotSyncify2.
    """
    users, syncs = _read(url)
    report = Report()
    with transaction.atomic():
        came = _import_listeners(users, report)
        _import_history(syncs, {row.id for row in users}, came, report)
        for user in came.values():
            queue.enqueue(user.pk, trigger=SyncRequest.Trigger.FIRST)
        transaction.set_rollback(dry_run)
    return report


def _read(url: str) -> tuple[list[Any], list[Any]]:
    """The rows of its two tables, as they were at one moment."""
    try:
        with psycopg.connect(url, row_factory=namedtuple_row, connect_timeout=10) as source:
            source.read_only = True
            source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            users = source.execute("SELECT id, refresh_token FROM users ORDER BY id").fetchall()
            syncs = source.execute(
                "SELECT id, user_id, song_count, created, completed FROM sync_requests ORDER BY id"
            ).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise NotSyncify2(
            f"This is not a database of Syncify 2: {error.diag.message_primary}."
        ) from error
    except psycopg.Error as error:
        raise NotSyncify2(f"The database cannot be read: {str(error).strip()}") from error
    return users, syncs


def _import_listeners(rows: Iterable[Any], report: Report) -> dict[str, User]:
    """The listeners that are new here, by their Spotify id."""
    came = {}
    now = timezone.now()
    for row in rows:
        if trouble := _trouble_with_user(row):
            report.skipped.append(f"listener {row.id!r}: {trouble}")
            continue
        user, is_new = User.objects.get_or_create(spotify_id=row.id, defaults={"date_joined": now})
        if not is_new:
            report.already_here += 1
            continue
        SpotifyConnection.objects.create(
            user=user,
            refresh_token=row.refresh_token,
            scopes=" ".join(NEEDED),
            authorized_at=now + CONSENT_LEFT - CONSENT_LIFE,
        )
        Mirror.objects.create(
            user=user,
            name=f"Liked Songs of {user}"[:100],
            details_changed_at=now,
            adopts_syncify2=True,
        )
        Library.objects.create(user=user)
        plan_next(user)
        report.listeners += 1
        came[row.id] = user
    return came


def _import_history(
    rows: Iterable[Any], known: set[str], came: dict[str, User], report: Report
) -> None:
    history = []
    for row in rows:
        if row.user_id not in known:
            report.skipped.append(f"sync {row.id}: its listener {row.user_id!r} is unknown")
        elif row.user_id not in came:
            continue
        elif row.completed is None:
            report.unfinished += 1
        elif trouble := _trouble_with_sync(row, timezone.now()):
            report.skipped.append(f"sync {row.id}: {trouble}")
        else:
            history.append(
                SyncRequest(
                    user=came[row.user_id],
                    trigger=SyncRequest.Trigger.MANUAL,
                    state=SyncRequest.State.SUCCEEDED,
                    song_count=row.song_count or 0,
                    progress=1,
                    created=row.created,
                    started=row.created,
                    completed=row.completed,
                )
            )
    SyncRequest.objects.bulk_create(history, batch_size=1000)
    report.syncs = len(history)


def _trouble_with_user(row: Any) -> str:
    """Why a listener cannot be imported; "" if they can."""
    if not row.id.strip() or len(row.id) > 255:
        return "this is no Spotify id"
    if not row.refresh_token.strip():
        return "there is no refresh token"
    if settings.ALLOWED_USERS and row.id not in settings.ALLOWED_USERS:
        return "SYNCIFY_ALLOWED_USERS does not name them"
    return ""


def _trouble_with_sync(row: Any, now: datetime) -> str:
    """Why a finished sync cannot be imported; "" if it can."""
    if row.created is None or row.completed < row.created:
        return "it ended before it began"
    if row.completed > now:
        return "it ends in the future"
    if (row.song_count or 0) < 0:
        return f"it counted {row.song_count} songs"
    return ""
