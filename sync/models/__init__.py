"""The tables, one module a noun. The app label and the table names are as released."""

from sync.models.connections import Connection, TrackLink
from sync.models.library import (
    Album,
    Artist,
    ArtistGenre,
    Library,
    Play,
    SavedTrack,
    StoredPage,
    Track,
    TrackArtist,
)
from sync.models.mirrors import InboxItem, Mirror, MirrorTrack, Playlist, PlaylistItems
from sync.models.operations import Backup, Incident, Process
from sync.models.requests import SyncRequest, SyncResult
from sync.models.sharing import Pair, PairInvitation, ShareLink

__all__ = [
    "Album",
    "Artist",
    "ArtistGenre",
    "Backup",
    "Connection",
    "InboxItem",
    "Incident",
    "Library",
    "Mirror",
    "MirrorTrack",
    "Pair",
    "PairInvitation",
    "Play",
    "Playlist",
    "PlaylistItems",
    "Process",
    "SavedTrack",
    "ShareLink",
    "StoredPage",
    "SyncRequest",
    "SyncResult",
    "Track",
    "TrackArtist",
    "TrackLink",
]
