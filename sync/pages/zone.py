"""The listener's time zone: as their browser tells it, kept with the library for all else."""

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
    """The visitor's library; the rest of the request goes by its time zone.

    A browser that tells its zone sets it; where none does, the stored zone counts.
    """
    libraries = Library.objects.annotate(waiting=_WAITING)
    library, _ = libraries.get_or_create(user=request.user)
    # Every page shows it: see ``sync/templatetags/inbox.py``.
    request.inbox_count = getattr(library, "waiting", None) or 0
    told = unquote(request.COOKIES.get("timezone", ""))
    # The middleware has taken the name over only if there is such a zone.
    if told and told == timezone.get_current_timezone_name():
        if told != library.time_zone:
            Library.objects.filter(pk=library.pk).update(time_zone=told)
            library.time_zone = told
    elif library.time_zone:
        with suppress(KeyError):  # another machine may know fewer zones
            # The middleware's override ends with the request, and this with it.
            timezone.activate(ZoneInfo(library.time_zone))
    return library
