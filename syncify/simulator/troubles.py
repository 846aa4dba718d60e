"""Trouble that a person can cause by pressing a button on the simulator's page."""

from typing import Any

from syncify.simulator.state import World

#: What a person can cause on the listener's page, and must then mend: its name and the button.
TROUBLES = {
    "down": "Spotify does not answer",
    "quota": "The quota is spent",
    "premium": "The operator has no Premium",
    "unlisted": "Not on the allow-list",
    "consent": "The permission is withdrawn",
    "playlist": "The playlist leaves the library",
    "none": "All is well again",
}
#: Odd answers, as they happen every now and then; the playlist must come right in spite of them.
ODDITIES = {
    "empty_row": "A liked song comes without its data",
    "odd_fields": "Songs come with odd fields",
    "short_pages": "Pages bring 20 songs instead of 50",
    "wrong_total": "The number of Liked Songs is wrong",
    "gone": "Most Liked Songs seem gone",
    "not_found": "The playlist is not found, once",
    "relinked": "A song is shown as another one",
    "withdrawn": "A song is withdrawn from the playlist",
    "refused": "The newest song is refused",
    "wait": "Please wait 8 seconds, as a date",
    "drip": "Answers come byte by byte",
}


def cause(world: World, listener: str, what: str) -> None:
    """``what`` of TROUBLES or ODDITIES befalls the listener, or everybody where it is no one's.

    Raises ValueError for any other name.
    """
    match what:
        case "down":
            world.fault("status", code=503, times=0)
        case "quota":
            world.fault("quota", retry_after=3600)
        case "premium":
            world.behaviour.premium_lapsed = True
        case "unlisted":
            world.behaviour.allow_list -= {listener}
        case "consent":
            world.expire_access_tokens(listener)
            world.revoke(listener)
        case "playlist":
            world.withdraw_playlists(listener)
        case "none":
            world.be_well()
        case _ if what in _FAULTS:
            name, keys = _FAULTS[what]
            world.fault(name, **{"listener": listener, "times": 0, **keys})
        case _ if what in ODDITIES:
            _befall_song(world, listener, what)
        case _:
            raise ValueError(f"what is one of {', '.join((*TROUBLES, *ODDITIES))}")


_LIKES = {"path": "/me/tracks"}
_FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "empty_row": ("patch", {**_LIKES, "at": "items.1.track"}),
    "odd_fields": ("patch", {**_LIKES, "at": "items.*.track.duration_ms", "value": "-1"}),
    "short_pages": ("shortpage", {**_LIKES, "rows": 20}),
    "wrong_total": ("total", {**_LIKES, "by": 60}),
    "gone": ("hide", {**_LIKES, "keep": 2}),
    "not_found": (
        "status",
        {"method": "GET", "path": "/v1/playlists/", "code": 404, "times": 1},
    ),
    "wait": ("burst", {"retry_after": "date+8", "times": 1}),
    "drip": ("drip", {}),
}


def _befall_song(world: World, listener: str, what: str) -> None:
    """Happens to a song of theirs, if they have one."""
    for uri in world.liked(listener)[:1]:
        match what:
            case "relinked":
                world.relink(uri)
            case "withdrawn":
                world.withdraw_song(uri)
            case "refused":
                world.fault("poison", listener=listener, uri=uri, code=400)
