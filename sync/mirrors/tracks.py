"""Facts about single songs in one mirror: which songs it wants, which Spotify refuses there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from django.db.models import CharField, Exists, F, OuterRef, Value
from django.db.models.functions import Concat, Now

from sync.models import Mirror, MirrorTrack, SavedTrack

#: A song that Spotify refused is tried again at the first full read after so long. Small libraries
#: are read in full each time.
REFUSED_FOR = timedelta(days=6)
#: Syncs running in which a song must be missing before we stop putting it back.
MISSING_TOO_OFTEN = 3


def wanted_uris(mirror: Mirror) -> list[str]:
    """What the playlist should hold: the likes, newest first, without those Spotify refuses."""
    refused = MirrorTrack.objects.filter(
        mirror=mirror, track=OuterRef("track"), refused_at__isnull=False
    )
    rows = SavedTrack.objects.filter(~Exists(refused), user=mirror.user_id, removed_at=None)
    uri = Concat(Value("spotify:track:"), "track_id", output_field=CharField())
    return list(rows.order_by("-added_at", "rank").values_list(uri, flat=True))


def refuse(mirror: Mirror, uris: Iterable[str], reason: str) -> None:
    """Leave these songs out of the playlist for some days, and say why."""
    MirrorTrack.objects.bulk_create(
        [
            MirrorTrack(mirror=mirror, track_id=track, refused_at=Now(), refused_reason=reason)
            for track in sorted(map(track_id, uris))
        ],
        update_conflicts=True,
        unique_fields=["mirror", "track"],
        update_fields=["refused_at", "refused_reason"],
    )


def were_refused(mirror: Mirror, uris: Collection[str]) -> bool:
    """Whether all these songs, which are tried again, had been refused before."""
    tracks = {track_id(uri) for uri in uris}
    refused = MirrorTrack.objects.filter(mirror=mirror, track__in=tracks)
    return refused.exclude(refused_reason="").count() == len(tracks)


def retry_refused(mirror: Mirror) -> None:
    """Try again what was refused some days ago. The reason stays: a second refusal is believed."""
    refused = MirrorTrack.objects.filter(mirror=mirror, refused_at__lt=Now() - REFUSED_FOR)
    refused.update(refused_at=None, times_missing=0)


def count_missing(mirror: Mirror, missing: Collection[str]) -> list[str]:
    """Note which songs had been put into the playlist but are not there, and which are again.

    Returns those that were missing for the third time running.
    """
    tracks = sorted({track_id(uri) for uri in missing})
    facts = MirrorTrack.objects.filter(mirror=mirror)
    facts.filter(times_missing__gt=0).exclude(track__in=tracks).update(times_missing=0)
    if not tracks:
        return []
    liked = SavedTrack.objects.filter(user=mirror.user_id, removed_at=None, track__in=tracks)
    MirrorTrack.objects.bulk_create(
        [
            MirrorTrack(mirror=mirror, track_id=track)
            for track in liked.order_by("track_id").values_list("track_id", flat=True)
        ],
        ignore_conflicts=True,
    )
    gone = facts.filter(track__in=liked.values("track_id"))
    gone.update(times_missing=F("times_missing") + 1)
    again = gone.filter(times_missing__gte=MISSING_TOO_OFTEN).values_list("track_id", flat=True)
    return [track_uri(track) for track in again]


def track_uri(track: str) -> str:
    return f"spotify:track:{track}"


def track_id(uri: str) -> str:
    return uri.removeprefix("spotify:track:")
