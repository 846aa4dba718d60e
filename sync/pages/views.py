"""The start page, settings, and the download of all data."""

from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import (
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

from accounts.limits import limited
from accounts.pending import awaits_paste
from accounts.scopes import Wish, safe_path
from sync.library.export import export
from sync.library.exports import file_name
from sync.library.schedule import change_schedule
from sync.mirrors import services
from sync.models import Library, Mirror
from sync.pages.card import card_for
from sync.pages.events import Stream, hub, listener_of, mirrors_of
from sync.pages.forms import SettingsForm
from sync.pages.mirror import too_early
from sync.pages.others import others_of
from sync.pages.words import at
from syncify.http import Request

_limited = limited("sync", per_address=600, per_listener=120)


@require_safe
def home(request: Request) -> HttpResponse:
    if not request.user.is_authenticated:
        context = {
            "base_url": django_settings.BASE_URL,
            "awaits_paste": awaits_paste(request.session),
            # After the sign-in, show the page that needed it, such as an invitation.
            "wish": Wish(next=safe_path(request.GET.get("next", ""))),
            "redirect_case": django_settings.SPOTIFY_REDIRECT_CASE,
        }
        return render(request, "landing.html", context)
    context = {
        "card": card_for(request.user, now=timezone.now()),
        "others": others_of(request.user),
    }
    return render(request, "sync/dashboard.html", context)


@require_GET
async def events(request: Request) -> HttpResponseBase:
    """Cards as server-sent events: at once, and after each change.

    Without a session the response is 204, after which browsers do not reconnect. 429 and 503 ask
    them to reconnect later, if the listener or the process has no room for another stream.
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
        # Proxies must neither compress nor buffer events.
        headers={"Cache-Control": "private, no-store, no-transform", "X-Accel-Buffering": "no"},
    )


@require_POST
@_limited
@login_required
def sync(request: Request) -> HttpResponse:
    """Sync everything of the listener, from any page."""
    if answer := too_early(request):
        return answer
    services.request_sync(user=request.user)
    return _see_other("home")


@require_http_methods(["GET", "HEAD", "POST"])
@limited("settings", per_address=600, per_listener=120, methods=["POST"])
@login_required
def settings(request: Request) -> HttpResponse:
    mirror = get_object_or_404(
        Mirror.objects.select_related("user__library"), user=request.user, is_main=True
    )
    library = mirror.user.library
    form = SettingsForm(
        request.POST if request.method == "POST" else None,
        instance=mirror,
        initial={
            "interval": library.interval,
            "preferred_hour": library.preferred_hour,
            "theme": request.COOKIES.get("theme", ""),
        },
    )
    if form.is_valid():
        messages.success(request, _saved(request, mirror, form))
        response = _see_other("settings")
        response.set_cookie(
            "theme",
            form.cleaned_data["theme"],
            max_age=timedelta(days=365),
            samesite="Lax",
            httponly=True,
            secure=request.is_secure(),
        )
        return response
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
        "alerts": bool(django_settings.ALERT_URLS),
        "pictures": django_settings.PICTURES,
        "genres": bool(django_settings.MUSICBRAINZ_CONTACT),
        "language_model": bool(django_settings.LLM_URL),
    }
    return render(request, "privacy.html", context)


def _saved(request: Request, mirror: Mirror, form: SettingsForm) -> str:
    """Store the settings' form; returns the message for the listener."""
    wishes: dict[str, Any] = form.cleaned_data
    zone = timezone.get_current_timezone_name()
    has_schedule = change_schedule(
        user=request.user,
        interval=wishes["interval"],
        preferred_hour=wishes["preferred_hour"],
        time_zone="" if zone == "UTC" else zone,
    )
    # A form that was opened before a rename in Spotify must not write the old name back.
    changed = {name: wishes[name] for name in form.DETAILS if name in form.changed_data}
    # The form has already changed the instance.
    stored = Mirror.objects.get(pk=mirror.pk)
    has_details = any(getattr(stored, name) != wish for name, wish in changed.items())
    services.change_settings(mirror=mirror, **changed)
    if has_details and stored.state == Mirror.State.ACTIVE:
        return "Saved. The next sync, which is queued, updates the playlist."
    if has_details:
        return "Saved. The playlist is updated when its syncs resume."
    due = Library.objects.get(user=request.user).next_due
    if has_schedule and due and wishes["interval"] != Library.Interval.OFF:
        return f"Saved. The next scheduled sync is {at(due, timezone.now())}."
    if has_schedule:
        return "Saved. Syncs run only when you ask."
    return "Saved."


def _see_other(name: str) -> HttpResponse:
    return HttpResponseRedirect(reverse(name), status=303)
