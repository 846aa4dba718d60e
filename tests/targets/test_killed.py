"""A worker that is killed at any point of a run, and a database that is lost there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from accounts.models import User
from sync.models import SyncRequest, TrackLink
from sync.queue import store as queue
from sync.queue.job import Job
from sync.targets import running
from sync.targets.safety import Channel
from syncify.simulator.listenbrainz import ListenBrainz
from syncify.simulator.subsonic import PLAIN, MusicServer, Traits
from tests.targets.scenes import RUNNERS, connect, connect_server, like, mbids, run, unlike

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """Nothing of the program runs after it."""


@pytest.fixture
def ada(ada: User) -> User:
    for number in range(8):
        like(ada, number)
    return ada


def kill_at(monkeypatch: pytest.MonkeyPatch, call: int, *, after: bool) -> None:
    """Kill the run at its request of this number, before it is sent or after it was answered."""
    ask, calls = Channel._ask, [0]

    def ask_or_die(self: Channel, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] == call and not after:
            raise Killed
        answer = ask(self, *args)
        if calls[0] == call:
            raise Killed
        return answer

    monkeypatch.setattr(Channel, "_ask", ask_or_die)


def run_killed(user: User, service: str) -> bool:
    """Whether the run was killed before it had ended; another worker takes its job back then."""
    queue.enqueue(user.pk, service, trigger="manual")
    request = queue.claim(worker="killed")
    assert request
    try:
        RUNNERS[service](Job(request))
    except Killed:
        SyncRequest.objects.filter(pk=request.pk).update(leased_until=Now() - queue.LEASE)
        assert queue.rescue() == {"queued": 1}
        return True
    return False


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 11))
@pytest.mark.parametrize("traits", [Traits(), PLAIN], ids=["open", "plain"])
def test_a_music_server_is_right_after_the_next_run(
    ada: User,
    server: MusicServer,
    monkeypatch: pytest.MonkeyPatch,
    traits: Traits,
    call: int,
    after: bool,
) -> None:
    server.traits = traits
    connect_server(ada, server, settings={"stars": True})

    with monkeypatch.context() as patch:
        kill_at(patch, call, after=after)
        assert run_killed(ada, "subsonic")
    assert run(ada).state == "succeeded"

    [playlist] = server.playlists.values()
    assert playlist.songs == [f"s{number}" for number in range(8)]
    assert set(server.stars) == set(playlist.songs)
    assert TrackLink.objects.count() == 8


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 8))
def test_listenbrainz_is_right_after_the_next_run(
    ada: User,
    service: ListenBrainz,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
    after: bool,
) -> None:
    connect(ada, "listenbrainz", secret="token")
    run(ada, "listenbrainz")
    for number in (1, 2, 3):
        unlike(ada, number)
    like(ada, 12)
    like(ada, 13)

    with monkeypatch.context() as patch:
        kill_at(patch, call, after=after)
        assert run_killed(ada, "listenbrainz")
    assert run(ada, "listenbrainz").state == "succeeded"

    [playlist] = service.playlists.values()
    assert playlist.tracks == mbids(service, 0, 4, 5, 6, 7, 12, 13)


@pytest.mark.parametrize("step", range(1, 9))
def test_a_database_that_is_lost_costs_nothing(
    ada: User, server: MusicServer, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    connect_server(ada, server)
    steps = [0]

    def lose(function: Callable[..., Any]) -> Callable[..., Any]:
        def function_or_loss(*args: Any, **kwargs: Any) -> Any:
            steps[0] += 1
            if steps[0] == step:
                raise OperationalError("the connection was lost")
            return function(*args, **kwargs)

        return function_or_loss

    with monkeypatch.context() as patch:
        patch.setattr(queue, "record_progress", lose(queue.record_progress))
        patch.setattr(queue, "hold_for", lose(queue.hold_for))
        died = run(ada)
    assert died.state == "queued"
    SyncRequest.objects.update(run_at=Now())
    assert run(ada).state == "succeeded"

    [playlist] = server.playlists.values()
    assert playlist.songs == [f"s{number}" for number in range(8)]


def test_a_run_that_lost_its_lease_writes_nothing_more(
    ada: User, server: MusicServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_server(ada, server)
    write_playlists = running.write_playlists

    def lose_the_lease(job: Job, *args: Any, **kwargs: Any) -> None:
        SyncRequest.objects.update(attempt=9)
        write_playlists(job, *args, **kwargs)

    monkeypatch.setattr(running, "write_playlists", lose_the_lease)
    queue.enqueue(ada.pk, "subsonic", trigger="manual")
    request = queue.claim(worker="slow")
    assert request

    with pytest.raises(queue.LeaseLost):
        RUNNERS["subsonic"](Job(request))

    assert server.writes == []
