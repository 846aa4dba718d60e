"""The pages of plays, from Spotify's listening history, and of genres."""

from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.limits import limited
from accounts.models import User
from sync.library import musicbrainz
from sync.library.genre_tree import genres
from sync.library.genres import clear_genres, coverage, set_genres
from sync.library.plays import ZIPPED_MAX, HistoryRefused
from sync.library.uploads import accept_upload
from sync.models import (
    Artist,
    ArtistGenre,
    ListeningHistory,
    Play,
    SyncRequest,
    TrackArtist,
)
from sync.pages.listens import about_listens
from sync.pages.zone import library_of
from syncify.http import Request

_limited = limited("plays", per_address=120, per_listener=30, methods=["POST"])
_genres_limited = limited("genres", per_address=600, per_listener=240, methods=["POST"])
#: The size that a form adds to the file.
_FORM_MAX = 2**20
_ARTISTS = 30
_GENRES_MAX = 20


class UploadForm(forms.Form):
    file = forms.FileField(label="The zip file from Spotify, or one of its JSON files")


@csrf_exempt
def plays(request: HttpRequest) -> HttpResponse:
    """The page; with POST, accept an upload, whose size is checked before it is read."""
    sent = str(request.META.get("CONTENT_LENGTH") or "0")
    if sent.isdigit() and int(sent) > ZIPPED_MAX + _FORM_MAX:
        return render(request, "playlists/too_large.html", status=413)
    return _plays(request)


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
@_limited
@login_required
def _plays(request: Request) -> HttpResponse:
    library_of(request)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        try:
            accept_upload(request.user.pk, form.cleaned_data["file"].chunks())
        except HistoryRefused as refused:
            form.add_error("file", str(refused))
        else:
            return _back()
    history = ListeningHistory.objects.filter(user=request.user).first()
    context = {
        "form": form,
        "state": _state(request.user),
        **_counted(history),
        **about_listens(history),
        **_genres(request),
    }
    return render(request, "playlists/plays.html", context, status=422 if form.errors else 200)


@require_safe
@login_required
def plays_progress(request: Request) -> HttpResponse:
    """The progress of the import: a fragment that the page polls while one runs."""
    state = _state(request.user)
    response = render(request, "playlists/plays.html#progress", {"state": state})
    if state is None or not state.is_open:
        # The rest of the page shows the result too.
        response.headers["HX-Refresh"] = "true"
    return response


@require_POST
@_genres_limited
@login_required
def artist_genres(request: Request, artist: str) -> HttpResponse:
    """Set the genres of an artist for this listener; with ``clear``, restore those found."""
    artists = Artist.objects.filter(
        track_artists__track__savedtrack__user=request.user,
        track_artists__track__savedtrack__removed_at=None,
    )
    found = get_object_or_404(artists.distinct(), pk=artist.replace("\0", ""))
    if "clear" in request.POST:
        clear_genres(request.user.pk, found.pk)
    else:
        names = request.POST.get("genres", "").replace("\0", "").split(",")
        set_genres(request.user.pk, found.pk, names[:_GENRES_MAX])
    messages.success(request, f"Saved for {found.name}. The next sync uses it.")
    return _back()


def _state(user: User) -> SyncRequest | None:
    """The latest import."""
    imports = SyncRequest.objects.filter(user=user, kind=SyncRequest.Kind.IMPORT)
    return imports.order_by("-id").first()


def _counted(history: ListeningHistory | None) -> dict[str, Any]:
    if history is None or not history.known:
        return {"known": [], "played": 0}
    return {
        "known": [(_day(first), _day(last)) for first, last in history.known],
        "played": Play.objects.filter(user=history.user_id).count(),
    }


def _day(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()


def _genres(request: Request) -> dict[str, Any]:
    user = request.user
    query = request.GET.get("artist", "").replace("\0", "")[:200].strip()
    # From the listener's likes on: the artists of all listeners are many more.
    likes = TrackArtist.objects.filter(
        track__savedtrack__user=user, track__savedtrack__removed_at=None
    )
    if query:
        likes = likes.filter(artist__name__icontains=query)
    most = likes.values("artist", "artist__name").annotate(likes=Count("pk"))
    shown = list(most.order_by("-likes", "artist__name")[:_ARTISTS])
    found: dict[str, dict[bool, list[str]]] = {}
    rows = ArtistGenre.objects.filter(artist__in=[each["artist"] for each in shown]).filter(
        Q(user=None) | Q(user=user)
    )
    for artist_id, genre, owner in rows.order_by("id").values_list("artist_id", "genre", "user_id"):
        found.setdefault(artist_id, {}).setdefault(owner is not None, []).append(genre)
    return {
        "has_lookups": musicbrainz.is_configured(),
        "coverage": coverage(user.pk),
        "artist_query": query,
        "artists": [
            {
                "key": each["artist"],
                "name": each["artist__name"],
                "likes": each["likes"],
                "is_own": True in (own := found.get(each["artist"], {})),
                "genres": ", ".join(own.get(True) or own.get(False, [])),
            }
            for each in shown
        ],
        "genres": genres(),
    }


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("plays"), status=303)
