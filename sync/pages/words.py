"""Times and durations as text, in the listener's time zone."""

from datetime import date, datetime, timedelta

from django.utils import timezone

from syncify.text import counted

#: Nearer times are shown as a duration, others as a clock time. ``static/js/app.js`` updates the
#: durations on open pages by the same rule.
NEAR = timedelta(hours=12)


def relative(moment: datetime, now: datetime) -> str:
    """ "just now", "3 minutes ago", "in 2 hours"; from half a day on, the text of ``at``."""
    distance = abs(moment - now)
    if distance >= NEAR:
        return at(moment, now)
    if distance < timedelta(minutes=1):
        return "just now" if moment <= now else "in a moment"
    if distance < timedelta(hours=1):
        words = counted(distance // timedelta(minutes=1), "minute")
    else:
        words = counted(distance // timedelta(hours=1), "hour")
    return f"{words} ago" if moment < now else f"in {words}"


def clock(moment: datetime, now: datetime) -> str:
    """ "14:20", "tomorrow at 14:20", "Sunday at 14:20" or "3 December at 14:20".

    If the listener's time zone is unknown, it is UTC, and the text says so.
    """
    local = timezone.localtime(moment)
    zone = " UTC" if timezone.get_current_timezone_name() == "UTC" else ""
    days = (local.date() - timezone.localtime(now).date()).days
    near = {-1: "yesterday at ", 0: "", 1: "tomorrow at "}
    far = f"{local:%A} at " if 1 < days < 7 else f"{day(moment)} at "
    return f"{near.get(days, far)}{local:%H:%M}{zone}"


def at(moment: datetime, now: datetime) -> str:
    """``clock`` with a preposition: "at 14:20", "tomorrow at 14:20"."""
    words = clock(moment, now)
    if words.startswith(("yesterday", "tomorrow")):
        return words
    return f"on {words}" if " at " in words else f"at {words}"


def exact(moment: datetime) -> str:
    """ "14:20:31", of today."""
    zone = " UTC" if timezone.get_current_timezone_name() == "UTC" else ""
    return f"{timezone.localtime(moment):%H:%M:%S}{zone}"


def day(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{local.day} {local:%B}"


def left(duration: timedelta) -> str:
    """The approximate remaining time."""
    if duration < timedelta(seconds=10):
        return "a few seconds left"
    if duration < timedelta(minutes=1):
        return "less than a minute left"
    return f"about {counted(round(duration / timedelta(minutes=1)), 'minute')} left"


def songs(count: int) -> str:
    return counted(count, "song")


def full_day(day: date) -> str:
    """ "5 March 2024"."""
    return f"{day.day} {day:%B} {day.year}"
