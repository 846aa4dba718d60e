"""The contract, and a whole round, on a real supysonic: a Subsonic server of the plain kind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.targets.matching import Catalogue, Found, How, Wanted
from sync.targets.safety import Allowed, Channel
from sync.targets.subsonic.client import PASSWORD, SubsonicClient
from tests.targets.contract import Service, TargetContract
from tests.targets.real import PASSWORD as SECRET
from tests.targets.real import USER, command, make_collection, supysonic

SONGS = 150

if command("supysonic-server") is None and not os.environ.get("SYNCIFY_REQUIRE_SUPYSONIC"):
    pytest.skip("supysonic is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    music: Path = tmp_path_factory.mktemp("music")
    make_collection(music, SONGS)
    with supysonic(tmp_path_factory.mktemp("supysonic"), music) as url:
        yield url


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


def test_it_wants_the_password_itself(client: SubsonicClient) -> None:
    client.check()

    assert client.sign_in == PASSWORD


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
def test_thousands_of_songs_are_written_at_once(client: SubsonicClient) -> None:
    songs = [song_id for _, song_id, _ in all_songs(client)] * 14
    playlist = client.create_playlist("Long", songs[:1])

    client.write_playlist(playlist, songs[:1], songs)

    assert client.read_playlist(playlist, expected=len(songs)) == songs
    assert len(songs) == 2_100


def test_a_song_it_does_not_have_is_known_as_such(client: SubsonicClient) -> None:
    there = all_songs(client)[0][1]

    assert client.unknown([there, "no-such", "00000000-0000-0000-0000-000000000000"]) == {
        "no-such",
        "00000000-0000-0000-0000-000000000000",
    }
