"""``{% load songs %}``: lengths, dates and addresses of songs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from urllib.parse import quote, urlencode

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from sync.library.search import Period, Query
from sync.models import SavedTrack
from sync.pages.words import full_day
from sync.templatetags.pictures import cover
from syncify.text import counted, plain

register = template.Library()
register.filter("full_day", full_day)


# A list shows a hundred songs. What these filters make of numbers, dates and quoted ids needs no
# escaping, which would take longer than the filters. As a template, the rows would take three times
# as long as ``song_rows``.

_ROW = (
    '<li class="like{gone}">'
    '<a href="{page}" aria-label="About {name}">{cover}</a>'
    '<div class="like-song">'
    '<a class="song" href="{at_spotify}" rel="noreferrer"><bdi>{name}</bdi></a>{explicit}'
    '<span class="artists">{artists}</span>{reason}'
    "</div>"
    '<bdi class="like-album">{album}</bdi>'
    '<span class="like-date">{days}</span>'
    '<span class="like-length">{length}</span>'
    "</li>"
)


@register.simple_tag
def song_rows(likes: Iterable[SavedTrack], reasons: Mapping[str, str] | None = None) -> SafeString:
    """The rows of a list of songs. ``reasons`` has why Spotify refused a track, by its id."""
    return SafeString("".join(_song_row(like, reasons) for like in likes))


def _song_row(like: SavedTrack, reasons: Mapping[str, str] | None) -> str:
    track = like.track
    days = [short_day(timezone.localtime(at)) for at in (like.added_at, like.removed_at) if at]
    reason = ""
    if reasons:
        words = reasons.get(track.pk) or "Spotify gave no reason."
        reason = f'<span class="small">{escape(words)}</span>'
    return _ROW.format(
        gone=" like-gone" if like.removed_at else "",
        page=song_url(track.pk),
        name=escape(plain(track.name)),
        cover=cover(track, 48),
        at_spotify=escape(at_spotify(track.pk)),
        explicit='<abbr class="explicit" title="Explicit">E</abbr>' if track.explicit else "",
        artists=artist_links(track.artists),
        reason=reason,
        album=escape(plain(track.album_name)),
        days=" – ".join(days),
        length=duration(track.duration_ms),
    )


@register.filter
def duration(milliseconds: int) -> SafeString:
    """ "3:35", or "1:02:03" from an hour on."""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return SafeString(f"{hours}:{minutes:02}:{seconds:02}")
    return SafeString(f"{minutes}:{seconds:02}")


@register.filter(expects_localtime=True)
def short_day(moment: datetime) -> SafeString:
    """ "5 Mar 2024"; Django's own filter takes five times as long."""
    return SafeString(f"{moment.day} {moment:%b} {moment.year}")


@register.simple_tag
def artist_links(names: Sequence[str]) -> SafeString:
    """The artists of a song, each with a link to their songs."""
    return SafeString(", ".join(map(_artist_link, names)))


@lru_cache(maxsize=10_000)
def _artist_link(name: str) -> SafeString:
    query = urlencode({"artist": name})
    return format_html('<a href="{}?{}"><bdi>{}</bdi></a>', _songs(), query, plain(name))


@register.simple_tag
def options(choices: Mapping[str, str], chosen: str) -> SafeString:
    """The ``<option>`` elements of a field, from the text of each value."""
    return format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        (
            (value, SafeString(" selected") if value == chosen else "", text)
            for value, text in choices.items()
        ),
    )


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
    return f"{_songs()}?{found}" if found else _songs()


@register.filter
def song_url(track_id: str) -> SafeString:
    """The page of a song; to reverse the route takes longer."""
    return SafeString(f"{_songs()}{quote(track_id, safe='')}/")


@cache
def _songs() -> str:
    return reverse("songs")
