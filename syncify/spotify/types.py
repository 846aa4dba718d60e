"""What Spotify tells us, in our own words; a text that it leaves out, or garbles, is ""."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Profile:
    #: May change; ``account_id`` does not, but Spotify has not always sent one.
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
    """One row of the Liked Songs. It has a place there even if nothing of it can be read."""

    added_at: datetime | None
    #: None when the row has no song that can be addressed.
    song: Song | None
    #: The song's name where the row has one, also without ``song``.
    name: str = ""


@dataclass(frozen=True, slots=True)
class SavedTracksPage:
    """Rows from ``offset`` on. The next page begins at ``offset + len(items)``."""

    offset: int
    #: A hint: Spotify has been seen to miscount. None when it does not say.
    total: int | None
    items: tuple[SavedTrackItem, ...]
    has_next: bool


@dataclass(frozen=True, slots=True)
class Playlist:
    id: str
    name: str
    #: As people wrote it: Spotify sends it HTML-escaped.
    description: str
    #: None when Spotify does not say.
    public: bool | None
    snapshot_id: str
    #: Entries; None when Spotify does not say, as for other people's playlists.
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
    """One entry of a playlist. It holds a position even when ``kind`` is none."""

    #: What Spotify calls the entry; None exactly when ``kind`` is none.
    uri: str | None
    kind: Literal["track", "episode", "local", "none"]
    name: str = ""
    artists: tuple[str, ...] = ()
    album: str = ""
    isrc: str = ""
    duration_ms: int = 0
    explicit: bool = False
    cover_url: str = ""
    #: The Spotify id of who added it.
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
