"""The playlists of a mirror together with their items, as one sync works on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sync.models import Mirror, Playlist, PlaylistItems

_FIELDS = [field.attname for field in Playlist._meta.concrete_fields if not field.primary_key]


@dataclass(eq=False)
class Volume:
    """A playlist with its items: uris in order, None for a row without one."""

    playlist: Playlist
    uris: list[str | None] = field(default_factory=list)
    _stored: list[str | None] | None = None
    _fields: dict[str, Any] = field(default_factory=dict)

    @property
    def spotify_id(self) -> str:
        """Of the playlist at Spotify; "" before it is made."""
        return self.playlist.spotify_id or ""

    @property
    def has_base(self) -> bool:
        """Whether the items of the playlist were ever known."""
        return self._stored is not None

    def save(self) -> None:
        """Store changed fields of the playlist, and changed items."""
        values = _values(self.playlist)
        if not self.playlist.pk:
            self.playlist.save(force_insert=True)
        elif changed := [name for name, value in values.items() if self._fields.get(name) != value]:
            self.playlist.save(update_fields=changed)
        self._fields = values
        is_known = self.has_base or self.playlist.items_known
        if is_known and self._stored != self.uris:
            PlaylistItems.objects.update_or_create(
                playlist=self.playlist, defaults={"uris": self.uris}
            )
            self._stored = list(self.uris)


def new_volume(mirror: Mirror, number: int) -> Volume:
    """A volume whose playlist is still to be made."""
    return Volume(
        Playlist(mirror=mirror, number=number, snapshot_id="", reminds=False, written_name="")
    )


def volumes_of(mirror: Mirror) -> list[Volume]:
    playlists = Playlist.objects.filter(mirror=mirror).select_related("items")
    return [_volume(playlist) for playlist in playlists]


def held_in(volumes: Iterable[Volume]) -> set[str | None]:
    return {uri for volume in volumes for uri in volume.uris}


def save_volumes(volumes: Iterable[Volume]) -> None:
    for volume in volumes:
        volume.save()


def _volume(playlist: Playlist) -> Volume:
    items = getattr(playlist, "items", None)
    uris = list(items.uris) if items else []
    return Volume(playlist, uris, list(uris) if items else None, _values(playlist))


def _values(playlist: Playlist) -> dict[str, Any]:
    return {name: getattr(playlist, name) for name in _FIELDS}
