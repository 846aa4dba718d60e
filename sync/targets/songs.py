"""The songs that connected services should hold: the likes, and those of the chosen mirrors."""

from collections.abc import Iterable

from sync.mirrors import tracks
from sync.models import Mirror, MirrorTrack, PlaylistItems, SavedTrack, Track
from sync.targets.matching import Wanted

_CHUNK = 2_000


def liked_ids(user_id: int) -> list[str]:
    """Ids of the Liked Songs, newest first."""
    likes = SavedTrack.objects.filter(user=user_id, removed_at=None)
    return list(likes.order_by("-added_at", "rank").values_list("track_id", flat=True))


def ids_of(mirror: Mirror) -> list[str]:
    """Ids of the songs of a mirror, in its order.

    For a main mirror without options, these are the likes. For every other mirror, these are the
    songs that Syncify last left in its playlist, so that rules are applied in one place only.
    """
    if _holds_all_likes(mirror):
        return liked_ids(mirror.user_id)
    rows = PlaylistItems.objects.filter(playlist__mirror=mirror).order_by("playlist__number")
    uris = [uri for held in rows.values_list("uris", flat=True) for uri in held]
    return [tracks.track_id(uri) for uri in uris if uri and tracks.is_track(uri)]


def _holds_all_likes(mirror: Mirror) -> bool:
    return (
        mirror.is_main
        and mirror.keep_same == Mirror.KeepSame.ALL
        and mirror.keep_twin == Mirror.KeepTwin.BOTH
        and not mirror.keeps_additions
        and not Mirror.objects.filter(user=mirror.user_id, takes_from_main=True).exists()
        and not MirrorTrack.objects.filter(mirror=mirror).exclude(choice="").exists()
    )


def described(ids: Iterable[str]) -> dict[str, Wanted]:
    """The stored data of these songs; unknown songs are omitted."""
    wanted: dict[str, Wanted] = {}
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), _CHUNK):
        rows = Track.objects.filter(pk__in=unique[start : start + _CHUNK])
        for key, title, artists, album, duration_ms, isrc in rows.values_list(
            "pk", "name", "artists", "album_name", "duration_ms", "isrc"
        ):
            wanted[key] = Wanted(
                key, title, artists[0] if artists else "", album, duration_ms, isrc
            )
    return wanted
