"""What a listener's pages show, read in few queries; nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef, QuerySet, TextField, Value, Window
from django.db.models.functions import Concat

from accounts.models import SpotifyConnection, User
from sync.models import Mirror, MirrorVolume, Process, SavedTrack, SyncRequest
from sync.status import (
    Permission,
    Status,
    clock,
    describe,
    permission,
    schedule,
    song_list,
)
from syncify.spotify.quota import current_block

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Names(TypedDict):
        added_names: list[str]
        removed_names: list[str]

    NamedRequest = WithAnnotations[SyncRequest, _Names]

#: A process that was not seen for this long counts as gone.
GONE_AFTER = timedelta(minutes=2)
_PAST_ON_CARD = 5
_NAMES_ON_CARD, _NAMES_IN_HISTORY, _REFUSED_SHOWN = 3, 10, 5
#: A like as “Looped” by Kiasmos.
_LABEL = Concat(
    Value("“"), "track__name", Value("” by "), "track__artists__0", output_field=TextField()
)


@dataclass(frozen=True, slots=True)
class PastSync:
    """A finished request; ``added`` and ``removed`` name songs, "" when there were none."""

    request: SyncRequest
    when: str
    added: str
    removed: str


@dataclass(frozen=True, slots=True)
class Card:
    """The live region of the dashboard."""

    mirror: Mirror
    volumes: Sequence[MirrorVolume]
    status: Status
    latest: SyncRequest | None
    past: Sequence[PastSync]
    #: Songs in the playlist after the last sync that succeeded; None while there was none.
    song_count: int | None
    #: Songs that Spotify would not take, in words.
    refused: str
    #: When syncs happen by themselves, as a sentence.
    schedule: str
    consent: Permission

    @property
    def is_open(self) -> bool:
        return self.latest is not None and self.latest.is_open


def card_for(user: User, *, now: datetime) -> Card:
    connection = SpotifyConnection.objects.defer("refresh_token", "access_token").get(user=user)
    mirror = Mirror.objects.get(user=user)
    # One more than is shown, for one of them may be open.
    requests = list(_with_names(user, limit=_NAMES_ON_CARD)[: _PAST_ON_CARD + 1])
    latest = requests[0] if requests else None
    is_queued = latest is not None and latest.state == SyncRequest.State.QUEUED
    past = [request for request in requests if not request.is_open]
    done = [request for request in past if request.state == SyncRequest.State.SUCCEEDED]
    status = describe(
        connection=connection,
        mirror=mirror,
        latest=latest,
        block=current_block() if is_queued else None,
        has_worker=not is_queued or _has_worker(now),
        now=now,
    )
    return Card(
        mirror=mirror,
        # ``items`` holds up to 10,000 uris, which no page shows.
        volumes=list(mirror.volumes.filter(spotify_id__isnull=False).defer("items")),
        status=status,
        latest=latest,
        past=[past_sync(request, now=now) for request in past[:_PAST_ON_CARD]],
        song_count=done[0].song_count if done else None,
        refused=_refused_songs(user) if done else "",
        schedule=schedule(connection, mirror, now),
        consent=permission(connection, now),
    )


def history_of(user: User) -> "QuerySet[NamedRequest]":
    """The listener's finished requests, newest first, each with the first songs it changed."""
    return _with_names(user, limit=_NAMES_IN_HISTORY).filter(completed__isnull=False)


def past_sync(request: "NamedRequest", *, now: datetime) -> PastSync:
    return PastSync(
        request=request,
        when=clock(request.completed or now, now),
        added=song_list(request.added_names, request.added),
        removed=song_list(request.removed_names, request.removed),
    )


def _with_names(user: User, *, limit: int) -> "QuerySet[NamedRequest]":
    likes = SavedTrack.objects.filter(user=user).order_by("-added_at", "rank")

    def names(field: str) -> ArraySubquery:
        return ArraySubquery(likes.filter(**{field: OuterRef("pk")}).values(label=_LABEL)[:limit])

    return (
        SyncRequest.objects.filter(user=user)
        .annotate(added_names=names("added_in"), removed_names=names("removed_in"))
        .order_by("-id")
    )


def _refused_songs(user: User) -> str:
    refused = SavedTrack.objects.filter(
        user=user, removed_at__isnull=True, refused_at__isnull=False
    ).order_by("-added_at", "rank")
    counted = refused.annotate(total=Window(Count("pk")))
    rows = list(counted.values_list(_LABEL, "total")[:_REFUSED_SHOWN])
    return song_list([name for name, _ in rows], rows[0][1] if rows else 0)


def _has_worker(now: datetime) -> bool:
    return Process.objects.filter(kind="worker", last_seen__gt=now - GONE_AFTER).exists()
