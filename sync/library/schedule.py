"""The schedule of a listener's library."""

from django.db import transaction

from accounts.models import User
from sync.models import Library
from sync.queue.changes import tell_pages
from sync.queue.scheduler import plan_next


def change_schedule(
    *, user: User, interval: str, preferred_hour: int | None, time_zone: str = ""
) -> bool:
    """Store the schedule and plan the next time; returns whether it changed.

    ``preferred_hour`` is in ``time_zone``, an IANA name; "" keeps the stored zone.
    """
    with transaction.atomic():
        library = Library.objects.select_for_update().get(user=user)
        wanted = {"interval": interval, "preferred_hour": preferred_hour}
        zone = {"time_zone": time_zone} if time_zone and preferred_hour is not None else {}
        changed = {
            name: value
            for name, value in {**wanted, **zone}.items()
            if getattr(library, name) != value
        }
        if not changed:
            return False
        Library.objects.filter(user=user).update(**changed)
        plan_next(user)
        tell_pages(user_id=user.pk)
        return True
