"""The contract, and whole rounds, on real servers: supysonic, a plain one, and maneki, an open one.

Each is skipped where it is not installed, unless SYNCIFY_REQUIRE_SUPYSONIC or
SYNCIFY_REQUIRE_MANEKI is set.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.targets.addresses import Allowed
from sync.targets.matching import Catalogue, Found, How, Wanted
from sync.targets.protocol import TargetError
from sync.targets.safety import Channel
from sync.targets.subsonic.client import PASSWORD, TOKEN, SubsonicClient
from tests.targets.contract import Service, TargetContract
from tests.targets.real import PASSWORD as SECRET
from tests.targets.real import USER, command, make_collection, maneki, supysonic

SONGS = 150
#: For each server its program, and the kind of sign-in that it takes.
SERVERS = {
    "supysonic": (supysonic, "supysonic-server", PASSWORD),
    "maneki": (maneki, "maneki", TOKEN),
}


@pytest.fixture(scope="module", params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if command(SERVERS[found][1]) is None:
        wish = f"SYNCIFY_REQUIRE_{found.upper()}"
        if os.environ.get(wish):
            pytest.fail(f"{found} is not installed, and {wish} is set")
        pytest.skip(f"{found} is not installed")
    return found


@pytest.fixture(scope="module")
def server(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    music: Path = tmp_path_factory.mktemp("music")
    make_collection(music, SONGS)
    with SERVERS[name][0](tmp_path_factory.mktemp(name), music) as url:
        _await_scan(url)
        yield url


def _await_scan(url: str) -> None:
    """Until the server has found all songs, as one of them looks for them in the background."""
    until = time.monotonic() + 60
    with Channel(url, Allowed.parse([], [url])) as channel:
        client = SubsonicClient(channel, username=USER, password=SECRET)
        while time.monotonic() < until:
            try:
                if len(all_songs(client)) == SONGS:
                    return
            except TargetError:
                pass
            time.sleep(0.5)
    raise AssertionError("the server did not find all songs")


@pytest.fixture
def client(server: str) -> Iterator[SubsonicClient]:
    with Channel(server, Allowed.parse([], [server])) as channel:
        yield SubsonicClient(channel, username=USER, password=SECRET)


def all_songs(client: SubsonicClient) -> list[tuple[str, str, int]]:
    return sorted(
        (song.title, song.id, song.seconds)
        for album in client.albums()
        for song in client.songs_of(str(album["id"]))
    )


class TestContract(TargetContract):
    @pytest.fixture
    def service(self, server: str, client: SubsonicClient) -> Iterator[Service]:
        for playlist in client._playlists():
            client._send("deletePlaylist", id=playlist["id"])
        for starred in client.loved():
            client._send("unstar", id=starred)
        sent: list[str] = []
        send = client._send

        def note(method: str, **params: object) -> dict[str, object]:
            sent.append(method)
            return send(method, **params)

        client._send = note  # type: ignore[method-assign]
        with Channel(server, Allowed.parse([], [server])) as channel:
            yield Service(
                target=client,
                songs=[song_id for _, song_id, _ in all_songs(client)],
                stranger=SubsonicClient(channel, username=USER, password="wrong"),
                writes=lambda: list(sent),
            )


def test_the_kind_of_sign_in_is_found_out(client: SubsonicClient, name: str) -> None:
    client.check()

    assert client.sign_in == SERVERS[name][2]


def test_all_songs_are_listed_with_their_lengths(client: SubsonicClient) -> None:
    found = all_songs(client)

    assert len(found) == SONGS
    assert {seconds for _, _, seconds in found} <= set(range(4, 27))


def test_songs_are_found_by_title_artist_and_length(client: SubsonicClient) -> None:
    catalogue = Catalogue(
        song for album in client.albums() for song in client.songs_of(str(album["id"]))
    )
    wanted = [
        Wanted(str(number), f"SONG {number}", "The Kiasmos", duration_ms=(5 + number % 20) * 1000)
        for number in range(SONGS)
    ]

    verdicts = [catalogue.find(song) for song in wanted]

    assert {type(each) for each in verdicts} == {Found}
    assert {each.how for each in verdicts if isinstance(each, Found)} == {How.TITLE}


def test_title_and_artist_together_are_found_by_search(client: SubsonicClient) -> None:
    assert [song.title for song in client.search("Kiasmos Söng 149")] == ["Söng 149"]


@pytest.mark.slow
def test_a_thousand_songs_are_written_at_once(client: SubsonicClient) -> None:
    songs = [song_id for _, song_id, _ in all_songs(client)] * 7
    playlist = client.create_playlist("Long", songs[:1])

    client.write_playlist(playlist, songs[:1], songs)

    assert client.read_playlist(playlist, expected=len(songs)) == songs
    assert len(songs) == 1_050


def test_a_song_it_does_not_have_is_known_as_such(client: SubsonicClient) -> None:
    there = all_songs(client)[0][1]

    assert client.unknown([there, "no-such", "00000000-0000-0000-0000-000000000000"]) == {
        "no-such",
        "00000000-0000-0000-0000-000000000000",
    }
