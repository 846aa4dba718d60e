"""Invitations: the operators' list of them, and the page of a guest who has no account."""

from collections.abc import Sequence

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.choosing import remember
from accounts.limits import limited
from accounts.scopes import Wish
from accounts.spotify_apps import SEATS, App, all_apps, free_app
from sync.models import Invitation
from sync.pages.operator import operators_only
from sync.sharing.invitations import (
    COOKIE,
    LASTS,
    MOST_INVITATIONS,
    TooManyInvitations,
    app_of_guest,
    find_invitation,
    give_address,
    invite,
    mark_added,
    open_invitations,
    seats_taken,
)
from syncify.http import Request
from syncify.text import plain
from syncify.visitors import log_refusal

_presses = limited("invitations", per_address=600, per_listener=120, methods=("POST",))
#: So low that codes cannot be guessed.
_codes = limited("invite", per_address=120)

#: The page on which operators add people to their Spotify app.
DASHBOARD = "https://developer.spotify.com/dashboard"


class AddressForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address of your Spotify account",
        max_length=254,
        help_text="At Spotify: your account, then “Edit profile”.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if email != plain(email):
            raise ValidationError("Enter a valid email address.")
        return email


# --- For operators --------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@_presses
def invitations(request: Request) -> HttpResponse:
    """Open invitations with the guests' addresses; with POST a new one, shown once."""
    operators_only(request)
    apps = all_apps()
    url = _invite(request, apps) if request.method == "POST" else ""
    labels = {app.client_id: app for app in apps} | {"": apps[0]}
    context = {
        "url": url,
        "invitations": [(each, labels.get(each.client_id)) for each in open_invitations()],
        "apps": [(app, seats_taken(app)) for app in apps],
        "free": free_app(apps),
        "seats": SEATS,
        "dashboard": DASHBOARD,
        "has_list": bool(settings.ALLOWED_USERS),
    }
    return render(request, "operator/invitations.html", context)


def _invite(request: Request, apps: Sequence[App]) -> str:
    """The address of a new invitation; "" where there is none, and a message says why."""
    app = apps[0]
    if len(apps) > 1:
        wanted = [each for each in apps if each.client_id == request.POST.get("app")]
        found = free_app(wanted or apps)
        if found is None:
            full = "That app has" if wanted else "Your apps have"
            messages.error(request, f"{full} no free seat. Choose another app, or add one.")
            return ""
        app = found
    try:
        code = invite(request.user, app.client_id)
    except TooManyInvitations:
        limit = f"You have {MOST_INVITATIONS} open invitations. Withdraw one, or wait for them."
        messages.error(request, limit)
        return ""
    return f"{settings.BASE_URL}{reverse('invite', args=[code])}"


@require_POST
@_presses
def added(request: Request, pk: int) -> HttpResponse:
    """Record that an operator added the guest at Spotify."""
    operators_only(request)
    if mark_added(get_object_or_404(open_invitations(), pk=pk)):
        messages.success(request, "The address is deleted. The guest's page now says: sign in.")
    return _to_the_list()


@require_POST
@_presses
def withdraw(request: Request, pk: int) -> HttpResponse:
    operators_only(request)
    get_object_or_404(Invitation, pk=pk).delete()
    messages.success(request, "The invitation is withdrawn, and the guest's address is deleted.")
    return _to_the_list()


# --- For the guest --------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@_codes
def guest(request: Request, code: str) -> HttpResponse:
    """The explanation, and a form for the address, which is not shown here again."""
    invitation = find_invitation(code)
    app = app_of_guest(invitation) if invitation else None
    if invitation is None or app is None:
        log_refusal(request, "invitation")
        return _page(request, {}, 404)
    form = AddressForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        response = HttpResponseRedirect(reverse("invite", args=[code]), status=303)
        if not give_address(invitation, form.cleaned_data["email"]):
            messages.error(request, "This invitation was already used. Ask for a new one.")
            return response
        remember(request, response, app.client_id)
        response.set_cookie(
            COOKIE,
            code,
            max_age=LASTS,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
        return response
    context = {
        "invitation": invitation,
        "inviter": str(invitation.user),
        "form": form,
        "taken": seats_taken(app),
        "seats": SEATS,
        "wish": Wish(app=app.client_id),
    }
    return _page(request, context, 422 if form.errors else 200)


def _page(request: Request, context: dict[str, object], status: int) -> HttpResponse:
    response = render(request, "sharing/invite.html", context, status=status)
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _to_the_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("operator_invitations"), status=303)
