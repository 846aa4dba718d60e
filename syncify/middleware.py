"""Syncify's middleware."""

from collections.abc import Callable
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin
from django_htmx.http import HttpResponseClientRedirect

from syncify.visitors import wrong_host

#: On every answer, beside what Django's own middleware and settings say.
SAFETY_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        f"{feature}=()"
        for feature in (
            "accelerometer",
            "camera",
            "display-capture",
            "geolocation",
            "gyroscope",
            "hid",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "serial",
            "usb",
        )
    ),
    # Pages are personal, or carry a form's token. Static files say otherwise for themselves.
    "Cache-Control": "private, no-store",
}


class SafetyHeadersMiddleware(MiddlewareMixin):
    """Adds the missing headers of ``SAFETY_HEADERS`` to each answer."""

    def process_response(
        self, _request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        for name, value in SAFETY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class HostMiddleware(MiddlewareMixin):
    """Answers requests for an unknown host name, before other code reads the name."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        try:
            request.get_host()
        except DisallowedHost:
            return wrong_host(request)
        return None


class HiddenOriginMiddleware(MiddlewareMixin):
    """Lets forms work in browsers that send ``Origin: null`` with them to hide the address.

    Django treats this as another site. Pages of other sites can send it too, so the form's token
    must still match its cookie: this middleware only lets Django compare them.
    """

    def process_request(self, request: HttpRequest) -> None:
        if request.META.get("HTTP_ORIGIN") != "null":
            return
        if request.headers.get("Sec-Fetch-Site") == "same-origin":  # scripts cannot set it
            request.META["HTTP_ORIGIN"] = f"{request.scheme}://{request.get_host()}"
        elif not request.is_secure():
            # Over http old browsers send neither header, and Django accepts that.
            del request.META["HTTP_ORIGIN"]


class HtmxRedirectMiddleware:
    """Turns a redirect of an htmx request into one of the whole page.

    htmx would follow it unseen and put, say, the landing page into a card.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.headers.get("HX-Request") == "true" and response.status_code in {301, 302, 303}:
            return HttpResponseClientRedirect(response.headers["Location"])
        return response


class TimezoneMiddleware:
    """Activates the visitor's time zone; ``static/js/app.js`` sets the cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(_zone(request.COOKIES.get("timezone", ""))):
            return self.get_response(request)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(unquote(name))
    except (KeyError, ValueError, OSError):  # a cookie may hold anything
        return None
