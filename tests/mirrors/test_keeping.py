"""Further playlists, from the page's press to the simulated Spotify."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.tokens import ConnectionTokens
from sync.mirrors.engine import run_sync
from sync.mirrors.keeping import (
    Details,
    NameTaken,
    TooManyMirrors,
    create_mirror,
    delete_mirror,
    duplicate_mirror,
    freeze_mirror,
)
from sync.mirrors.rule_json import from_json, to_json
from sync.mirrors.rules import Rule
from sync.mirrors.services import change_rule
from sync.models import Mirror, Playlist
from sync.queue import store as queue
from sync.queue.job import Job
from syncify.simulator.server import Simulator
from syncify.spotify.client import SpotifyClient
from tests.builders import main_mirror
from tests.driving import end_waits, run, run_again, run_for

pytestmark = pytest.mark.django_db

NEWEST = from_json({"limit": 5})
OLDEST = from_json({"limit": 5, "sort": "oldest_like"})


def make(user: User, name: str = "Mine", rule: Rule = NEWEST, **settings: bool) -> Mirror:
    return create_mirror(user=user, details=Details(name, **settings), rule=rule)


def held(simulator: Simulator, mirror: Mirror) -> list[str | None]:
    """What the mirror's playlists hold at Spotify."""
    playlists = Playlist.objects.filter(mirror=mirror).exclude(spotify_id=None)
    ids = playlists.values_list("spotify_id", flat=True)
    return [uri for each in ids for uri in simulator.playlist_uris(str(each))]


def newest(simulator: Simulator) -> list[str]:
    return [f"spotify:track:{song.id}" for song in simulator.saved("ada")]


def test_a_new_playlist_is_made_at_spotify(simulator: Simulator, ada: User) -> None:
    mirror = make(ada)

    request = run(ada)

    assert request.state == "succeeded"
    assert held(simulator, mirror) == newest(simulator)[:5]
    assert simulator.playlist(Playlist.objects.get(mirror=mirror).spotify_id or "").name == "Mine"


def test_a_rule_that_selects_nothing_makes_an_empty_playlist(
    simulator: Simulator, ada: User
) -> None:
    mirror = make(
        ada, rule=from_json({"tests": [{"field": "year", "op": "at_least", "value": 2200}]})
    )

    assert run(ada).state == "succeeded"
    assert held(simulator, mirror) == []


def test_songs_that_a_playlist_takes_from_main_return_when_it_is_deleted(
    simulator: Simulator, ada: User
) -> None:
    mirror = make(ada, takes_from_main=True)
    run(ada)
    without = held(simulator, main_mirror(ada))
    delete_mirror(mirror)

    run(ada)

    assert without == newest(simulator)[5:]
    assert held(simulator, main_mirror(ada)) == newest(simulator)


def test_a_frozen_list_stays_as_it_is_and_still_takes_its_songs_from_main(
    simulator: Simulator, ada: User
) -> None:
    mirror = make(ada, takes_from_main=True)
    run(ada)
    before = held(simulator, mirror)
    freeze_mirror(mirror)
    first = (before[0] or "").removeprefix("spotify:track:")
    simulator.unlike("ada", first)

    run(ada)

    assert held(simulator, mirror) == before
    assert held(simulator, main_mirror(ada)) == [
        uri for uri in newest(simulator) if uri not in before
    ]


def test_a_copy_of_a_fixed_list_holds_its_songs(simulator: Simulator, ada: User) -> None:
    mirror = make(ada, rule=OLDEST)
    run(ada)
    freeze_mirror(mirror)

    copy = duplicate_mirror(mirror)
    run(ada)

    assert held(simulator, copy) == held(simulator, mirror)


def test_names_and_numbers_of_playlists_have_limits(ada: User) -> None:
    make(ada, "Mine")
    with pytest.raises(NameTaken):
        make(ada, "MINE")
    for number in range(48):
        make(ada, f"{number}")

    with pytest.raises(TooManyMirrors):
        make(ada, "One more")


