"""The request type of views: with a signed-in user and htmx's details."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class Request(HttpRequest):
    user: User
    htmx: HtmxDetails
    #: Songs that wait in the listener's inbox; None until they were counted.
    inbox_count: int | None = None


#: Header of ``/healthz`` that says how its request came to us, past any proxy: http or https.
SEEN_SCHEME = "X-Seen-Scheme"
