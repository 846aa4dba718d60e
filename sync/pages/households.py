"""The page of a household: members, their agreement, and playlists of their likes."""

from itertools import chain
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from sync.mirrors.rules import OFS_OF_HOUSEHOLD, HouseholdSongs
from sync.pages.together import (
    KINDS_OF_HOUSEHOLD,
    chosen,
    make_playlist,
    number_of,
    presses,
    see_other,
    shared,
    url_of,
)
from sync.pages.zone import library_of
from sync.sharing import households
from sync.sharing.codes import TogetherError
from sync.sharing.households import House
from sync.sharing.playlists import create_household_mirror, playlists_over, tracks_with_owners
from syncify.http import Request


@require_POST
@presses
@login_required
def start(request: Request) -> HttpResponse:
    """Start a household with a first playlist, and show an invitation into it."""
    try:
        household = households.start(request.user)
        of = chosen(request, OFS_OF_HOUSEHOLD) or "everyone"
        create_household_mirror(request.user, household.pk, of)
        code = households.invite(request.user, household.pk)
    except TogetherError as error:
        messages.error(request, str(error))
        return see_other("together")
    return _page(request, _house(request, household.pk), code=code, url=url_of(code))


@require_safe
@login_required
def household(request: Request, pk: int) -> HttpResponse:
    return _page(request, _house(request, pk))


@require_POST
@presses
@login_required
def invite(request: Request, pk: int) -> HttpResponse:
    """Make an invitation. Only this answer shows its code: the database has a hash."""
    house = _house(request, pk)
    if not house.is_owner:
        raise Http404
    try:
        code = households.invite(request.user, pk)
    except TogetherError as error:
        messages.error(request, str(error))
        return see_other("household", pk)
    return _page(request, house, code=code, url=url_of(code))


@require_POST
@presses
@login_required
def agree(request: Request, pk: int) -> HttpResponse:
    """Agree to share with the members that the page showed."""
    if not households.agree(request.user, pk, upto=number_of(request.POST.get("upto", ""))):
        raise Http404
    messages.success(request, "Agreed.")
    return see_other("household", pk)


@require_POST
@presses
@login_required
def leave(request: Request, pk: int) -> HttpResponse:
    """Leave the household; its owner ends it."""
    if not households.leave(request.user, pk):
        raise Http404
    messages.success(request, "You left. Neither you nor the others see each other’s likes there.")
    return see_other("together")


@require_POST
@presses
@login_required
def playlist(request: Request, pk: int) -> HttpResponse:
    """Make a playlist for the visitor with songs of the household."""
    _house(request, pk)
    return make_playlist(request, "household", pk, OFS_OF_HOUSEHOLD, create_household_mirror)


def _page(request: Request, house: House, **context: Any) -> HttpResponse:
    library_of(request)
    playlists = playlists_over(request.user, HouseholdSongs, house.household.pk)
    users = house.users_in
    tracks = tracks_with_owners(chain(*(each.ids for each in playlists)), users)
    context |= {
        "house": house,
        "most": households.MOST_MEMBERS,
        **shared(request.user, playlists, tracks, users, KINDS_OF_HOUSEHOLD),
    }
    return render(request, "together/household.html", context)


def _house(request: Request, pk: int) -> House:
    house = households.house_of(pk, request.user)
    if house is None:
        raise Http404
    return house
