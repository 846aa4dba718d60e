"""Together: invitations, and the page of a pair."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.limits import limited
from accounts.models import User
from sync.mirrors.rules import OFS, Of, OfHousehold, PairSongs
from sync.pages.zone import library_of
from sync.sharing import codes, common, households, pairs
from sync.sharing.codes import TogetherError
from sync.sharing.pairs import Partner
from sync.sharing.playlists import (
    OwnedTrack,
    SharedPlaylist,
    create_shared_mirror,
    playlists_over,
    tracks_with_owners,
    whose_songs,
)
from syncify.http import Request

presses = limited("together", per_address=600, per_listener=120)
#: Low enough to prevent guesses of codes.
_codes = limited("together-codes", per_address=240, per_listener=60)

_CODE = re.compile(r"[\w-]{8,64}", re.ASCII)

#: Labels of the buttons that make a playlist.
KINDS: Mapping[Of, str] = {
    "both": "What you both like",
    "turns": "The newest likes of each in turn",
    "theirs_not_mine": "Their likes that you do not have",
}
KINDS_OF_HOUSEHOLD: Mapping[OfHousehold, str] = {
    "everyone": "Everybody’s, newest first",
    "turns": "The newest of each in turn",
    "all": "What all of you like",
}


@require_safe
@login_required
def together(request: Request) -> HttpResponse:
    return _together(request)


@require_POST
@presses
@login_required
def invite(request: Request) -> HttpResponse:
    """Make an invitation. Only this answer shows its code: the database has a hash."""
    try:
        code = codes.make_code(request.user)
    except TogetherError as error:
        messages.error(request, str(error))
        return see_other("together")
    return _together(request, code=code, url=url_of(code))


@require_POST
@presses
@login_required
def withdraw(request: Request) -> HttpResponse:
    """Withdraw all unused invitations."""
    codes.withdraw(request.user)
    messages.success(request, "Nobody can use your invitations any more.")
    return see_other("together")


@require_POST
@_codes
@login_required
def enter(request: Request) -> HttpResponse:
    """Redirect to the invitation with the code, or the address, that was entered."""
    code = request.POST.get("code", "").strip().rstrip("/").rpartition("/")[2]
    if not _CODE.fullmatch(code):
        messages.error(request, "This is not the code of an invitation.")
        return see_other("together")
    return HttpResponseRedirect(reverse("together_join", args=[code]), status=303)


@require_http_methods(["GET", "HEAD", "POST"])
@_codes
@login_required
def join(request: Request, code: str) -> HttpResponse:
    """Show who invites and what the guest agrees to; with POST, agree."""
    try:
        invitation = codes.invitation_of(code, request.user)
        if invitation.household_id is not None:
            if request.method == "POST":
                upto = number_of(request.POST.get("upto", ""))
                household = households.accept(request.user, code, upto=upto)
                messages.success(request, "You are a member. You can leave at any time.")
                return see_other("household", household.pk)
            members = households.members_of(invitation.household_id)
            context = {
                "inviter": invitation.user,
                "members": members,
                "upto": max(member.pk for member in members),
            }
            return render(request, "together/join_household.html", context)
        if request.method == "POST":
            pair = pairs.accept(request.user, code)
            messages.success(request, "You are together. Either of you can end this at any time.")
            return see_other("pair", pair.pk)
    except TogetherError as error:
        return render(request, "together/join.html", {"problem": str(error)}, status=404)
    return render(request, "together/join.html", {"inviter": invitation.user})


@require_safe
@login_required
def pair(request: Request, pk: int) -> HttpResponse:
    library_of(request)
    partner = _partner(request, pk)
    both = [request.user, partner.user]
    playlists = playlists_over(request.user, PairSongs, pk)
    found = common.compare(*both, with_newest=partner.they_show_newest)
    lists = [found.songs, found.suggestions, found.newest, *(each.ids for each in playlists)]
    tracks = tracks_with_owners(chain(*lists), both)
    songs, suggestions, newest = (
        [tracks[key].track for key in ids if key in tracks] for ids in lists[:3]
    )
    context = {
        "partner": partner,
        "other": str(partner.user),
        "found": found,
        "songs": songs,
        "suggestions": suggestions,
        "newest": newest,
        **shared(request.user, playlists, tracks, both, KINDS),
    }
    return render(request, "together/pair.html", context)


@require_POST
@presses
@login_required
def end(request: Request, pk: int) -> HttpResponse:
    """End a pair, even if the other listener is blocked at the moment."""
    if not pairs.end(request.user, pk):
        raise Http404
    messages.success(request, "Ended. From now on, neither of you sees anything of the other.")
    return see_other("together")


@require_POST
@presses
@login_required
def newest(request: Request, pk: int) -> HttpResponse:
    _partner(request, pk)
    pairs.show_newest(request.user, pk, shows="shows" in request.POST)
    return see_other("pair", pk)


@require_POST
@presses
@login_required
def playlist(request: Request, pk: int) -> HttpResponse:
    """Make a playlist with songs of the pair."""
    _partner(request, pk)
    return make_playlist(request, "pair", pk, OFS, create_shared_mirror)


def _together(request: Request, **context: Any) -> HttpResponse:
    library_of(request)
    context["partners"] = pairs.partners_of(request.user)
    found = households.households_of(request.user)
    context["households"] = found
    context["has_household"] = any(each.owner_id == request.user.pk for each in found)
    context["kinds"] = KINDS_OF_HOUSEHOLD
    context["invitations"] = codes.open_invitations(request.user)
    return render(request, "together/together.html", context)


def _partner(request: Request, pk: int) -> Partner:
    partner = pairs.partner_in(pk, request.user)
    if partner is None:
        raise Http404
    return partner


def chosen[Kind: str](request: Request, kinds: Iterable[Kind]) -> Kind | None:
    """The one of these kinds of playlist whose button was pressed."""
    given = request.POST.get("of", "")
    return next((kind for kind in kinds if kind == given), None)


def make_playlist[Kind: str](
    request: Request,
    place: str,
    pk: int,
    kinds: Iterable[Kind],
    create: Callable[[User, int, Kind], object],
) -> HttpResponse:
    """Make the chosen playlist of the pair or household ``pk``, and redirect to its ``place``."""
    kind = chosen(request, kinds)
    if kind is None:
        messages.error(request, "Choose the songs of the playlist.")
        return see_other(place, pk)
    try:
        create(request.user, pk, kind)
    except TogetherError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The sync that starts now makes the playlist.")
    return see_other(place, pk)


def shared(
    me: User,
    playlists: Iterable[SharedPlaylist],
    tracks: Mapping[str, OwnedTrack],
    users: Sequence[User],
    kinds: Mapping[Any, str],
) -> dict[str, Any]:
    """For the page: playlists with their songs, and the kinds of which there is none yet."""
    made = {each.mirror.rule["source"]["of"] for each in playlists if each.mirror.rule}
    return {
        "playlists": [(each, whose_songs(each, tracks, me, users)) for each in playlists],
        "kinds": {of: words for of, words in kinds.items() if of not in made},
    }


def url_of(code: str) -> str:
    """The address of an invitation."""
    return f"{settings.BASE_URL}{reverse('together_join', args=[code])}"


def number_of(text: str) -> int:
    """``text`` as an id; 0, which no row has, if it is not a number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def see_other(name: str, *args: object) -> HttpResponse:
    response = redirect(name, *args)
    response.status_code = 303
    return response
