"""The playlists of a mirror together with their items, as one sync works on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.models import Mirror, Playlist, PlaylistItems

_FIELDS = [field.name for field in Playlist._meta.concrete_fields if not field.primary_key]


@dataclass(eq=False)
class Volume:
    """A playlist and what it holds: uris in order, None for a row without one."""

    playlist: Playlist
    uris: list[str | None] = field(default_factory=list)
    _stored: list[str | None] | None = None

    def save(self) -> None:
        """Store the playlist, and its items where they differ from the stored ones."""
        if self.playlist.pk:
            self.playlist.save(update_fields=_FIELDS)
        else:
            self.playlist.save()
        if self._stored is None or self._stored != self.uris:
            PlaylistItems.objects.update_or_create(
                playlist=self.playlist, defaults={"uris": self.uris}
            )
            self._stored = list(self.uris)


def volumes_of(mirror: Mirror) -> list[Volume]:
    playlists = Playlist.objects.filter(mirror=mirror).select_related("items")
    return [_volume(playlist) for playlist in playlists]


def save_volumes(volumes: Iterable[Volume]) -> None:
    for volume in volumes:
        volume.save()


def _volume(playlist: Playlist) -> Volume:
    items = getattr(playlist, "items", None)
    uris = list(items.uris) if items else []
    return Volume(playlist, uris, list(uris) if items else None)
