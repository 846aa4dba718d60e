"""The songs that each mirror's rule selects, before facts about single songs apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.library.duplicates import find_pairs, left_out
from sync.library.record import MirrorGone
from sync.library.songs import different_pairs, load_songs
from sync.mirrors.conditions import Scope
from sync.mirrors.rule_json import from_json
from sync.mirrors.rules import HouseholdSongs, Likes, PairSongs, Rule, RuleError
from sync.mirrors.selection import is_due, select
from sync.mirrors.shared import songs_for
from sync.mirrors.tracks import facts_of, is_track, liked_now, track_id, track_uri
from sync.mirrors.volumes import volumes_of
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

    A rule that cannot be used marks its mirror as broken; other mirrors continue.
    """
    selected: dict[int, list[str]] = {}
    for mirror in mirrors:
        if not mirror.is_main:
            before = mirror.broken
            selected[mirror.pk] = wanted_tracks(mirror, library, volumes[mirror.pk], now)
            if mirror.broken != before:
                _store_broken(record, mirror)
    for mirror in mirrors:
        if mirror.is_main:
            taken = _taken_from_main(mirror, mirrors, selected)
            liked = without_duplicates(mirror, _liked(mirror))
            selected[mirror.pk] = [uri for uri in liked if uri not in taken]
    return selected


def wanted_tracks(
    mirror: Mirror, library: Library, volumes: Sequence[Volume], now: datetime
) -> list[str]:
    """What the rule of a mirror selects; what was selected last, where that is to stay.

    Notes in ``mirror`` why it could not. When it selected, and where "rediscover" stands, is noted
    there too, to be stored with the songs: an attempt that fails before selects the same again.
    """
    try:
        rule = from_json(mirror.rule)
    except RuleError as error:
        mirror.broken = str(error)
        return []
    mirror.broken = ""
    if rule.refresh == "sync" and mirror.refresh != Mirror.Refresh.SYNC:
        rule = replace(rule, refresh=Mirror.Refresh(mirror.refresh).value)  # type: ignore[arg-type]
    scope = Scope(mirror.user_id, now, _zone(library), mirror.pk, songs_for(mirror.user_id))
    is_known = bool(volumes) and all(
        volume.has_base and volume.playlist.items_known for volume in volumes
    )
    if is_known and not is_due(rule, scope, mirror.refreshed_at):
        return _still(rule, scope, volumes)
    selection = select(rule, scope, mirror.rotation)
    mirror.rotation = selection.rotation
    if rule.refresh != "sync":
        mirror.refreshed_at = now
    return without_duplicates(mirror, [track_uri(track) for track in selection.track_ids])


def without_duplicates(mirror: Mirror, uris: list[str]) -> list[str]:
    """The songs without those that the mirror's settings leave out for others like them."""
    if mirror.keep_same == Mirror.KeepSame.ALL and mirror.keep_twin == Mirror.KeepTwin.BOTH:
        return uris
    chosen = {track_id(uri) for uri in uris}
    songs = [song for song in load_songs(mirror.user_id) if song.id in chosen]
    out = left_out(
        songs,
        find_pairs(songs, different_pairs(mirror.user_id)),
        same=Mirror.KeepSame(mirror.keep_same).value,  # type: ignore[arg-type]
        twin=Mirror.KeepTwin(mirror.keep_twin).value,  # type: ignore[arg-type]
    )
    return [uri for uri in uris if track_id(uri) not in out]


def _still(rule: Rule, scope: Scope, volumes: Sequence[Volume]) -> list[str]:
    """The songs of the last selection that are in the playlists.

    Songs of other listeners stay only for as long as these share them.
    """
    held = [uri for volume in volumes for uri in volume.uris if uri and is_track(uri)]
    match rule.source:
        case Likes():
            liked = liked_now(scope.user_id, held)
        case PairSongs() | HouseholdSongs() as songs:
            shared = scope.shared_songs(songs) if scope.shared_songs else ()
            liked = {track_uri(like.track_id) for like in shared}
        case _:
            return held
    return [uri for uri in held if uri in liked]


def _liked(mirror: Mirror) -> list[str]:
    """All Liked Songs, newest first."""
    likes = SavedTrack.objects.filter(user=mirror.user_id, removed_at=None)
    ordered = likes.order_by("-added_at", "rank").values_list("track_id", flat=True)
    return [track_uri(track) for track in ordered]


def _taken_from_main(
    main: Mirror, mirrors: Sequence[Mirror], selected: Mapping[int, Sequence[str]]
) -> set[str]:
    """The songs that the main mirror leaves out because another mirror has them.

    A mirror that is synced holds what its rule selects, but for songs that Spotify refuses there;
    one that is paused holds what it held.
    """
    taken: set[str] = set()
    synced = {mirror.pk for mirror in mirrors if not mirror.broken}
    takers = Mirror.objects.filter(user=main.user_id, is_main=False, takes_from_main=True)
    for taker in takers.exclude(state=Mirror.State.REMOVED):
        if taker.pk in synced:
            facts = facts_of(taker)
            left = facts.refused | facts.excluded
            held = [*selected[taker.pk], *facts.kept]
            taken.update(uri for uri in held if uri not in left)
        else:
            for volume in volumes_of(taker):
                taken.update(uri for uri in volume.uris if uri)
    return taken


def _zone(library: Library) -> tzinfo:
    try:
        return ZoneInfo(library.time_zone) if library.time_zone else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _store_broken(record: Record, mirror: Mirror) -> None:
    try:
        with record.fenced(mirror):
            mirror.save(update_fields=["broken"])
    except MirrorGone:
        return  # whoever syncs it finds that out too
