"""The content of Spotify's responses as our types; a text that is missing or unreadable is ""."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Profile:
    #: Can change. ``account_id`` does not, but older responses lack it.
    id: str
    account_id: str | None
    display_name: str


@dataclass(frozen=True, slots=True)
class Song:
    id: str
    uri: str
    name: str
    artists: tuple[str, ...]
    album: str
    #: 0 when Spotify does not say.
    duration_ms: int
    explicit: bool
    #: 12 characters, upper case, without hyphens.
    isrc: str
    #: A year, a month or a day.
    release_date: str
    #: One for each of ``artists``; "" where Spotify does not say.
    artist_ids: tuple[str, ...] = ()
    album_id: str = ""
    #: album, single or compilation.
    album_type: str = ""
    album_artists: tuple[str, ...] = ()
    #: Address of a picture of the album, about 300 pixels wide.
    cover_url: str = ""
    #: From 1; 0 when Spotify does not say.
    disc_number: int = 0
    track_number: int = 0


@dataclass(frozen=True, slots=True)
class SavedTrackItem:
    """One row of the Liked Songs. It keeps its position even if it cannot be read."""

    added_at: datetime | None
    #: None if the row has no song with an id.
    song: Song | None
    #: The song's name if the row has one, even if ``song`` is None.
    name: str = ""


@dataclass(frozen=True, slots=True)
class SavedTracksPage:
    """Rows from ``offset`` on. The next page begins at ``offset + len(items)``."""

    offset: int
    #: Not reliable: Spotify sometimes miscounts. None if it is missing.
    total: int | None
    items: tuple[SavedTrackItem, ...]
    has_next: bool


@dataclass(frozen=True, slots=True)
class Playlist:
    id: str
    name: str
    #: The text that people wrote: Spotify sends it HTML-escaped.
    description: str
    #: None when Spotify does not say.
    public: bool | None
    snapshot_id: str
    #: The number of entries; None if it is missing, as in other people's playlists.
    total: int | None
    owner_id: str


@dataclass(frozen=True, slots=True)
class PlaylistsPage:
    """Playlists in the library; ``received`` counts rows that could not be read as well."""

    offset: int
    total: int | None
    playlists: tuple[Playlist, ...]
    received: int
    has_next: bool


@dataclass(frozen=True, slots=True)
class PlaylistRow:
    """One entry of a playlist. It has a position even if ``kind`` is none."""

    #: The entry's uri at Spotify; None exactly if ``kind`` is none.
    uri: str | None
    kind: Literal["track", "episode", "local", "none"]
    name: str = ""
    artists: tuple[str, ...] = ()
    album: str = ""
    isrc: str = ""
    duration_ms: int = 0
    explicit: bool = False
    cover_url: str = ""
    #: The Spotify id of the person who added it.
    added_by: str = ""
    added_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlaylistItemsPage:
    """Entries from ``offset`` on. The next page begins at ``offset + len(rows)``."""

    offset: int
    total: int
    rows: tuple[PlaylistRow, ...]
    has_next: bool

    @property
    def uris(self) -> tuple[str | None, ...]:
        """None for an entry that cannot be addressed."""
        return tuple(row.uri for row in self.rows)
