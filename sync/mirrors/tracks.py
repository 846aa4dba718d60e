"""Facts about single songs in one mirror: which songs it wants, which Spotify refuses there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.db.models.functions import Now

from sync.models import Mirror, MirrorTrack, SavedTrack

#: A song that Spotify refused is tried again at the first full read after so long. Small libraries
#: are read in full each time.
REFUSED_FOR = timedelta(days=6)
#: Syncs running in which a song must be missing before we stop putting it back.
MISSING_TOO_OFTEN = 3
#: The reasons that are shown to people.
NOT_TAKEN = "Spotify does not take it into a playlist"
NOT_KEPT = "Spotify does not keep it in the playlist"
NOT_REMOVED = "Spotify does not remove it from the playlist"

_PREFIX = "spotify:track:"


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about single songs in one mirror, by their uris.

    ``stuck`` songs cannot be removed, ``refused`` ones not added; ``shown_as`` has the uri under
    which Spotify shows a song.
    """

    refused: frozenset[str]
    stuck: frozenset[str]
    excluded: frozenset[str]
    kept: tuple[str, ...]
    shown_as: Mapping[str, str]
    missing: frozenset[str]


def facts_of(mirror: Mirror) -> Facts:
    refused, stuck, excluded, missing = set[str](), set[str](), set[str](), set[str]()
    kept: list[str] = []
    shown_as = {}
    for fact in MirrorTrack.objects.filter(mirror=mirror).order_by("id"):
        uri = track_uri(fact.track_id)
        if fact.refused_at is not None:
            (stuck if fact.refused_reason == NOT_REMOVED else refused).add(uri)
        if fact.choice == MirrorTrack.Choice.EXCLUDED:
            excluded.add(uri)
        elif fact.choice == MirrorTrack.Choice.KEPT:
            kept.append(uri)
        if fact.shown_as:
            shown_as[uri] = fact.shown_as
        if fact.times_missing:
            missing.add(uri)
    return Facts(
        frozenset(refused),
        frozenset(stuck),
        frozenset(excluded),
        tuple(kept),
        shown_as,
        frozenset(missing),
    )


def refuse(mirror: Mirror, uris: Iterable[str], reason: str) -> None:
    """Leave these songs as they are for some days, out of the playlist or in it, and say why."""
    MirrorTrack.objects.bulk_create(
        [
            MirrorTrack(mirror=mirror, track_id=track, refused_at=Now(), refused_reason=reason)
            for track in sorted(map(track_id, uris))
        ],
        update_conflicts=True,
        unique_fields=["mirror", "track"],
        update_fields=["refused_at", "refused_reason"],
    )


def remember_shown_as(mirror: Mirror, shown_as: Mapping[str, str]) -> None:
    """Note under which uris Spotify shows these songs in the mirror's playlists."""
    MirrorTrack.objects.bulk_create(
        [
            MirrorTrack(mirror=mirror, track_id=track_id(uri), shown_as=shown)
            for uri, shown in sorted(shown_as.items())
        ],
        update_conflicts=True,
        unique_fields=["mirror", "track"],
        update_fields=["shown_as"],
    )


def were_refused(mirror: Mirror, uris: Collection[str]) -> bool:
    """Whether all these songs, which are tried again, had been refused before."""
    tracks = {track_id(uri) for uri in uris}
    refused = MirrorTrack.objects.filter(mirror=mirror, track__in=tracks)
    return refused.exclude(refused_reason="").count() == len(tracks)


def retry_refused(mirrors: Iterable[Mirror]) -> None:
    """Try again songs that were refused some days ago. The reason stays for a second refusal."""
    refused = MirrorTrack.objects.filter(mirror__in=mirrors, refused_at__lt=Now() - REFUSED_FOR)
    refused.update(refused_at=None, times_missing=0)


def count_missing(mirror: Mirror, missing: Collection[str], wanted: Collection[str]) -> list[str]:
    """Count the wanted songs that Syncify added and that are missing; reset those that returned.

    Returns those that were missing for the third time running.
    """
    tracks = sorted({track_id(uri) for uri in missing if uri in wanted})
    facts = MirrorTrack.objects.filter(mirror=mirror)
    facts.filter(times_missing__gt=0).exclude(track__in=tracks).update(times_missing=0)
    if not tracks:
        return []
    MirrorTrack.objects.bulk_create(
        [MirrorTrack(mirror=mirror, track_id=track) for track in tracks], ignore_conflicts=True
    )
    gone = facts.filter(track__in=tracks)
    gone.update(times_missing=F("times_missing") + 1)
    again = gone.filter(times_missing__gte=MISSING_TOO_OFTEN).values_list("track_id", flat=True)
    return [track_uri(track) for track in again]


def ever_liked(user_id: int, uris: Iterable[str]) -> set[str]:
    """Of these, the songs that the listener likes, or liked once."""
    tracks = [track_id(uri) for uri in uris if is_track(uri)]
    likes = SavedTrack.objects.filter(user=user_id, track__in=tracks)
    return {track_uri(track) for track in likes.values_list("track_id", flat=True)}


def liked_now(user_id: int, uris: Iterable[str]) -> set[str]:
    """Of these, the songs that the listener likes."""
    tracks = [track_id(uri) for uri in uris if is_track(uri)]
    likes = SavedTrack.objects.filter(user=user_id, removed_at=None, track__in=tracks)
    return {track_uri(track) for track in likes.values_list("track_id", flat=True)}


def when_unliked(user_id: int, uris: Iterable[str]) -> dict[str, datetime]:
    """When the likes of these songs last ended, of those that ended."""
    tracks = [track_id(uri) for uri in uris if is_track(uri)]
    if not tracks:
        return {}
    likes = SavedTrack.objects.filter(user=user_id, track__in=tracks, removed_at__isnull=False)
    rows = likes.order_by("removed_at").values_list("track_id", "removed_at")
    return {track_uri(track): at for track, at in rows if at is not None}


def is_track(uri: str) -> bool:
    return uri.startswith(_PREFIX)


def track_uri(track: str) -> str:
    return f"{_PREFIX}{track}"


def track_id(uri: str) -> str:
    return uri.removeprefix(_PREFIX)
