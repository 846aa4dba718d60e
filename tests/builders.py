"""Plain builders of rows, with defaults."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import (
    Library,
    Mirror,
    MirrorTrack,
    SavedTrack,
    SyncRequest,
    SyncResult,
    Track,
)
from syncify.simulator.server import Simulator


def connect(simulator: Simulator, spotify_id: str) -> User:
    """A listener who has signed in: user, connection with working tokens, mirror; no request."""
    token = simulator.authorize(spotify_id)
    user = make_user(spotify_id)
    SpotifyConnection.objects.filter(user=user).delete()
    SpotifyConnection.objects.create(
        user=user,
        access_token=token["access_token"],
        refresh_token=token["refresh_token"],
        scopes=token["scope"],
        access_expires_at=timezone.now() + timedelta(seconds=token["expires_in"]),
        authorized_at=timezone.now(),
    )
    return user


def make_user(spotify_id: str) -> User:
    """A listener with a mirror and a connection whose tokens Spotify does not know."""
    user = User.objects.create(spotify_id=spotify_id, display_name=spotify_id.title())
    SpotifyConnection.objects.create(user=user, authorized_at=timezone.now())
    Library.objects.create(user=user)
    Mirror.objects.create(user=user, name=f"Liked Songs of {user.display_name}")
    return user


def as_user(user: User) -> Client:
    """A browser in which the listener is signed in."""
    client = Client()
    client.force_login(user)
    return client


def main_mirror(user: User) -> Mirror:
    return Mirror.objects.get(user=user, is_main=True)


def at_playlist(user: User, page: str) -> str:
    """The path of a page of the listener's main mirror."""
    return f"/playlists/{main_mirror(user).pk}/{page}"


def make_request(user: User, **fields: Any) -> SyncRequest:
    """A sync request, queued unless ``state`` says otherwise, with what that state demands."""
    state = fields.get("state", SyncRequest.State.QUEUED)
    now = timezone.now()
    if state == SyncRequest.State.RUNNING:
        lease = {"leased_by": "worker", "leased_until": now + timedelta(minutes=1)}
        fields = {"attempt": 1, "started": now, **lease, **fields}
    elif state != SyncRequest.State.QUEUED:
        fields = {"completed": now, **fields}
    request = SyncRequest.objects.create(user=user, **{"trigger": "manual", **fields})
    counts = {
        name: fields[name] for name in ("added", "removed", "moved", "skipped") if name in fields
    }
    if counts and request.completed:
        note = fields.get("note", "")
        SyncResult.objects.create(
            request=request, mirror=main_mirror(user), state="done", note=note, **counts
        )
    return request


def make_like(user: User, name: str, **fields: Any) -> SavedTrack:
    """A like of a song by Kiasmos."""
    track, _ = Track.objects.get_or_create(id=name, defaults={"name": name, "artists": ["Kiasmos"]})
    return SavedTrack.objects.create(
        user=user, track=track, **{"added_at": timezone.now(), **fields}
    )


def make_refused(user: User, name: str, **fields: Any) -> SavedTrack:
    """A like that Spotify does not take into the main playlist."""
    like = make_like(user, name, **fields)
    MirrorTrack.objects.create(
        mirror=main_mirror(user), track_id=like.track_id, refused_at=timezone.now()
    )
    return like
