"""The contract, on the stand-ins of both services and on each difference of servers."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sync.targets.addresses import Allowed
from sync.targets.listenbrainz.client import ListenBrainzClient
from sync.targets.safety import Channel
from sync.targets.subsonic.client import SubsonicClient
from syncify.simulator.listenbrainz import ListenBrainz
from syncify.simulator.subsonic import PLAIN, SILENT, MusicServer, Song, Traits
from tests.targets.contract import Service, TargetContract

SONGS = [
    Song(f"s{number}", f"Song {number}", "Kiasmos", f"Album {number // 10}", 200 + number)
    for number in range(150)
]
TRAITS = {
    "opensubsonic": Traits(),
    "plain": PLAIN,
    "silent": SILENT,
    "one as its entry": Traits(bare_single=True),
    "short forms": Traits(form_ids_max=50),
    "small forms": Traits(form_ids_refused=100),
    "short lines": Traits(line_max=300),
}


class TestSubsonic(TargetContract):
    @pytest.fixture(params=TRAITS.values(), ids=TRAITS)
    def service(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Service]:
        monkeypatch.setattr("sync.targets.subsonic.client.SONGS", 40)
        with MusicServer(SONGS, traits=replace(request.param)) as server:
            allowed = Allowed.parse([], [server.url])
            with Channel(server.url, allowed) as channel, Channel(server.url, allowed) as other:
                yield Service(
                    target=SubsonicClient(channel, username="demo", password="demo"),
                    songs=[song.id for song in SONGS],
                    stranger=SubsonicClient(other, username="demo", password="wrong"),
                    writes=lambda: list(server.writes),
                    stop=server.stop,
                )


class TestListenBrainz(TargetContract):
    @pytest.fixture(params=[None, 7], ids=["without limits", "with limits"])
    def service(self, request: pytest.FixtureRequest) -> Iterator[Service]:
        with ListenBrainz() as server:
            server.calls_max, server.window = request.param, 0.05
            songs = [server.add(song.title, song.artist).mbid for song in SONGS]
            allowed = Allowed.parse([], [server.url])
            with Channel(server.url, allowed) as channel, Channel(server.url, allowed) as other:
                yield Service(
                    target=ListenBrainzClient(channel, token="token", sleep=_sleep),
                    songs=songs,
                    stranger=ListenBrainzClient(other, token="wrong", sleep=_sleep),
                    writes=lambda: list(server.writes),
                    stop=server.stop,
                )


def _sleep(seconds: float) -> None:
    """As long as the stand-in's window lasts; waits are at least a second to real services."""
    time.sleep(min(seconds, 0.06))
