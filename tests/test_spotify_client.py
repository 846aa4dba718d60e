"""The gateway over real HTTP against the simulator: its answers, and each way to fail."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.simulator.server import Simulator
from syncify.spotify.answers import (
    LONGEST_BLOCK,
    LONGEST_MARGIN,
    Pause,
    Renew,
    Stop,
    Trouble,
    meaning,
)
from syncify.spotify.client import PAUSES, READ_TRIES, SpotifyClient
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    Blocked,
    NotFound,
    OutcomeUnknown,
    SpotifyError,
    Unavailable,
)
from syncify.spotify.types import Profile

UNTIL = datetime(2026, 11, 24, tzinfo=UTC)


class Gate:
    """Counts, and notes what it is asked to block."""

    def __init__(self) -> None:
        self.admitted = 0
        self.blocks: list[tuple[timedelta, str]] = []

    def admit(self) -> None:
        if self.blocks:
            raise Blocked(UNTIL, self.blocks[-1][1])
        self.admitted += 1

    def block(self, *, for_: timedelta, because: str) -> datetime:
        self.blocks.append((for_, because))
        return UNTIL


class Tokens:
    def __init__(self, simulator: Simulator, listener: str) -> None:
        self._new = lambda: str(simulator.authorize(listener)["access_token"])
        self.token, self.renewals = self._new(), 0

    def current(self) -> str:
        return self.token

    def renewed(self, used: str) -> str:
        assert used == self.token
        self.renewals += 1
        self.token = self._new()
        return self.token


class Spotify(SpotifyClient):
    """A client whose waits are noted rather than waited for."""

    def __init__(self, simulator: Simulator, listener: str = "ada", **kwargs: Any) -> None:
        self.gate, self.tokens = Gate(), Tokens(simulator, listener)
        self.waits: list[float] = []
        super().__init__(
            api_url=kwargs.pop("api_url", simulator.api_url),
            tokens=self.tokens,
            gate=self.gate,
            sleep=self.waits.append,
            timeout=(1.0, 1.0),
        )


@pytest.fixture
def spotify(simulator: Simulator) -> Iterator[Spotify]:
    client = Spotify(simulator)
    yield client
    client.close()


@pytest.fixture
def playlist_id(simulator: Simulator) -> str:
    return simulator.create_playlist("ada", "Mirror", simulator.liked("ada")[:120])


# --- Answers ----------------------------------------------------------------------------------


def test_profile_carries_both_ids(spotify: Spotify, simulator: Simulator) -> None:
    profile = spotify.me()

    account_id = simulator.listeners["ada"].account_id
    assert profile == Profile(id="ada", account_id=account_id, display_name="Ada")
    assert spotify.calls == spotify.gate.admitted == simulator.count() == 1


def test_saved_tracks_come_in_pages_of_fifty(spotify: Spotify, simulator: Simulator) -> None:
    pages = [spotify.saved_tracks(offset) for offset in (0, 50, 150)]

    assert [len(page.items) for page in pages] == [50, 50, 30]
    assert {page.total for page in pages} == {180}
    liked = simulator.liked("ada")
    assert [item.song.uri for item in pages[2].items if item.song] == liked[150:]
    assert not any("market" in one.query for one in simulator.requests)


def test_a_song_is_told_in_full(spotify: Spotify, simulator: Simulator) -> None:
    new = simulator.new_track(name="Ember & Ash", isrc="GBAYE0000001", explicit=True)
    at = datetime(2026, 11, 20, 18, 3, 11, tzinfo=UTC)
    simulator.set_liked("ada", new, at=at)

    (item,) = spotify.saved_tracks(0).items

    assert item.added_at == at
    assert item.song is not None
    assert item.song.id == new
    assert item.song.uri == f"spotify:track:{new}"
    assert (item.song.name, item.song.isrc, item.song.explicit) == (
        "Ember & Ash",
        "GBAYE0000001",
        True,
    )
    assert item.song.artists
    assert item.song.album
    assert item.song.release_date
    assert item.song.duration_ms > 0


@pytest.mark.parametrize("names", ["new", "both", "old"])
def test_entries_are_read_under_either_name(
    spotify: Spotify, simulator: Simulator, playlist_id: str, names: Any
) -> None:
    simulator.behaviour.names = names
    simulator.insert(playlist_id, None, simulator.new_episode(), position=1)

    assert spotify.playlist_uris(playlist_id) == simulator.playlist_uris(playlist_id)
    assert spotify.playlist(playlist_id).total == 122
    assert simulator.count("GET") == 4


def test_a_page_of_null_entries_stays_one_of_nulls(spotify: Spotify, simulator: Simulator) -> None:
    playlist_id = simulator.create_playlist("ada", "Odd", [None, None])

    assert spotify.playlist_uris(playlist_id) == [None, None]


def test_reading_a_playlist_begins_again_when_it_changes(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.after_request(1, lambda: simulator.remove_positions(playlist_id, 0))

    uris = spotify.playlist_uris(playlist_id)

    assert uris == simulator.playlist_uris(playlist_id)
    assert simulator.count("GET") == 2 + 3


def test_reading_a_playlist_gives_up_when_it_never_holds_still(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    for call in (1, 3, 5):
        simulator.after_request(call, lambda: simulator.remove_positions(playlist_id, 0))

    with pytest.raises(Unavailable):
        spotify.playlist_uris(playlist_id)


def test_playlist_details_are_as_people_wrote_them(spotify: Spotify) -> None:
    text = 'Ada\'s <songs> & "more"'

    made = spotify.create_playlist(name="Liked & loved", description=text, public=True)

    assert made == spotify.playlist(made.id)
    assert (made.name, made.description, made.owner_id, made.total) == (
        "Liked & loved",
        text,
        "ada",
        0,
    )
    assert made.public is True


def test_changed_details_are_those_that_were_given(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.behaviour.public_ignored = False
    spotify.change_details(playlist_id, name="New", description="", public=False)
    spotify.change_details(playlist_id, name="Newer")

    after = spotify.playlist(playlist_id)
    assert (after.name, after.description, after.public) == ("Newer", "", False)


def test_edits_do_what_they_say(spotify: Spotify, simulator: Simulator, playlist_id: str) -> None:
    before = simulator.playlist_uris(playlist_id)
    fresh = simulator.liked("ada")[120:123]

    spotify.add_items(playlist_id, fresh, 1)
    assert simulator.playlist_uris(playlist_id) == [*before[:1], *fresh, *before[1:]]
    spotify.remove_items(playlist_id, fresh)
    assert simulator.playlist_uris(playlist_id) == before
    spotify.move_items(playlist_id, start=0, length=2, before=5)
    assert simulator.playlist_uris(playlist_id) == [*before[2:5], *before[:2], *before[5:]]
    spotify.replace_items(playlist_id, fresh)
    assert simulator.playlist_uris(playlist_id) == fresh
    snapshot_id = spotify.replace_items(playlist_id, [])
    assert simulator.playlist_uris(playlist_id) == []
    assert snapshot_id == spotify.playlist(playlist_id).snapshot_id


def test_an_unfollowed_playlist_is_told_apart_and_restored(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    kept = simulator.create_playlist("ada", "Kept")
    simulator.unfollow("ada", playlist_id)
    uris = [f"spotify:playlist:{one}" for one in (playlist_id, kept)]

    assert spotify.in_library(uris) == [False, True]
    spotify.save_to_library(uris[0])
    assert spotify.in_library(uris) == [True, True]


def test_own_playlists_are_listed_to_the_last(spotify: Spotify, simulator: Simulator) -> None:
    made = [simulator.create_playlist("ada", f"Number {number}") for number in range(51)]
    followed = simulator.create_playlist("bea", "Bea's")
    simulator.follow("ada", followed)

    listed = {one.id: one.owner_id for one in spotify.own_playlists()}

    assert listed == dict.fromkeys(made, "ada") | {followed: "bea"}
    assert simulator.count("GET") == 2


def test_no_call_uses_a_route_that_was_removed(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    uris = simulator.liked("ada")[:2]
    spotify.me()
    spotify.saved_tracks(0)
    spotify.playlist_uris(playlist_id)
    spotify.add_items(playlist_id, uris, 0)
    spotify.remove_items(playlist_id, uris)
    list(spotify.own_playlists())

    paths = {one.path for one in simulator.requests}
    items = f"/v1/playlists/{playlist_id}/items"
    assert paths == {"/v1/me", "/v1/me/tracks", items, "/v1/me/playlists"}


# --- Trouble ----------------------------------------------------------------------------------

type Call = Callable[[Spotify, str], object]


def _read(spotify: Spotify, playlist_id: str) -> object:
    return spotify.playlist(playlist_id).name


def _write(spotify: Spotify, playlist_id: str) -> object:
    return spotify.add_items(playlist_id, ["spotify:track:" + "0" * 22], 0)


TROUBLE = [
    "status:code=500",
    "status:code=502",
    "status:code=503,plain=true",
    "status:code=504",
    "drop",
    "drop:when=after",
    "hang:seconds=2",
    "truncated",
    "nonjson",
]


@pytest.mark.parametrize("fault", TROUBLE)
def test_a_read_is_tried_again(
    spotify: Spotify, simulator: Simulator, playlist_id: str, fault: str
) -> None:
    simulator.fault(fault)

    assert _read(spotify, playlist_id) == "Mirror"
    assert spotify.calls == spotify.gate.admitted == simulator.count() == 2
    assert len(spotify.waits) == 1


@pytest.mark.parametrize("fault", TROUBLE[:-3])
def test_a_read_gives_up_after_a_few_tries(
    spotify: Spotify, simulator: Simulator, playlist_id: str, fault: str
) -> None:
    simulator.fault(f"{fault}{',' if ':' in fault else ':'}times=0")

    with pytest.raises(Unavailable):
        _read(spotify, playlist_id)

    assert simulator.count() == READ_TRIES


@pytest.mark.parametrize("fault", TROUBLE)
def test_a_write_without_a_clear_answer_is_sent_once(
    spotify: Spotify, simulator: Simulator, playlist_id: str, fault: str
) -> None:
    simulator.fault(fault)

    with pytest.raises(OutcomeUnknown):
        spotify.add_items(playlist_id, simulator.liked("ada")[:1], 0)

    assert simulator.count() == spotify.calls == 1
    assert spotify.waits == []


def test_a_write_whose_answer_holds_nothing_readable_is_unknown_too(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.fault("nonjson")

    with pytest.raises(OutcomeUnknown):
        spotify.change_details(playlist_id, name="New")


@pytest.mark.parametrize(
    ("code", "error"), [(502, OutcomeUnknown), (400, BadRequest)], ids=["unanswered", "refused"]
)
def test_a_refused_song_shows_in_the_status(
    spotify: Spotify, simulator: Simulator, playlist_id: str, code: int, error: type[Any]
) -> None:
    uri = simulator.liked("ada")[0]
    simulator.fault("poison", uri=uri, code=code)

    with pytest.raises(error) as raised:
        spotify.add_items(playlist_id, [uri], 0)

    assert raised.value.status == code


@pytest.mark.parametrize("call", [_read, _write])
def test_nothing_was_sent_when_nobody_listens(
    simulator: Simulator, playlist_id: str, call: Call
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1/"
        spotify = Spotify(simulator, api_url=url)

        with pytest.raises(Unavailable):
            call(spotify, playlist_id)


@pytest.mark.parametrize("call", [_read, _write])
def test_a_redirect_is_no_answer(
    spotify: Spotify, simulator: Simulator, playlist_id: str, call: Call
) -> None:
    simulator.fault("status", code=302, times=0)

    with pytest.raises((Unavailable, OutcomeUnknown)):
        call(spotify, playlist_id)


# --- Tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, "unauthorized"], ids=["expired", "spurious"])
def test_a_call_with_an_ended_token_is_repeated_with_a_new_one(
    spotify: Spotify, simulator: Simulator, playlist_id: str, fault: str | None
) -> None:
    if fault:
        simulator.fault(fault)
    else:
        simulator.expire_access_tokens("ada")

    spotify.add_items(playlist_id, simulator.liked("ada")[:1], 0)

    assert spotify.tokens.renewals == 1
    assert simulator.count() == spotify.calls == 2
    assert len(simulator.playlist_uris(playlist_id)) == 121


@pytest.mark.parametrize("call", [_read, _write])
def test_a_new_token_that_is_refused_too_is_not_renewed_again(
    spotify: Spotify, simulator: Simulator, playlist_id: str, call: Call
) -> None:
    simulator.fault("unauthorized", times=0)

    with pytest.raises(Unavailable):
        call(spotify, playlist_id)

    assert spotify.tokens.renewals == 1
    assert simulator.count() == 2


# --- Limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["burst:retry_after=4", "burst:retry_after=30"])
def test_a_burst_limit_is_sat_out(
    spotify: Spotify, simulator: Simulator, playlist_id: str, fault: str
) -> None:
    asked = float(fault.partition("=")[2])
    simulator.fault(f"{fault},times=2")

    spotify.add_items(playlist_id, simulator.liked("ada")[:1], 0)

    assert len(spotify.waits) == 2
    assert all(asked <= wait <= asked + 1 for wait in spotify.waits)
    assert len(simulator.playlist_uris(playlist_id)) == 121
    assert spotify.gate.blocks == []


def test_a_burst_limit_without_end_is_everybodys(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.fault("burst", times=0)

    with pytest.raises(Blocked):
        _read(spotify, playlist_id)

    assert simulator.count() == 1 + PAUSES
    assert [because for _, because in spotify.gate.blocks] == ["quota"]


@pytest.mark.parametrize("call", [_read, _write])
@pytest.mark.parametrize(
    ("fault", "at_least", "because"),
    [
        ("burst:retry_after=31", timedelta(seconds=31), "quota"),
        ("quota:retry_after=3", timedelta(seconds=3), "quota"),
        ("quota:retry_after=49861", timedelta(seconds=49861), "quota"),
        ("bare429", timedelta(hours=1), "quota"),
        ("premium", timedelta(hours=1), "premium"),
    ],
)
def test_what_concerns_everybody_blocks_everybody(
    spotify: Spotify,
    simulator: Simulator,
    playlist_id: str,
    call: Call,
    fault: str,
    at_least: timedelta,
    because: str,
) -> None:
    if fault == "premium":
        simulator.behaviour.premium_lapsed = True
    else:
        simulator.fault(fault)

    for _ in range(2):
        with pytest.raises(Blocked) as raised:
            call(spotify, playlist_id)

    assert (raised.value.until, raised.value.because) == (UNTIL, because)
    ((wait, cause),) = spotify.gate.blocks
    assert cause == because
    assert at_least <= wait <= at_least + LONGEST_MARGIN + timedelta(seconds=2)
    assert simulator.count() == spotify.calls == 1


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Insufficient client scope", "scope_missing"),
        ("User not registered in the Developer Dashboard", "not_registered"),
        (
            "Check settings on developer.spotify.com/dashboard, the user may not be registered.",
            "not_registered",
        ),
        ("Forbidden", "forbidden"),
    ],
)
@pytest.mark.parametrize("plain", [True, False])
def test_refusals_are_told_apart(
    spotify: Spotify,
    simulator: Simulator,
    playlist_id: str,
    message: str,
    reason: str,
    plain: bool,
) -> None:
    simulator.fault("status", code=403, message=message, plain=plain)

    with pytest.raises(AccessRefused) as raised:
        _read(spotify, playlist_id)

    assert raised.value.reason == reason
    assert simulator.count() == 1


def test_other_peoples_entries_are_forbidden(spotify: Spotify, simulator: Simulator) -> None:
    theirs = simulator.create_playlist("bea", "Bea's", simulator.liked("bea")[:2])

    assert spotify.playlist(theirs).owner_id == "bea"
    with pytest.raises(AccessRefused) as raised:
        spotify.playlist_uris(theirs)
    assert raised.value.reason == "forbidden"


def test_a_listener_off_the_allow_list_is_not_registered(simulator: Simulator) -> None:
    simulator.add_listener("zoe", allowed=False)

    with pytest.raises(AccessRefused) as raised:
        Spotify(simulator, "zoe").me()

    assert raised.value.reason == "not_registered"


def test_what_is_not_there_is_not_found(spotify: Spotify) -> None:
    with pytest.raises(NotFound):
        spotify.playlist("0" * 22)


def test_too_many_songs_in_a_write_are_a_bad_request(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        spotify.add_items(playlist_id, simulator.liked("ada")[:101], 0)

    assert "100" in raised.value.message
    assert simulator.count() == 1


# --- The meaning of any answer ----------------------------------------------------------------


@pytest.mark.parametrize(
    "body", ["", "null", "[]", '"x"', '{"error": "x"}', '{"error": null}', "{"]
)
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 408, 413, 429, 500, 503])
def test_no_shape_of_body_is_too_odd(status: int, body: str) -> None:
    kinds = {
        302: Trouble,
        401: Renew,
        403: AccessRefused,
        404: NotFound,
        408: Trouble,
        429: Stop,
        500: Trouble,
        503: Trouble,
    }
    assert isinstance(meaning(status, {}, body), kinds.get(status, BadRequest))


@given(status=st.integers(100, 999), retry_after=st.text(), body=st.text())
def test_every_answer_has_a_meaning(status: int, retry_after: str, body: str) -> None:
    heard = meaning(status, {"Retry-After": retry_after}, body)

    assert isinstance(heard, Renew | Pause | Stop | Trouble | SpotifyError)


@given(seconds=st.integers(0, 10**18 - 1), quota=st.booleans())
def test_no_wait_is_shorter_than_spotify_asked_for(seconds: int, quota: bool) -> None:
    body = (
        '{"error": {"status": 429, "reason": "QUOTA_EXCEEDED"}}' if quota else "Too many requests"
    )

    heard = meaning(429, {"Retry-After": str(seconds)}, body)

    assert isinstance(heard, Pause | Stop)
    assert isinstance(heard, Stop) or (seconds <= 30 and not quota)
    asked = min(seconds, LONGEST_BLOCK.total_seconds())
    assert asked < heard.wait.total_seconds() <= asked + LONGEST_MARGIN.total_seconds()
