"""Which songs each of a listener's mirrors wants, before what is known of single songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sync.mirrors.tracks import facts_of, track_uri
from sync.models import Library, Mirror, SavedTrack

if TYPE_CHECKING:
    from sync.library.record import Record
    from sync.mirrors.volumes import Volume


def select_all(
    record: Record,
    library: Library,
    mirrors: Sequence[Mirror],
    volumes: Mapping[int, Sequence[Volume]],
    now: datetime,
) -> dict[int, list[str]]:
    """The uris that each mirror's rule selects, in order, by the mirror's id.

    A rule that cannot be followed marks its mirror as broken, and leaves the others alone.
    """
    selected = {
        mirror.pk: _by_rule(record, library, mirror, volumes[mirror.pk], now)
        for mirror in mirrors
        if not mirror.is_main
    }
    for mirror in mirrors:
        if mirror.is_main:
            taken = _taken_from_main(mirror, mirrors, selected)
            selected[mirror.pk] = [uri for uri in _liked(mirror) if uri not in taken]
    return selected


def _liked(mirror: Mirror) -> list[str]:
    """All Liked Songs, newest first."""
    likes = SavedTrack.objects.filter(user=mirror.user_id, removed_at=None)
    ordered = likes.order_by("-added_at", "rank").values_list("track_id", flat=True)
    return [track_uri(track) for track in ordered]


def _taken_from_main(
    main: Mirror, mirrors: Sequence[Mirror], selected: Mapping[int, Sequence[str]]
) -> set[str]:
    """What the main mirror leaves out, because another mirror holds it.

    A mirror that is synced holds what its rule selects, but for songs that Spotify refuses there;
    one that is paused holds what it held.
    """
    taken: set[str] = set()
    synced = {mirror.pk: mirror for mirror in mirrors if not mirror.broken}
    takers = Mirror.objects.filter(user=main.user_id, is_main=False, takes_from_main=True)
    for taker in takers.exclude(state=Mirror.State.REMOVED):
        if taker.pk in synced:
            facts = facts_of(taker)
            left_out = facts.refused | facts.excluded
            taken.update(uri for uri in selected[taker.pk] if uri not in left_out)
        else:
            for volume in volumes_of(taker):
                taken.update(uri for uri in volume.uris if uri)
    return taken
