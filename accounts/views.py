"""Signing in with Spotify and out again, and deleting an account."""

import logging
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import pending
from accounts.access import sign_out_everywhere
from accounts.deletion import delete_account as delete_account_of
from accounts.forms import PasteForm
from accounts.limits import limited
from accounts.models import User
from accounts.paste import STATE_LENGTH
from accounts.problems import WORDS, Problem, SignInFailed
from accounts.sign_in import finish_sign_in, granted_scopes
from accounts.signals import access_ended
from syncify.http import Request
from syncify.redirect import Case
from syncify.spotify.quota import current_block
from syncify.visitors import log_refusal

logger = logging.getLogger(__name__)

#: After these the listener may want another Spotify account, or to answer anew.
_ASK_ANEW = {
    Problem.DENIED,
    Problem.SCOPES_MISSING,
    Problem.NOT_REGISTERED,
    Problem.NOT_INVITED,
    Problem.FORBIDDEN,
}
_SHOW_DIALOG = "spotify_show_dialog"


@require_POST
@limited("sign-in", per_address=60)
def log_in(request: HttpRequest) -> HttpResponse:
    """Off to Spotify, unless it could not be asked who comes back.

    Where the way back is by hand it is explained first; that page posts with ``explained``.
    """
    if settings.SPOTIFY_REDIRECT_CASE == Case.PASTE_BACK and "explained" not in request.POST:
        return redirect("paste_back")
    if block := current_block():
        return _problem(request, SignInFailed(Problem(block.because), until=block.until))
    # Who is signed in here and signs in again renews their consent, or wants another account;
    # Spotify would send them straight back.
    show_dialog = request.session.pop(_SHOW_DIALOG, False) or request.user.is_authenticated
    granted = granted_scopes(request.user.pk) if request.user.is_authenticated else ""
    return HttpResponseRedirect(
        pending.begin_sign_in(request.session, show_dialog=show_dialog, granted=granted)
    )


@require_GET
@limited("callback", per_address=120)
def callback(request: HttpRequest) -> HttpResponse:
    """Back from Spotify."""
    state, code = request.GET.get("state", ""), request.GET.get("code", "")
    is_for_elsewhere = (
        len(state) == STATE_LENGTH and code and not pending.has_begun(request.session)
    )
    if is_for_elsewhere and settings.SPOTIFY_REDIRECT_CASE != Case.HTTPS:
        # Another Syncify began it, or we did under another name, whose cookie is not sent here.
        query = request.META["QUERY_STRING"]
        context = {"address": f"{settings.SPOTIFY_REDIRECT_URI}?{query}"}
        return render(request, "accounts/copy_address.html", context)
    return _finish(request, state=state, code="" if "error" in request.GET else code)


@require_http_methods(["GET", "HEAD", "POST"])
@limited("callback", per_address=120)
def paste_back(request: HttpRequest) -> HttpResponse:
    """The way to Spotify and back where Spotify cannot lead back to us."""
    form = PasteForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _finish(request, **form.answer._asdict())
    context = {"form": form, "redirect_uri": settings.SPOTIFY_REDIRECT_URI}
    return render(request, "accounts/paste.html", context, status=422 if form.errors else 200)


def _finish(request: HttpRequest, *, state: str, code: str) -> HttpResponse:
    try:
        verifier = pending.end_sign_in(request.session, state=state)
        if not code:
            raise SignInFailed(Problem.DENIED)  # noqa: TRY301 - one place answers all failures
        user = finish_sign_in(code=code, verifier=verifier)
    except SignInFailed as failure:
        request.session[_SHOW_DIALOG] = failure.problem in _ASK_ANEW
        return _problem(request, failure)
    login(request, user)
    # Django keeps the key when the same listener signs in again.
    request.session.cycle_key()
    # A moment, not an age: later changes of the session do not put it off.
    request.session.set_expiry(timezone.now() + settings.SESSION_LIFE)
    return redirect("home")


@require_POST
@transaction.atomic
def log_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        access_ended.send(sender=User, user_id=request.user.pk)
    logout(request)
    return _good_bye()


@require_POST
@login_required
def end_sessions(request: Request) -> HttpResponse:
    sign_out_everywhere(request.user)
    logout(request)
    messages.success(request, "You are signed out on every device.")
    return _good_bye()


@login_required
@require_http_methods(["GET", "POST"])
def delete_account(request: Request) -> HttpResponse:
    """Deletes on a POST with ``confirm=delete``; asks otherwise."""
    if request.POST.get("confirm") != "delete":
        status = 422 if request.method == "POST" else 200
        return render(request, "accounts/delete.html", status=status)
    user = User.objects.get(pk=request.user.pk)
    logout(request)
    delete_account_of(user)
    messages.success(request, "Your account is deleted. The playlist stays in your Spotify.")
    return _good_bye()


def _good_bye() -> HttpResponse:
    """To the start page; the browser forgets what it kept of ours, but for cookies.

    A message to the listener may ride in one.
    """
    response = redirect("home")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _problem(request: HttpRequest, failure: SignInFailed) -> HttpResponse:
    status, title, message = WORDS[failure.problem]
    if status < 500:
        log_refusal(request, failure.problem)
    else:
        logger.info("sign-in failed problem=%s", failure.problem)
    if failure.until:
        message += f" Syncify asks Spotify again {_when(failure.until)}."
    context = {
        "title": title,
        "message": message,
        "spotify_id": failure.spotify_id,
        "action_label": "Back to the start",
        "action_url": reverse("home"),
    }
    return render(request, "accounts/problem.html", context, status=status)


def _when(moment: datetime) -> str:
    local = localtime(moment)
    return f"on {date_format(local, 'j F')} at {date_format(local, 'H:i')} {local:%Z}"
