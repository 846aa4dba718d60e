"""The inbox: songs that other people added to mirrored playlists or removed from them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts import scopes
from accounts.limits import limited
from accounts.models import User
from sync.mirrors import decisions
from sync.mirrors.tracks import liked_now, track_id, track_uri
from sync.models import InboxItem, Library, Mirror
from syncify.http import Request
from syncify.text import plain

#: Songs that the page lists at once, and decisions that it still shows.
MOST_SHOWN, MOST_DECIDED = 100, 20
#: How long a decision stays on the page.
RECENT = timedelta(hours=1)
ID_MAX = 2**63 - 1

_limited = limited("inbox", per_address=3_000, per_listener=1_200)


class Entry(NamedTuple):
    """An item as the page shows it."""

    item: InboxItem
    #: Who added the song.
    who: str
    is_liked: bool
    can_undo: bool = False

    @property
    def decision(self) -> str:
        """The decision about the song, and whether a sync has carried it out."""
        if self.item.delivery == InboxItem.Delivery.REFUSED:
            return "Spotify refused it"
        is_done = self.item.delivery == InboxItem.Delivery.DONE
        match self.item.state:
            case InboxItem.State.LIKED:
                return "Liked" if is_done else "The next sync likes it"
            case InboxItem.State.UNLIKED:
                return "Unliked" if is_done else "The next sync unlikes it"
        return "Dismissed" if self.item.kind == InboxItem.Kind.ADDED else "Put back"


@require_safe
@login_required
def inbox(request: Request) -> HttpResponse:
    return render(request, "inbox/inbox.html", _context(request))


@require_safe
@login_required
def inbox_count(request: Request) -> HttpResponse:
    """The number of waiting songs, for the navigation."""
    return render(request, "inbox/count.html")


@require_POST
@_limited
@login_required
def decide(request: Request, pk: int) -> HttpResponse:
    """Decide about one song: ``do`` is like, dismiss, unlike or undo."""
    get_object_or_404(InboxItem, pk=pk, user=request.user)
    return _decided(request, InboxItem.objects.filter(pk=pk), _ACTS)


@require_POST
@_limited
@login_required
def decide_all(request: Request) -> HttpResponse:
    """Like or dismiss all added songs up to the item ``upto``, the newest that the page showed."""
    upto = request.POST.get("upto", "")
    number = int(upto) if upto.isascii() and upto.isdigit() and len(upto) < 20 else 0
    items = InboxItem.objects.filter(kind=InboxItem.Kind.ADDED, pk__lte=min(number, ID_MAX))
    return _decided(request, items, _ACTS_ON_ALL)


@require_POST
@_limited
@login_required
def options(request: Request) -> HttpResponse:
    """Store whether own additions are liked, and which mirrors keep additions."""
    likes_own = "likes_own" in request.POST
    keeps = [text for text in request.POST.getlist("keep") if text.isascii() and text.isdigit()]
    decisions.set_options(
        request.user,
        likes_own=likes_own,
        keeps=[int(text) for text in keeps if len(text) < 19],
    )
    if likes_own and not scopes.has(request.user, decisions.SCOPE):
        return _ask_permission(request)
    messages.success(request, "Saved.")
    return HttpResponseRedirect(reverse("inbox"), status=303)


type _Act = Callable[[User, QuerySet[InboxItem]], int]

_ACTS: Mapping[str, _Act] = {
    "like": decisions.like,
    "dismiss": decisions.dismiss,
    "unlike": decisions.unlike,
    "undo": decisions.undo,
}
_ACTS_ON_ALL: Mapping[str, _Act] = {"like": decisions.like, "dismiss": decisions.dismiss}


def _decided(
    request: Request, items: QuerySet[InboxItem], acts: Mapping[str, _Act]
) -> HttpResponse:
    """Do what the form asks for; an unknown button changes nothing."""
    asked = request.POST.get("do", "")
    changed = acts[asked](request.user, items) if asked in acts else 0
    if changed and asked in {"like", "unlike"} and not scopes.has(request.user, decisions.SCOPE):
        return _ask_permission(request)
    if request.htmx:
        return render(request, "inbox/inbox.html#answer", _context(request))
    return HttpResponseRedirect(reverse("inbox"), status=303)


def _ask_permission(request: Request) -> HttpResponse:
    address = _permission(request)
    if request.htmx:
        return HttpResponseClientRedirect(address)
    return HttpResponseRedirect(address, status=303)


def _permission(request: Request) -> str:
    """The address of the sign-in that asks for the permission to like songs."""
    return scopes.sign_in_address(request, scopes=[decisions.SCOPE], next=reverse("inbox"))


def _context(request: Request) -> dict[str, Any]:
    user = request.user
    waiting = decisions.waiting(user)
    added = list(waiting.filter(kind=InboxItem.Kind.ADDED)[: MOST_SHOWN + 1])
    taken_out = list(waiting.filter(kind=InboxItem.Kind.TAKEN_OUT)[: MOST_SHOWN + 1])
    decided = list(
        InboxItem.objects.filter(user=user, decided_at__gt=Now() - RECENT)
        .exclude(state=InboxItem.State.WAITING)
        .select_related("mirror")
        .order_by("-decided_at", "-id")[:MOST_DECIDED]
    )
    undoable = set(
        decisions.can_undo().filter(pk__in=[one.pk for one in decided]).values_list("pk", flat=True)
    )
    return {
        "added": _entries(user, added[:MOST_SHOWN]),
        "taken_out": _entries(user, taken_out[:MOST_SHOWN]),
        "has_more": len(added) > MOST_SHOWN or len(taken_out) > MOST_SHOWN,
        "decided": _entries(user, decided, undoable),
        "most": decisions.MOST_A_DAY,
        "likes_own": Library.objects.filter(user=user, likes_own_additions=True).exists(),
        "mirrors": Mirror.objects.filter(user=user).order_by("-is_main", "pk"),
        "waits_for_permission": decisions.await_sync(user)
        and not scopes.has(user, decisions.SCOPE),
        "permission": _permission(request),
    }


def _entries(user: User, items: Sequence[InboxItem], undoable: Iterable[int] = ()) -> list[Entry]:
    adders = {item.added_by for item in items if item.added_by}
    names = dict(
        User.objects.filter(spotify_id__in=adders).values_list("spotify_id", "display_name")
    )
    liked = {track_id(uri) for uri in liked_now(user.pk, [track_uri(i.track_id) for i in items])}
    return [
        Entry(item, _who(user, item, names), item.track_id in liked, item.pk in undoable)
        for item in items
    ]


def _who(user: User, item: InboxItem, names: Mapping[str, str]) -> str:
    if not item.added_by:
        return "somebody"
    if item.added_by == user.spotify_id:
        return "you"
    return plain(names.get(item.added_by, "")) or f"the Spotify user {plain(item.added_by)}"
