"""``{% load pictures %}``: album covers of a fixed size, and mosaics of four of them.

Where there is no picture, or ``SYNCIFY_PICTURES`` is off, a drawing takes its place that is the
same for the same album each time.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from zlib import crc32

from django import template
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from sync.models import Album, SavedTrack, Track
from syncify.spotify.parsing import picture_hosts
from syncify.text import plain

register = template.Library()

#: Anything that has a cover; a string is the address of a picture.
type Pictured = Album | Track | SavedTrack | str | None

_PALETTES = 8
#: Drawn over a square of 8 by 8 in the palette's second colour.
_MOTIFS = [
    mark_safe(drawn)  # noqa: S308 - constants
    for drawn in (
        '<circle cx="4" cy="4" r="2.4"/>',
        '<path d="M0 8V5q2-2 4 0t4 0v3z"/>',
        '<path d="M0 8 8 0v8z"/>',
        '<circle cx="8" cy="8" r="5.2"/>',
        '<path d="M1.6 8V4.4a2.4 2.4 0 0 1 4.8 0V8z"/>',
        '<path d="M0 2.2h8v1.2H0zm0 2.4h8v1.2H0z"/>',
        '<circle cx="2.6" cy="3.2" r="1.5"/><circle cx="5.6" cy="5.2" r="1.5"/>',
    )
]


@register.simple_tag
def cover(of: Pictured, size: int, alt: str = "") -> SafeString:
    """The picture of an album, a track or a like, ``size`` pixels wide and high.

    ``alt`` stays empty where the album's name stands beside it.
    """
    stored, seed = _address_and_seed(of)
    address = shown_address(stored)
    if not address:
        return _drawing(seed, size, alt)
    return _picture(address, size, alt)


@lru_cache(maxsize=10_000)
def _picture(address: str, size: int, alt: str) -> SafeString:
    return format_html(
        '<img class="art" src="{}" alt="{}" width="{}" height="{}" loading="lazy"'
        ' decoding="async" referrerpolicy="no-referrer">',
        address,
        plain(alt),
        size,
        size,
    )


@register.simple_tag
def mosaic(of: Iterable[Pictured], size: int) -> SafeString:
    """The first four different covers as one square; the first alone where there are fewer."""
    different = {_address_and_seed(one): one for one in of}
    tiles: Sequence[Pictured] = list(islice(different.values(), 4))
    if len(tiles) < 4:
        return cover(tiles[0] if tiles else None, size)
    drawn = format_html_join("", "{}", ((cover(tile, size // 2),) for tile in tiles))
    return format_html('<span class="mosaic">{}</span>', drawn)


def shown_address(stored: str) -> str:
    """Where a browser loads a picture: at the one host that the content security policy names.

    "" for none.
    """
    if settings.PICTURES:
        for begin in picture_hosts(settings.SPOTIFY_API_URL):
            if stored.startswith(begin):
                return f"{settings.SPOTIFY_IMAGES_URL}/{stored.removeprefix(begin)}"
    return ""


def _address_and_seed(of: Pictured) -> tuple[str, str]:
    match of:
        case Album():
            return of.cover_url, of.id
        case Track():
            album = of.album
            return (album.cover_url, album.id) if album else ("", of.album_name or of.id)
        case SavedTrack():
            return _address_and_seed(of.track)
        case str():
            return of, of
    return "", ""


def _drawing(seed: str, size: int, alt: str) -> SafeString:
    number = crc32(seed.encode())
    palette, motif = number % _PALETTES, _MOTIFS[number // _PALETTES % len(_MOTIFS)]
    name = format_html('role="img" aria-label="{}"', plain(alt)) if alt else 'aria-hidden="true"'
    return format_html(
        '<svg class="art art-{}" width="{}" height="{}" viewBox="0 0 8 8" {}>{}</svg>',
        palette,
        size,
        size,
        mark_safe(name),  # noqa: S308 - escaped above
        motif,
    )
