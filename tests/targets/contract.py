"""What every target must do, whatever service is behind it.

A test module makes a class of ``TargetContract`` and provides a fixture ``service``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.targets.mirroring import DOUBT, add_loves, bring_up_to_date
from sync.targets.protocol import BadCredentials, Target, Unavailable

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class Service:
    """A service with songs in it, as a test sees it."""

    target: Target
    #: Ids of at least 120 songs that the service has.
    songs: list[str]
    #: A target whose password or token is wrong.
    stranger: Target
    #: The names of the calls that changed something, since it began.
    writes: Callable[[], list[Any]]
    #: Ends the service, so that nothing answers any more; None where a test cannot do that.
    stop: Callable[[], None] | None = None


@dataclass
class MemoryCopy:
    """A copy that counts how often it was stored."""

    remote_id: str = ""
    asked_name: str = ""
    written_name: str = ""
    doubt: str = ""
    doubt_since: datetime | None = None
    saves: int = 0

    def save(self) -> None:
        self.saves += 1


def bring(service: Service, copy: MemoryCopy, wanted: list[str], **changes: Any) -> Any:
    settings = {"name": "Liked Songs of Ada", "now": NOW, "save": copy.save, **changes}
    return bring_up_to_date(service.target, copy, wanted=wanted, **settings)


class TargetContract:
    @pytest.fixture
    def copy(self) -> MemoryCopy:
        return MemoryCopy()

    def test_check_finds_that_all_works(self, service: Service) -> None:
        checks = service.target.check()

        assert len(checks) >= 3
        assert [each.what for each in checks if each.works is False] == []

    def test_check_changes_nothing(self, service: Service) -> None:
        service.target.check()

        assert service.writes() == []

    def test_wrong_credentials_are_told_as_such(self, service: Service) -> None:
        with pytest.raises(BadCredentials):
            service.stranger.check()

    def test_a_new_playlist_holds_the_songs_in_their_order(
        self, service: Service, copy: MemoryCopy
    ) -> None:
        wanted = service.songs[:120][::-1]

        outcome = bring(service, copy, wanted)

        assert service.target.read_playlist(copy.remote_id) == wanted
        assert (outcome.count, outcome.added, outcome.removed) == (120, 120, 0)

    def test_a_second_run_writes_nothing(self, service: Service, copy: MemoryCopy) -> None:
        wanted = service.songs[:30]
        bring(service, copy, wanted)
        before = service.writes()

        outcome = bring(service, copy, wanted)

        assert service.writes() == before
        assert outcome.wrote is False

    @pytest.mark.parametrize(
        "change",
        [
            lambda songs: [songs[40], *songs[:30]],
            lambda songs: songs[1:30],
            lambda songs: [*songs[10:30], *songs[:10]],
            lambda songs: songs[:30][::-1],
            lambda songs: [*songs[20:30], *songs[60:75], songs[3], songs[1]],
        ],
        ids=["one more", "one fewer", "moved", "turned round", "all at once"],
    )
    def test_a_change_arrives(
        self, service: Service, copy: MemoryCopy, change: Callable[[list[str]], list[str]]
    ) -> None:
        bring(service, copy, service.songs[:30])
        wanted = change(service.songs)

        bring(service, copy, wanted)

        assert service.target.read_playlist(copy.remote_id) == wanted

    def test_each_song_is_there_once(self, service: Service, copy: MemoryCopy) -> None:
        first, second = service.songs[:2]

        bring(service, copy, [first, second, first])

        assert service.target.read_playlist(copy.remote_id) == [first, second]

    def test_what_somebody_changed_there_is_put_right(
        self, service: Service, copy: MemoryCopy
    ) -> None:
        wanted = service.songs[:5]
        bring(service, copy, wanted)
        service.target.write_playlist(copy.remote_id, wanted, [service.songs[9], wanted[2]])

        bring(service, copy, wanted)

        assert service.target.read_playlist(copy.remote_id) == wanted

    def test_a_playlist_with_songs_is_never_emptied(
        self, service: Service, copy: MemoryCopy
    ) -> None:
        wanted = service.songs[:5]
        bring(service, copy, wanted)

        outcome = bring(service, copy, [])

        assert outcome.left == "empty"
        assert service.target.read_playlist(copy.remote_id) == wanted

    def test_nothing_is_made_for_no_songs(self, service: Service, copy: MemoryCopy) -> None:
        bring(service, copy, [])

        assert service.writes() == []

    def test_most_songs_go_only_when_a_later_run_agrees(
        self, service: Service, copy: MemoryCopy
    ) -> None:
        wanted = service.songs[:100]
        bring(service, copy, wanted)

        first = bring(service, copy, wanted[:20])
        soon = bring(service, copy, wanted[:20], now=NOW + timedelta(minutes=1))
        kept = service.target.read_playlist(copy.remote_id)
        later = bring(service, copy, wanted[:20], now=NOW + DOUBT)

        assert (first.left, soon.left, later.left) == ("shrinks", "shrinks", "")
        assert kept == wanted
        assert service.target.read_playlist(copy.remote_id) == wanted[:20]

    def test_a_playlist_of_the_listener_of_that_name_is_left_alone(
        self, service: Service, copy: MemoryCopy
    ) -> None:
        theirs = service.target.create_playlist("Liked Songs of Ada", service.songs[:3])

        bring(service, copy, service.songs[5:9])

        assert copy.remote_id != theirs
        assert copy.written_name == "Liked Songs of Ada (Syncify)"
        assert service.target.read_playlist(theirs) == service.songs[:3]

    def test_a_playlist_that_was_made_by_an_attempt_that_died_is_taken(
        self, service: Service, copy: MemoryCopy
    ) -> None:
        copy.asked_name = copy.written_name = "Liked Songs of Ada"
        begun = service.target.create_playlist("Liked Songs of Ada", service.songs[:3])

        bring(service, copy, service.songs[:6])

        assert copy.remote_id == begun
        assert service.target.read_playlist(begun) == service.songs[:6]

    def test_a_new_name_is_followed(self, service: Service, copy: MemoryCopy) -> None:
        bring(service, copy, service.songs[:3])

        bring(service, copy, service.songs[:3], name="Ada’s favourites")

        assert service.target.find_playlist("Ada’s favourites") == copy.remote_id
        assert service.target.find_playlist("Liked Songs of Ada") is None

    def test_there_is_no_playlist_of_an_unknown_name(self, service: Service) -> None:
        assert service.target.find_playlist("No such playlist") is None

    def test_loves_are_added_and_none_is_taken_away(self, service: Service) -> None:
        add = {"progress": lambda _share: None}
        first = add_loves(service.target, service.songs[:4], **add)

        second = add_loves(service.target, service.songs[3:6], **add)

        assert (first, second) == (4, 2)
        assert service.target.loved() == set(service.songs[:6])

    def test_a_second_run_loves_nothing(self, service: Service) -> None:
        add = {"progress": lambda _share: None}
        add_loves(service.target, service.songs[:4], **add)
        before = service.writes()

        assert add_loves(service.target, service.songs[:4], **add) == 0
        assert service.writes() == before

    def test_a_service_that_is_down_is_unavailable(
        self, service: Service, copy: MemoryCopy
    ) -> None:
        if service.stop is None:
            pytest.skip("this service cannot be ended from here")
        bring(service, copy, service.songs[:3])
        service.stop()

        with pytest.raises(Unavailable):
            bring(service, copy, service.songs[:4])
