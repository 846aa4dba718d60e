"""A worker process that is really killed during a run for a music server."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from django.utils import timezone

from accounts.models import User
from sync.models import SyncRequest, TrackLink
from sync.queue import store as queue
from syncify.simulator.small_server import Ask, Reply
from syncify.simulator.subsonic import MusicServer
from tests.processes import Child
from tests.targets.scenes import connect_server, like, song
from tests.waiting import PATIENCE, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SONGS = 8


class SlowServer(MusicServer):
    """Carries out what it is asked, and answers once who waits for it has been killed."""

    def __init__(self) -> None:
        super().__init__([song(number) for number in range(SONGS)])
        self.slow_method = ""
        self.is_answering, self.may_answer = Event(), Event()

    def answer(self, ask: Ask) -> Reply:
        reply = super().answer(ask)
        if ask.path.rpartition("/rest/")[2].removesuffix(".view") == self.slow_method:
            self.slow_method = ""
            self.is_answering.set()
            self.may_answer.wait(PATIENCE)
        return reply


@pytest.fixture
def server() -> Iterator[SlowServer]:
    with SlowServer() as running:
        yield running


@pytest.mark.parametrize("method", ["getAlbum", "createPlaylist", "getPlaylist", "star"])
def test_the_next_run_leaves_the_right_playlist(
    method: str, tmp_path: Path, process_env: dict[str, str], ada: User, server: SlowServer
) -> None:
    for number in range(SONGS):
        like(ada, number)
    connect_server(ada, server, settings={"stars": True})
    env = process_env | {"SYNCIFY_OFFERED_SERVER": server.url}
    request, _ = queue.enqueue(ada.pk, "subsonic", trigger="manual")
    server.slow_method = method
    first = Child(tmp_path / "first.log", env, "manage.py", "runworker")

    try:
        wait_until(server.is_answering.is_set, lambda: f"{server.calls} {first.log}")
    finally:
        first.close()  # SIGKILL
        server.may_answer.set()
    assert first.process.returncode == -signal.SIGKILL
    # A write holds the lease for longer than this test may take.
    over = timezone.now() - timedelta(seconds=1)
    assert SyncRequest.objects.filter(state="running").update(leased_until=over) == 1
    second = Child(tmp_path / "second.log", env, "manage.py", "runworker")

    def is_done() -> bool:
        request.refresh_from_db()
        return request.state == "succeeded"

    try:
        wait_until(is_done, lambda: second.log)
    finally:
        second.close()
    assert (request.attempt, request.rescues, request.failures) == (2, 1, 0)
    [playlist] = server.playlists.values()
    assert playlist.songs == [f"s{number}" for number in range(SONGS)]
    assert set(server.stars) == set(playlist.songs)
    assert TrackLink.objects.count() == SONGS
