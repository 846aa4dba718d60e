"""The page of duplicates: groups of likes of the same song, and actions on them."""

from collections.abc import Sequence
from typing import NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import scopes
from accounts.limits import limited
from accounts.models import User
from sync.library.duplicates import Grade, Group
from sync.library.songs import (
    call_alike,
    call_different,
    different_pairs,
    duplicate_groups,
)
from sync.mirrors.holders import holders
from sync.mirrors.leaving import NotDone, like_again, unlike
from sync.mirrors.services import request_sync
from sync.mirrors.tracks import track_uri
from sync.models import SavedTrack, SyncRequest, Track
from sync.pages.zone import library_of
from sync.queue.changes import tell_pages
from sync.queue.locks import lock_listener
from syncify.http import Request
from syncify.text import counted

SCOPE = "user-library-modify"
_ON_PAGE = 25
_limited = limited("duplicates", per_address=600, per_listener=240, methods=["POST"])
#: Each press calls Spotify.
_asks = limited("unlike", per_address=240, per_listener=60, methods=["POST"])
#: Session key of the songs that were unliked last, for undo.
_UNLIKED = "unliked"

GRADES = {
    Grade.RECORDING: ("The same recording", "Published several times."),
    Grade.SONG: ("The same song", "With the same title and length, by the same artist."),
    Grade.TWINS: ("Explicit and clean", "Two versions of one song."),
    Grade.PERHAPS: ("Perhaps the same", "Only shown: no playlist leaves these out."),
}


class Member(NamedTuple):
    """One song of a group."""

    like: SavedTrack
    playlists: Sequence[str]
    #: All other songs of the group.
    others: Sequence[str]


class Shown(NamedTuple):
    grade: Grade
    name: str
    text: str
    #: The first group of its grade on the page.
    is_first: bool
    members: Sequence[Member]


@require_safe
@login_required
def duplicates(request: Request) -> HttpResponse:
    library_of(request)
    different = different_pairs(request.user.pk)
    groups = duplicate_groups(request.user.pk)
    page = Paginator(groups, _ON_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "shown": _shown(request.user, list(page)),
        "counts": [
            (name, number)
            for grade, (name, _) in GRADES.items()
            if (number := sum(group.grade == grade for group in groups))
        ],
        "different": _different(different),
        "unliked": _tracks(_unliked(request)),
    }
    return render(request, "playlists/duplicates.html", context)


@require_POST
@_limited
@login_required
def different(request: Request) -> HttpResponse:
    """Mark a song as different from its group; with ``undo``, remove the mark."""
    one, others = request.POST.get("one", ""), request.POST.getlist("other")[:50]
    known = _liked(request.user, [one, *others])
    if one not in known or not others or not known.issuperset(others):
        raise Http404
    undo = "undo" in request.POST
    with transaction.atomic():
        lock_listener(request.user.pk)
        for other in others:
            (call_alike if undo else call_different)(request.user.pk, one, other)
        tell_pages(user_id=request.user.pk)
        # No playlist is read: the selection depends on the likes only.
        request_sync(user=request.user, trigger=SyncRequest.Trigger.SCHEDULED)
    messages.success(
        request, "They count as the same song again." if undo else "Saved as different songs."
    )
    return _back()


@require_http_methods(["GET", "HEAD", "POST"])
@_asks
@login_required
def unlike_others(request: Request) -> HttpResponse:
    """Show the songs to unlike, and the needed permission; with POST, unlike them."""
    given = request.POST if request.method == "POST" else request.GET
    keep, others = given.get("keep", ""), list(dict.fromkeys(given.getlist("other")))[:50]
    if not _are_duplicates(request.user, keep, others):
        raise Http404
    if request.method != "POST" or not scopes.has(request.user, SCOPE):
        context = {
            "keep": _tracks([keep]),
            "others": _tracks(others),
            "permission": ""
            if scopes.has(request.user, SCOPE)
            else scopes.sign_in_address(request, scopes=[SCOPE], next=reverse("duplicates")),
        }
        status = 422 if request.method == "POST" else 200
        return render(request, "playlists/unlike.html", context, status=status)
    try:
        unlike(request.user, [track_uri(each) for each in others])
    except NotDone as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{counted(len(others), 'song')} unliked.")
    # Without a response from Spotify, some of them may be unliked.
    request.session[_UNLIKED] = others
    request_sync(user=request.user)
    return _back()


@require_POST
@_asks
@login_required
def like_others_again(request: Request) -> HttpResponse:
    """Undo ``unlike_others``: the likes get the date of today."""
    ids = _unliked(request)
    if not ids:
        raise Http404
    try:
        like_again(request.user, [track_uri(each) for each in ids])
    except NotDone as error:
        messages.error(request, str(error))
        return _back()
    del request.session[_UNLIKED]
    request_sync(user=request.user)
    messages.success(request, f"{counted(len(ids), 'song')} liked again, with the date of today.")
    return _back()


def _are_duplicates(user: User, keep: str, others: Sequence[str]) -> bool:
    """Whether the grade of these songs is certain enough to offer unliking."""
    if not others or keep in others:
        return False
    return any(
        group.grade != Grade.PERHAPS and keep in group.ids and set(group.ids).issuperset(others)
        for group in duplicate_groups(user.pk)
    )


def _shown(user: User, groups: Sequence[Group]) -> list[Shown]:
    ids = [each for group in groups for each in group.ids]
    likes = SavedTrack.objects.filter(user=user, removed_at=None, track__in=ids)
    by_track = {like.track_id: like for like in likes.select_related("track__album")}
    held = holders(user.pk, ids)
    shown: list[Shown] = []
    for group in groups:
        members = [
            Member(by_track[each], held.get(each, []), [one for one in group.ids if one != each])
            for each in group.ids
            if each in by_track
        ]
        is_first = not shown or shown[-1].grade != group.grade
        shown.append(Shown(group.grade, *GRADES[group.grade], is_first, members))
    return shown


def _different(pairs: set[frozenset[str]]) -> list[list[Track]]:
    """The pairs that the listener marked as different, by title."""
    tracks = Track.objects.select_related("album").in_bulk(
        {each for pair in pairs for each in pair}
    )
    known = [[tracks[each] for each in sorted(pair) if each in tracks] for pair in pairs]
    return sorted((pair for pair in known if len(pair) == 2), key=lambda pair: pair[0].search)


def _tracks(ids: Sequence[str]) -> list[Track]:
    tracks = Track.objects.select_related("album").in_bulk(ids)
    return [tracks[each] for each in ids if each in tracks]


def _liked(user: User, ids: Sequence[str]) -> set[str]:
    """The tracks of ``ids`` that the listener likes or once liked."""
    asked = [each for each in ids if "\0" not in each]
    likes = SavedTrack.objects.filter(user=user, track__in=asked)
    return set(likes.values_list("track_id", flat=True))


def _unliked(request: Request) -> list[str]:
    ids = request.session.get(_UNLIKED, [])
    known = _liked(request.user, ids)
    return [each for each in ids if each in known]


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("duplicates"), status=303)
