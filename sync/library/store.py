"""A listener's stored Liked Songs: the present ones, and the history of ended ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from sync.library.believing import Changes, changes
from sync.library.likes import Like
from sync.models import SavedTrack
from sync.queue.connected import enqueue_connected

if TYPE_CHECKING:
    from accounts.models import User
    from sync.queue.job import Job

_LIKES = """
INSERT INTO saved_tracks (user_id, track_id, added_at, rank, added_in_id)
SELECT %(user)s, track_id, added_at, rank, %(request)s
  FROM unnest(%(tracks)s::text[], %(dates)s::timestamptz[], %(ranks)s::int[])
    AS r (track_id, added_at, rank)
 ORDER BY track_id"""


def known_likes(user: User) -> list[Like]:
    """The likes that the last read found, newest first."""
    rows = SavedTrack.objects.filter(user=user, removed_at=None).order_by("-added_at", "rank")
    return [Like(*row) for row in rows.values_list("track_id", "added_at").iterator()]


def store_likes(job: Job, known: Sequence[Like], likes: Sequence[Like]) -> Changes:
    """Store ``likes`` and return the differences; ended likes become history.

    Call it in a fenced transaction.
    """
    found = changes(known, likes)
    current = SavedTrack.objects.filter(user_id=job.request.user_id, removed_at=None)
    if ended := [like.track_id for like in (*found.gone, *found.reliked)]:
        current.filter(track__in=ended).update(removed_at=Now(), removed_in=job.request)
    ranks = _ranks(likes)
    if fresh := [*found.new, *found.reliked]:
        values: dict[str, Any] = {
            "user": job.request.user_id,
            "request": job.request.pk,
            "tracks": [like.track_id for like in fresh],
            "dates": [like.added_at for like in fresh],
            "ranks": [ranks.get(like.track_id, 0) for like in fresh],
        }
        with connection.cursor() as cursor:
            cursor.execute(_LIKES, values)
    if likes != tuple(known):
        inserted = {like.track_id for like in fresh}
        _rank(current, {song: rank for song, rank in ranks.items() if song not in inserted})
    if ended or fresh:
        enqueue_connected(job.request.user_id)
    return found


def _ranks(likes: Sequence[Like]) -> dict[str, int]:
    """The number of each like among those of its date, to keep their order."""
    return {
        like.track_id: rank
        for _, same_date in groupby(likes, key=lambda like: like.added_at)
        if len(group := list(same_date)) > 1
        for rank, like in enumerate(group)
    }


def _rank(rows: QuerySet[SavedTrack], ranks: dict[str, int]) -> None:
    if not ranks:
        return
    changed = []
    for row in rows.filter(track__in=list(ranks)).only("rank", "track"):
        if row.rank != ranks[row.track_id]:
            row.rank = ranks[row.track_id]
            changed.append(row)
    SavedTrack.objects.bulk_update(changed, ["rank"], batch_size=1_000)
