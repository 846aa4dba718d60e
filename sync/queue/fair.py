"""Limits for one listener: how often the sync button works, and their part of the reserve."""

# ruff: noqa: S608 - the statement is put together from constants of this file

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Now

from sync.models import SyncRequest
from syncify.spotify.quota import RESERVE

#: The time between two syncs by button.
COOL_DOWN = timedelta(minutes=1)
#: The part of a day's reserve, in percent, for one listener's manual syncs.
SHARE = 25

#: ``pressable_at`` for raw SQL, of the listener ``%(user)s``. An open sync does not count, because
#: a request during it is stored. A sync that was cancelled in the queue does not count either.
PRESSABLE_AT_SQL = f"""(
    SELECT max(created) + interval '{COOL_DOWN.total_seconds()} seconds'
      FROM (SELECT * FROM sync_requests WHERE user_id = %(user)s AND kind = 'spotify'
             ORDER BY id DESC LIMIT 3) AS latest
     WHERE trigger = 'manual' AND completed IS NOT NULL AND attempt > 0
       AND created > statement_timestamp() - interval '{COOL_DOWN.total_seconds()} seconds')"""


def pressable_at(user_id: int) -> datetime | None:
    """When the listener's button works again; None: now."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {PRESSABLE_AT_SQL}", {"user": user_id})
        moment: datetime | None = cursor.fetchone()[0]
    return moment


def may_use_reserve(request: SyncRequest) -> bool:
    """Whether the calls of ``request`` may use the reserve, which scheduled syncs leave unused.

    A first sync may. A manual one may until its listener's manual syncs of the past day have made
    as many calls as their share of the reserve; then it waits like a scheduled one.
    """
    if request.trigger != SyncRequest.Trigger.MANUAL:
        return request.trigger == SyncRequest.Trigger.FIRST
    share = settings.SPOTIFY_DAILY_QUOTA * RESERVE * SHARE // 100**2
    manual = SyncRequest.objects.filter(
        user=request.user_id,
        kind=SyncRequest.Kind.SPOTIFY,
        trigger=SyncRequest.Trigger.MANUAL,
        created__gt=Now() - timedelta(days=1),
    )
    calls = manual.aggregate(calls=Sum("api_requests"))["calls"] or 0
    return not settings.SPOTIFY_DAILY_QUOTA or calls < max(1, share)