@pytest.mark.parametrize("choice", ["stays", "goes"])
def test_a_deleted_playlist_leaves_the_library_only_if_that_was_chosen(
    simulator: Simulator, ada: User, client: Client, choice: str
) -> None:
    mirror = make(ada)
    run(ada)
    [main, further] = Playlist.objects.order_by("mirror__id").values_list("spotify_id", flat=True)
    client.force_login(ada)

    client.post(f"/playlists/{mirror.pk}/delete/", {"at_spotify": choice})

    kept = {str(main)} | ({str(further)} if choice == "stays" else set())
    assert kept <= set(simulator.playlists("ada"))
    assert (str(further) in simulator.playlists("ada")) == (choice == "stays")
    assert run(ada).state == "succeeded"
    assert not Mirror.objects.filter(pk=mirror.pk).exists()


class _Gate:
    """Lets all calls through, and does something before one of them."""

    developer = ""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self.calls = 0
        self._number = number
        self._act = act

    def admit(self) -> None:
        self.calls += 1
        if self.calls == self._number:
            self._act()

    def block(self, **_: object) -> None:
        raise AssertionError("nothing blocks here")


def sync_and(user: User, number: int, act: Callable[[], object]) -> int:
    """Sync, with ``act`` done before the call of this number; returns how many calls it took."""
    queue.enqueue(user.pk, trigger="manual")
    end_waits(user)
    request = queue.claim(worker="test")
    assert request is not None
    job, gate = Job(request), _Gate(number, act)
    job.client = SpotifyClient(
        api_url=settings.SPOTIFY_API_URL,
        tokens=ConnectionTokens(user.pk),
        gate=gate,  # type: ignore[arg-type]
        sleep=lambda _: None,
    )
    run_sync(job)
    job.client.close()
    request.refresh_from_db()
    assert request.state == "succeeded"
    return gate.calls


@pytest.mark.parametrize("number", range(1, 12))
def test_a_mirror_that_is_deleted_while_its_sync_runs_does_not_break_the_sync(
    simulator: Simulator, ada: User, number: int
) -> None:
    make(ada, "Stays", OLDEST)
    mirror = make(ada, "Goes")

    sync_and(ada, number, lambda: delete_mirror(mirror))

    assert not Mirror.objects.filter(pk=mirror.pk).exists()
    assert held(simulator, main_mirror(ada)) == newest(simulator)
    assert held(simulator, Mirror.objects.get(name="Stays")) == newest(simulator)[:-6:-1]


def test_a_choice_that_was_not_written_is_not_lost(simulator: Simulator, ada: User) -> None:
    rule = from_json({"sort": "rediscover", "limit": 5, "refresh": "daily"})
    mirror = make(ada, "Daily", rule)
    run(ada)
    before = held(simulator, mirror)
    Mirror.objects.filter(pk=mirror.pk).update(refreshed_at=timezone.now() - timedelta(days=2))
    mirror.refresh_from_db()
    rotation = {**mirror.rotation, "period": "yesterday"}
    Mirror.objects.filter(pk=mirror.pk).update(rotation=rotation)

    queue.enqueue(ada.pk, trigger="scheduled")
    interrupted = run_for(ada, 2, killed=True)
    mirror.refresh_from_db()
    assert interrupted
    assert mirror.rotation == rotation
    run_again(ada)

    after = held(simulator, mirror)
    assert len(after) == 5
    assert not set(after) & set(before)


def test_a_rule_that_is_changed_while_a_sync_runs_is_followed_by_the_next(
    simulator: Simulator, ada: User
) -> None:
    mirror = make(ada, "Daily", from_json({"sort": "random", "limit": 5, "refresh": "daily"}))
    other = from_json({"sort": "newest_like", "limit": 3, "refresh": "daily"})

    sync_and(ada, 9, lambda: change_rule(mirror, to_json(other)))
    run(ada)

    assert held(simulator, mirror) == newest(simulator)[:3]
