"""The operator's page of Spotify apps, and moving a listener from one to another."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.app_forms import AppForm
from accounts.limits import limited
from accounts.models import SpotifyApp, SpotifyConnection
from accounts.spotify_apps import (
    SEATS,
    App,
    NotChanged,
    Source,
    all_apps,
    ask_to_move,
    delete_app,
    keep_app,
    listeners_by_app,
    own_app,
    rest_app,
    seats_by_app,
)
from sync.pages.operator import operators_only
from sync.pages.words import clock
from syncify.http import Request
from syncify.redirect import advice
from syncify.spotify.quota import calls_last_day, current_block

_presses = limited("apps", per_address=120, per_listener=60, methods=("POST",))

_SOURCES = {
    Source.ENVIRONMENT: "from SPOTIFY_CLIENT_ID",
    Source.LIST: "from SPOTIFY_APPS",
    Source.PAGE: "entered here",
}


@dataclass(frozen=True, slots=True)
class Row:
    """An app as the page shows it; never its secret."""

    app: App
    source: str
    #: Listeners with a seat, and seats promised to guests and to listeners who are to move.
    taken: int
    promised: int
    calls: int
    #: Until when nobody calls Spotify with it, and why; "" if somebody may.
    blocked_until: str
    because: str

    @property
    def seats_in_words(self) -> str:
        # An old app may have more than SEATS.
        of = f"{self.taken} of {SEATS}" if self.taken <= SEATS else f"{self.taken}"
        more = f", {self.promised} more promised" if self.promised else ""
        return f"{of} seats taken{more}"


@require_http_methods(["GET", "HEAD", "POST"])
@_presses
def apps(request: Request) -> HttpResponse:
    """All apps; with POST, one more, whose credentials Spotify has accepted."""
    operators_only(request)
    form = AppForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        found = form.cleaned_data
        try:
            keep_app(
                label=found["label"],
                client_id=found["client_id"],
                secret=found["client_secret"],
                developer=found["developer"],
                by=request.user,
            )
        except NotChanged as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Spotify accepts “{found['label']}”, and it is stored.")
            return _to_the_page()
    context = {
        "rows": _rows(all_apps()),
        "form": form,
        "seats": SEATS,
        "budget": settings.SPOTIFY_DAILY_QUOTA,
        "redirect_uri": settings.SPOTIFY_REDIRECT_URI,
        "advice": advice(settings.BASE_URL),
    }
    return render(request, "operator/apps.html", context, status=422 if form.errors else 200)


@require_POST
@_presses
def rest(request: Request, pk: int) -> HttpResponse:
    """Let an app take no further listeners; with ``wake``, let it take them again."""
    operators_only(request)
    kept = get_object_or_404(SpotifyApp, pk=pk)
    rests = "wake" not in request.POST
    rest_app(kept.pk, rests=rests)
    what = "takes no further listeners" if rests else "takes listeners again"
    messages.success(request, f"“{kept.label}” {what}.")
    return _to_the_page()


@require_POST
@_presses
def delete(request: Request, pk: int) -> HttpResponse:
    operators_only(request)
    kept = get_object_or_404(SpotifyApp, pk=pk)
    try:
        delete_app(kept.pk)
    except NotChanged as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"“{kept.label}” is deleted here. It still exists at Spotify.")
    return _to_the_page()


@require_http_methods(["GET", "HEAD", "POST"])
@_presses
def move(request: Request, listener: int) -> HttpResponse:
    """Let a listener's next sign-in be at another app; nothing changes before."""
    operators_only(request)
    found = all_apps()
    if len(found) < 2:
        raise Http404
    held = get_object_or_404(SpotifyConnection.objects.select_related("user"), user=listener)
    own = own_app(held)
    if request.method != "POST":
        context = {
            "listener": held.user,
            "own": own,
            "rows": _rows(found),
            "wanted": held.move_to,
        }
        return render(request, "operator/move.html", context)
    wanted = next((app for app in found if app.client_id == request.POST.get("app")), None)
    if wanted is None:
        raise Http404
    try:
        ask_to_move(held.pk, wanted)
    except NotChanged as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("operator_move", args=[listener]), status=303)
    if wanted == own:
        messages.success(request, f"{held.user} stays at “{wanted.label}”.")
    else:
        messages.success(
            request,
            f"{held.user} is asked to sign in again, for “{wanted.label}”. Add them to it at "
            "Spotify first. Until they sign in, everything works as before.",
        )
    return HttpResponseRedirect(reverse("operator"), status=303)


def _rows(found: Sequence[App]) -> list[Row]:
    taken, seats, now = listeners_by_app(), seats_by_app(), timezone.now()
    calls = {name: calls_last_day(name) for name in {app.developer for app in found}}
    rows = []
    for app in found:
        block = current_block(app.credentials)
        rows.append(
            Row(
                app=app,
                source=_SOURCES[app.source],
                taken=taken[app.client_id],
                promised=seats[app.client_id] - taken[app.client_id],
                calls=calls[app.developer],
                blocked_until=clock(block.until, now) if block else "",
                because=block.because if block else "",
            )
        )
    return rows


def _to_the_page() -> HttpResponse:
    return HttpResponseRedirect(reverse("operator_apps"), status=303)
