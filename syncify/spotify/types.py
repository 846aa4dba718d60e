"""What Spotify tells us, in our own words; a text that it leaves out is ""."""

from dataclasses import dataclass
from datetime import datetime


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
    duration_ms: int
    explicit: bool
    isrc: str
    #: A year, a month or a day.
    release_date: str


@dataclass(frozen=True, slots=True)
class SavedTrackItem:
    added_at: datetime
    #: None for a like that Spotify shows without its song.
    song: Song | None


@dataclass(frozen=True, slots=True)
class SavedTracksPage:
    offset: int
    total: int
    items: tuple[SavedTrackItem, ...]


@dataclass(frozen=True, slots=True)
class Playlist:
    id: str
    name: str
    #: As people wrote it: Spotify sends it HTML-escaped.
    description: str
    #: None when Spotify does not say.
    public: bool | None
    snapshot_id: str
    #: Entries; 0 when Spotify does not say, as for other people's playlists.
    total: int
    owner_id: str


@dataclass(frozen=True, slots=True)
class PlaylistItemsPage:
    offset: int
    total: int
    #: None for an entry that Spotify shows as null.
    uris: tuple[str | None, ...]
