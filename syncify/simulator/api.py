"""Responses about tokens, profiles and playlists, with Spotify's limits, permissions and texts."""

import base64
import re
from collections.abc import Iterable
from typing import Any

from syncify.simulator import shapes, songs
from syncify.simulator.behaviour import (
    COVER_MAX,
    EMBEDDED_ITEMS,
    PLAYLIST_MAX,
    PLAYLISTS_OFFSET_MAX,
    WRITE_MAX,
)
from syncify.simulator.call import Call
from syncify.simulator.playlists import Playlist, Row
from syncify.simulator.wire import ApiError, OAuthError, Response, empty, reply

COVER_SCOPE = "ugc-image-upload"
JPEG = b"\xff\xd8\xff"
BASE62_ID = re.compile(r"[0-9A-Za-z]{22}")


def token(call: Call) -> Response:
    world, form = call.world, call.request.form
    client, with_secret = world.grants.client_of(call.request.authorization, form)
    match form.get("grant_type"):
        case "authorization_code":
            consent = world.grants.redeem(form, world.now, client, with_secret=with_secret)
            return reply(world.grants.issue(consent, world.now, refresh_token=True))
        case "refresh_token":
            rotate = world.behaviour.rotate_refresh_token
            answer = world.grants.refresh(
                form, world.now, client, with_secret=with_secret, rotate=rotate
            )
            return reply(answer)
        case "client_credentials":
            return reply(world.grants.issue_to_app(with_secret=with_secret))
        case _:
            raise OAuthError("unsupported_grant_type", "grant_type parameter is missing or unknown")


def removed(_: Call) -> Response:
    raise ApiError(403, "Forbidden")


def me(call: Call) -> Response:
    return reply(shapes.me(call.listener))


def track(call: Call) -> Response:
    song = call.world.song(call.args["id"])
    if song is None or song.type != "track":
        raise ApiError(404, "Resource not found")
    return reply(shapes.track(song, call.request.base))


def artist(call: Call) -> Response:
    found = songs.artists_by_id().get(call.args["id"])
    if found is None:
        raise ApiError(404, "Resource not found")
    return reply(shapes.artist(found))


# Playlists


def find_playlist(call: Call, playlist_id: str) -> Playlist:
    if not BASE62_ID.fullmatch(playlist_id):
        raise ApiError(400, "Invalid base62 id")
    found = call.world.all_playlists.get(playlist_id)
    if found is None:
        raise ApiError(404, "Resource not found")
    return found


def modify_scope(playlist: Playlist) -> str:
    return f"playlist-modify-{'public' if playlist.public else 'private'}"


def _may_see_items(call: Call, playlist: Playlist) -> bool:
    mine = playlist.owner == call.listener.id
    return mine or (playlist.collaborative and playlist.id in call.listener.library)


def _writable(call: Call) -> Playlist:
    playlist = find_playlist(call, call.args["id"])
    call.need(modify_scope(playlist))
    if not _may_see_items(call, playlist):
        raise ApiError(403, "Forbidden")
    return playlist


def _shown(call: Call, playlist: Playlist, items: dict[str, Any] | None) -> dict[str, Any]:
    world = call.world
    owner = world.listeners[playlist.owner].display_name
    snapshot_id = playlist.snapshot_id(world.now, world.behaviour.snapshot_lag)
    base = call.request.base
    return shapes.playlist(playlist, owner, snapshot_id, items, world.behaviour.names, base)


def _filtered(call: Call, value: dict[str, Any], status: int = 200) -> Response:
    if fields := call.request.query.get("fields"):
        value = shapes.pick(value, shapes.parse_fields(fields))
    return reply(value, status)


def _items_page(call: Call, playlist: Playlist, offset: int, limit: int) -> dict[str, Any]:
    world = call.world
    understood = "episode" in call.request.query.get("additional_types", "track").split(",")

    def item(row: Row) -> shapes.Json | None:
        uri = world.shown_uri(row.uri)
        if uri is None:
            return None
        if uri.startswith("spotify:local:"):
            return shapes.local(uri)
        song = world.song(uri.rpartition(":")[2])
        if song is None or song.type == "track":
            return None if song is None else shapes.track(song, call.request.base)
        return shapes.episode(song, call.request.base, understood=understood)

    names = world.behaviour.names
    entries = [
        shapes.entry(row, item(row), names) for row in playlist.rows[offset : offset + limit]
    ]
    path = f"/v1/playlists/{playlist.id}/items"
    return call.paging(path, entries, len(playlist.rows), offset, limit)


