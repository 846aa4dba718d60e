"""What a listener's pages show, read in few queries; nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from accounts.models import User
from sync.models import (
    Library,
    Mirror,
    MirrorTrack,
    Playlist,
    SavedTrack,
    SyncRequest,
)
from sync.pages.status import (
    Permission,
    Status,
    Step,
    changes_in_words,
    describe,
    outcome,
    permission,
    rhythm,
    steps,
)
from sync.queue.processes import WORKER, alive
from syncify.spotify.quota import current_block

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Names(TypedDict):
        added_songs: list["Song"]
        removed_songs: list["Song"]

    NamedRequest = WithAnnotations[SyncRequest, _Names]

_ON_CARD = 5


class Song(TypedDict):
    name: str
    artists: list[str]


class Songs(NamedTuple):
    """The first few of them, and how many more there are."""

    shown: Sequence[Song]
    more: int


@dataclass(frozen=True, slots=True)
class PastSync:
    """A finished request and the songs that it changed."""

    request: SyncRequest
    outcome: str
    added: Songs
    removed: Songs


@dataclass(frozen=True, slots=True)
class Card:
    """The live region of the dashboard."""

    mirror: Mirror
    library: Library
    volumes: Sequence[Playlist]
    status: Status
    latest: SyncRequest | None
    #: The way of the sync that runs; empty when none does.
    steps: Sequence[Step]
    #: The last sync that changed something.
    last_change: PastSync | None
    #: Songs in the playlist after the last sync that succeeded, and when that was; else None.
    song_count: int | None
    synced_at: datetime | None
    #: Songs that Spotify would not take.
    refused: Songs
    #: When syncs happen by themselves, in words.
    rhythm: str
    consent: Permission

    @property
    def is_open(self) -> bool:
        return self.latest is not None and self.latest.is_open


def card_for(user: User, *, now: datetime) -> Card:
    succeeded = _newest(SyncRequest.objects.filter(state=SyncRequest.State.SUCCEEDED))
    facts = MirrorTrack.objects.filter(
        mirror=OuterRef(OuterRef("pk")), track=OuterRef("track"), refused_at__isnull=False
    )
    refused = SavedTrack.objects.filter(
        Exists(facts), user=OuterRef("user"), removed_at__isnull=True
    )
    mirror = (
        Mirror.objects.select_related("user__connection", "user__library")
        .defer("user__connection__refresh_token", "user__connection__access_token")
        .annotate(
            song_count=Subquery(succeeded.values("song_count")[:1]),
            synced_at=Subquery(succeeded.values("completed")[:1]),
            refused_songs=_songs(refused, _ON_CARD),
            refused_count=Subquery(
                refused.order_by().values("user").annotate(n=Count("pk")).values("n")
            ),
            has_worker=Exists(alive(WORKER)),
        )
        .get(user=user, is_main=True)
    )
    library = mirror.user.library
    connection = mirror.user.connection
    latest, last_change = _latest_and_last_change(user)
    is_queued = latest is not None and latest.state == SyncRequest.State.QUEUED
    is_running = latest is not None and latest.state == SyncRequest.State.RUNNING
    return Card(
        mirror=mirror,
        library=library,
        volumes=list(mirror.playlists.filter(spotify_id__isnull=False)),
        status=describe(
            connection=connection,
            mirror=mirror,
            library=library,
            latest=latest,
            block=current_block() if is_queued else None,
            has_worker=mirror.has_worker,
            now=now,
        ),
        latest=latest,
        steps=steps(latest) if latest and is_running else [],
        last_change=past_sync(last_change) if last_change else None,
        song_count=mirror.song_count,
        synced_at=mirror.synced_at,
        refused=_first(mirror.refused_songs, mirror.refused_count or 0),
        rhythm=rhythm(connection, mirror, library),
        consent=permission(connection, now),
    )


def past_sync(request: "NamedRequest") -> PastSync:
    return PastSync(
        request=request,
        outcome=outcome(request),
        added=_first(request.added_songs, request.added),
        removed=_first(request.removed_songs, request.removed),
    )


def _latest_and_last_change(user: User) -> "tuple[NamedRequest | None, NamedRequest | None]":
    own = SyncRequest.objects.filter(user=user, kind=SyncRequest.Kind.SPOTIFY).order_by("-id")
    changing = own.filter(completed__isnull=False).exclude(added=0, removed=0, moved=0, skipped=0)
    newest, last_change = (Subquery(rows.values("pk")[:1]) for rows in (own, changing))
    found = _with_songs(user, limit=_ON_CARD).filter(Q(pk=newest) | Q(pk=last_change))
    rows = list(found.order_by("-id"))
    changed = [row for row in rows if not row.is_open and changes_in_words(row)]
    return next(iter(rows), None), next(iter(changed), None)


def _newest(rows: QuerySet[SyncRequest]) -> QuerySet[SyncRequest]:
    return rows.filter(user=OuterRef("user"), kind=SyncRequest.Kind.SPOTIFY).order_by("-id")


def _with_songs(user: User, *, limit: int) -> "QuerySet[NamedRequest]":
    likes = SavedTrack.objects.filter(user=user)
    return SyncRequest.objects.filter(user=user, kind=SyncRequest.Kind.SPOTIFY).annotate(
        added_songs=_songs(likes.filter(added_in=OuterRef("pk")), limit),
        removed_songs=_songs(likes.filter(removed_in=OuterRef("pk")), limit),
    )


def _songs(likes: QuerySet[SavedTrack], limit: int) -> ArraySubquery:
    song = JSONObject(name="track__name", artists="track__artists")
    return ArraySubquery(likes.order_by("-added_at", "rank").values(song=song)[:limit])


def _first(shown: Sequence[Song], count: int) -> Songs:
    return Songs(shown, max(0, count - len(shown)))
