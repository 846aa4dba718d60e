"""The version of a listener's likes: a key for what takes long to find out about them."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

_VERSION = """
SELECT count(*), count(s.removed_at), max(s.id), max(s.removed_at),
       (SELECT count(*) FROM different_songs AS d WHERE d.user_id = %(user)s),
       (SELECT max(d.id) FROM different_songs AS d WHERE d.user_id = %(user)s)
  FROM saved_tracks AS s WHERE s.user_id = %(user)s"""


class Version(NamedTuple):
    """Changes with every like, every unlike, and all that the listener says of duplicates.

    It is the same in all processes. It does not change when Spotify describes a song in another
    way, so what is kept by it must expire.
    """

    likes: int
    ended: int
    newest: int | None
    ended_at: datetime | None
    different: int
    newest_different: int | None

    @property
    def key(self) -> str:
        return "-".join(
            str(part.timestamp() if isinstance(part, datetime) else part) for part in self
        )

    @property
    def songs(self) -> int:
        """Songs that are liked now."""
        return self.likes - self.ended


def likes_version(user_id: int) -> Version:
    with connection.cursor() as cursor:
        cursor.execute(_VERSION, {"user": user_id})
        return Version(*cursor.fetchone())
