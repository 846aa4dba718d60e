"""``{% load songs %}``: lengths, dates and addresses of songs."""

from django import template
from django.conf import settings
from django.urls import reverse

from sync.library.search import Period, Query
from sync.pages.words import counted, full_day

register = template.Library()
register.filter("full_day", full_day)


@register.filter
def duration(milliseconds: int) -> str:
    """ "3:35", or "1:02:03" from an hour on."""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@register.filter
def hours(milliseconds: int) -> str:
    """ "4 minutes", "1 hour", "751 hours"."""
    minutes = round(milliseconds / 60_000)
    return counted(minutes, "minute") if minutes < 60 else counted(round(minutes / 60), "hour")


@register.filter
def released(release_date: str) -> str:
    """Spotify's "1972", "1972-01" or "1972-01-16" as people write it."""
    period = Period.parse(release_date)
    if period is None:
        return release_date
    if len(release_date) == 10:
        return full_day(period.first)
    return f"{period.first:%B} {period.first.year}" if "-" in release_date else release_date


@register.filter
def at_spotify(track_id: str) -> str:
    """Where people open the song."""
    return f"{settings.SPOTIFY_OPEN_URL}/track/{track_id}"


@register.simple_tag
def songs_url(**query: object) -> str:
    """The list of songs with this query: ``{% songs_url artist="Kiasmos" %}``."""
    found = Query(**{name: str(value) for name, value in query.items()}).urlencoded()
    return f"{reverse('songs')}?{found}" if found else reverse("songs")


@register.filter
def item(mapping: dict[str, str], key: str) -> str:
    return mapping.get(key, "")


@register.filter
def month(year: int, number: int) -> str:
    """ "2024-03", as the search takes it."""
    return f"{year}-{number:02}"