def my_playlists(call: Call) -> Response:
    offset, limit = call.page(offset_max=PLAYLISTS_OFFSET_MAX)
    ids = call.listener.library
    found = [call.world.all_playlists[playlist_id] for playlist_id in ids]
    if "playlist-read-collaborative" not in call.scopes:
        found = [one for one in found if not one.collaborative]
    base = call.request.base
    items = [
        _shown(call, one, {"href": f"{base}/v1/playlists/{one.id}/items", "total": len(one.rows)})
        for one in found[offset : offset + limit]
    ]
    return reply(call.paging("/v1/me/playlists", items, len(found), offset, limit))


def _details(call: Call, *, public: bool | None) -> dict[str, Any]:
    """The checked details of a write; ``public`` is the playlist's present value."""
    body = call.request.json if isinstance(call.request.json, dict) else {}
    kinds = {"name": str, "description": str, "public": bool, "collaborative": bool}
    details = {key: body[key] for key in kinds if body.get(key) is not None}
    for key, value in details.items():
        if not isinstance(value, kinds[key]):
            raise ApiError(400, f"Invalid value for field: {key}")
    if details.get("name", "x").strip() == "":
        raise ApiError(400, "Missing required field: name")
    if details.get("collaborative") and details.get("public", public):
        raise ApiError(400, "Collaborative playlists cannot be public")
    links = "http:" in details.get("description", "") or "https:" in details.get("description", "")
    if links and call.world.behaviour.refuse_links_in_description:
        raise ApiError(400, "Invalid description")
    return details


def create_playlist(call: Call) -> Response:
    details = _details(call, public=True)
    if "name" not in details:
        raise ApiError(400, "Missing required field: name")
    public = details.setdefault("public", True)
    call.need(f"playlist-modify-{'public' if public else 'private'}")
    most, known = call.world.behaviour.playlists_max, call.world.all_playlists.values()
    if most is not None and sum(one.owner == call.listener.id for one in known) >= most:
        raise ApiError(403, "Playlist limit reached")
    if call.world.behaviour.public_ignored and not details.get("collaborative"):
        details["public"] = True
    playlist_id = call.world.create_playlist(call.listener.id, **details)
    call.args["id"] = playlist_id
    made = playlist(call)
    made.status = 201
    return made


def playlist(call: Call) -> Response:
    found = find_playlist(call, call.args["id"])
    items = _items_page(call, found, 0, EMBEDDED_ITEMS) if _may_see_items(call, found) else None
    return _filtered(call, _shown(call, found, items))


def change_playlist(call: Call) -> Response:
    found = find_playlist(call, call.args["id"])
    call.need(modify_scope(found))
    if found.owner != call.listener.id:
        raise ApiError(403, "Forbidden")
    details = _details(call, public=found.public)
    if details.get("description") == "" and call.world.behaviour.refuse_empty_description:
        raise ApiError(400, "Attribute description is empty")
    if call.world.behaviour.public_ignored and not details.get("collaborative"):
        details.pop("public", None)
    if details:
        call.world.change(found.id, **details)
    return empty()


def playlist_cover(call: Call) -> Response:
    return reply(shapes.playlist_images(find_playlist(call, call.args["id"]), call.request.base))


def upload_cover(call: Call) -> Response:
    """The body is the Base64 text of a JPEG, without a prefix or a newline."""
    found = find_playlist(call, call.args["id"])
    if not {COVER_SCOPE, modify_scope(found)} <= call.scopes:
        raise ApiError(401, "Unauthorized.")
    if found.owner != call.listener.id:
        raise ApiError(403, "Forbidden")
    if len(call.request.body) > COVER_MAX:
        raise ApiError(413, "Payload too large")
    try:
        picture = base64.b64decode(call.request.body, validate=True)
    except ValueError:
        raise ApiError(400, "Invalid image.") from None
    if not picture.startswith(JPEG):
        raise ApiError(400, "Invalid image.")
    found.cover, found.covers = picture, found.covers + 1
    found.touch(call.world.now)
    return empty(202)


# Playlist items


