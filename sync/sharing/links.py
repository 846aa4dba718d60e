"""Share links: secret addresses that show a playlist, or all likes, to everybody who has them."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from sync.models import Mirror, ShareLink

#: 128 bits: 22 characters, so that addresses and their QR codes stay small.
_TOKEN_BYTES = 16
#: Links of one listener that are not revoked.
MOST_LINKS = 100
#: A use is written down this often at most, so that a page that many visit costs no writes.
_USE_IS_NEWS_AFTER = timedelta(hours=1)


class NewLink(NamedTuple):
    """A link and its token, which is known at this moment only."""

    link: ShareLink
    token: str


class LinkEnded(Exception):
    """The link was revoked, or its listener is blocked."""


class TooManyLinks(Exception):
    """The listener has MOST_LINKS already."""


def create_link(
    *,
    user: User,
    kind: str,
    mirror: Mirror | None,
    name: str = "",
    shows_name: bool = False,
    has_downloads: bool = False,
    has_insights: bool = False,
) -> NewLink:
    """A new link to ``mirror``, or without one to the whole library; raises TooManyLinks.

    Insights are about all likes, so only a link to all of them has any.
    """
    if ShareLink.objects.filter(user=user, revoked=None).count() >= MOST_LINKS:
        raise TooManyLinks
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    is_page = kind == ShareLink.Kind.PAGE
    link = ShareLink.objects.create(
        user=user,
        mirror=mirror,
        kind=kind,
        name=name,
        token_hash=_digest(token),
        shows_name=shows_name and is_page,
        has_downloads=has_downloads and is_page,
        has_insights=has_insights and is_page and is_of_all_likes(mirror),
    )
    return NewLink(link, token)


def is_of_all_likes(mirror: Mirror | None) -> bool:
    return mirror is None or mirror.is_main


def revoke_link(link: ShareLink) -> None:
    """From now on the address answers that it has ended."""
    ShareLink.objects.filter(pk=link.pk, revoked=None).update(revoked=Now())


def links_of(user: User) -> list[ShareLink]:
    """The listener's links, those in use first, then the newest first."""
    rows = ShareLink.objects.filter(user=user).select_related("mirror")
    return sorted(rows.order_by("-id"), key=lambda link: link.revoked is not None)


def find_link(token: str) -> ShareLink | None:
    """The link with this token; None for a token that was never given out.

    Whatever ``token`` is, this takes one look-up by its hash: how long that takes says nothing
    about the tokens that exist. Raises LinkEnded.
    """
    link = (
        ShareLink.objects.select_related("user__library", "mirror")
        .filter(token_hash=_digest(token))
        .first()
    )
    if link is None:
        return None
    if link.revoked or not link.user.is_active:
        raise LinkEnded
    return link


def note_use(link: ShareLink) -> None:
    """Remember when the link was last used, to the hour."""
    latest_news = timezone.now() - _USE_IS_NEWS_AFTER
    if link.last_used is None or link.last_used < latest_news:
        unused = Q(last_used=None) | Q(last_used__lt=latest_news)
        ShareLink.objects.filter(unused, pk=link.pk).update(last_used=Now())


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
