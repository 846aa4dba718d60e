"""The present selection of a rule: the number of songs, and the first ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.mirrors.conditions import Scope
from sync.mirrors.rules import Rule
from sync.mirrors.selection import select
from sync.mirrors.tracks import track_id, track_uri
from sync.mirrors.wanted import without_duplicates
from sync.models import Mirror, Track

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Preview:
    count: int
    songs: Sequence[Track]
    #: Songs that the duplicates' settings leave out: how many, and the first.
    left_out_count: int
    left_out: Sequence[Track]


def preview(
    rule: Rule,
    scope: Scope,
    *,
    keep_same: str = Mirror.KeepSame.ALL,
    keep_twin: str = Mirror.KeepTwin.BOTH,
    mirror: Mirror | None = None,
) -> Preview:
    """The songs of a playlist with this rule and these settings; ``mirror`` is the edited one."""
    selected = select(rule, scope, mirror.rotation if mirror else None).track_ids
    settings = Mirror(user_id=scope.user_id, keep_same=keep_same, keep_twin=keep_twin)
    kept = [
        track_id(uri) for uri in without_duplicates(settings, [track_uri(key) for key in selected])
    ]
    staying = set(kept)
    left_out = [key for key in selected if key not in staying]
    return Preview(len(kept), _tracks(kept[:SHOWN]), len(left_out), _tracks(left_out[:SHOWN]))


def _tracks(ids: Sequence[str]) -> list[Track]:
    tracks = Track.objects.select_related("album").in_bulk(ids)
    return [tracks[key] for key in ids if key in tracks]
