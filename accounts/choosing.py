"""Which of several Spotify apps a sign-in uses."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.models import SpotifyConnection, User
from accounts.scopes import Wish
from accounts.spotify_apps import App, all_apps, free_app, own_app

#: The cookie with the Client ID for this browser's next sign-in: that of an invitation or of the
#: latest sign-in. Client IDs are public: addresses of Spotify's pages contain them.
COOKIE = "spotify-app"
_YEAR = 60 * 60 * 24 * 365


def app_for(request: HttpRequest, wish: Wish) -> App | None:
    """The app for a sign-in that begins now; None while there is no app at all.

    The one that ``wish`` names, else that of the listener's connection, else that of the cookie,
    else the first with a free seat.
    """
    apps = all_apps()
    if len(apps) <= 1:
        return apps[0] if apps else None
    by_id = {app.client_id: app for app in apps}
    for known in (wish.app, *_of_listener(request.user), request.COOKIES.get(COOKIE, "")):
        if known in by_id:
            return by_id[known]
    return free_app(apps) or next((app for app in apps if not app.is_resting), apps[0])


def others(app: App) -> list[App]:
    """The other apps, for a person whom Spotify does not let into this one."""
    return [each for each in all_apps() if each.client_id != app.client_id]


def remember(request: HttpRequest, response: HttpResponse, client_id: str) -> None:
    """Store the app in a cookie for this browser's next sign-in, if there are several apps."""
    if request.COOKIES.get(COOKIE, "") == client_id or len(all_apps()) <= 1:
        return
    response.set_cookie(
        COOKIE,
        client_id,
        max_age=_YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def _of_listener(user: object) -> list[str]:
    """The app that the listener is asked to move to, and the one that they belong to."""
    held = SpotifyConnection.objects.filter(user=user).first() if isinstance(user, User) else None
    if held is None:
        return []
    own = own_app(held)
    return [held.move_to, own.client_id if own else ""]
