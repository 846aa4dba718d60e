"""Summaries of a listener's playlists for lists: rule, songs and state."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connection

from sync.mirrors.keeping import is_fixed
from sync.mirrors.rule_json import from_json
from sync.mirrors.rules import RuleError
from sync.mirrors.sentences import sentence
from sync.models import Mirror, Playlist, SyncResult, Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accounts.models import User
    from sync.mirrors.rules import SharedSongs

MAIN = "All liked songs, newest first."
#: Songs of which the picture takes the covers of four albums.
_FOR_PICTURE = 12

_PLAYLISTS = """
SELECT p.mirror_id, p.spotify_id, coalesce(cardinality(i.uris), 0), i.uris[1:%s],
       i.playlist_id IS NOT NULL
  FROM playlists AS p
  JOIN mirrors AS m ON m.id = p.mirror_id
  LEFT JOIN playlist_items AS i ON i.playlist_id = p.id
 WHERE m.user_id = %s
 ORDER BY p.mirror_id, p.number"""


@dataclass(slots=True)
class Summary:
    mirror: Mirror
    sentence: str
    #: Songs in the playlists as last seen; None before there are any.
    count: int | None = None
    #: The address of the first playlist; "" before it is made.
    url: str = ""
    tracks: Sequence[Track] = ()
    #: Why the last sync did not update this mirror; "" if it did.
    trouble: str = ""
    #: A sync is updating it.
    is_running: bool = False

    @property
    def state(self) -> str:
        """The state as text."""
        match self.mirror.state:
            case Mirror.State.PAUSED:
                return "Paused"
            case Mirror.State.REMOVED:
                return "No longer in your library"
        if self.mirror.broken:
            return f"Syncify cannot use this rule: {self.mirror.broken}"
        if self.is_running:
            return "Being updated"
        return self.trouble or ("" if self.url else "Waits for its first sync")

    @property
    def tone(self) -> str:
        if self.mirror.broken or (self.trouble and self.mirror.state == Mirror.State.ACTIVE):
            return "trouble"
        return "good" if self.mirror.state == Mirror.State.ACTIVE else "resting"


@dataclass(slots=True)
class _Held:
    url: str = ""
    count: int | None = None
    ids: list[str] = field(default_factory=list)


def names_of(user: User) -> dict[int, str]:
    """The playlists that a rule of this listener may mention."""
    return dict(
        Mirror.objects.filter(user=user).order_by("-is_main", "id").values_list("id", "name")
    )


def words_of(mirror: Mirror, names: Mapping[int, str], sharers: Mapping[SharedSongs, str]) -> str:
    """The rule as one sentence, with the names of playlists and other listeners."""
    if mirror.is_main:
        return MAIN
    if is_fixed(mirror):
        return "A fixed list: its songs stay as they are."
    try:
        return sentence(from_json(mirror.rule), names, sharers)
    except RuleError:
        return "Its rule cannot be read."


def summaries(user: User, sharers: Mapping[SharedSongs, str]) -> list[Summary]:
    """All playlists of ``user``, the main one first; the number of queries is always the same.

    ``sharers`` names the listeners of pairs and households.
    """
    mirrors = list(Mirror.objects.filter(user=user).order_by("-is_main", "id"))
    names = {mirror.pk: mirror.name for mirror in mirrors}
    held = _held(user)
    ids = {key for each in held.values() for key in each.ids}
    tracks = Track.objects.select_related("album").in_bulk(ids)
    troubles = _troubles(user)
    return [
        Summary(
            mirror=mirror,
            sentence=words_of(mirror, names, sharers),
            count=held[mirror.pk].count,
            url=held[mirror.pk].url,
            tracks=[tracks[key] for key in held[mirror.pk].ids if key in tracks],
            trouble=troubles.get(mirror.pk, ""),
        )
        for mirror in mirrors
    ]


def _held(user: User) -> dict[int, _Held]:
    held: dict[int, _Held] = defaultdict(_Held)
    with connection.cursor() as cursor:
        cursor.execute(_PLAYLISTS, [_FOR_PICTURE, user.pk])
        for mirror_id, spotify_id, count, uris, is_known in cursor.fetchall():
            each = held[mirror_id]
            if not each.url and spotify_id:
                each.url = _address(spotify_id)
            if is_known:
                each.count = (each.count or 0) + count
            if len(each.ids) < _FOR_PICTURE:
                each.ids += [uri.rpartition(":")[2] for uri in uris or () if uri]
    return held


def _address(spotify_id: str) -> str:
    return Playlist(spotify_id=spotify_id).url


def _troubles(user: User) -> dict[int, str]:
    """The reason for each mirror that the latest sync could not update."""
    results = SyncResult.objects.filter(mirror__user=user).order_by("mirror", "-request")
    latest = results.distinct("mirror")
    return {
        mirror: message
        for mirror, state, message in latest.values_list("mirror_id", "state", "error_message")
        if state == SyncResult.State.FAILED and message
    }
