"""Scenes of Spotify's faults around Emil, who likes ten songs, and what the tests ask of them."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import SpotifyConnection, User
from sync.mirrors import services
from sync.models import Mirror, SyncRequest
from syncify.simulator.server import Simulator
from tests import driving

HOUR = timedelta(hours=1)
DONE = ("succeeded", "", 0)


def run(user: User, trigger: str = "scheduled") -> SyncRequest:
    """Without the look that a person gets who asks for a sync."""
    return driving.run(user, trigger)


def fault(simulator: Simulator, trouble: str, **keys: Any) -> None:
    """``trouble`` as on the simulator's command line, with further keys."""
    more = ",".join(f"{name}={value}" for name, value in keys.items())
    simulator.fault(f"{trouble}{',' if ':' in trouble else ':'}{more}")


def token_requests(simulator: Simulator) -> int:
    return simulator.count("POST", "/api/token")


def connection_of(user: User) -> SpotifyConnection:
    return SpotifyConnection.objects.get(user=user)


def like_one(simulator: Simulator) -> None:
    simulator.like("emil", simulator.new_track())


def unlike_one(simulator: Simulator) -> None:
    simulator.unlike("emil", simulator.liked("emil")[4])


def like_again(simulator: Simulator) -> None:
    simulator.like("emil", simulator.liked("emil")[7])


def write_anew(simulator: Simulator) -> None:
    simulator.insert(simulator.playlists("emil")[0], None, position=3)
    services.rewrite_playlist(Mirror.objects.get(user__spotify_id="emil"))


#: What brings on each kind of edit, its method, and how many calls the sync then takes.
EDITS = [
    pytest.param(like_one, "POST", 3, id="add"),
    pytest.param(unlike_one, "DELETE", 3, id="remove"),
    pytest.param(like_again, "PUT", 3, id="move"),
    pytest.param(write_anew, "PUT", 5, id="replace"),
]
