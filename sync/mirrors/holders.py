"""Which of a listener's playlists hold a song."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db import connection

from syncify.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOLDERS = """
SELECT DISTINCT split_part(uri, ':', 3), m.is_main, m.id, m.name
  FROM mirrors AS m
  JOIN playlists AS p ON p.mirror_id = m.id
  JOIN playlist_items AS i ON i.playlist_id = p.id
 CROSS JOIN LATERAL unnest(i.uris) AS uri
 WHERE m.user_id = %s AND uri = ANY(%s)
 ORDER BY m.is_main DESC, m.id"""


def holders(user_id: int, track_ids: Sequence[str]) -> dict[str, list[str]]:
    """The names of the playlists that hold each of these songs, as they were last seen."""
    found: dict[str, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS, [user_id, [f"spotify:track:{key}" for key in track_ids]])
        for track, _, _, name in cursor.fetchall():
            found[track].append(plain(name))
    return dict(found)
