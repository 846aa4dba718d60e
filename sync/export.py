"""All that is stored about a listener, for themselves; the keys are the names of the columns."""

from typing import Any

from django.db.models import Model, QuerySet

from accounts.models import SpotifyConnection, User
from sync.models import Incident, Mirror, MirrorVolume, ReadPage, SavedTrack, SyncRequest

#: Where each table that names a listener is found in the export.
SECTIONS: dict[type[Model], str] = {
    User: "account",
    SpotifyConnection: "consent",
    Mirror: "mirror",
    MirrorVolume: "volumes",
    SavedTrack: "likes",
    SyncRequest: "syncs",
    ReadPage: "unfinished_read",
    Incident: "alerts",
}
#: Whoever holds a token acts as the listener; where alerts went is the operator's.
_LEFT_OUT = {"access_token", "refresh_token", "alerted"}


def export(user: User) -> dict[str, Any]:
    """What a listener downloads as their data; every table is a list of its rows.

    Likes come newest first and with their song: those that ended have a ``removed_at``.
    """
    likes = SavedTrack.objects.filter(user=user).order_by("-added_at", "rank")
    rows: dict[type[Model], QuerySet[Any]] = {
        User: User.objects.filter(pk=user.pk),
        MirrorVolume: MirrorVolume.objects.filter(mirror=user.pk),
        SavedTrack: likes.select_related("track"),
        **{
            model: model._default_manager.filter(user=user).order_by("pk")
            for model in (SpotifyConnection, Mirror, SyncRequest, ReadPage, Incident)
        },
    }
    return {name: [_row(row) for row in rows[model]] for model, name in SECTIONS.items()}


def _row(row: Model) -> dict[str, Any]:
    found = {
        field.attname: field.value_from_object(row)
        for field in row._meta.concrete_fields
        if field.name not in _LEFT_OUT
    }
    if isinstance(row, SavedTrack):
        found["track"] = _row(row.track)
    if isinstance(row, SpotifyConnection):
        found["ends_at"] = row.consent_ends_at
    return found
