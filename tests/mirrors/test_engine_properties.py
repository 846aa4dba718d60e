"""Whatever happens to a library and its mirror, in whatever order: properties of whole syncs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models import QuerySet
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from sync.mirrors import mirror_sync
from sync.mirrors.planner import plan_mirror
from sync.models import Library, Playlist, SyncRequest
from sync.queue import store as queue
from syncify.simulator import api
from syncify.simulator.server import Simulator
from syncify.simulator.state import Recorded
from tests.builders import connect
from tests.driving import (
    a_day_later,
    a_week_later,
    run,
    run_again,
    run_for,
    songs_in,
    time_for_a_second_look,
)
from tests.mirrors.bystander import Bystander

pytestmark = pytest.mark.django_db

CAPACITY = 60
#: Waits, stops and losses of one sync, with room.
ATTEMPTS = 12

place = st.integers(0, 10_000)
few = st.integers(1, 4)


@pytest.fixture
def small_playlists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A playlist takes 60 songs and hands down 20, so that libraries need several."""
    monkeypatch.setattr(api, "PLAYLIST_MAX", CAPACITY)
    monkeypatch.setattr(
        mirror_sync, "plan_mirror", partial(plan_mirror, capacity=CAPACITY, hand_down=20)
    )


@dataclass
class Story:
    """A listener whose library and playlists change, and are brought together by syncs.

    ``hidden``: a like got an old date, which can balance an unlike so that only a full read shows
    both. ``edited``: somebody changed a playlist, which only a look shows. ``disturbed``: the
    library changed while it was read.
    """

    simulator: Simulator
    user: User
    hidden: bool = False
    edited: bool = False
    disturbed: bool = False

    # What the listener does

    def like(self, number: int) -> None:
        for _ in range(number):
            self.simulator.like("ada", self.simulator.new_track())

    def like_at_once(self, number: int) -> None:
        """An album: one date, which the newest song of before may share."""
        saved = self.simulator.saved("ada")
        tracks = [self.simulator.new_track() for _ in range(number)]
        self.simulator.like("ada", *tracks, at=saved[0].added_at if saved else None)

    def unlike(self, where: int, number: int) -> None:
        liked = self.simulator.liked("ada")
        at = where % len(liked) if liked else 0
        self.simulator.unlike("ada", *liked[at : at + number])

    def like_again(self, where: int) -> None:
        if liked := self.simulator.liked("ada"):
            self.simulator.like("ada", liked[where % len(liked)])

    def like_long_ago(self, where: int) -> None:
        if saved := self.simulator.saved("ada"):
            self.hidden = True
            at = saved[where % len(saved)].added_at
            self.simulator.like("ada", self.simulator.new_track(), at=at)

    def swap(self, where: int) -> None:
        """The total stays."""
        if self.simulator.saved("ada"):
            self.unlike(where, 1)
            self.like(1)

    # What somebody does to a playlist

    def _playlists(self) -> QuerySet[Playlist]:
        return Playlist.objects.filter(mirror__user=self.user).order_by("number")

    def _playlist(self, where: int) -> tuple[str, int, int]:
        """One of those there are, how many entries it has, and one of the places in it."""
        ids = [volume.spotify_id or "" for volume in self._playlists()]
        if not ids:
            return "", 0, 0
        playlist_id = ids[where % len(ids)]
        size = len(self.simulator.playlist_uris(playlist_id))
        self.edited = True
        return playlist_id, size, where % (size + 1)

    def insert(self, where: int, uri: str | None) -> None:
        playlist_id, size, at = self._playlist(where)
        if playlist_id and size < CAPACITY:
            self.simulator.insert(playlist_id, uri, position=at)

    def insert_foreign(self, where: int) -> None:
        self.insert(where, f"spotify:track:{self.simulator.new_track()}")

    def insert_null(self, where: int) -> None:
        self.insert(where, None)

    def double(self, where: int) -> None:
        if liked := self.simulator.liked("ada"):
            self.insert(where, liked[where % len(liked)])

    def take_out(self, where: int, number: int) -> None:
        playlist_id, _, at = self._playlist(where)
        if playlist_id:
            self.simulator.remove_positions(playlist_id, *range(at, at + number))

    def reorder(self, where: int, number: int) -> None:
        playlist_id, size, at = self._playlist(where)
        if at + number <= size:
            self.simulator.move(playlist_id, at, 0, number)

    # Syncs

    def day(self) -> None:
        a_day_later()

    def week(self) -> None:
        a_week_later()

    def sync(
        self,
        stops: list[tuple[int, bool]],
        lost: tuple[int, str] | None,
        meanwhile: tuple[int, Callable[["Story"], None]] | None,
    ) -> None:
        """A sync that is stopped after so many calls, or killed; loses an answer; is disturbed."""
        self.disturbed = False
        before = self._rows()
        self.simulator.advance(timedelta(minutes=1))
        seen = self._seen()
        if meanwhile:
            number, change = meanwhile
            self.simulator.after_request(_reads_likes(number), partial(self._disturb, change))
        if lost:
            skip, when = lost
            self.simulator.fault("drop", skip=skip, when=when)

        queue.enqueue(self.user.pk, trigger="manual")
        request = self._to_the_end(stops)
        self.simulator.clear_faults()
        self.simulator._hooks.clear()

        if self.disturbed:
            self.edited = True
            return
        read, looked = (now != then for now, then in zip(self._seen(), seen, strict=True))
        self.hidden, self.edited = self.hidden and not read, self.edited and not looked
        if not self.hidden and not self.edited:
            assert songs_in(self.simulator, self.user) == self.simulator.liked("ada")
        if "written anew" not in request.note:
            self._assert_dates_kept(before)

    def _seen(self) -> tuple[object, object]:
        """When the library was read to its end, and when the playlists were looked at."""
        looks = self._playlists().values_list("checked_at", flat=True)
        return Library.objects.get(user=self.user).full_read_at, list(looks)

    def _disturb(self, change: Callable[["Story"], None]) -> None:
        self.disturbed = True
        change(self)

    def _to_the_end(self, stops: list[tuple[int, bool]]) -> SyncRequest:
        for calls, killed in stops:
            if not run_for(self.user, calls, killed=killed):
                return SyncRequest.objects.filter(user=self.user).latest("id")
        for _ in range(ATTEMPTS):
            request = run_again(self.user)
            if request.completed:
                break
            time_for_a_second_look()
        assert request.state == "succeeded", (request.error_code, request.errors)
        return request

    def _rows(self) -> dict[str, dict[str | None, list[datetime | None]]]:
        """The dates of each song, by playlist."""
        found: dict[str, dict[str | None, list[datetime | None]]] = {}
        for volume in self._playlists().exclude(spotify_id=None):
            dates = found.setdefault(volume.spotify_id or "", {})
            for row in self.simulator.playlist(volume.spotify_id or "").rows:
                dates.setdefault(row.uri, []).append(row.added_at)
        return found

    def _assert_dates_kept(
        self, before: dict[str, dict[str | None, list[datetime | None]]]
    ) -> None:
        """Of songs that stayed in their playlist, and stood in it once."""
        for playlist_id, dates in self._rows().items():
            for uri, now in dates.items():
                then = before.get(playlist_id, {}).get(uri, now)
                assert then == now or len(then) > 1


