"""The page to like lost songs again: a preview, the date, and the needed permission."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts import scopes
from accounts.limits import limited
from sync.library.again import AT_ONCE, SCOPE, like_again, lost_likes
from sync.mirrors.services import request_sync
from sync.pages.words import songs
from sync.pages.zone import library_of
from syncify.http import Request
from syncify.spotify.errors import (
    AccessRefused,
    Blocked,
    BudgetSpent,
    OutcomeUnknown,
    SignInNeeded,
    SpotifyError,
)


@require_http_methods(["GET", "HEAD", "POST"])
@limited("like", per_address=120, per_listener=60, methods=["POST"])
@login_required
def again(request: Request) -> HttpResponse:
    """Show the songs; a POST with ``track`` for each likes them."""
    library_of(request)
    if request.method == "POST":
        return _like(request)
    track = request.GET.get("track", "").replace("\0", "")
    context = {
        "likes": lost_likes(request.user, track=track),
        "at_once": AT_ONCE,
        "is_allowed": scopes.has(request.user, SCOPE),
        "permission": scopes.sign_in_address(request, scopes=[SCOPE]),
    }
    return render(request, "songs/again.html", context)


def _like(request: Request) -> HttpResponse:
    tracks = [track.replace("\0", "") for track in request.POST.getlist("track")]
    if not scopes.has(request.user, SCOPE):
        address = scopes.sign_in_address(request, scopes=[SCOPE], next=reverse("again"))
        return HttpResponseRedirect(address, status=303)
    try:
        count = like_again(request.user, tracks)
    except SpotifyError as error:
        messages.error(request, _in_words(error))
    else:
        if count:
            request_sync(user=request.user)
            messages.success(
                request, f"Liked again: {songs(count)}, with today's date. A sync has been queued."
            )
        else:
            messages.warning(request, "Choose at least one song.")
    return HttpResponseRedirect(reverse("again"), status=303)


def _in_words(error: SpotifyError) -> str:
    match error:
        case Blocked() | BudgetSpent():
            return "Spotify takes no more requests for now. Nothing was changed. Try again later."
        case SignInNeeded():
            return "Spotify's permission has ended. Nothing was changed. Sign in again."
        case AccessRefused():
            return "Spotify refused. Nothing was changed."
        case OutcomeUnknown():
            return "Spotify did not answer. The next sync shows the result."
    return "Spotify did not accept it. Nothing was changed. Try again later."
