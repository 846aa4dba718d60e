"""Calls to Spotify that further playlists cost, counted: with 1, 5 and 50 of them."""

from typing import Any

import pytest

from accounts.models import User
from sync.mirrors import looking, selection
from sync.mirrors.costs import cost_of
from sync.mirrors.keeping import Details, create_mirror
from sync.mirrors.rule_json import from_json
from sync.models import InboxItem, Mirror, Playlist
from syncify.simulator.server import Simulator
from tests.driving import a_day_later, run

pytestmark = pytest.mark.django_db

#: Rules of every kind, as the presets have them.
KINDS = {
    "last 100": {"limit": 100},
    "before 2000": {"tests": [{"field": "year", "op": "at_most", "value": 1999}]},
    "one per artist": {"per_artist": 1},
    "shuffled each day": {"sort": "random", "limit": 100, "refresh": "daily"},
    "rediscover": {"sort": "rediscover", "limit": 30, "refresh": "daily"},
}


def make_mirrors(user: User, count: int) -> None:
    """``count`` playlists in all, the main one among them."""
    kinds = list(KINDS.items())
    for number in range(count - 1):
        name, rule = kinds[number % len(kinds)]
        create_mirror(user=user, details=Details(f"{name} {number}"), rule=from_json(rule))


#: By the number of playlists: how many a new like changes, and how many of these a song may have
#: to leave as well: limited ones always, "one per artist" where that artist had a song. One request
#: cannot both add and remove without new dates for all songs of the playlist.
CHANGED_BY_A_LIKE = {1: (1, 0), 5: (4, 2), 50: (31, 20)}


@pytest.mark.parametrize("count", CHANGED_BY_A_LIKE)
def test_what_a_quiet_sync_a_new_like_and_the_first_look_of_a_day_cost(
    simulator: Simulator, ada: User, count: int
) -> None:
    make_mirrors(ada, count)
    run(ada)
    assert run(ada, "scheduled").api_requests == 1

    simulator.like("ada", simulator.new_track(release_date="1995-05-01"))
    simulator.forget_requests()
    spent = run(ada, "scheduled").api_requests
    changed, limited = CHANGED_BY_A_LIKE[count]
    written = [one.path for one in simulator.requests if one.method != "GET"]
    assert len(set(written)) == changed
    assert changed <= len(written) <= changed + limited
    # The page of likes, one look at all playlists, and what is written.
    assert spent == 2 + len(written)

    Mirror.objects.filter(rule__refresh="daily").delete()
    run(ada, "scheduled")
    a_day_later()
    assert run(ada, "scheduled").api_requests <= 3


def test_an_edit_by_hand_is_noticed_by_the_look_that_playlists_share(
    simulator: Simulator, ada: User
) -> None:
    make_mirrors(ada, 3)
    run(ada)
    edited = [str(one.spotify_id) for one in Playlist.objects.filter(mirror__user=ada)]
    foreign = simulator.new_track()
    for playlist_id in edited:
        simulator.insert(playlist_id, f"spotify:track:{foreign}", position=0, by="bea")
    simulator.like("ada", simulator.new_track(release_date="1995-05-01"))

    request = run(ada, "scheduled")

    assert request.note.count("1 added there") == len(edited)
    assert all(f"spotify:track:{foreign}" not in simulator.playlist_uris(one) for one in edited)
    assert InboxItem.objects.filter(user=ada).count() == len(edited)


def test_a_list_of_playlists_that_is_older_than_some_seconds_is_read_again(
    simulator: Simulator, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_mirrors(ada, 3)
    run(ada)
    simulator.like("ada", simulator.new_track(release_date="1995-05-01"))
    monkeypatch.setattr(looking, "FRESH", 0)
    simulator.forget_requests()

    run(ada, "scheduled")

    # For the last one alone, no list is worth it.
    looks = [one.path.split("/")[2] for one in simulator.requests if one.method == "GET"]
    assert looks == ["me", "me", "me", "me", "playlists"]


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("status", {"code": 403}),
        ("status", {"code": 404}),
        ("emptypage", {}),
        ("patch", {"at": "items.*.snapshot_id"}),
        ("patch", {"at": "items.*.items"}),
        ("patch", {"at": "items.*.id"}),
    ],
)
def test_where_the_list_of_playlists_tells_nothing_each_is_asked_alone(
    simulator: Simulator, ada: User, fault: str, options: dict[str, Any]
) -> None:
    make_mirrors(ada, 3)
    run(ada)
    foreign = simulator.new_track()
    main = str(Playlist.objects.get(mirror__user=ada, mirror__is_main=True).spotify_id)
    simulator.insert(main, f"spotify:track:{foreign}", position=0, by="bea")
    simulator.like("ada", simulator.new_track(release_date="1995-05-01"))
    simulator.fault(fault, path="/me/playlists", times=0, **options)

    request = run(ada, "scheduled")

    assert request.state == "succeeded"
    assert "1 added there" in request.note
    assert f"spotify:track:{foreign}" not in simulator.playlist_uris(main)


@pytest.mark.parametrize(
    ("rule", "calls"),
    [
        ({"sort": "random", "limit": 100, "refresh": "daily"}, 1),
        ({"sort": "rediscover", "limit": 30, "refresh": "daily"}, 1),
        ({"sort": "random", "limit": 30, "refresh": "weekly"}, 1),
        ({"sort": "random", "limit": 150, "refresh": "monthly"}, 2),
    ],
)
def test_a_list_that_is_chosen_anew_costs_what_its_page_says(
    simulator: Simulator,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    rule: dict[str, object],
    calls: int,
) -> None:
    mirror = create_mirror(user=ada, details=Details("Daily"), rule=from_json(rule))
    run(ada)
    before = simulator.playlist_uris(str(Playlist.objects.get(mirror=mirror).spotify_id))
    a_day_later()
    usual = run(ada, "scheduled").api_requests
    # As on the next day, in the next week or month.
    a_day_later()
    monkeypatch.setattr(selection, "period_of", lambda *_: "another")
    Mirror.objects.filter(pk=mirror.pk).update(refreshed_at=None)

    spent = run(ada, "scheduled").api_requests - usual

    after = simulator.playlist_uris(str(Playlist.objects.get(mirror=mirror).spotify_id))
    assert after != before
    assert spent == calls
    assert f"At most {calls} request" in cost_of(from_json(rule))
