"""Signing in with Spotify and out again, and deleting an account."""

import logging
from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import arrival, choosing, operators, pending, scopes
from accounts.access import sign_out_everywhere
from accounts.arrival import WayBack
from accounts.deletion import delete_account as delete_account_of
from accounts.first_run import FIRST_RUN
from accounts.forms import PasteForm
from accounts.limits import limited
from accounts.models import User
from accounts.paste import STATE_LENGTH, Answer
from accounts.pending import SignIn
from accounts.problems import (
    ASK_AGAIN,
    OF_AN_APP,
    WORDS,
    Problem,
    SignInFailed,
    problem_of,
)
from accounts.scopes import OPTIONAL, Wish
from accounts.sign_in import Connected, finish_sign_in
from accounts.signals import access_ended
from accounts.spotify_apps import App, NoApp, app_of
from syncify.http import Request
from syncify.redirect import Case
from syncify.spotify.quota import current_block
from syncify.text import plain
from syncify.visitors import log_refusal

logger = logging.getLogger(__name__)

_SHOW_DIALOG = "spotify_show_dialog"


@require_POST
@limited("sign-in", per_address=60)
def log_in(request: HttpRequest) -> HttpResponse:
    """Redirect to Spotify, unless a block prevents the request for the profile afterwards.

    A sign-in by pasting is explained first; that page posts with ``explained``.
    """
    wish = scopes.wish_of(request.POST)
    match arrival.way_back(request):
        case WayBack.OTHER_NAME:
            # The cookie that knows the app is not sent to the other name either.
            known = choosing.app_for(request, wish)
            wish = replace(wish, app=known.client_id if known else "")
            return HttpResponseRedirect(arrival.address_to_continue(wish))
        case WayBack.PASTE if "explained" not in request.POST:
            return HttpResponseRedirect(wish.add_to(reverse("paste_back")))
        case way:
            return _to_spotify(request, wish, by_paste=way == WayBack.PASTE)


@require_GET
@limited("sign-in", per_address=60)
def continue_login(request: HttpRequest) -> HttpResponse:
    """``log_in`` for a browser that pressed its button under another name of this machine."""
    wish = arrival.wish_from(request.GET.get("wish", ""))
    return redirect("home") if wish is None else _to_spotify(request, wish)


def _to_spotify(request: HttpRequest, wish: Wish, *, by_paste: bool = False) -> HttpResponse:
    app = choosing.app_for(request, wish)
    if app is None:
        return redirect("first_run")
    if block := current_block(app.credentials):
        return _problem(request, SignInFailed(Problem(block.because), until=block.until), app)
    user = request.user if isinstance(request.user, User) else None
    # A listener who is signed in and signs in again renews their consent, or wants another
    # account; without the dialog Spotify would send them straight back.
    show_dialog = request.session.pop(_SHOW_DIALOG, False) or user is not None
    granted = scopes.remembered(user) if user else ""
    return pending.begin_sign_in(
        request,
        app.credentials,
        show_dialog=show_dialog,
        granted=granted,
        wish=wish,
        by_paste=by_paste,
    )


@require_GET
@limited("callback", per_address=120)
def callback(request: HttpRequest) -> HttpResponse:
    """Handle Spotify's redirect after a sign-in."""
    state, code, error = (request.GET.get(name, "") for name in ("state", "code", "error"))
    is_answer = len(state) == STATE_LENGTH and code
    if is_answer and not pending.is_known(request, state) and _may_be_for_another_address():
        query = request.META["QUERY_STRING"]
        context = {"address": f"{settings.SPOTIFY_REDIRECT_URI}?{query}"}
        return render(request, "accounts/copy_address.html", context)
    return _finish(request, Answer(state, "" if error else code, error))


def _may_be_for_another_address() -> bool:
    """Whether another Syncify, or this one under another name, may have begun a sign-in.

    Cookies of that address are not sent to this one.
    """
    return settings.SPOTIFY_REDIRECT_CASE != Case.HTTPS


@require_http_methods(["GET", "HEAD", "POST"])
@limited("callback", per_address=120)
def paste_back(request: HttpRequest) -> HttpResponse:
    """The sign-in by pasting, where Spotify cannot redirect to Syncify."""
    form = PasteForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _finish(request, form.answer)
    context = {
        "form": form,
        "redirect_uri": settings.SPOTIFY_REDIRECT_URI,
        "wish": scopes.wish_of(request.GET),
    }
    return render(request, "accounts/paste.html", context, status=422 if form.errors else 200)


def _finish(request: HttpRequest, answer: Answer) -> HttpResponse:
    response = _finished(request, answer)
    pending.forget(request, response, answer.state)
    return response


def _finished(request: HttpRequest, answer: Answer) -> HttpResponse:
    app: App | None = None
    try:
        begun = pending.end_sign_in(request, state=answer.state)
        if answer.error or not answer.code:
            return _no_code(request, answer, begun.wish)
        app = _app_of(begun)
        connected = finish_sign_in(app.credentials, code=answer.code, verifier=begun.verifier)
    except SignInFailed as failure:
        request.session[_SHOW_DIALOG] = failure.problem in ASK_AGAIN
        return _problem(request, failure, app)
    response = _signed_in(request, begun, app, connected)
    choosing.remember(request, response, app.client_id)
    return response


