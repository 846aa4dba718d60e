"""The listener's time zone: sent by their browser, and stored with the library."""

from contextlib import suppress
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.db.models import Count, OuterRef, Subquery
from django.utils import timezone

from sync.models import InboxItem, Library
from syncify.http import Request

_WAITING = Subquery(
    InboxItem.objects.filter(user=OuterRef("user"), state=InboxItem.State.WAITING)
    .order_by()
    .values("user")
    .annotate(waiting=Count("pk"))
    .values("waiting")
)


def library_of(request: Request) -> Library:
    """The visitor's library; activates its time zone for the rest of the request.

    A zone from the browser is stored; otherwise the stored zone is used.
    """
    libraries = Library.objects.annotate(waiting=_WAITING)
    library, _ = libraries.get_or_create(user=request.user)
    # Every page shows it: see ``sync/templatetags/inbox.py``.
    request.inbox_count = getattr(library, "waiting", None) or 0
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
