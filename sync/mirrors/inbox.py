"""Finds and stores songs that other people added to a mirror's playlists, or removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.db.models.functions import Now

from sync.mirrors.shared import is_shared
from sync.mirrors.tracks import is_track, track_id, track_uri
from sync.models import InboxItem, Mirror, Track

if TYPE_CHECKING:
    from syncify.spotify.types import PlaylistRow

#: More songs than this, added at once, get one sentence and no inbox items.
MOST = 200


@dataclass(frozen=True, slots=True)
class Additions:
    """Changes of other people. ``is_much``: too many for inbox items."""

    added: tuple[PlaylistRow, ...] = ()
    taken_out: tuple[str, ...] = ()
    is_much: bool = False


def additions(
    base: Sequence[str | None] | None,
    now: Sequence[PlaylistRow],
    wanted: Collection[str],
    *,
    own: Collection[str] = (),
    refused: Collection[str] = (),
    verified: Collection[str] = (),
) -> Additions:
    """The changes from ``base``, the last state of Syncify, to ``now``.

    ``base`` is None where it is not known what was left: then nothing is told. Songs of ``own``
    count as Syncify's, wherever they come from; ``refused`` ones, episodes and local files are not
    offered. Only ``verified`` songs, which a look has seen, can have been taken out.
    """
    if base is None:
        return Additions()
    before, present = set(base), {row.uri for row in now}
    added = {
        row.uri: row
        for row in now
        if row.uri is not None
        and row.kind == "track"
        and row.uri not in before
        and row.uri not in own
        and row.uri not in refused
        and row.uri not in wanted
    }
    missing = [uri for uri in dict.fromkeys(base) if uri and uri in wanted and uri not in present]
    is_much = len(added) > MOST or len(missing) * 2 > len(before)
    if is_much:
        return Additions(is_much=True)
    taken_out = tuple(uri for uri in missing if uri in verified)
    return Additions(tuple(added.values()), taken_out)


def record_additions(mirror: Mirror, found: Additions, present: Collection[str | None]) -> None:
    """Store the found changes, in the transaction that stores the playlist's items.

    A song that was dismissed stays so until it has left the playlists, which hold ``present``, and
    is added again after the decision.
    """
    added = InboxItem.objects.filter(mirror=mirror, kind=InboxItem.Kind.ADDED)
    if found.added:
        _note_decided(added, found.added)
    there = set(added.filter(is_present=True).values_list("track_id", flat=True))
    fresh = [row for row in found.added if track_id(row.uri or "") not in there]
    waiting = added.filter(state=InboxItem.State.WAITING)
    waiting.filter(track_id__in=[track_id(row.uri or "") for row in fresh]).update(
        is_present=True, seen_at=Now()
    )
    InboxItem.objects.bulk_create(
        [
            InboxItem(
                user_id=mirror.user_id,
                mirror=mirror,
                kind=InboxItem.Kind.ADDED,
                track_id=track_id(row.uri or ""),
                name=row.name,
                artists=list(row.artists),
                cover_url=row.cover_url if len(row.cover_url) <= 300 else "",
                added_by=row.added_by,
                added_at=row.added_at,
                is_present=True,
            )
            for row in fresh
        ],
        ignore_conflicts=True,
    )
    _record_taken_out(mirror, found.taken_out)
    note_present(mirror, present)


def _note_decided(added: QuerySet[InboxItem], rows: Sequence[PlaylistRow]) -> None:
    """Mark the songs of ``rows`` as present whose listener decided after they were added.

    No sync had seen this addition then: the item is of an earlier one.
    """
    added_at = {track_id(row.uri or ""): row.added_at for row in rows if row.added_at}
    decided = added.filter(track_id__in=added_at).exclude(decided_at=None)
    later = [
        item.pk
        for item in decided.only("track_id", "decided_at")
        if item.decided_at and item.decided_at >= added_at[item.track_id]
    ]
    if later:
        added.filter(pk__in=later).update(is_present=True)


def _record_taken_out(mirror: Mirror, uris: Sequence[str]) -> None:
    tracks = Track.objects.select_related("album").in_bulk([track_id(uri) for uri in uris])
    InboxItem.objects.bulk_create(
        [
            InboxItem(
                user_id=mirror.user_id,
                mirror=mirror,
                kind=InboxItem.Kind.TAKEN_OUT,
                track_id=track.id,
                name=track.name,
                artists=track.artists,
                cover_url=getattr(track.album, "cover_url", ""),
            )
            for track in tracks.values()
        ],
        ignore_conflicts=True,
    )


def note_present(mirror: Mirror, uris: Collection[str | None]) -> None:
    """Update which songs of the inbox are still in the playlists."""
    there = InboxItem.objects.filter(mirror=mirror, kind=InboxItem.Kind.ADDED, is_present=True)
    held = {uri for uri in uris if uri}
    left = [
        item.pk for item in there.only("pk", "track_id") if track_uri(item.track_id) not in held
    ]
    if left:
        InboxItem.objects.filter(pk__in=left).update(is_present=False)


def kept_additions(mirror: Mirror, present: Sequence[str], liked: Collection[str]) -> list[str]:
    """Songs that others added to a mirror that keeps such songs, in their order.

    ``liked`` are those of ``present`` that the listener likes, or liked once: those are here by
    the rule, or were. Songs of other listeners must leave when these end the sharing, so that a
    mirror of such songs keeps only those that a look has seen added.
    """
    items = InboxItem.objects.filter(mirror=mirror, kind=InboxItem.Kind.ADDED, is_present=True)
    offered = {track_uri(track) for track in items.values_list("track_id", flat=True)}
    return [
        uri
        for uri in dict.fromkeys(present)
        if uri in offered
        or (not is_shared(mirror) and uri not in liked and (is_track(uri) or ":episode:" in uri))
    ]
