"""Responses about a listener's library: Liked Songs and playlists."""

import re
import secrets

from syncify.simulator import shapes
from syncify.simulator.api import BASE62_ID, find_playlist, modify_scope
from syncify.simulator.behaviour import LIBRARY_URIS_MAX
from syncify.simulator.call import Call
from syncify.simulator.songs import Saved
from syncify.simulator.wire import ApiError, Response, empty, reply

LIBRARY_URI = re.compile(
    r"spotify:(track|album|episode|show|audiobook|user|playlist|artist):([^:,]+)"
)


def saved_tracks(call: Call) -> Response:
    offset, limit = call.page()
    saved = call.world.saved(call.listener.id)
    if call.world.behaviour.shuffle_ties:
        saved = _other_ties(saved)
    items = []
    for song_id, added_at in saved[offset : offset + limit]:
        song = shapes.track(call.world.known_song(song_id), call.request.base)
        items.append({"added_at": shapes.time(added_at), "track": song})
    return reply(call.paging("/v1/me/tracks", items, len(saved), offset, limit))


def _other_ties(saved: list[Saved]) -> list[Saved]:
    """The same likes; those of one date in random order."""
    salt = secrets.token_hex(4)
    return sorted(saved, key=lambda one: (-one.added_at.timestamp(), hash(salt + one.id)))


def _library_uris(call: Call, *, scopes: dict[str, str], default: str) -> list[tuple[str, str]]:
    """(type, id) of each uri in the query, after all checks of the request."""
    written = call.request.query.get("uris", "")
    if not written:
        raise ApiError(400, "Missing required field: uris")
    uris = written.split(",")
    if len(uris) > LIBRARY_URIS_MAX:
        raise ApiError(400, f"Too many uris requested: at most {LIBRARY_URIS_MAX}")
    found = []
    for uri in uris:
        parts = LIBRARY_URI.fullmatch(uri)
        if parts is None or (parts[1] != "user" and not BASE62_ID.fullmatch(parts[2])):
            raise ApiError(400, f"Invalid uri: {uri}")
        found.append((parts[1], parts[2]))
    for kind in {kind for kind, _ in found}:
        if kind != "playlist" or "playlist" in scopes:
            call.need(scopes.get(kind, default))
    return found


def _library_change(call: Call) -> list[tuple[str, str]]:
    following = "user-follow-modify"
    found = _library_uris(call, scopes={"user": following}, default="user-library-modify")
    for kind, object_id in found:
        if kind == "artist":
            raise ApiError(400, f"Unsupported uri type: {kind}")
        if kind == "playlist":
            call.need(modify_scope(find_playlist(call, object_id)))
        if kind == "track" and call.world.song(object_id) is None:
            raise ApiError(400, f"Invalid uri: spotify:track:{object_id}")
    return found


def save_to_library(call: Call) -> Response:
    world, me = call.world, call.listener
    found = _library_change(call)
    if tracks := [song_id for kind, song_id in found if kind == "track"]:
        world.like(me.id, *tracks)
    for kind, object_id in found:
        if kind == "playlist":
            world.follow(me.id, object_id)
        elif kind != "track":
            me.others.add(f"{kind}:{object_id}")
    return empty()


def remove_from_library(call: Call) -> Response:
    world, me = call.world, call.listener
    for kind, object_id in _library_change(call):
        if kind == "track":
            world.unlike(me.id, object_id)
        elif kind == "playlist":
            world.unfollow(me.id, object_id)
        else:
            me.others.discard(f"{kind}:{object_id}")
    return empty()


def library_contains(call: Call) -> Response:
    if not call.world.behaviour.contains:
        raise ApiError(404, "Service not found")
    follow = "user-follow-read"
    scopes = {"playlist": "playlist-read-private", "user": follow, "artist": follow}
    found = _library_uris(call, scopes=scopes, default="user-library-read")
    me = call.listener
    tracks = {one.id for one in call.world.saved(me.id)}
    held = {"track": tracks, "playlist": set(me.library)}
    return reply([i in held[k] if k in held else f"{k}:{i}" in me.others for k, i in found])
