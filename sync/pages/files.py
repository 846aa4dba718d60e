"""Files that browsers and crawlers ask for at the root of a site."""

from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.views.decorators.http import require_safe

#: Crawlers may read the public pages. Share pages carry ``noindex``; messengers must be allowed to
#: fetch them, or a link would have no picture.
_ROBOTS = """\
User-agent: *
Allow: /$
Allow: /privacy/
Allow: /static/
Allow: /s/
Disallow: /
"""


@require_safe
def robots(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(_ROBOTS, "text/plain")


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    """For clients that ignore the page's ``<link rel="icon">``."""
    address = staticfiles_storage.url("img/favicon.ico")
    return HttpResponsePermanentRedirect(address)
