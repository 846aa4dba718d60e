"""Together: invitations, pairs, and what the two listeners of a pair have in common."""

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.limits import limited
from sync.mirrors.rules import OFS, Of
from sync.pages.zone import library_of
from sync.sharing import common, pairs
from sync.sharing.pairs import PairError, Partner
from sync.sharing.playlists import create_shared_mirror
from syncify.http import Request

_presses = limited("together", per_address=600, per_listener=120)
#: Few enough that nobody guesses a code.
_codes = limited("together-codes", per_address=240, per_listener=60)

_CODE = re.compile(r"[\w-]{8,64}", re.ASCII)

#: What each kind of shared playlist holds, for the buttons.
KINDS: Mapping[Of, str] = {
    "both": "What you both like",
    "turns": "The newest likes of each in turn",
    "theirs_not_mine": "Their likes that you do not have",
}


@require_safe
@login_required
def together(request: Request) -> HttpResponse:
    return _together(request)


@require_POST
@_presses
@login_required
def invite(request: Request) -> HttpResponse:
    """Make an invitation, and show its code: this page is the only one that knows it."""
    try:
        code = pairs.invite(request.user)
    except PairError as error:
        messages.error(request, str(error))
        return _see_other("together")
    url = f"{settings.BASE_URL}{reverse('together_join', args=[code])}"
    return _together(request, code=code, url=url)


@require_POST
@_presses
@login_required
def withdraw(request: Request) -> HttpResponse:
    """Withdraw all invitations that nobody has used."""
    pairs.withdraw(request.user)
    messages.success(request, "Nobody can use your invitations any more.")
    return _see_other("together")


@require_POST
@_codes
@login_required
def enter(request: Request) -> HttpResponse:
    """Go to the invitation whose code, or whole address, was typed in."""
    code = request.POST.get("code", "").strip().rstrip("/").rpartition("/")[2]
    if not _CODE.fullmatch(code):
        messages.error(request, "This is no code of an invitation.")
        return _see_other("together")
    return HttpResponseRedirect(reverse("together_join", args=[code]), status=303)


@require_http_methods(["GET", "HEAD", "POST"])
@_codes
@login_required
def join(request: Request, code: str) -> HttpResponse:
    """Who invites, and what agreeing means; with POST, agree."""
    try:
        if request.method == "POST":
            pair = pairs.accept(request.user, code)
            messages.success(request, "You are together. Either of you can end this at any time.")
            return _see_other("pair", pair.pk)
        inviter = pairs.inviter_of(code, request.user)
    except PairError as error:
        return render(request, "together/join.html", {"problem": str(error)}, status=404)
    return render(request, "together/join.html", {"inviter": inviter})


@require_safe
@login_required
def pair(request: Request, pk: int) -> HttpResponse:
    library_of(request)
    partner = _partner(request, pk)
    mirrors = [
        (mirror, common.whose_songs(mirror, request.user, partner.user))
        for mirror in pairs.mirrors_of(request.user, [pk]).prefetch_related("playlists")
    ]
    made = {mirror.rule["source"]["of"] for mirror, _ in mirrors if mirror.rule}
    context = {
        "partner": partner,
        "other": str(partner.user),
        "found": common.compare(request.user, partner.user),
        "newest": common.newest_likes(partner.user) if partner.they_show_newest else [],
        "mirrors": mirrors,
        "kinds": {of: words for of, words in KINDS.items() if of not in made},
    }
    return render(request, "together/pair.html", context)


@require_POST
@_presses
@login_required
def end(request: Request, pk: int) -> HttpResponse:
    """End a pair, also one whose other listener may not be seen at the moment."""
    if not pairs.end(request.user, pk):
        raise Http404
    messages.success(request, "Ended. Neither of you sees anything of the other any more.")
    return _see_other("together")


@require_POST
@_presses
@login_required
def newest(request: Request, pk: int) -> HttpResponse:
    _partner(request, pk)
    pairs.show_newest(request.user, pk, shows="shows" in request.POST)
    return _see_other("pair", pk)


@require_POST
@_presses
@login_required
def playlist(request: Request, pk: int) -> HttpResponse:
    """Make a playlist with songs of the pair."""
    _partner(request, pk)
    of = request.POST.get("of", "")
    if of not in OFS:
        messages.error(request, "Choose what the playlist is to hold.")
        return _see_other("pair", pk)
    try:
        create_shared_mirror(request.user, pk, of)
    except PairError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The playlist is made with the sync that begins now.")
    return _see_other("pair", pk)


def _together(request: Request, **context: Any) -> HttpResponse:
    library_of(request)
    context["partners"] = pairs.partners_of(request.user)
    context["invitations"] = pairs.open_invitations(request.user)
    return render(request, "together/together.html", context)


def _partner(request: Request, pk: int) -> Partner:
    partner = pairs.partner_in(pk, request.user)
    if partner is None:
        raise Http404
    return partner


def _see_other(name: str, *args: object) -> HttpResponse:
    response = redirect(name, *args)
    response.status_code = 303
    return response
