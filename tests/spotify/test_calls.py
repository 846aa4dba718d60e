"""How the gateway sends a call over real HTTP, and what it makes of each way to fail."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from syncify.simulator.server import Simulator
from syncify.spotify.calls import PAUSES, READ_TRIES
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    Blocked,
    NotFound,
    OutcomeUnknown,
    Unavailable,
)
from syncify.spotify.waits import LONGEST_MARGIN, SHORTEST_BLOCK
from tests.spotify.clients import UNTIL, Spotify

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
    assert at_least <= wait <= max(at_least + LONGEST_MARGIN, SHORTEST_BLOCK) + timedelta(seconds=2)
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
