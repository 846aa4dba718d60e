"""Calls to Spotify that further playlists cost, counted: with 1, 5 and 50 of them."""

import pytest

from accounts.models import User
from sync.mirrors import selection
from sync.mirrors.costs import cost_of
from sync.mirrors.keeping import Details, create_mirror
from sync.mirrors.rules import from_json
from sync.models import Mirror, Playlist
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


@pytest.mark.parametrize("count", [1, 5, 50])
def test_a_scheduled_sync_without_changes_costs_one_call_however_many_playlists(
    ada: User, count: int
) -> None:
    make_mirrors(ada, count)
    run(ada)

    assert run(ada, "scheduled").api_requests == 1


@pytest.mark.parametrize("count", [1, 5, 50])
def test_the_first_look_of_a_day_costs_at_most_three_calls(ada: User, count: int) -> None:
    make_mirrors(ada, count)
    Mirror.objects.filter(rule__refresh="daily").delete()
    run(ada)
    a_day_later()

    assert run(ada, "scheduled").api_requests <= 3


@pytest.mark.parametrize("count", [1, 5])
def test_a_new_like_costs_at_most_three_calls_for_each_playlist(
    simulator: Simulator, ada: User, count: int
) -> None:
    make_mirrors(ada, count)
    run(ada)
    simulator.like("ada", simulator.new_track(release_date="1995-05-01"))

    assert run(ada, "scheduled").api_requests <= 3 * count


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
