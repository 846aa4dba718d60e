"""A sync that is stopped half-way and the one that continues it each name the songs they wrote."""

import re
from collections.abc import Sequence

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from sync.models import Mirror, Playlist, SyncRequest
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from syncify.simulator.traffic import Recorded
from tests.driving import card, mirrored, run

# The cancellation comes from another connection, as a page's does.
pytestmark = pytest.mark.django_db(transaction=True)


def cancel_after(simulator: Simulator, user: User, *, writes: int) -> None:
    """Let the listener press Cancel once so many writes to a playlist are done."""
    seen: list[Recorded] = []

    def is_due(one: Recorded) -> bool:
        if one.path.endswith("/items") and one.method != "GET":
            seen.append(one)
        return len(seen) == writes and one.path.endswith(("/items", "/me/tracks"))

    def cancel() -> None:
        try:
            queue.ask_cancel(SyncRequest.objects.get(user=user, completed=None))
        finally:
            connection.close()

    simulator.after_request(is_due, cancel)


def songs_of(client: Client, request: SyncRequest) -> set[str]:
    """The songs that the page of a sync's songs lists, as uris."""
    found: set[str] = set()
    for page in ("1", "2", "3"):
        answer = client.get("/songs/", {"sync": request.pk, "page": page})
        assert answer.status_code == 200
        found |= set(re.findall(r'href="/songs/(\w+)/"', answer.content.decode()))
    return {f"spotify:track:{track}" for track in found}


def headlines(client: Client) -> list[str]:
    page = client.get("/sync/history/").content.decode()
    return [" ".join(one.split()) for one in re.findall(r"<h3>(.*?)</h3>", page, re.DOTALL)]


def test_a_first_copy_that_is_stopped_and_continued(
    simulator: Simulator, ada: User, client: Client
) -> None:
    client.force_login(ada)
    liked = simulator.liked("ada")
    cancel_after(simulator, ada, writes=1)

    stopped = run(ada, "first")

    assert stopped.state == "cancelled"
    written = set(mirrored(simulator, ada))
    assert len(written) == 100
    assert headlines(client) == ["Stopped half-way: 100 new"]
    assert songs_of(client, stopped) == written

    continued = run(ada)

    assert continued.state == "succeeded"
    assert headlines(client) == ["80 new", "Stopped half-way: 100 new"]
    assert songs_of(client, stopped) == written
    assert songs_of(client, continued) == set(liked) - written


@pytest.mark.parametrize(
    ("writes", "told"),
    [
        # What is written first: 15 songs leave, then 100 and 30 come.
        ([0], ["130 new, 15 gone", "Stopped before it finished"]),
        ([1], ["130 new", "Stopped half-way: 15 gone"]),
        ([2], ["30 new", "Stopped half-way: 100 new, 15 gone"]),
        ([1, 0, 1], [
            "30 new",
            "Stopped half-way: 100 new",
            "Stopped before it finished",
            "Stopped half-way: 15 gone",
        ]),
    ],
)  # fmt: skip
def test_songs_that_come_and_go(
    simulator: Simulator, ada: User, client: Client, writes: Sequence[int], told: list[str]
) -> None:
    client.force_login(ada)
    run(ada)
    gone = simulator.liked("ada")[20:35]
    simulator.unlike("ada", *gone)
    fresh = [simulator.new_track() for _ in range(130)]
    simulator.like("ada", *fresh)

    stopped = []
    for count in writes:
        cancel_after(simulator, ada, writes=count)
        stopped.append(run(ada))
        assert stopped[-1].state == "cancelled"
    requests = [run(ada), *reversed(stopped)]

    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert headlines(client)[: len(told)] == told
    shares = [songs_of(client, request) for request in requests]
    assert set.union(*shares) == {*gone, *(f"spotify:track:{track}" for track in fresh)}
    assert sum(map(len, shares)) == 145


def test_the_card_names_what_the_stopped_sync_wrote(
    simulator: Simulator, ada: User, client: Client
) -> None:
    run(ada)
    fresh = [simulator.new_track(name=f"Fresh {number:03}") for number in range(130)]
    for track in fresh:
        simulator.like("ada", track)
    cancel_after(simulator, ada, writes=1)

    run(ada)

    # The lower 100 are written first, and the newest of these are named.
    told = card(client, ada)
    assert "Fresh 099" in told
    assert "Fresh 129" not in told


def test_while_the_main_playlist_is_paused_the_next_sync_takes_the_rest(
    simulator: Simulator, ada: User, client: Client
) -> None:
    client.force_login(ada)
    run(ada)
    fresh = [simulator.new_track() for _ in range(130)]
    simulator.like("ada", *fresh)
    cancel_after(simulator, ada, writes=1)
    stopped = run(ada)
    Mirror.objects.filter(user=ada).update(state=Mirror.State.PAUSED)
    Mirror.objects.create(user=ada, name="All", is_main=False, rule={"limit": 5})

    continued = run(ada)

    assert continued.state == "succeeded"
    assert (len(songs_of(client, stopped)), len(songs_of(client, continued))) == (100, 30)


def test_a_song_that_is_liked_again_is_named_once(
    simulator: Simulator, ada: User, client: Client
) -> None:
    client.force_login(ada)
    run(ada)
    [again] = simulator.liked("ada")[-1:]
    simulator.like("ada", again, *(simulator.new_track() for _ in range(130)))
    cancel_after(simulator, ada, writes=2)

    # The song is moved first, then the lower 100 of the new ones are added.
    stopped = run(ada)
    assert headlines(client)[0] == "Stopped half-way: 101 new, 1 gone"
    continued = run(ada)

    assert headlines(client)[:2] == ["30 new", "Stopped half-way: 101 new, 1 gone"]
    shares = [songs_of(client, request) for request in (stopped, continued)]
    assert sum(again in share for share in shares) == 1
    assert len(set.union(*shares)) == 131


def test_a_sync_that_was_continued_to_its_end_keeps_its_songs(
    simulator: Simulator, ada: User, client: Client
) -> None:
    client.force_login(ada)
    cancel_after(simulator, ada, writes=1)
    stopped = run(ada, "first")
    run(ada)
    written = songs_of(client, stopped)
    playlist = Playlist.objects.get(mirror__user=ada)
    simulator.take_out(playlist.spotify_id or "", min(written))

    run(ada)

    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert songs_of(client, stopped) == written