def _reads_likes(number: int) -> Callable[[Recorded], bool]:
    """Fits the request that reads so many-th page of saved tracks from now."""
    seen = Counter[str]()

    def fits(one: Recorded) -> bool:
        seen[one.path] += 1
        return one.path == "/v1/me/tracks" and seen[one.path] == number

    return fits


@dataclass(frozen=True)
class Step:
    name: str
    arguments: tuple[Any, ...]

    def __call__(self, story: Story) -> None:
        getattr(story, self.name)(*self.arguments)


def step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.just(name), st.tuples(*arguments))


likes = st.one_of(
    step("like", few),
    step("like_at_once", few),
    step("unlike", place, few),
    step("like_again", place),
    step("like_long_ago", place),
    step("swap", place),
)
edits = st.one_of(
    step("insert_foreign", place),
    step("insert_null", place),
    step("double", place),
    step("take_out", place, few),
    step("reorder", place, few),
)
plain_sync = step("sync", st.just([]), st.none(), st.none())
troubled_sync = step(
    "sync",
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=3),
    st.none() | st.tuples(st.integers(0, 8), st.sampled_from(["before", "after"])),
    st.none() | st.tuples(st.integers(1, 3), likes),
)
histories = st.lists(
    st.tuples(
        st.lists(likes | edits | step("day") | step("week"), max_size=4),
        plain_sync | troubled_sync,
    ),
    max_size=5,
)


@settings(max_examples=40, derandomize=True)
@given(size=st.integers(0, 150), history=histories)
@pytest.mark.usefixtures("small_playlists")
def test_the_mirror_follows_its_library_through_everything(
    simulator: Simulator, size: int, history: list[tuple[list[Step], Step]]
) -> None:
    User.objects.all().delete()
    simulator.reset()
    songs = [simulator.new_track() for _ in range(size)]
    bystander = Bystander(simulator, *songs[::4])
    simulator.set_liked("ada", *songs)
    story = Story(simulator, connect(simulator, "ada"))

    for changes, sync in history:
        for change in (*changes, sync):
            change(story)

    a_week_later()
    a_day_later()
    story.sync([], None, None)
    assert songs_in(simulator, story.user) == simulator.liked("ada")
    volumes = story._playlists().count()
    a_day_later()
    bystander.assert_untouched()
    for most in (2 + volumes, 1):
        simulator.forget_requests()
        assert run(story.user, "scheduled").state == "succeeded"
        assert simulator.count() <= most
