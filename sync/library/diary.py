"""The changes of each sync in the library, and the syncs without changes; read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Q, QuerySet

from sync.library.continued import STOPPED, came_with, unfinished, went_with
from sync.models import SavedTrack, SyncRequest

if TYPE_CHECKING:
    from accounts.models import User

#: A sync without changes and without a note.
_QUIET = Q(state=SyncRequest.State.SUCCEEDED, added=0, removed=0, moved=0, skipped=0, note="") & ~Q(
    trigger=SyncRequest.Trigger.FIRST
)

# The order by an expression prevents the planner from scanning the primary key.
_SONGS = """
SELECT r.id,
       (SELECT count(*) FROM saved_tracks AS s WHERE s.added_in_id = r.id),
       (SELECT count(*) FROM saved_tracks AS s WHERE s.removed_in_id = r.id),
       ARRAY(SELECT s.id FROM saved_tracks AS s WHERE s.added_in_id = r.id
              ORDER BY s.id + 0 LIMIT %(most)s),
       ARRAY(SELECT s.id FROM saved_tracks AS s WHERE s.removed_in_id = r.id
              ORDER BY s.id + 0 LIMIT %(most)s)
  FROM unnest(%(requests)s::bigint[]) AS r (id)
"""

_FOLDS = """
SELECT width_bucket(r.id, %(loud)s::bigint[]) AS above,
       date_trunc('week', r.completed AT TIME ZONE %(zone)s)::date AS week,
       count(*), min(r.completed), max(r.completed)
  FROM sync_requests AS r
 WHERE r.user_id = %(user)s AND r.kind = 'spotify' AND r.id > %(lowest)s AND r.id < %(highest)s
   AND r.state = 'succeeded' AND r.trigger <> 'first' AND r.note = ''
   AND r.added + r.removed + r.moved + r.skipped = 0
 GROUP BY 1, 2
"""
_HIGHEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Songs:
    """The likes that one sync added and removed: the first few, and their numbers."""

    came_count: int
    went_count: int
    came: Sequence[SavedTrack]
    went: Sequence[SavedTrack]


@dataclass(frozen=True, slots=True)
class Fold:
    """Successive syncs of one week without changes."""

    week: date
    count: int
    first: datetime
    last: datetime


def loud_syncs(user: User, *, before: int | None) -> QuerySet[SyncRequest]:
    """Finished syncs that have changes or a note, or failed; newest first."""
    rows = SyncRequest.objects.filter(
        user=user, kind=SyncRequest.Kind.SPOTIFY, completed__isnull=False
    ).exclude(_QUIET)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return rows.order_by("-id")


def songs_of(requests: Sequence[SyncRequest], *, most: int) -> dict[int, Songs]:
    """The likes that each of these syncs added and removed, at most ``most`` by name."""
    with connection.cursor() as cursor:
        cursor.execute(_SONGS, {"requests": [request.pk for request in requests], "most": most})
        found = cursor.fetchall()
    if stopped := {request.pk for request in requests if request.state in STOPPED}:
        [listener] = {request.user_id for request in requests}
        stopped.intersection_update(unfinished(listener))
        found = [
            _of_unfinished(listener, row[0], most) if row[0] in stopped else row for row in found
        ]
    wanted = [pk for *_, came, went in found for pk in (*came, *went)]
    rows = SavedTrack.objects.filter(pk__in=wanted, user__in={r.user_id for r in requests})
    likes = {like.pk: like for like in rows.select_related("track__album")}
    return {
        pk: Songs(
            came_count,
            went_count,
            [likes[each] for each in came if each in likes],
            [likes[each] for each in went if each in likes],
        )
        for pk, came_count, went_count, came, went in found
    }


def _of_unfinished(user_id: int, request: int, most: int) -> tuple[Any, ...]:
    """As a row of _SONGS."""
    came, went = came_with(user_id, request), went_with(user_id, request)
    ids = [list(rows.order_by("pk").values_list("pk", flat=True)) for rows in (came, went)]
    return request, *map(len, ids), *(each[:most] for each in ids)


def folds(
    user: User,
    loud: Sequence[SyncRequest],
    *,
    before: int | None,
    to_the_end: bool,
    zone: tzinfo,
) -> list[Fold]:
    """The quiet syncs between ``loud`` (newest first), and after them if ``to_the_end``."""
    ids = sorted(request.pk for request in loud)
    params: dict[str, Any] = {
        "user": user.pk,
        "zone": str(zone),
        "loud": ids or [0],
        "lowest": 0 if to_the_end or not ids else ids[0],
        "highest": before or _HIGHEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FOLDS, params)
        return [Fold(*row) for _, *row in cursor]
