"""All stored data of a listener, for download; the keys are the names of the columns."""

from typing import Any

from django.db.models import Model, Q, QuerySet

from accounts.models import SpotifyApp, SpotifyConnection, User
from sync.models import (
    ArtistGenre,
    Connection,
    DifferentSongs,
    Household,
    HouseholdMember,
    InboxItem,
    Incident,
    Invitation,
    Library,
    ListeningHistory,
    Mirror,
    MirrorTrack,
    Pair,
    PairInvitation,
    Play,
    Playlist,
    PlaylistItems,
    SavedTrack,
    ShareLink,
    StoredPage,
    SyncRequest,
    SyncResult,
    TargetCatalogue,
    TargetPlaylist,
    TrackLink,
    UploadPart,
)

#: The key in the export of each table that refers to a listener.
SECTIONS: dict[type[Model], str] = {
    User: "account",
    SpotifyConnection: "consent",
    Library: "library",
    SavedTrack: "likes",
    Play: "plays",
    ListeningHistory: "listening_history",
    UploadPart: "upload",
    DifferentSongs: "different_songs",
    ArtistGenre: "genres",
    Mirror: "mirrors",
    Playlist: "playlists",
    PlaylistItems: "playlist_items",
    MirrorTrack: "mirror_tracks",
    InboxItem: "inbox",
    SyncRequest: "syncs",
    SyncResult: "sync_results",
    StoredPage: "unfinished_read",
    ShareLink: "share_links",
    Pair: "pairs",
    Household: "households",
    HouseholdMember: "household_members",
    PairInvitation: "pair_invitations",
    Invitation: "invitations",
    Connection: "connections",
    TargetPlaylist: "target_playlists",
    TargetCatalogue: "target_catalogues",
    TrackLink: "track_links",
    Incident: "alerts",
    SpotifyApp: "spotify_apps",
}
#: The path to the listener, for tables without ``user``.
OWNER = {
    User: "pk",
    Playlist: "mirror__user",
    PlaylistItems: "playlist__mirror__user",
    MirrorTrack: "mirror__user",
    SyncResult: "request__user",
    Household: "owner",
    TargetPlaylist: "connection__user",
    TargetCatalogue: "connection__user",
    TrackLink: "connection__user",
    SpotifyApp: "created_by",
}
#: Excluded: tokens, because their holder can act as the listener; a guest's address in an
#: invitation; the operator's addresses of alerts; uploads and packed data, because they are
#: copies of data that the listener has.
SECRETS = {
    "access_token",
    "refresh_token",
    "secret",
    "token_hash",
    "code_hash",
    "email",
    "alerted",
    "data",
    "packed",
}


def export(user: User) -> dict[str, Any]:
    """The data that a listener downloads; every table is a list of its rows.

    Likes come newest first and with their song: those that ended have a ``removed_at``.
    """
    return {name: [_row(row) for row in _rows(model, user)] for model, name in SECTIONS.items()}


def _rows(model: type[Model], user: User) -> QuerySet[Any]:
    rows = model._default_manager.all()
    if model is Pair:
        return rows.filter(Q(first=user.pk) | Q(second=user.pk)).order_by("pk")
    own = rows.filter(**{OWNER.get(model, "user"): user.pk})
    if model is SavedTrack:
        return own.select_related("track").order_by("-added_at", "rank")
    return own.order_by("pk")


def _row(row: Model) -> dict[str, Any]:
    found = {
        field.attname: field.value_from_object(row)
        for field in row._meta.concrete_fields
        if field.name not in SECRETS
    }
    if isinstance(row, SavedTrack):
        found["track"] = _row(row.track)
    if isinstance(row, SpotifyConnection):
        found["ends_at"] = row.consent_ends_at
    return found
