"""The address that a browser used for Syncify, and whether Spotify can redirect it there."""

from enum import StrEnum
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.urls import reverse

from accounts.scopes import Wish
from syncify.redirect import Case

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SALT = "accounts.arrival"
#: Seconds in which a browser follows a redirect.
_LIFE = 60


class WayBack(StrEnum):
    DIRECT = "direct"  #: Spotify can redirect to this address.
    OTHER_NAME = "other_name"  #: this machine, under another name than SYNCIFY_BASE_URL has.
    PASTE = "paste"  #: the redirect ends at an error page; the listener pastes its address.


def way_back(request: HttpRequest) -> WayBack:
    if settings.SPOTIFY_REDIRECT_CASE == Case.PASTE_BACK:
        return WayBack.PASTE
    ours, used = urlsplit(settings.BASE_URL), urlsplit(f"//{request.get_host()}")
    if settings.SPOTIFY_REDIRECT_CASE == Case.HTTPS or used.hostname not in _LOOPBACK:
        return WayBack.DIRECT
    # Some proxies omit the port; a tunnel from another port shows it.
    if used.port is not None and used.port != (ours.port or 80):
        return WayBack.PASTE
    return WayBack.DIRECT if used.hostname == ours.hostname else WayBack.OTHER_NAME


def address_to_continue(wish: Wish) -> str:
    """The address at which a browser that used another name continues its sign-in.

    The cookies of one name are not sent to another, so the sign-in begins there.
    """
    token = signing.dumps([list(wish.scopes), wish.next, wish.app], salt=_SALT)
    return f"{settings.BASE_URL}{reverse('continue_login')}?wish={token}"


def wish_from(token: str) -> Wish | None:
    """The wish in ``address_to_continue``; None if Syncify did not just make ``token``."""
    try:
        scopes, path, *app = signing.loads(token, salt=_SALT, max_age=_LIFE)
    except signing.BadSignature:
        return None
    # The previous version stored no app.
    return Wish(tuple(scopes), path, *app)