def playlist_items(call: Call) -> Response:
    offset, limit = call.page()
    found = find_playlist(call, call.args["id"])
    if not _may_see_items(call, found):
        raise ApiError(403, "Forbidden")
    return _filtered(call, _items_page(call, found, offset, limit))


def _item_uris(call: Call, uris: Iterable[Any]) -> list[str]:
    """Uris to put into a playlist: tracks and episodes that exist."""
    checked = list(uris)
    if len(checked) > WRITE_MAX:
        raise ApiError(400, f"You can add a maximum of {WRITE_MAX} tracks per request.")
    for uri in checked:
        kind, _, song_id = str(uri).removeprefix("spotify:").partition(":")
        if kind not in ("track", "episode") or not BASE62_ID.fullmatch(song_id):
            raise ApiError(400, f"Invalid track uri: {uri}")
        song = call.world.song(song_id)
        if song is None or song.type != kind:
            raise ApiError(400, "Payload contains a non-existing ID")
    return checked


def _integer(call: Call, name: str, default: int | None = None) -> int | None:
    body = call.request.json if isinstance(call.request.json, dict) else {}
    value = call.request.query.get(name, body.get(name, default))
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise ApiError(400, f"Invalid value for field: {name}") from None


def _written(call: Call, playlist: Playlist, status: int = 200) -> Response:
    return reply({"snapshot_id": playlist.touch(call.world.now)}, status)


def _check_room(count: int) -> None:
    if count > PLAYLIST_MAX:
        raise ApiError(403, "Playlist size limit reached")


def add_items(call: Call) -> Response:
    found = _writable(call)
    uris = _item_uris(call, call.request.uris or ())
    if not uris:
        raise ApiError(400, "No uris provided")
    position = _integer(call, "position")
    if position is not None and not 0 <= position <= len(found.rows):
        raise ApiError(400, "Index out of bounds.")
    _check_room(len(found.rows) + len(uris))
    found.insert(call.world.rows(uris, call.listener.id), position)
    return _written(call, found, 201)


def replace_or_reorder_items(call: Call) -> Response:
    found = _writable(call)
    body = call.request.json if isinstance(call.request.json, dict) else {}
    reorder = "range_start" in body or "insert_before" in body
    if call.request.uris is None:
        if not reorder:
            raise ApiError(400, "No uris provided")
        return _reorder(call, found, body)
    if reorder:
        raise ApiError(400, "Items are either replaced or reordered in one request")
    rows = call.world.rows(_item_uris(call, call.request.uris), call.listener.id)
    found.replace(rows, keep_dates=not call.world.behaviour.replace_loses_dates)
    return _written(call, found)


def _reorder(call: Call, found: Playlist, body: dict[str, Any]) -> Response:
    _check_version(found, body)
    start, before = _integer(call, "range_start"), _integer(call, "insert_before")
    length, size = _integer(call, "range_length", 1), len(found.rows)
    if start is None or before is None or length is None:
        raise ApiError(400, "Missing required field: range_start, insert_before")
    end = start + length
    if start < 0 or length < 1 or end > size or before not in range(size + 1):
        raise ApiError(400, "Index out of bounds.")
    if start < before < end:
        raise ApiError(400, "Items cannot be moved into themselves")
    found.move(start, before, length)
    return _written(call, found)


def remove_items(call: Call) -> Response:
    """``positions`` are ignored: every occurrence of a uri is removed."""
    found = _writable(call)
    body = call.request.json if isinstance(call.request.json, dict) else {}
    _check_version(found, body)
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise ApiError(400, "No uris provided")
    if len(items) > WRITE_MAX:
        raise ApiError(400, f"You can remove a maximum of {WRITE_MAX} tracks per request.")
    uris = [item.get("uri") if isinstance(item, dict) else None for item in items]
    kinds = ["track", "episode"] + ["local"] * call.world.behaviour.local_rows_removable
    if not all(isinstance(uri, str) and uri.split(":")[1:2][0] in kinds for uri in uris):
        raise ApiError(400, "Could not remove tracks, please check parameters.")
    found.remove(call.world.removed_by(uris))
    return _written(call, found)


def _check_version(found: Playlist, body: dict[str, Any]) -> None:
    version = body.get("snapshot_id")
    if version is not None and version not in (known for _, known in found.versions):
        raise ApiError(400, "Missing or bad version tag")