def _app_of(begun: SignIn) -> App:
    """The app that a sign-in began with, which alone can redeem its code."""
    try:
        return app_of(begun.client_id)
    except NoApp as error:
        raise SignInFailed(Problem.APP_GONE) from error


def _signed_in(request: HttpRequest, begun: SignIn, app: App, connected: Connected) -> HttpResponse:
    first_run = request.session.get(FIRST_RUN, "")
    login(request, connected.user)
    if first_run:
        operators.become_operator_by_digest(connected.user, first_run)
        request.session.pop(FIRST_RUN, None)
    # Django keeps the key when the same listener signs in again.
    request.session.cycle_key()
    # A moment, not an age: later changes of the session do not postpone it.
    request.session.set_expiry(timezone.now() + settings.SESSION_LIFE)
    forgotten = [scope for scope in connected.lost if scope not in begun.scopes]
    if forgotten and not begun.by_paste:
        # Who signed in, and so which optional scopes to request, is known only now. The listener
        # has granted them before, so Spotify redirects back without a question.
        wish = Wish((*begun.wish.scopes, *forgotten), begun.wish.next)
        return pending.begin_sign_in(
            request,
            app.credentials,
            show_dialog=False,
            granted=scopes.remembered(connected.user),
            wish=wish,
        )
    if missing := set(begun.wish.scopes) - set(scopes.granted_optional(connected.user)):
        _say_missing(request, missing)
    return HttpResponseRedirect(begun.wish.next or reverse("home"))


def _no_code(request: HttpRequest, answer: Answer, wish: Wish) -> HttpResponse:
    """Handle an error or an empty answer. Permissions that were granted before stay."""
    problem = problem_of(answer.error) if answer.error else Problem.INCOMPLETE
    if answer.error:
        logger.warning("spotify answered a sign-in with error=%s", plain(answer.error)[:100])
    if problem == Problem.DENIED and wish.scopes and request.user.is_authenticated:
        _say_missing(request, set(wish.scopes))
        return HttpResponseRedirect(wish.next or reverse("home"))
    raise SignInFailed(problem)


def _say_missing(request: HttpRequest, missing: set[str]) -> None:
    what = " or ".join(OPTIONAL[scope] for scope in OPTIONAL if scope in missing)
    messages.warning(
        request,
        f"You did not give the permission, so Syncify cannot {what}. Everything else works as "
        "before, and you can give the permission later in the settings.",
    )


@require_GET
@login_required
def permissions(request: Request) -> HttpResponse:
    """Explains optional permissions before Spotify's page asks for them."""
    wish = scopes.wish_of(request.GET)
    if not wish.scopes:
        raise Http404
    context = {"wish": wish, "asked": [OPTIONAL[scope] for scope in wish.scopes]}
    return render(request, "accounts/permissions.html", context)


@require_POST
@transaction.atomic
def log_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        access_ended.send(sender=User, user_id=request.user.pk)
    logout(request)
    return _good_bye()


@require_POST
@limited("account", per_address=60)
@login_required
def end_sessions(request: Request) -> HttpResponse:
    sign_out_everywhere(request.user)
    logout(request)
    messages.success(request, "You are signed out on every device.")
    return _good_bye()


@require_http_methods(["GET", "POST"])
@limited("account", per_address=60, methods=["POST"])
@login_required
def delete_account(request: Request) -> HttpResponse:
    """Delete on a POST with ``confirm=delete``; ask otherwise."""
    if request.POST.get("confirm") != "delete":
        status = 422 if request.method == "POST" else 200
        return render(request, "accounts/delete.html", status=status)
    # First the account, in a transaction that takes this session too: if that fails, the listener
    # is still signed in and can try again.
    delete_account_of(User.objects.get(pk=request.user.pk))
    logout(request)
    messages.success(request, "Your account is deleted. The playlist stays in your Spotify.")
    return _good_bye()


def _good_bye() -> HttpResponse:
    """Redirect to the start page; the browser deletes all its data of this site except cookies.

    A message to the listener may be in a cookie.
    """
    response = redirect("home")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _problem(request: HttpRequest, failure: SignInFailed, app: App | None = None) -> HttpResponse:
    status, title, message = WORDS[failure.problem]
    others = choosing.others(app) if app and failure.problem in OF_AN_APP else []
    if app and others:
        message = OF_AN_APP[failure.problem].format(label=plain(app.label), owner=plain(app.owner))
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
        "others": others,
        "action_label": "Back to the start",
        "action_url": reverse("home"),
    }
    return render(request, "accounts/problem.html", context, status=status)


def _when(moment: datetime) -> str:
    local = localtime(moment)
    return f"on {date_format(local, 'j F')} at {date_format(local, 'H:i')} {local:%Z}"
