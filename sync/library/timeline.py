"""The library on a day, and the likes added and removed between two days."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from sync.models import SavedTrack

if TYPE_CHECKING:
    from accounts.models import User

_CHANGED = """
SELECT count(*) FILTER (WHERE after AND NOT before), count(*) FILTER (WHERE before AND NOT after)
  FROM (SELECT bool_or(added_at < %(since)s
                       AND (removed_at IS NULL OR removed_at >= %(since)s)) AS before,
               bool_or(added_at < %(until)s
                       AND (removed_at IS NULL OR removed_at >= %(until)s)) AS after
          FROM saved_tracks WHERE user_id = %(user)s GROUP BY track_id) AS songs"""


class Changed(NamedTuple):
    """The numbers of songs in ``came`` and in ``went``."""

    came: int
    went: int


def start_of(day: date, zone: tzinfo) -> datetime:
    """The first moment of ``day`` on the listener's clock."""
    return datetime.combine(day, time.min, zone)


def end_of(day: date, zone: tzinfo) -> datetime:
    """The first moment after ``day`` on the listener's clock."""
    return start_of(day + timedelta(days=1), zone)


def open_at(user: User, moment: datetime) -> QuerySet[SavedTrack]:
    """The likes that existed just before ``moment``, each song once.

    Spotify's date of a new like may be earlier than our note that the one before it had ended:
    between the two the newer like counts.
    """
    held = SavedTrack.objects.filter(_holds(moment), user=user)
    # Only ended likes have newer ones of the same song, and these are few. No condition compares
    # likes with each other: the planner would underestimate them, and do it pair by pair.
    still = held.filter(track=OuterRef("track"), removed_at=None)
    ended = held.filter(~Exists(still), removed_at__isnull=False)
    newest = ended.values("track").annotate(newest=Max("pk")).values("newest")
    return held.filter(Q(removed_at=None) | Q(pk__in=newest))


def gone(user: User) -> QuerySet[SavedTrack]:
    """Songs that are no longer liked: the last like of each."""
    later = SavedTrack.objects.filter(user=user, track=OuterRef("track"), id__gt=OuterRef("id"))
    return SavedTrack.objects.filter(~Exists(later), user=user, removed_at__isnull=False)


def came(user: User, *, since: datetime, until: datetime) -> QuerySet[SavedTrack]:
    """Songs that the library had at ``until`` and not at ``since``."""
    return open_at(user, until).exclude(track__in=_tracks_at(user, since))


def went(user: User, *, since: datetime, until: datetime) -> QuerySet[SavedTrack]:
    """Songs that the library had at ``since`` and not at ``until``."""
    return open_at(user, since).exclude(track__in=_tracks_at(user, until))


def changed(user: User, *, since: datetime, until: datetime) -> Changed:
    """``came`` and ``went``, counted in one pass over the likes."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, {"user": user.pk, "since": since, "until": until})
        return Changed(*cursor.fetchone())


def first_liked_at(user: User) -> datetime | None:
    """The date of the oldest known like."""
    rows = SavedTrack.objects.filter(user=user).order_by("added_at", "-rank")
    return rows.values_list("added_at", flat=True).first()


def _tracks_at(user: User, moment: datetime) -> QuerySet[SavedTrack, str]:
    return SavedTrack.objects.filter(_holds(moment), user=user).values_list("track_id", flat=True)


def _holds(moment: datetime) -> Q:
    return Q(added_at__lt=moment) & (Q(removed_at=None) | Q(removed_at__gte=moment))
