"""The clients against each difference of servers, and against answers of any shape."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.targets.addresses import Allowed
from sync.targets.listenbrainz.client import ListenBrainzClient
from sync.targets.protocol import (
    BadCredentials,
    NotFound,
    NotUnderstood,
    RateLimited,
    Refused,
    TargetError,
    Unavailable,
)
from sync.targets.safety import Answer, Channel
from sync.targets.subsonic.client import PASSWORD, TOKEN, SubsonicClient
from sync.targets.subsonic.errors import OtherSignIn, meaning
from sync.targets.waits import wait_of
from syncify.simulator.small_server import Reply
from syncify.simulator.subsonic import _METHODS, PLAIN, MusicServer, Song, Traits

SONGS = [Song(f"s{n}", f"Söng {n}", "Sigur Rós", "Ágætis", 200 + n) for n in range(30)]


@pytest.fixture
def server() -> Iterator[MusicServer]:
    with MusicServer(SONGS) as running:
        yield running


@pytest.fixture
def client(server: MusicServer) -> Iterator[SubsonicClient]:
    with Channel(server.url, Allowed.parse([], [server.url])) as channel:
        yield SubsonicClient(channel, username="demo", password="demo")


# --- Sign-in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("traits", "kind"), [(Traits(), TOKEN), (PLAIN, PASSWORD)])
def test_the_kind_of_sign_in_that_works_is_kept(
    server: MusicServer, client: SubsonicClient, traits: Traits, kind: str
) -> None:
    server.traits = traits
    client.check()
    server.calls.clear()

    client.loved()

    assert client.sign_in == kind
    assert server.calls == ["getStarred2"], "nothing is tried twice"


def test_the_password_is_not_sent_where_others_can_read_along(
    server: MusicServer, client: SubsonicClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.traits = PLAIN
    sent: list[str] = []
    answer = server.answer
    monkeypatch.setattr(server, "answer", lambda ask: (sent.append(str(ask.query)), answer(ask))[1])
    monkeypatch.setattr(Channel, "is_private_way", property(lambda _: False))

    with pytest.raises(OtherSignIn):
        client.check()

    assert len(sent) == 1
    assert "enc:" not in sent[0]


def test_a_token_that_worked_is_not_replaced_by_the_password(
    server: MusicServer, client: SubsonicClient
) -> None:
    client.check()
    server.traits = PLAIN

    with pytest.raises(OtherSignIn):
        client.loved()


def test_a_password_of_any_letters_works(server: MusicServer) -> None:
    server.password = "pässwörd & %41 ✓"
    for traits in (Traits(), PLAIN):
        server.traits = traits
        with Channel(server.url, Allowed.parse([], [server.url])) as channel:
            SubsonicClient(channel, username="demo", password=server.password).check()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, Refused),
        (10, OtherSignIn),
        (40, BadCredentials),
        (41, OtherSignIn),
        (44, BadCredentials),
        (50, Refused),
        (70, NotFound),
    ],
)
def test_codes_mean_what_the_api_says(code: int, kind: type[TargetError]) -> None:
    assert type(meaning(code, "message")) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimited), (500, Unavailable), (503, Unavailable), (404, Refused)]
)
def test_statuses_mean_what_http_says(
    server: MusicServer, client: SubsonicClient, status: int, kind: type[TargetError]
) -> None:
    server.troubles = [("ping", status)]

    with pytest.raises(kind):
        client.check()


# --- Songs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("traits", [Traits(), PLAIN], ids=["open", "plain"])
def test_title_and_artist_together_are_found(
    server: MusicServer, client: SubsonicClient, traits: Traits
) -> None:
    server.traits = traits

    assert [song.id for song in client.search("Söng 29 Sigur")] == ["s29"]


def test_a_list_that_never_ends_is_left(
    client: SubsonicClient, server: MusicServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes no offset answers the first page again and again."""
    page = {"album": [{"id": f"a{n}"} for n in range(500)]}
    monkeypatch.setitem(_METHODS, "getAlbumList2", lambda _server, _params: {"albumList2": page})

    assert len(list(client.albums())) == 500
    assert server.calls.count("getAlbumList2") == 2


