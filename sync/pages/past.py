"""The finished syncs of a listener, each with the songs that it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from accounts.models import User
from sync.models import SavedTrack, SyncRequest
from sync.pages.status import outcome

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Names(TypedDict):
        added_songs: list["Song"]
        removed_songs: list["Song"]

    NamedRequest = WithAnnotations[SyncRequest, _Names]

_IN_HISTORY = 10


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


def history_of(user: User) -> "QuerySet[NamedRequest]":
    """The listener's finished requests, newest first, each with the first songs it changed."""
    likes = SavedTrack.objects.filter(user=user)
    finished = SyncRequest.objects.filter(
        user=user, kind=SyncRequest.Kind.SPOTIFY, completed__isnull=False
    )
    return finished.annotate(
        added_songs=_songs(likes.filter(added_in=OuterRef("pk"))),
        removed_songs=_songs(likes.filter(removed_in=OuterRef("pk"))),
    ).order_by("-id")


def past_sync(request: "NamedRequest") -> PastSync:
    return PastSync(
        request=request,
        outcome=outcome(request),
        added=first_of(request.added_songs, request.added),
        removed=first_of(request.removed_songs, request.removed),
    )


def first_of(shown: Sequence[Song], count: int) -> Songs:
    """These songs of so many."""
    return Songs(shown, max(0, count - len(shown)))


def _songs(likes: QuerySet[SavedTrack]) -> ArraySubquery:
    song = JSONObject(name="track__name", artists="track__artists")
    return ArraySubquery(likes.order_by("-added_at", "rank").values(song=song)[:_IN_HISTORY])
