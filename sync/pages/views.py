"""What listeners see and press."""

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts import access, operators
from accounts.limits import limited
from accounts.models import User
from accounts.pending import awaits_paste
from accounts.scopes import Wish, safe_path
from sync.library.export import export
from sync.library.exports import file_name
from sync.mirrors import services
from sync.models import Mirror, SyncRequest
from sync.operations.overview import overview
from sync.pages.card import card_for
from sync.pages.events import Stream, hub, listener_of, mirrors_of
from sync.pages.forms import SettingsForm
from syncify.http import Request

_limited = limited("sync", per_address=600, per_listener=120)


@require_safe
def home(request: Request) -> HttpResponse:
    if not request.user.is_authenticated:
        context = {
            "base_url": django_settings.BASE_URL,
            "awaits_paste": awaits_paste(request.session),
            # An invitation, or another page that needs a sign-in, is shown after it.
            "wish": Wish(next=safe_path(request.GET.get("next", ""))),
        }
        return render(request, "landing.html", context)
    card = card_for(request.user, now=timezone.now())
    return render(request, "sync/dashboard.html", {"card": card})


@require_GET
async def events(request: Request) -> HttpResponseBase:
    """Cards as server-sent events: now, and whenever one of them changes.

    Whoever is not signed in gets a 204, after which browsers do not come back; 429 and 503 ask to
    do so later, where the listener or the process has no room for one more stream.
    """
    session_key = request.session.session_key or ""
    user_id = await listener_of(session_key)
    if user_id is None:
        return HttpResponse(status=204)
    if hub.is_full or hub.is_full_for(user_id):
        status = 503 if hub.is_full else 429
        return HttpResponse("too many streams\n", "text/plain", status, headers={"Retry-After": 60})
    stream = Stream(
        user_id=user_id,
        mirrors=mirrors_of(request.GET.getlist("mirror")),
        session_key=session_key,
        zone=timezone.get_current_timezone(),
        csrf_token=get_token(request),
    )
    return StreamingHttpResponse(
        stream.messages(),
        content_type="text/event-stream",
        # Proxies must neither compress nor collect what they pass on.
        headers={"Cache-Control": "private, no-store, no-transform", "X-Accel-Buffering": "no"},
    )


@require_POST
@_limited
@login_required
def sync(request: Request) -> HttpResponse:
    """Sync all that the listener has, whichever page asks."""
    services.request_sync(user=request.user)
    return _see_other("home")


@require_http_methods(["GET", "HEAD", "POST"])
@limited("settings", per_address=600, per_listener=120, methods=["POST"])
@login_required
def settings(request: Request) -> HttpResponse:
    mirror = get_object_or_404(
        Mirror.objects.select_related("user__library"), user=request.user, is_main=True
    )
    form = SettingsForm(
        request.POST if request.method == "POST" else None,
        instance=mirror,
        initial={"interval": mirror.user.library.interval},
    )
    if form.is_valid():
        services.change_settings(mirror=mirror, **form.cleaned_data)
        messages.success(request, "Saved. The playlist takes it over with the next sync.")
        return _see_other("settings")
    seen_public = mirror.playlists.filter(number=1).values_list("seen_public", flat=True).first()
    return render(
        request,
        "settings.html",
        {"form": form, "seen_public": seen_public},
        status=422 if form.errors else 200,
    )


@require_safe
@login_required
def export_data(request: Request) -> HttpResponse:
    response = JsonResponse(export(request.user), json_dumps_params={"indent": 1})
    name = file_name(f"Syncify of {request.user}", timezone.localdate(), "json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
def privacy(request: Request) -> HttpResponse:
    context = {
        "history_days": django_settings.HISTORY_DAYS,
        "pictures": django_settings.PICTURES,
    }
    return render(request, "privacy.html", context)


@require_safe
def operator_page(request: Request) -> HttpResponse:
    _operators_only(request)
    context = overview(now=timezone.now(), page=request.GET.get("page"))
    return render(request, "operator.html", {"overview": context})


@require_POST
def operator_retry(request: Request, pk: int) -> HttpResponse:
    _operators_only(request)
    services.retry_dead(request=get_object_or_404(_dead(), pk=pk))
    return _see_other("operator")


@require_POST
def operator_block(request: Request, listener: int) -> HttpResponse:
    """Block a listener, or with ``unblock`` let them in again; not oneself."""
    _operators_only(request)
    user = get_object_or_404(User.objects.exclude(pk=request.user.pk), pk=listener)
    if "unblock" in request.POST:
        access.unblock_listener(user)
    else:
        services.block_listener(user)
    return _see_other("operator")


@require_http_methods(["GET", "HEAD", "POST"])
@limited("operator-code", per_address=30)
@login_required
def operator_code(request: Request) -> HttpResponse:
    """Makes the first who enters the current code an operator; a code works once."""
    if not operators.has_unused_code():
        raise Http404
    if request.method != "POST":
        return render(request, "operator_code.html")
    if operators.become_operator(request.user, code=request.POST.get("code", "")):
        return _see_other("operator")
    return render(request, "operator_code.html", {"is_wrong": True}, status=422)


def _see_other(name: str) -> HttpResponse:
    return HttpResponseRedirect(reverse(name), status=303)


def _dead() -> QuerySet[SyncRequest]:
    return SyncRequest.objects.filter(state=SyncRequest.State.DEAD)


def _operators_only(request: Request) -> None:
    # Not a 403: whoever is no operator need not know that there is such a page.
    if not (request.user.is_authenticated and request.user.is_operator):
        raise Http404
