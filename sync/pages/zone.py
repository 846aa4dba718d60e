"""The listener's time zone: sent by their browser, and stored with the library."""

from contextlib import suppress
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.utils import timezone

from sync.models import Library
from syncify.http import Request


def library_of(request: Request) -> Library:
    """The visitor's library; activates its time zone for the rest of the request.

    A zone from the browser is stored; otherwise the stored zone is used.
    """
    library, _ = Library.objects.get_or_create(user=request.user)
    told = unquote(request.COOKIES.get("timezone", ""))
    # The middleware accepts only valid names.
    if told and told == timezone.get_current_timezone_name():
        if told != library.time_zone:
            Library.objects.filter(pk=library.pk).update(time_zone=told)
            library.time_zone = told
    elif library.time_zone:
        with suppress(KeyError):  # another machine may have fewer zones
            # The middleware ends the override with the request.
            timezone.activate(ZoneInfo(library.time_zone))
    return library
