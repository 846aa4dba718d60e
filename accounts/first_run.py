"""The first page of an installation that has no Spotify app yet."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import MiddlewareNotUsed
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.http import require_http_methods

from accounts.app_forms import FirstRunForm
from accounts.limits import limited
from accounts.spotify_apps import FIRST_LABEL, NotChanged, first_app, keep_app
from syncify.redirect import advice
from syncify.visitors import log_refusal

#: The session key for the digest of the code with which a person entered the app. This person
#: becomes operator at the sign-in.
FIRST_RUN = "first_run"
#: Pages that work without an app: health checks, metrics, static files, and the first run itself.
_WITHOUT_APP = ("/first-run/", "/healthz", "/metrics", "/static/", "/favicon.ico", "/robots.txt")


class FirstRunMiddleware(MiddlewareMixin):
    """Redirects every page to the page of the first run until there is an app."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if settings.SPOTIFY_CLIENT_ID or settings.SPOTIFY_APPS:
            raise MiddlewareNotUsed
        super().__init__(get_response)
        self._is_over = False

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if self._is_over or request.path.startswith(_WITHOUT_APP):
            return None
        # Not looked up again once there is one. If the last app is deleted, a sign-in notices.
        self._is_over = first_app() is not None
        return None if self._is_over else redirect("first_run")


@require_http_methods(["GET", "HEAD", "POST"])
@limited("first-run", per_address=30, methods=("POST",))
def page(request: HttpRequest) -> HttpResponse:
    """Stores the Client ID and secret that an operator enters with the code from the log.

    Once there is an app, the answer is 404, or a redirect for the person who entered it.
    """
    if first_app() is not None:
        if FIRST_RUN in request.session:
            return redirect("home")
        raise Http404
    form = FirstRunForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            keep_app(
                label=FIRST_LABEL,
                client_id=form.cleaned_data["client_id"],
                secret=form.cleaned_data["client_secret"],
                developer="",
                by=None,
            )
        except NotChanged as error:  # another request stored an app at the same time
            raise Http404 from error
        request.session[FIRST_RUN] = form.digest
        messages.success(request, "Spotify accepts the app, and it is stored. Sign in with it.")
        return HttpResponseRedirect(reverse("home"), status=303)
    if form.errors:
        log_refusal(request, "first-run")
    context = {
        "form": form,
        "redirect_uri": settings.SPOTIFY_REDIRECT_URI,
        "advice": advice(settings.BASE_URL),
    }
    return render(request, "accounts/first_run.html", context, status=422 if form.errors else 200)
