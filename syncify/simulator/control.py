"""The simulator's own small API under ``/simulator/``, for processes that want to look inside."""

from dataclasses import asdict
from typing import Any

from syncify.simulator import shapes
from syncify.simulator.call import Call
from syncify.simulator.wire import ApiError, Response, empty, redirect, reply


def health(call: Call) -> Response:
    """``mended`` counts how often all was made well again."""
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
    """JSON for a program; a form of our own pages goes back to the page it names in ``then``."""
    then = call.request.form.get("then", "")
    return redirect(then, status=303) if then.startswith("/simulator") else reply(answer)


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


#: What a person can cause on the listener's page: its name and what the button says.
TROUBLES = {
    "down": "Spotify does not answer",
    "quota": "The quota is spent",
    "premium": "The operator has no Premium",
    "unlisted": "Not on the allow-list",
    "consent": "The permission is withdrawn",
    "playlist": "The playlist leaves the library",
    "none": "All is well again",
}


def trouble(call: Call) -> Response:
    """``what`` of TROUBLES befalls the listener, or everybody where it is not about one."""
    world, name = call.world, _listener_id(call)
    behaviour, what = world.behaviour, call.request.form.get("what", "")
    match what:
        case "down":
            world.fault("status", code=503, times=0)
        case "quota":
            world.fault("quota", retry_after=3600)
        case "premium":
            behaviour.premium_lapsed = True
        case "unlisted":
            behaviour.allow_list -= {name}
        case "consent":
            world.expire_access_tokens(name)
            world.revoke(name)
        case "playlist":
            for playlist_id in world.playlists(name):
                world.unfollow(name, playlist_id)
        case "none":
            world.mended += 1
            world.clear_faults()
            behaviour.premium_lapsed = False
            behaviour.allow_list |= {name}
        case _:
            raise ApiError(400, f"what is one of {', '.join(TROUBLES)}")
    return _done(call, {"trouble": what})


def requests(call: Call) -> Response:
    """The record after number ``since``; ``last`` is what to ask with next time."""
    since = call.number("since", 0, 0, 2**31)
    found = [one for one in call.world.requests if one.number > since]
    last = found[-1].number if found else since
    listed = [asdict(one) | {"at": one.at.isoformat()} for one in found]
    return reply({"last": last, "requests": listed})


def add_fault(call: Call) -> Response:
    """``fault`` as on the command line, or ``chaos`` (a share from 0 to 1) with ``seed``."""
    form = call.request.form
    try:
        if "chaos" in form:
            call.world.chaos(int(form.get("seed", "0")), float(form["chaos"]))
        else:
            call.world.fault(form.get("fault", ""))
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    return empty(204)


def clear_faults(call: Call) -> Response:
    call.world.clear_faults()
    return empty(204)
