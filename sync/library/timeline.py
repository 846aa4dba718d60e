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
    # Only ended likes have newer ones of the same song, and these are few.
    return held.filter(Q(removed_at=None) | Q(pk__in=_last_ended(held)))


def gone(user: User) -> QuerySet[SavedTrack]:
    """Songs that are no longer liked: the last like of each."""
    likes = SavedTrack.objects.filter(user=user)
    return likes.filter(pk__in=_last_ended(likes))


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


def _last_ended(likes: QuerySet[SavedTrack]) -> QuerySet[SavedTrack, int]:
    """The last of the ``likes`` of each song, if it has ended.

    No condition compares ended likes with each other: the planner expects hardly any, and would
    look at all likes for each of them.
    """
    still = likes.filter(track=OuterRef("track"), removed_at=None)
    ended = likes.filter(~Exists(still), removed_at__isnull=False)
    last = ended.order_by().values("track").annotate(last=Max("pk"))
    return last.values_list("last", flat=True)


def _tracks_at(user: User, moment: datetime) -> QuerySet[SavedTrack, str]:
    return SavedTrack.objects.filter(_holds(moment), user=user).values_list("track_id", flat=True)


def _holds(moment: datetime) -> Q:
    return Q(added_at__lt=moment) & (Q(removed_at=None) | Q(removed_at__gte=moment))
