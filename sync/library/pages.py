"""Pages of the Liked Songs: fetched from Spotify, and stored until the reading ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from sync.library.catalogue import store_songs
from sync.library.likes import Like, LikesPage
from sync.models import StoredPage
from sync.queue.locks import lock_user
from sync.queue.store import LeaseLost
from syncify.database import transaction_not_awaited

if TYPE_CHECKING:
    from sync.library.meanwhile import Step
    from sync.queue.job import Job
    from syncify.spotify.types import SavedTracksPage

#: Older pages are not used.
KEPT = timedelta(hours=1)
#: The date of a like without a date, if no like above it on its page has one.
_UNDATED = datetime(2000, 1, 1, tzinfo=UTC)

# Locks the request, so that a later attempt never reads pages of a worker that lost its lease.
_STORE = """
WITH held AS MATERIALIZED (
    SELECT user_id FROM sync_requests
     WHERE id = %(request)s AND attempt = %(attempt)s AND state = 'running'
       AND started IS NOT DISTINCT FROM %(claimed)s
       FOR SHARE)
INSERT INTO read_pages ("user_id", "offset", total, items)
SELECT user_id, %(offset)s, %(total)s, %(items)s FROM held
ON CONFLICT ("user_id", "offset") DO UPDATE
   SET total = excluded.total, items = excluded.items, read_at = statement_timestamp()
RETURNING id"""


def at_once(step: Step) -> None:
    step()


def fetch_page(
    job: Job,
    offset: int,
    dates: Mapping[str, datetime],
    *,
    keep: bool,
    store: Callable[[Step], None] = at_once,
) -> LikesPage:
    """Read a page from Spotify, and store its songs; with ``keep``, the page itself too.

    ``dates`` are those of the known likes, for rows that Spotify shows without a date. ``store`` is
    given the step that stores, which raises LeaseLost.
    """
    answer = job.client.saved_tracks(offset)
    page = _page(answer, dates)
    songs = [item.song for item in answer.items if item.song]
    is_kept = keep and page.total is not None

    def save() -> None:
        with transaction_not_awaited():  # what is lost in a crash is read again
            if is_kept:
                _store(job, page)
            store_songs(songs)

    store(save)
    return page


def _page(answer: SavedTracksPage, dates: Mapping[str, datetime]) -> LikesPage:
    likes, above = [], _UNDATED
    for item in answer.items:
        if item.song is None:
            likes.append(Like("", item.added_at, item.name))
            above = item.added_at or above
            continue
        # A like without a date gets the date of the one above it, so that it keeps its position.
        above = item.added_at or dates.get(item.song.id) or above
        likes.append(Like(item.song.id, above))
    return LikesPage(answer.offset, answer.total, tuple(likes), answer.has_next)


def stored_pages(user_id: int, *, since: datetime | None) -> list[LikesPage]:
    """The pages of an interrupted reading, unless old or from before ``since``."""
    rows = StoredPage.objects.filter(user=user_id, read_at__gt=Now() - KEPT).order_by("offset")
    if since is not None:
        rows = rows.filter(read_at__gte=since)
    return [_loaded(row) for row in rows if isinstance(row.items, dict)]


def forget_pages(user_id: int) -> None:
    StoredPage.objects.filter(user=user_id).delete()


def keep_page(job: Job, page: LikesPage) -> None:
    """Store a page that was fetched earlier. Raises LeaseLost."""
    if page.total is not None:
        with transaction.atomic():
            _store(job, page)


def _store(job: Job, page: LikesPage) -> None:
    # Before the request: at its end the transaction looks at the user, whom the page refers to.
    lock_user(job.request.user_id)
    likes = [
        [like.track_id, like.added_at.isoformat() if like.added_at else None, like.name]
        for like in page.likes
    ]
    values: dict[str, Any] = {
        "request": job.request.pk,
        "attempt": job.request.attempt,
        "claimed": job.request.started,
        "offset": page.offset,
        "total": page.total,
        "items": Jsonb({"likes": likes, "has_next": page.has_next}),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STORE, values)
        if cursor.fetchone() is None:
            raise LeaseLost(f"request={job.request.pk} attempt={job.request.attempt}")


def _loaded(row: StoredPage) -> LikesPage:
    likes = (
        Like(track, datetime.fromisoformat(at) if at else None, name)
        for track, at, name in row.items["likes"]
    )
    return LikesPage(row.offset, row.total, tuple(likes), row.items["has_next"])
