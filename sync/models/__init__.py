"""The tables, one module for each subject. App label and table names never change."""

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
from sync.models.listening import DifferentSongs, ListeningHistory, ServiceGate, UploadPart
from sync.models.mirrors import InboxItem, Mirror, MirrorTrack, Playlist, PlaylistItems
from sync.models.operations import Backup, Incident, Process
from sync.models.requests import SyncRequest, SyncResult
from sync.models.sharing import (
    Household,
    HouseholdMember,
    Invitation,
    Pair,
    PairInvitation,
    ShareLink,
)
from sync.models.targets import TargetCatalogue, TargetPlaylist, TrackRecording

__all__ = [
    "Album",
    "Artist",
    "ArtistGenre",
    "Backup",
    "Connection",
    "DifferentSongs",
    "Household",
    "HouseholdMember",
    "InboxItem",
    "Incident",
    "Invitation",
    "Library",
    "ListeningHistory",
    "Mirror",
    "MirrorTrack",
    "Pair",
    "PairInvitation",
    "Play",
    "Playlist",
    "PlaylistItems",
    "Process",
    "SavedTrack",
    "ServiceGate",
    "ShareLink",
    "StoredPage",
    "SyncRequest",
    "SyncResult",
    "TargetCatalogue",
    "TargetPlaylist",
    "Track",
    "TrackArtist",
    "TrackLink",
    "TrackRecording",
    "UploadPart",
]
