"""The inbox of a shared playlist, whatever happens to it, with syncs that are killed."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from sync.mirrors import decisions
from sync.models import InboxItem, Mirror, Playlist, SyncRequest
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from tests.builders import connect
from tests.driving import run, run_again, run_for

pytestmark = pytest.mark.django_db

place = st.integers(0, 10_000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "add_again", "take_out", "like", "sync"]), place),
        st.tuples(st.sampled_from(["press_dismiss", "press_like", "press_undo", "sync"]), place),
        st.tuples(st.just("crash"), st.integers(0, 8)),
    ),
    min_size=3,
    max_size=14,
)


@dataclass
class Story:
    """A listener, friends who edit the playlist, and syncs that bring it right, or are killed."""

    simulator: Simulator
    user: User
    playlist: str
    #: Uris that must stay liked, that somebody else brought, and that must not wait again.
    liked: set[str]
    foreign: dict[str, None] = field(default_factory=dict)  # in order, as uris are random
    dismissed: set[str] = field(default_factory=set)

    def items(self, **fields: object) -> list[InboxItem]:
        items = InboxItem.objects.filter(user=self.user, kind="added", **fields)
        return list(items.order_by("id"))

    # Friends, and the listener in Spotify

    def _put(self, uri: str) -> None:
        self.foreign[uri] = None
        # In the second of a look it would count as a song that Spotify failed to remove.
        self.simulator.advance(timedelta(seconds=2))
        self.simulator.insert(self.playlist, uri, position=0, by="bea")

    def add(self, _: int) -> None:
        self._put(f"spotify:track:{self.simulator.new_track()}")

    def add_again(self, where: int) -> None:
        present = set(self.simulator.playlist_uris(self.playlist))
        if gone := [uri for uri in self.foreign if uri not in present]:
            # Once a sync has seen it gone, it is a new addition.
            self.dismissed.discard(gone[where % len(gone)])
            self._put(gone[where % len(gone)])

    def take_out(self, where: int) -> None:
        if uris := self.simulator.playlist_uris(self.playlist):
            self.simulator.take_out(self.playlist, uris[where % len(uris)] or "")

    def like(self, _: int) -> None:
        track = self.simulator.new_track()
        self.simulator.like(self.user.spotify_id, track)
        self.liked.add(f"spotify:track:{track}")

    # The listener in the inbox

    def press_dismiss(self, where: int) -> None:
        if waiting := self.items(state="waiting"):
            chosen = waiting[where % len(waiting)]
            decisions.dismiss(self.user, InboxItem.objects.filter(pk=chosen.pk))
            self._note_moment(chosen)
            self.dismissed.add(_uri(chosen))

    def press_like(self, where: int) -> None:
        if waiting := self.items(state="waiting"):
            chosen = waiting[where % len(waiting)]
            decisions.like(self.user, InboxItem.objects.filter(pk=chosen.pk))
            self._note_moment(chosen)

    def _note_moment(self, chosen: InboxItem) -> None:
        # Spotify's clock is ahead here.
        InboxItem.objects.filter(pk=chosen.pk).update(decided_at=self.simulator.now)

    def press_undo(self, where: int) -> None:
        if decided := self.items(state__in=["liked", "dismissed"]):
            chosen = decided[where % len(decided)]
            if decisions.undo(self.user, InboxItem.objects.filter(pk=chosen.pk)):
                self.dismissed.discard(_uri(chosen))

    # Syncs

    def sync(self, _: int) -> None:
        run(self.user)

    def crash(self, calls: int) -> None:
        queue.enqueue(self.user.pk, trigger="manual")
        run_for(self.user, calls, killed=True)

    # What must hold after each step

    def check(self) -> None:
        self.liked |= {_uri(item) for item in self.items(delivery="done")}
        assert self.liked <= set(self.simulator.liked(self.user.spotify_id))
        waiting = [_uri(item) for item in self.items(state="waiting")]
        assert len(set(waiting)) == len(waiting)
        assert {_uri(item) for item in self.items()} <= self.foreign.keys()
        assert not self.dismissed.intersection(waiting)


def _uri(item: InboxItem) -> str:
    return f"spotify:track:{item.track_id}"


@settings(max_examples=30)
@given(steps=STEPS, keeps=st.booleans())
def test_no_like_is_removed_and_each_foreign_song_waits_once(
    simulator: Simulator, steps: list[tuple[str, int]], keeps: bool
) -> None:
    name = f"listener{simulator.new_track()}"
    simulator.add_listener(name)
    simulator.set_liked(name, *[simulator.new_track() for _ in range(8)])
    user = connect(simulator, name)
    Mirror.objects.filter(user=user).update(keeps_additions=keeps)
    run(user, "first")
    playlist = Playlist.objects.get(mirror__user=user).spotify_id or ""
    story = Story(simulator, user, playlist, set(simulator.liked(name)))

    for step, where in steps:
        getattr(story, step)(where)
        story.check()

    run(user)
    if SyncRequest.objects.filter(user=user, completed=None).exists():
        run_again(user)
    story.check()
    present, liked = simulator.playlist_uris(playlist), simulator.liked(name)
    assert [uri for uri in present if uri in set(liked)] == liked
    others = set(present).difference(liked)
    assert others <= ({_uri(item) for item in story.items()} if keeps else set())
