"""The simulator's own API under ``/simulator/``, for processes that inspect or change it."""

from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

from syncify.simulator import shapes, troubles
from syncify.simulator.behaviour import Behaviour
from syncify.simulator.call import Call
from syncify.simulator.faults import ODD_WAYS, WAYS, from_texts, parse
from syncify.simulator.playlists import Playlist
from syncify.simulator.wire import ApiError, Response, empty, redirect, reply

NOT_SWITCHED = ("allow_list", "lapsed_developers")
OUR_PAGES = ("/simulator", "/playlist/")


def health(call: Call) -> Response:
    """``mended`` counts how often all trouble was ended."""
    world = call.world
    return reply({"status": "ok", "requests": world.count(), "mended": world.mended})


def _listener_id(call: Call) -> str:
    if call.args["listener"] not in call.world.listeners:
        raise ApiError(404, "There is no such listener")
    return call.args["listener"]


def listener(call: Call) -> Response:
    world, name = call.world, _listener_id(call)
    playlists = []
    for playlist_id in world.playlists(name):
        one = world.playlist(playlist_id)
        items = [
            {"uri": row.uri, "added_at": shapes.time(row.added_at), "added_by": row.added_by}
            for row in one.rows
        ]
        playlists.append(
            {
                "id": one.id,
                "name": one.name,
                "description": one.description,
                "public": one.public,
                "owner": one.owner,
                "snapshot_id": one.snapshot_id(world.now),
                "uris": one.uris,
                "items": items,
            }
        )
    display_name = world.listeners[name].display_name
    return reply(
        {
            "id": name,
            "display_name": display_name,
            "liked": world.liked(name),
            "playlists": playlists,
        }
    )


def _done(call: Call, answer: dict[str, Any]) -> Response:
    """JSON for programs; forms of the simulator's pages redirect to the page in ``then``."""
    then = call.request.form.get("then", "")
    return redirect(then, status=303) if then.startswith(OUR_PAGES) else reply(answer)


def like(call: Call) -> Response:
    """``id`` or ``uri`` of the song; without one, a new song is made up."""
    name, form = _listener_id(call), call.request.form
    track = form.get("id") or form.get("uri") or call.world.new_track()
    try:
        call.world.like(name, track)
    except LookupError as error:
        raise ApiError(404, str(error)) from None
    return _done(call, {"liked": call.world.liked(name)[0]})


def unlike(call: Call) -> Response:
    """``id`` or ``uri`` of the song; without one, the newest."""
    name, form = _listener_id(call), call.request.form
    liked = call.world.liked(name)
    track = form.get("id") or form.get("uri") or (liked[0] if liked else "")
    call.world.unlike(name, track)
    return _done(call, {"unliked": track})


def trouble(call: Call) -> Response:
    """``what`` of ``troubles.TROUBLES`` or ``troubles.ODDITIES``."""
    what = call.request.form.get("what", "")
    try:
        troubles.cause(call.world, _listener_id(call), what)
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    return _done(call, {"trouble": what})


# Playlists, as friends and the owner edit them in Spotify


def _playlist(call: Call) -> Playlist:
    found = call.world.all_playlists.get(call.args["id"])
    if found is None:
        raise ApiError(404, "There is no such playlist")
    return found


def add_to_playlist(call: Call) -> Response:
    """``by`` a listener; ``id`` or ``uri`` of the song, or a new one; ``position``, or the end."""
    world, form, found = call.world, call.request.form, _playlist(call)
    by = form.get("by") or found.owner
    if by not in world.listeners:
        raise ApiError(404, "There is no such listener")
    try:
        song = world.known_song(form.get("id") or form.get("uri") or world.new_track())
        position = int(form["position"]) if form.get("position") else None
    except LookupError as error:
        raise ApiError(404, str(error)) from None
    except ValueError:
        raise ApiError(400, "position is a number") from None
    world.insert(found.id, song.uri, position=position, by=by)
    return _done(call, {"added": song.uri, "by": by})


def take_from_playlist(call: Call) -> Response:
    """``uri`` of the song; without one, the first entry."""
    found, uri = _playlist(call), call.request.form.get("uri", "")
    if uri:
        call.world.take_out(found.id, uri)
    elif found.rows:
        call.world.remove_positions(found.id, 0)
    return _done(call, {"taken": uri})


def delete_playlist(call: Call) -> Response:
    """Delete the playlist completely."""
    call.world.destroy_playlist(_playlist(call).id)
    return _done(call, {"deleted": call.args["id"]})


# Switches, faults and the record


def switch(call: Call) -> Response:
    """Set fields of Behaviour: booleans, numbers, seconds, or words."""
    behaviour, form = call.world.behaviour, dict(call.request.form)
    form.pop("then", None)
    known = {one.name: one for one in fields(Behaviour) if one.name not in NOT_SWITCHED}
    try:
        for name, written in form.items():
            setattr(behaviour, name, _switched(known[name].default, written))
    except (KeyError, ValueError):
        raise ApiError(
            400, f"{name} is not one of {', '.join(known)}, or has no such value"
        ) from None
    return _done(call, form)


def _switched(default: Any, written: str) -> Any:
    if isinstance(default, bool):
        return {"true": True, "false": False}[written.lower()]
    if isinstance(default, timedelta):
        return timedelta(seconds=float(written))
    if default is None:
        return int(written) if written else None
    return written


def relink(call: Call) -> Response:
    """``id`` or ``uri`` of a song, and ``shown_as``; without that, another version of it."""
    form = call.request.form
    try:
        shown = call.world.relink(form.get("id") or form.get("uri", ""), form.get("shown_as"))
    except LookupError as error:
        raise ApiError(404, str(error)) from None
    return _done(call, {"shown_as": shown})


def requests(call: Call) -> Response:
    """The record after number ``since``; ``last`` is the next call's ``since``."""
    since = call.number("since", 0, 0, 2**31)
    found = [one for one in call.world.requests if one.number > since]
    last = found[-1].number if found else since
    listed = [asdict(one) | {"at": one.at.isoformat()} for one in found]
    return reply({"last": last, "requests": listed})


def add_fault(call: Call) -> Response:
    """``fault`` as on the command line, or its name with a field for each key.

    Or ``chaos`` (a share from 0 to 1) with ``seed``, and ``odd`` = true for odd answers too.
    """
    form = dict(call.request.form)
    try:
        if "chaos" in form:
            odd = {"ways": (*WAYS, *ODD_WAYS)} if form.get("odd") == "true" else {}
            call.world.chaos(int(form.get("seed", "0")), float(form["chaos"]), **odd)
        else:
            name = form.pop("fault", "")
            call.world.add_fault(from_texts(name, form) if form else parse(name))
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    return empty(204)


def clear_faults(call: Call) -> Response:
    call.world.clear_faults()
    return empty(204)
