"""How the gateway sends a call over real HTTP, and what it makes of each way to fail."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
from tests.waiting import PATIENCE, wait_until

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
    "hang:seconds=0.05",
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


def test_reads_are_repeated_at_uneven_times(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.fault("status", times=0)

    for _ in range(10):
        with suppress(Unavailable):
            _read(spotify, playlist_id)

    first, second = spotify.waits[::2], spotify.waits[1::2]
    assert all(0.25 <= wait <= 0.75 for wait in first)
    assert all(0.5 <= wait <= 1.5 for wait in second)
    assert len(set(first)) == len(set(second)) == 10


@pytest.mark.parametrize("fault", TROUBLE)
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


def test_silence_is_not_waited_for_without_end(simulator: Simulator, playlist_id: str) -> None:
    impatient = Spotify(simulator, timeout=(10.0, 0.2))
    simulator.fault("hang", seconds=PATIENCE, times=0)

    with pytest.raises(Unavailable):
        _read(impatient, playlist_id)
    with pytest.raises(OutcomeUnknown):
        _write(impatient, playlist_id)

    assert simulator.count() == READ_TRIES + 1


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
    assert spotify.gate.blocks == [(timedelta(minutes=1), "quota")]


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


# --- Waits that Spotify names -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("1.5", 1.5, 2.5),
        ("date+20", 10, 21),
        ("0", 0.4, 1),
        ("-3", 0.4, 1),
        ("date-8", 0.4, 1),
    ],
)
def test_a_short_wait_is_sat_out_however_it_is_written(
    spotify: Spotify,
    simulator: Simulator,
    playlist_id: str,
    retry_after: str,
    least: float,
    most: float,
) -> None:
    simulator.fault("burst", retry_after=retry_after)

    assert _read(spotify, playlist_id) == "Mirror"

    (wait,) = spotify.waits
    assert least <= wait <= most
    assert spotify.gate.blocks == []


@pytest.mark.parametrize("fault", ["burst", "status:code=503", "status:code=403", "unauthorized"])
@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("86400", 86_400), ("date+72000", 72_000), ("50.5", 50)]
)
def test_a_long_wait_in_any_answer_is_everybodys(
    spotify: Spotify,
    simulator: Simulator,
    playlist_id: str,
    fault: str,
    retry_after: str,
    seconds: int,
) -> None:
    simulator.fault(f"{fault}{',' if ':' in fault else ':'}retry_after={retry_after}")

    with pytest.raises(Blocked):
        _read(spotify, playlist_id)

    ((wait, because),) = spotify.gate.blocks
    assert because == "quota"
    assert seconds - 20 <= wait.total_seconds() <= seconds + LONGEST_MARGIN.total_seconds()
    assert spotify.waits == []


@pytest.mark.parametrize("fault", ["burst:retry_after=garbage", "bare429"])
def test_a_limit_without_a_readable_wait_is_left_alone_for_an_hour(
    spotify: Spotify, simulator: Simulator, playlist_id: str, fault: str
) -> None:
    simulator.fault(fault)

    with pytest.raises(Blocked):
        _read(spotify, playlist_id)

    assert spotify.gate.blocks == [(timedelta(hours=1), "quota")]


@pytest.mark.parametrize("call", [_read, _write])
@pytest.mark.parametrize(
    "fault", ["status:code=404", "status:code=403,message=Forbidden", "unauthorized"]
)
def test_a_refusal_that_names_a_short_wait_is_asked_again_after_it(
    spotify: Spotify, simulator: Simulator, playlist_id: str, call: Call, fault: str
) -> None:
    simulator.fault(f"{fault}{',' if ':' in fault else ':'}retry_after=4")
    simulator.fault("poison", uri="spotify:track:" + "0" * 22, code=400)

    with suppress(BadRequest):
        call(spotify, playlist_id)

    (wait,) = spotify.waits
    assert 4 <= wait <= 5
    assert simulator.count() == 2


def test_a_refusal_is_believed_when_waiting_never_helps(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.fault("status", code=404, retry_after=4, times=0)

    with pytest.raises(NotFound):
        _read(spotify, playlist_id)

    assert simulator.count() == 1 + PAUSES
    assert spotify.gate.blocks == []


@pytest.mark.parametrize(("retry_after", "blocks"), [("20", 0), ("4000", 1)])
def test_a_write_without_an_answer_is_not_repeated_after_a_wait_but_the_wait_is_kept(
    spotify: Spotify, simulator: Simulator, playlist_id: str, retry_after: str, blocks: int
) -> None:
    simulator.fault("status", code=503, when="after", retry_after=retry_after)

    with pytest.raises(OutcomeUnknown):
        spotify.add_items(playlist_id, simulator.liked("ada")[:1], 0)

    assert len(simulator.playlist_uris(playlist_id)) == 121
    assert simulator.count() == 1
    assert len(spotify.gate.blocks) == blocks
    if not blocks:
        _read(spotify, playlist_id)
        assert [10 <= wait <= 21 for wait in spotify.waits] == [True]


def test_a_short_wait_is_kept_by_all_calls_for_the_same_developer(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    simulator.fault("status", code=503, retry_after=20, times=READ_TRIES)
    other = Spotify(simulator, "bea")
    lent = Spotify(simulator, "cleo", developer="frida")

    with pytest.raises(Unavailable):
        _read(spotify, playlist_id)
    assert other.me().id == "bea"
    assert other.me().id == "bea"
    assert lent.me().id == "cleo"

    assert [10 <= wait <= 21 for wait in other.waits] == [True]
    assert lent.waits == []


# --- One at a time, and only by right ---------------------------------------------------------


def test_one_call_at_a_time_leaves_the_process(simulator: Simulator) -> None:
    clients = [Spotify(simulator, listener) for listener in ("ada", "bea", "emil", "dora")]
    simulator.fault("latency", seconds=0.15, times=0)
    running, most = 0, 0
    counting = threading.Lock()

    def in_between(client: Spotify) -> None:
        send = client._session.request

        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal running, most
            with counting:
                running += 1
                most = max(most, running)
            try:
                return send(*args, **kwargs)
            finally:
                with counting:
                    running -= 1

        client._session.request = counted  # type: ignore[method-assign]

    for client in clients:
        in_between(client)
    with ThreadPoolExecutor(4) as threads:
        names = list(threads.map(lambda client: client.me().id, clients))

    assert names == ["ada", "bea", "emil", "dora"]
    assert most == 1


class GivenUp(Exception):
    pass


def test_the_right_to_write_is_checked_last_and_for_each_try(
    simulator: Simulator, playlist_id: str
) -> None:
    order: list[str] = []
    spotify = Spotify(simulator, before_send=lambda: order.append("check"))
    renewed, admit = spotify.tokens.renewed, spotify.gate.admit
    spotify.tokens.renewed = lambda used: (order.append("token"), renewed(used))[1]  # type: ignore[method-assign]
    spotify.gate.admit = lambda: (order.append("gate"), admit())[1]  # type: ignore[method-assign,func-returns-value]
    simulator.expire_access_tokens("ada")

    spotify.add_items(playlist_id, simulator.liked("ada")[:1], 0)

    assert order == ["gate", "check", "token", "gate", "check"]

    order.clear()
    _read(spotify, playlist_id)
    assert order == ["gate"]


def test_a_right_that_is_lost_while_waiting_for_others_sends_nothing(
    simulator: Simulator, playlist_id: str
) -> None:
    held = True

    def check() -> None:
        if not held:
            raise GivenUp

    spotify, slow = Spotify(simulator, before_send=check), Spotify(simulator, "bea")
    simulator.fault("latency", seconds=PATIENCE, listener="bea")  # until it is let go
    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(slow.me)
        wait_until(simulator.count)
        writing = threads.submit(
            spotify.add_items, playlist_id, simulator.liked("ada")[:1], position=0
        )
        time.sleep(0.1)
        held = False
        simulator.let_go()

    assert reading.result().id == "bea"
    with pytest.raises(GivenUp):
        writing.result()
    assert len(simulator.playlist_uris(playlist_id)) == 120
    assert spotify.calls == 0
    held = True
    spotify.add_items(playlist_id, simulator.liked("ada")[:1], 0)  # the lock was given back


def test_an_error_of_our_own_is_no_trouble_of_spotifys(
    spotify: Spotify, simulator: Simulator, playlist_id: str
) -> None:
    with pytest.raises(TypeError):
        spotify.add_items(playlist_id, [object()], 0)  # type: ignore[list-item]
    with pytest.raises(TypeError):
        spotify.in_library(None)  # type: ignore[arg-type]

    assert simulator.count() == 0
    assert spotify.waits == []
