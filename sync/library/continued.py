"""Which of two syncs brought a song: one that was stopped, or the one that continued it.

``SavedTrack.added_in`` and ``removed_in`` name the request that saw a like come or go. Where that
request stopped before all of it was in the main playlist, the sync that continues takes over the
songs that it writes itself. Until then the songs that the stopped one wrote are those that the
playlist shows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from django.db.models import Exists, Func, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Coalesce, Substr

from sync.models import PlaylistItems, SavedTrack, SyncRequest

if TYPE_CHECKING:
    from sync.queue.job import Job

STOPPED = (SyncRequest.State.CANCELLED, SyncRequest.State.DEAD)
_PREFIX = "spotify:track:"


def unfinished(user_id: int) -> list[int]:
    """The syncs of a listener that were stopped, and that none has continued to its end."""
    ended = SyncRequest.objects.filter(
        user=user_id, kind=SyncRequest.Kind.SPOTIFY, completed__isnull=False
    )
    done = ended.filter(state=SyncRequest.State.SUCCEEDED).order_by("-id").values("id")[:1]
    stopped = ended.filter(state__in=STOPPED, id__gt=Coalesce(Subquery(done), 0))
    return list(stopped.values_list("id", flat=True))


def changed_by(user_id: int, request: int) -> QuerySet[SavedTrack]:
    """The likes that came or went with a sync."""
    if request in unfinished(user_id):
        rows = SavedTrack.objects.filter(user=user_id)
        came, went = came_with(user_id, request), went_with(user_id, request)
        return rows.filter(Q(pk__in=came.values("pk")) | Q(pk__in=went.values("pk")))
    return SavedTrack.objects.filter(Q(added_in=request) | Q(removed_in=request), user=user_id)


def came_with(user_id: int, unfinished: int) -> QuerySet[SavedTrack]:
    """The likes that an unfinished sync has brought into the main playlist."""
    rows = SavedTrack.objects.filter(user=user_id, added_in=unfinished)
    return rows.filter(track__in=_in_main_playlist(user_id))


def went_with(user_id: int, unfinished: int) -> QuerySet[SavedTrack]:
    """The former likes that an unfinished sync has taken out of the main playlist."""
    rows = SavedTrack.objects.filter(user=user_id, removed_in=unfinished)
    return rows.filter(Q(_liked_again()) | ~Q(track__in=_in_main_playlist(user_id)))


def in_playlists(user_id: int, **which: object) -> QuerySet[PlaylistItems, str]:
    """The ids of the tracks in the listener's playlists, as Syncify last left or found them."""
    items = PlaylistItems.objects.filter(
        **{f"playlist__{name}": value for name, value in which.items()},
        playlist__mirror__user=user_id,
    )
    uri = Func("uris", function="unnest", output_field=TextField())
    return items.annotate(held=Substr(uri, len(_PREFIX) + 1)).values_list("held", flat=True)


def _in_main_playlist(user_id: int) -> QuerySet[PlaylistItems, str]:
    return in_playlists(user_id, mirror__is_main=True)


def _liked_again() -> Exists:
    return Exists(
        SavedTrack.objects.filter(
            user=OuterRef("user"), track=OuterRef("track"), removed_at__isnull=True
        )
    )


class Continuation:
    """The songs that syncs before ``job`` left to it; every method needs a job that is still ours.

    Songs are given as the uris that the main playlist holds.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._is_begun = False
        self._came: dict[int, str] = {}
        self._went: dict[int, str] = {}

    def begin(self, present: Collection[str | None]) -> None:
        """Take over what is not in the playlist yet, or still is; only the first call counts."""
        if self._is_begun:
            return
        self._is_begun = True
        user_id = self._job.request.user_id
        if not (earlier := unfinished(user_id)):
            return
        likes = SavedTrack.objects.filter(user=user_id)
        came = likes.filter(added_in__in=earlier).values_list("pk", "track_id")
        went = likes.filter(~_liked_again(), removed_in__in=earlier).values_list("pk", "track_id")
        self._came = {pk: uri for pk, uri in _with_uris(came) if uri not in present}
        self._went = {pk: uri for pk, uri in _with_uris(went) if uri in present}

    def note(self, present: Collection[str | None]) -> None:
        """Count as ours what this sync has written so far."""
        if self._came or self._went:
            held = set(present)
            self._take([pk for pk, uri in self._came.items() if uri in held], [])
            self._take([], [pk for pk, uri in self._went.items() if uri not in held])

    def finish(self, present: Callable[[], Collection[str | None]]) -> None:
        """Count as ours the rest too: songs that the main playlist leaves out were seen to."""
        if not self._is_begun:
            self.begin(present())
        self._take(list(self._came), list(self._went))

    def _take(self, came: list[int], went: list[int]) -> None:
        if came:
            SavedTrack.objects.filter(pk__in=came).update(added_in=self._job.request.pk)
        if went:
            SavedTrack.objects.filter(pk__in=went).update(removed_in=self._job.request.pk)
        for pk in came:
            del self._came[pk]
        for pk in went:
            del self._went[pk]


def _with_uris(rows: QuerySet[SavedTrack, tuple[int, str]]) -> list[tuple[int, str]]:
    return [(pk, f"{_PREFIX}{track}") for pk, track in rows]
