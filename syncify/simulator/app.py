"""The table of routes for both hosts, and the handling of a request."""

import logging
import re
from collections.abc import Callable
from typing import NamedTuple

from syncify.simulator import api, control, library, pages
from syncify.simulator.call import Call
from syncify.simulator.state import World
from syncify.simulator.wire import ApiError, PlainError, Request, Response

logger = logging.getLogger(__name__)


class Route(NamedTuple):
    methods: str
    path: str
    answer: Callable[[Call], Response]
    scope: str = ""  # the scope that the token needs, if it does not depend on the object


ROUTES = (
    # The accounts host.
    Route("GET", "/authorize", pages.consent),
    Route("POST", "/authorize", pages.answer_consent),
    Route("POST", "/api/token", api.token),
    # The API host: the part of Development Mode that Syncify needs.
    Route("GET", "/v1/me", api.me),
    Route("GET", "/v1/me/tracks", library.saved_tracks, "user-library-read"),
    Route("PUT", "/v1/me/library", library.save_to_library),
    Route("DELETE", "/v1/me/library", library.remove_from_library),
    Route("GET", "/v1/me/library/contains", library.library_contains),
    Route("GET", "/v1/me/playlists", api.my_playlists, "playlist-read-private"),
    Route("POST", "/v1/me/playlists", api.create_playlist),
    Route("GET", "/v1/playlists/{id}", api.playlist),
    Route("PUT", "/v1/playlists/{id}", api.change_playlist),
    Route("GET", "/v1/playlists/{id}/items", api.playlist_items, "playlist-read-private"),
    Route("POST", "/v1/playlists/{id}/items", api.add_items),
    Route("PUT", "/v1/playlists/{id}/items", api.replace_or_reorder_items),
    Route("DELETE", "/v1/playlists/{id}/items", api.remove_items),
    Route("GET", "/v1/playlists/{id}/images", api.playlist_cover),
    Route("PUT", "/v1/playlists/{id}/images", api.upload_cover),
    Route("GET", "/v1/tracks/{id}", api.track),
    Route("GET", "/v1/artists/{id}", api.artist),
    # Removed from Development Mode: 403 and not 404.
    Route("GET POST PUT DELETE", "/v1/playlists/{id}/tracks", api.removed),
    Route("PUT DELETE", "/v1/playlists/{id}/followers", api.removed),
    Route("GET", "/v1/playlists/{id}/followers/contains", api.removed),
    Route("PUT DELETE", "/v1/me/{kind}", api.removed),
    Route("GET", "/v1/me/{kind}/contains", api.removed),
    Route("GET", "/v1/users/{id}", api.removed),
    Route("GET POST", "/v1/users/{id}/playlists", api.removed),
    Route("GET", "/v1/{kind}", api.removed),
    Route("GET", "/v1/artists/{id}/top-tracks", api.removed),
    Route("GET", "/v1/browse/{kind}", api.removed),
    # For people, and for processes that inspect the simulator.
    Route("GET", "/playlist/{id}", pages.playlist),
    Route("GET", "/image/{id}", pages.image),
    Route("GET", "/simulator", pages.overview),
    Route("POST", "/simulator/forget", pages.forget_visitor),
    Route("GET", "/simulator/health", control.health),
    Route("GET", "/simulator/listeners/{listener}", control.listener),
    Route("POST", "/simulator/listeners/{listener}/like", control.like),
    Route("POST", "/simulator/listeners/{listener}/unlike", control.unlike),
    Route("POST", "/simulator/listeners/{listener}/trouble", control.trouble),
    Route("POST", "/simulator/playlists/{id}/add", control.add_to_playlist),
    Route("POST", "/simulator/playlists/{id}/take", control.take_from_playlist),
    Route("POST", "/simulator/playlists/{id}/delete", control.delete_playlist),
    Route("POST", "/simulator/behaviour", control.switch),
    Route("POST", "/simulator/relink", control.relink),
    Route("GET", "/simulator/requests", control.requests),
    Route("POST", "/simulator/faults", control.add_fault),
    Route("DELETE", "/simulator/faults", control.clear_faults),
)

_PATTERNS = [(re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", one.path)), one) for one in ROUTES]
# The simulator's own paths: not recorded, and without faults.
OWN_PAGES = ("/simulator", "/playlist/", "/image/")


def answer(world: World, request: Request) -> Response:
    """Respond to one request: apply its effect and its fault, and record it."""
    if request.path.startswith(OWN_PAGES) or request.path in ("/", "/favicon.ico"):
        with world.lock:
            return _dispatch(world, request)
    with world.lock:
        token = request.authorization.partition(" ")[2]
        consent = world.grants.holder(token)
        listener = consent.listener if consent else None
        developer = world.grants.app_of(consent).developer
        fault = world.meet_fault(request, listener, developer)
        if fault is None:
            response = _dispatch(world, request)
        else:
            asked = fault.request(request)
            meant = _dispatch(world, asked) if fault.when == "after" else Response(200, b"{}")
            response = fault.response(meant, world.now)
        response.delay += world.behaviour.latency.total_seconds()
        hooks = world.record(request, response, listener)
    for hook in hooks:
        hook()
    return response


def _dispatch(world: World, request: Request) -> Response:
    try:
        call, route = _find(world, request)
        if request.path.startswith("/v1/"):
            _admit(call)
            if route.scope:
                call.need(route.scope)
        return route.answer(call)
    except ApiError as error:
        return error.response()
    except Exception:
        logger.exception("the simulator failed method=%s path=%s", request.method, request.path)
        return PlainError(500, "The simulator itself failed; see its log.").response()


def _find(world: World, request: Request) -> tuple[Call, Route]:
    known = False
    for pattern, route in _PATTERNS:
        if found := pattern.fullmatch(request.path):
            known = True
            if request.method in route.methods.split():
                return Call(world, request, found.groupdict()), route
    if known:
        raise ApiError(405, "Method not allowed")
    raise ApiError(404, "Service not found")


def _admit(call: Call) -> None:
    """The checks of every call of the API host, in Spotify's order."""
    world, behaviour = call.world, call.world.behaviour
    app = world.grants.app_of(world.grants.holder(call.request.authorization.partition(" ")[2]))
    world.spend_call(app.developer)
    consent = world.grants.check(call.request.authorization, world.now)
    if behaviour.premium_lapsed or app.developer in behaviour.lapsed_developers:
        raise PlainError(
            403,
            "Active premium subscription required for the owner of the app. When the subscription"
            " status changes, it can take a few hours before requests are allowed again.",
        )
    seats = behaviour.allow_list if app.allow_list is None else app.allow_list
    if consent.listener not in seats:
        raise ApiError(403, "User not registered in the Developer Dashboard")
    call.scopes = consent.scopes
    call.caller = world.listeners[consent.listener]
