"""The listener's playlists beside the main one, as rows of the dashboard; nothing here writes."""

# ruff: noqa: S608 - the statement is put together from constants

from accounts.models import User
from sync.mirrors.summaries import Summary
from sync.models import Mirror, Playlist, SyncRequest, SyncResult
from sync.pages.held import VERSIONS_SQL, rows_in
from syncify.postgresql.prepared import prepared_cursor

State = SyncRequest.State
_FIELDS = ["id", "name", "state", "broken"]
#: Of the listener's latest syncs, the newest that came to a mirror says how it went.
_LATEST = 5

_OTHERS = f"""
WITH latest AS MATERIALIZED (
    SELECT id, state FROM sync_requests WHERE user_id = %(user)s::bigint AND kind = 'spotify'
     ORDER BY id DESC LIMIT {_LATEST})
SELECT m.id, m.name, m.state, m.broken, {VERSIONS_SQL},
       (SELECT p.spotify_id FROM playlists AS p
         WHERE p.mirror_id = m.id AND p.spotify_id IS NOT NULL ORDER BY p.number LIMIT 1),
       result.state, result.error_message, result.request_state
  FROM mirrors AS m
  LEFT JOIN LATERAL (
       SELECT x.state, x.error_message, latest.state AS request_state
         FROM latest JOIN sync_results AS x ON x.request_id = latest.id AND x.mirror_id = m.id
        ORDER BY latest.id DESC LIMIT 1) AS result ON true
 WHERE m.user_id = %(user)s::bigint AND NOT m.is_main
 ORDER BY m.id"""


def others_of(user: User) -> list[Summary]:
    """What the dashboard says of each playlist but the main one, in one statement."""
    with prepared_cursor() as cursor:
        cursor.execute(_OTHERS, {"user": user.pk})
        rows = cursor.fetchall()
    summaries = []
    for row in rows:
        versions, spotify_id, result, error, request = row[len(_FIELDS) :]
        has_failed = result == SyncResult.State.FAILED
        summaries.append(
            Summary(
                mirror=Mirror.from_db(None, _FIELDS, row[: len(_FIELDS)]),
                sentence="",
                count=sum(rows_in(version).rows for version in versions) if versions else None,
                url=Playlist(spotify_id=spotify_id).url if spotify_id else "",
                trouble=error if has_failed else "",
                is_running=(result, request) == (SyncResult.State.RUNNING, State.RUNNING),
            )
        )
    return summaries
