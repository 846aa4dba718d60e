"""Spotify's permissions (scopes): those that every listener grants, and optional ones.

A feature that needs an optional scope asks ``has(user, scope)`` and, where it is missing, links to
``sign_in_address(scopes=…, next=…)``. The listener comes back to ``next``, with or without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import SpotifyConnection, User
from syncify.spotify_apps import CLIENT_ID

NEEDED = (
    "user-library-read",
    "playlist-read-private",
    "playlist-modify-public",
    "playlist-modify-private",
)
#: Optional scopes, and what each lets Syncify do, to end the sentence "Syncify may …".
OPTIONAL = {
    "user-library-modify": "like songs for you when you press Like",
    "ugc-image-upload": "put a cover on your playlist when you ask for it",
}
LONGEST_PATH = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """What a listener wants from a sign-in: optional scopes, the page to return to, an app."""

    scopes: tuple[str, ...] = ()
    #: A path of this site, or "" for the start page.
    next: str = ""
    #: Client ID of the Spotify app to ask at; "" leaves the choice to ``accounts.choosing``.
    app: str = ""

    def add_to(self, address: str) -> str:
        """``address`` with this wish as its query, as ``wish_of`` reads it."""
        fields = {"scope": self.scopes, "next": self.next, "app": self.app}
        query = urlencode({name: value for name, value in fields.items() if value}, doseq=True)
        return f"{address}?{query}" if query else address


def wish_of(sent: QueryDict) -> Wish:
    """The wish in a query or form, without scopes or addresses that are not allowed."""
    scopes = tuple(scope for scope in OPTIONAL if scope in sent.getlist("scope"))
    app = sent.get("app", "")
    return Wish(scopes, safe_path(sent.get("next", "")), app if CLIENT_ID.fullmatch(app) else "")


def safe_path(path: str) -> str:
    """``path`` if it is a path of this site, else ""."""
    is_path = path.startswith("/") and path.isprintable() and len(path) <= LONGEST_PATH
    return path if is_path and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else ""


def sign_in_address(request: HttpRequest, *, scopes: Sequence[str], next: str = "") -> str:  # noqa: A002
    """The page that asks for optional ``scopes``; it leads back to ``next``, or to this page.

    Raises ValueError for a scope that is not OPTIONAL.
    """
    if unknown := set(scopes) - set(OPTIONAL):
        raise ValueError(f"not optional scopes: {', '.join(sorted(unknown))}")
    here = request.get_full_path() if request.method in {"GET", "HEAD"} else ""
    wish = Wish(tuple(scopes), safe_path(next or here))
    return wish.add_to(reverse("permissions"))


def has(user: User, scope: str) -> bool:
    """Whether ``user`` granted ``scope`` and the consent is still valid."""
    return scope in granted_optional(user)


def granted_optional(user: User) -> tuple[str, ...]:
    """The optional scopes of a valid consent."""
    held = SpotifyConnection.objects.filter(user=user.pk).only("scopes", "state").first()
    if held is None or held.state == SpotifyConnection.State.SIGN_IN_NEEDED:
        return ()
    return tuple(scope for scope in OPTIONAL if scope in held.scopes.split())


def remembered(user: User) -> str:
    """All scopes that ``user`` granted at the latest sign-in, separated by spaces."""
    held = SpotifyConnection.objects.filter(user=user.pk).values_list("scopes", flat=True)
    return held.first() or ""
