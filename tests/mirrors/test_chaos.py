"""Two hundred syncs while Spotify fails, workers die and libraries change: nothing is lost."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from sync.mirrors import mirror_sync, planner, services
from sync.models import (
    Mirror,
    MirrorTrack,
    Playlist,
    SavedTrack,
    StoredPage,
    SyncRequest,
)
from sync.queue import store as queue
from syncify.simulator import api
from syncify.simulator.faults import WAYS
from syncify.simulator.server import Simulator
from syncify.simulator.state import bare
from syncify.spotify.client import SpotifyClient
from syncify.spotify.models import Block
from tests.builders import connect
from tests.driving import end_waits, songs_in, time_for_a_second_look, worker
from tests.mirrors.bystander import Bystander

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SYNCS = 200
#: Shares of Spotify's calls that fail, and of those at which a worker dies or loses its lease.
FAIL, DIE = 0.1, 0.02
#: As Spotify's 10,000, so that a library of 300 songs needs several playlists.
CAPACITY, HAND_DOWN = 120, 20
LIBRARIES = {"dora": 0, "emil": 3, "finn": 45, "gwen": 110, "hugo": 300}
#: All ways to fail, but without long waits.
QUICK_WAYS = tuple(
    way.replace("seconds=0.5", "seconds=0.02").replace("seconds=0.2", "seconds=0.02")
    for way in WAYS
)
#: What a sync may end with here; anything else would be a fault of ours.
KNOWN_ERRORS = {
    "unavailable",
    "outcome_unknown",
    "spotify_unavailable",
    "library_changing",
    "playlist_changing",
    "playlist_removed",
    "playlist_gone",
    "not_found",
    "worker_lost",
}


class Killed(BaseException):
    """The worker is gone: nothing of it runs any more."""


class Chaos:
    """Everything that happens, drawn from one seed."""

    def __init__(self, simulator: Simulator, seed: int) -> None:
        self.simulator = simulator
        self.figures: Counter[str] = Counter()
        self._random = Random(seed)
        self._dies = True
        self._disturbed: set[str] = set()
        simulator.chaos(seed, FAIL, ways=QUICK_WAYS, path="/")
        self.users: list[User] = []
        for name, size in LIBRARIES.items():
            if name not in simulator.listeners:
                simulator.add_listener(name)
            simulator.set_liked(name, *(simulator.new_track() for _ in range(size)))
            self.users.append(connect(simulator, name))
        self.poisoned = simulator.liked("gwen")[30]
        self._poison()

    def calm_down(self) -> None:
        """From here on only the song that Spotify never takes is left."""
        self.figures["faults"] = sum(
            one.outcome.startswith("fault: ") for one in self.simulator.requests
        )
        self._dies = False
        self.simulator.clear_faults()
        self._poison()

    def wake(self, user: User) -> None:
        """Let the listener decide what becomes of a playlist that has left their library."""
        for mirror in Mirror.objects.filter(user=user, state=Mirror.State.REMOVED):
            held = Playlist.objects.filter(mirror=mirror).values_list("spotify_id", flat=True)
            is_there = set(held) <= set(self.simulator.all_playlists)
            (services.bring_back if is_there else services.make_new_playlist)(mirror)

    def any_user(self) -> User:
        return self._random.choice(self.users)

    def change(self, user: User) -> None:
        """Something that a listener does, now or while a sync goes on."""
        name = user.spotify_id
        any_time = [self._like, self._unlike, self._like_again, self._put_in, self._take_out]
        any_time += [self._unfollow, self._destroy]
        # Songs moved by hand between a look and our own write, seconds later, are not noticed.
        at_rest = [self._lose_many, self._move, self._rename]
        if self._random.random() < 0.3:
            [what] = self._random.choices(any_time, [30, 30, 15, 3, 3, 2, 2])
            moment = self._random.randint(1, 12)
            self.simulator.after_request(moment, lambda: self._disturb(what, name))
        else:
            [what] = self._random.choices(any_time + at_rest, [30, 30, 15, 3, 3, 2, 2, 2, 3, 5])
            what(name)
        if self._random.random() < 0.1:
            self.simulator.expire_access_tokens(name)

    def _disturb(self, what: Callable[[str], None], name: str) -> None:
        self._disturbed.add(name)
        what(name)

    def work(self) -> bool:
        """A worker that has just started takes one job, as far as it gets; False if none is left.

        A sync that succeeds has set everything right, unless its listener did something meanwhile.
        """
        let_time_pass()
        self._disturbed.clear()
        succeeded = SyncRequest.objects.filter(state=SyncRequest.State.SUCCEEDED)
        before = set(succeeded.values_list("pk", flat=True))
        try:
            worked = worker().run_one()
        except Killed:
            return True
        assert not SyncRequest.objects.filter(state=SyncRequest.State.RUNNING)
        for request in succeeded.exclude(pk__in=before):
            is_active = Mirror.objects.filter(user=request.user, state="active").exists()
            if is_active and request.user.spotify_id not in self._disturbed:
                self.figures["checked"] += 1
                self.check(request.user)
        return worked

    def check(self, user: User) -> None:
        """The playlists hold each of the Liked Songs once, and nothing else."""
        liked = self.simulator.liked(user.spotify_id)
        assert songs_in(self.simulator, user) == [uri for uri in liked if uri != self.poisoned]

    def send(self, real: Callable[..., Any], client: SpotifyClient, *args: Any) -> Any:
        """One call to Spotify, which the worker may not survive, or not as holder of its lease."""
        self.figures["calls"] += 1
        fate = self._random.random() if self._dies else 1.0
        if fate < DIE / 4:
            self._lose_lease()
            raise Killed
        answer = real(client, *args)
        if fate < DIE / 2:
            self._lose_lease()
            raise Killed
        if fate < DIE:
            self._lose_lease()
        return answer

    def _lose_lease(self) -> None:
        """The lease runs out, and another worker takes the job back: ours can write no more."""
        self.figures["kills"] += 1
        running = SyncRequest.objects.filter(state=SyncRequest.State.RUNNING)
        running.update(leased_until=timezone.now() - timedelta(seconds=1))
        self.figures["rescues"] += queue.rescue().total()

    def _poison(self) -> None:
        self.simulator.fault("poison", uri=self.poisoned, code=502)

    # --- What a listener does ---------------------------------------------------------------------

    def _pick(self, items: list[Any], most: int) -> list[Any]:
        return self._random.sample(items, min(len(items), self._random.randint(1, most)))

    def _like(self, name: str) -> None:
        self.simulator.advance(timedelta(minutes=1))
        count = self._random.choice([1, 1, 2, 5, 60])
        self.simulator.like(name, *(self.simulator.new_track() for _ in range(count)))

    def _unlike(self, name: str, most: int = 20) -> None:
        likes = [uri for uri in self.simulator.liked(name) if uri != self.poisoned]
        self.simulator.unlike(name, *self._pick(likes, most))

    def _like_again(self, name: str) -> None:
        self.simulator.advance(timedelta(minutes=1))
        self.simulator.like(name, *self._pick(self.simulator.liked(name), 3))

    def _lose_many(self, name: str) -> None:
        for _ in range(5):
            self._unlike(name, most=100)

    def _put_in(self, name: str) -> None:
        """By hand, in Spotify: somebody's song, one that is there, or a row without a song."""
        for playlist_id in self._pick(self.simulator.playlists(name), 1):
            uris = self.simulator.playlist_uris(playlist_id)
            foreign = f"spotify:track:{self.simulator.new_track()}"
            if len(uris) < CAPACITY:
                uri = self._random.choice([foreign, None, *uris[:1]])
                self.simulator.insert(playlist_id, uri, position=len(uris) // 2)

    def _take_out(self, name: str) -> None:
        for playlist_id in self._pick(self.simulator.playlists(name), 1):
            size = len(self.simulator.playlist_uris(playlist_id))
            self.simulator.remove_positions(playlist_id, *self._pick(list(range(size)), 3))

    def _move(self, name: str) -> None:
        for playlist_id in self._pick(self.simulator.playlists(name), 1):
            if uris := self.simulator.playlist_uris(playlist_id):
                self.simulator.move(playlist_id, self._random.randrange(len(uris)), 0)

    def _unfollow(self, name: str) -> None:
        for playlist_id in self._pick(self.simulator.playlists(name), 1):
            self.simulator.unfollow(name, playlist_id)

    def _destroy(self, name: str) -> None:
        for playlist_id in self._pick(self.simulator.playlists(name), 1):
            self.simulator.destroy_playlist(playlist_id)

    def _rename(self, name: str) -> None:
        mirror = Mirror.objects.get(user__spotify_id=name)
        services.change_settings(mirror=mirror, name=f"Songs {self._random.randrange(1000)}")


def let_time_pass() -> None:
    """All that waits need wait no longer; playlists were looked at yesterday."""
    Block.objects.all().delete()
    now = timezone.now()
    time_for_a_second_look()
    Playlist.objects.update(checked_at=now - timedelta(days=1))
    for user in User.objects.all():
        end_waits(user)


@pytest.fixture
def chaos(bystander: Bystander, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Chaos:
    chaos = Chaos(simulator, seed=20261123)
    small = partial(planner.plan_mirror, capacity=CAPACITY, hand_down=HAND_DOWN)
    monkeypatch.setattr(mirror_sync, "plan_mirror", small)
    monkeypatch.setattr(api, "PLAYLIST_MAX", CAPACITY)
    real = SpotifyClient._send
    monkeypatch.setattr(SpotifyClient, "_send", lambda *args: chaos.send(real, *args))
    return chaos


def test_after_all_trouble_every_playlist_equals_its_liked_songs(
    bystander: Bystander,
    chaos: Chaos,
    simulator: Simulator,
    record_property: Callable[[str, object], None],
) -> None:
    queued = 0
    while queued < SYNCS:
        user = chaos.any_user()
        chaos.change(user)
        if not queued % 3:
            chaos.wake(user)
        trigger = "manual" if queued % 2 else "scheduled"
        _, is_new = queue.enqueue(user.pk, trigger=trigger)
        queued += is_new
        assert chaos.work()

    chaos.calm_down()
    while chaos.work():
        pass
    for _ in range(3):  # a playlist that is gone is missed, then believed to be, then made anew
        for user in chaos.users:
            chaos.wake(user)
            queue.enqueue(user.pk, trigger="manual")
        while chaos.work():
            pass

    for name, value in {"syncs": queued, **chaos.figures}.items():
        record_property(name, value)
    for user in chaos.users:
        latest = SyncRequest.objects.filter(user=user).latest("id")
        assert latest.state == SyncRequest.State.SUCCEEDED
        liked = simulator.liked(user.spotify_id)
        likes = SavedTrack.objects.filter(user=user, removed_at=None).order_by("-added_at", "rank")
        assert [f"spotify:track:{like.track_id}" for like in likes] == liked
        chaos.check(user)
        volumes = Playlist.objects.filter(mirror__user=user)
        held = {volume.spotify_id for volume in volumes}
        assert set(simulator.playlists(user.spotify_id)) == held
        dates = [row.added_at for one in held for row in simulator.playlist(one or "").rows]
        assert None not in dates
    bystander.assert_untouched()
    refused = MirrorTrack.objects.exclude(refused_at=None)
    assert [like.track_id for like in refused] == [bare(chaos.poisoned)]
    assert not SyncRequest.objects.filter(completed=None)
    assert not StoredPage.objects.all()
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT jsonb_path_query(errors, '$[*].code') FROM sync_requests")
        assert {code.strip('"') for (code,) in cursor.fetchall()} <= KNOWN_ERRORS
    assert chaos.figures["faults"] > SYNCS / 2
    assert chaos.figures["rescues"] > SYNCS / 20
