"""The history of syncs by weeks, with songs; checks without changes are folded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from sync.library.diary import Fold, Songs, folds, loud_syncs, songs_of
from sync.models import SyncRequest, SyncResult
from sync.pages.status import outcome
from sync.pages.words import full_day
from sync.pages.zone import library_of
from syncify.http import Request
from syncify.text import counted

_ON_PAGE = 20
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a sync, or several syncs without changes."""

    at: datetime
    headline: str
    request: SyncRequest | None = None
    songs: Songs | None = None
    #: The result for each playlist, if there are several.
    results: Sequence[SyncResult] = ()
    fold: Fold | None = None

    @property
    def more_came(self) -> int:
        return self.songs.came_count - len(self.songs.came) if self.songs else 0

    @property
    def more_went(self) -> int:
        return self.songs.went_count - len(self.songs.went) if self.songs else 0


@dataclass(frozen=True, slots=True)
class Week:
    title: str
    entries: Sequence[Entry]


@require_safe
@login_required
def sync_history(request: Request) -> HttpResponse:
    library_of(request)
    text = request.GET.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    only_changes = request.GET.get("changes") == "yes"
    found = list(loud_syncs(request.user, before=before)[: _ON_PAGE + 1])
    shown, has_more = found[:_ON_PAGE], len(found) > _ON_PAGE
    quiet = (
        []
        if only_changes
        else folds(
            request.user,
            shown,
            before=before,
            to_the_end=not has_more,
            zone=timezone.get_current_timezone(),
        )
    )
    context = {
        "weeks": list(_weeks([*_syncs(shown), *map(_folded, quiet)])),
        "only_changes": only_changes,
        "before": before,
        "older": shown[-1].pk if has_more else None,
    }
    return render(request, "history/history.html", context)


def _syncs(requests: Sequence[SyncRequest]) -> Iterator[Entry]:
    songs = songs_of(requests, most=_NAMED) if requests else {}
    results: dict[int, list[SyncResult]] = {}
    rows = SyncResult.objects.filter(request__in=requests).select_related("mirror").order_by("id")
    for result in rows if requests else ():
        results.setdefault(result.request_id, []).append(result)
    for each in requests:
        own = results.get(each.pk, [])
        yield Entry(
            at=each.completed or each.created,
            headline=headline(each, songs[each.pk]),
            request=each,
            songs=songs[each.pk],
            results=own if len(own) > 1 else (),
        )


def headline(request: SyncRequest, songs: Songs) -> str:
    """ "7 new, 1 gone", or what else became of the sync."""
    state = SyncRequest.State
    is_first = request.trigger == SyncRequest.Trigger.FIRST
    if request.state == state.SUCCEEDED and is_first and not request.song_count:
        return "Empty playlist made"
    parts = [f"{songs.came_count:,} new"] if songs.came_count else []
    if songs.went_count:
        parts.append(f"{songs.went_count:,} gone")
    changes = ", ".join(parts)
    if not changes or request.state == state.DEAD:
        return outcome(request)
    if request.state == state.CANCELLED:
        return f"Stopped half-way: {changes}"
    return f"First copy: {changes}" if is_first else changes


def _folded(fold: Fold) -> Entry:
    return Entry(fold.last, f"{counted(fold.count, 'check')}, nothing new", fold=fold)


def _weeks(entries: Sequence[Entry]) -> Iterator[Week]:
    """Newest first, under the Monday of their week."""
    this_week = _monday(timezone.localdate())
    ordered = sorted(entries, key=lambda entry: entry.at, reverse=True)
    for monday, group in groupby(ordered, key=lambda entry: _monday(timezone.localdate(entry.at))):
        names = {this_week: "This week", this_week - timedelta(weeks=1): "Last week"}
        yield Week(names.get(monday, f"Week of {full_day(monday)}"), list(group))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