def test_songs_are_never_listed_in_an_address(server: MusicServer, client: SubsonicClient) -> None:
    server.add(*(Song(f"{n:036}", f"Long {n}", "Kiasmos", "Long", 100) for n in range(500)))
    server.traits = Traits(line_max=300)
    songs = [f"{n:036}" for n in range(500)]

    playlist = client.create_playlist("Long", songs)

    assert client.read_playlist(playlist) == songs


def test_a_server_without_forms_is_refused_and_left_as_it_is(
    server: MusicServer, client: SubsonicClient
) -> None:
    server.traits = Traits(form_post=False)

    with pytest.raises(Refused, match="405"):
        client.create_playlist("New", ["s1"])

    assert server.playlists == {}


def test_what_is_no_subsonic_server_is_said_to_be_none(
    server: MusicServer, client: SubsonicClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "answer", lambda _: Reply(200, b"<html>Hello</html>", "text/html"))

    with pytest.raises(NotUnderstood, match="no Subsonic server"):
        client.check()


# --- Answers of any shape -----------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("id", "title", "name", "song", "entry", "album", "artist", "duration"),
                    *("isrc", "playlist", "playlists", "track", "identifier", "feedback"),
                    *("recording_mbid", "index", "user_name", "valid", "playlist_mbid"),
                    *("albumList2", "searchResult3", "starred2", "status", "error", "code"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


class StubChannel:
    """Answers everything with the same body."""

    is_private_way = True

    def __init__(self, body: bytes, status: int) -> None:
        self._answer = Answer(status, {}, body)

    def get(self, *_: Any, **__: Any) -> Answer:
        return self._answer

    post_form = post_json = get


CALLS: list[Callable[[Any], object]] = [
    lambda target: target.check(),
    lambda target: target.find_playlist("x"),
    lambda target: target.read_playlist("x"),
    lambda target: target.create_playlist("x", ["a"]),
    lambda target: target.write_playlist("x", ["a"], ["b", "c"]),
    lambda target: target.rename_playlist("x", "y"),
    lambda target: target.loved(),
    lambda target: target.love("x"),
    lambda target: target.unknown(["x"]),
]
SUBSONIC_CALLS: list[Callable[[SubsonicClient], object]] = [
    *CALLS,
    lambda client: list(client.albums()),
    lambda client: client.songs_of("x"),
    lambda client: client.search("a b"),
    lambda client: client.song("x"),
]
STATUSES = st.sampled_from([200, 200, 200, 204, 400, 404, 429, 500])


@given(JSON, st.booleans(), STATUSES, st.sampled_from(SUBSONIC_CALLS))
def test_no_answer_of_a_music_server_breaks_the_client(
    value: Any, wrapped: bool, status: int, call: Callable[[SubsonicClient], object]
) -> None:
    if wrapped:
        content = {"status": "ok", **value} if isinstance(value, dict) else value
        value = {"subsonic-response": content}
    channel: Any = StubChannel(json.dumps(value).encode(), status)

    with suppress(TargetError):
        call(SubsonicClient(channel, username="ada", password="x"))


@given(JSON, STATUSES, st.sampled_from([*CALLS, lambda client: client.look_up([("a", "b")] * 3)]))
def test_no_answer_of_listenbrainz_breaks_the_client(
    value: Any, status: int, call: Callable[[ListenBrainzClient], object]
) -> None:
    if isinstance(value, dict):
        value = {"valid": True, "user_name": "ada", **value}
    channel: Any = StubChannel(json.dumps(value).encode(), status)

    with suppress(TargetError):
        call(ListenBrainzClient(channel, token="x", sleep=lambda _: None))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5),
        ("0.3", 1),
        ("-4", 1),
        ("", 60),
        ("soon", 60),
        ("1e99", 60),
        ("nan", 60),
        ("9" * 9, 86_400),
    ],
)
def test_waits_are_between_a_second_and_a_day(header: str, seconds: int) -> None:
    assert wait_of(header) == timedelta(seconds=seconds)
