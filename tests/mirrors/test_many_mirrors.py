"""A sync of several mirrors: what each costs, and how one's trouble leaves the others alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from sync.mirrors import services
from sync.models import (
    Library,
    Mirror,
    MirrorTrack,
    Playlist,
    PlaylistItems,
    SyncRequest,
    SyncResult,
)
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from syncify.simulator.state import bare
from tests.driving import (
    a_day_later,
    mirrored,
    outcome,
    run,
    run_again,
    run_for,
    time_for_a_second_look,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]

DONE = ("succeeded", "", 0)


def rule_mirror(user: User, name: str, *, limit: int = 10, **fields: Any) -> Mirror:
    """Of the newest likes."""
    rule = {"limit": limit, **fields.pop("rule", {})}
    return Mirror.objects.create(user=user, is_main=False, name=name, rule=rule, **fields)


def playlist_of(mirror: Mirror) -> Playlist:
    return Playlist.objects.get(mirror=mirror, number=1)


def held(simulator: Simulator, mirror: Mirror) -> list[str | None]:
    volumes = Playlist.objects.filter(mirror=mirror)
    return [uri for volume in volumes for uri in simulator.playlist_uris(volume.spotify_id or "")]


def main_of(user: User) -> Mirror:
    return Mirror.objects.get(user=user, is_main=True)


def like_one(simulator: Simulator) -> str:
    track = simulator.new_track()
    simulator.like("ada", track)
    return f"spotify:track:{track}"


# --- What it costs ---


@pytest.mark.parametrize("count", [1, 5, 48])
def test_what_the_kinds_of_sync_cost_with_many_mirrors(
    ada: User, simulator: Simulator, count: int
) -> None:
    mirrors = [rule_mirror(ada, f"Newest {n}", limit=10 + n) for n in range(count)]
    assert outcome(run(ada, "first")) == DONE
    simulator.forget_requests()

    # Nothing changed.
    assert run(ada, "scheduled").api_requests == 1
    # The first look of the day.
    a_day_later()
    assert run(ada, "scheduled").api_requests == 2
    # Whoever presses the button gets a look.
    assert run(ada, "manual").api_requests == 2
    # A song of the past that comes and goes concerns the main mirror alone.
    simulator.unlike("ada", simulator.liked("ada")[120])
    assert run(ada, "scheduled").api_requests <= 1 + 2 + 2
    # One look for all, then a write for the main mirror and two for each limited one.
    like_one(simulator)
    assert run(ada, "scheduled").api_requests == 1 + 1 + 1 + 2 * count
    for mirror in mirrors:
        assert held(simulator, mirror) == simulator.liked("ada")[: (mirror.rule or {})["limit"]]


def test_a_listener_with_many_playlists_of_their_own_is_asked_about_ours_alone(
    ada: User, simulator: Simulator
) -> None:
    rule_mirror(ada, "Newest")
    run(ada, "first")
    for number in range(120):
        simulator.create_playlist("ada", f"Own {number}")
    a_day_later()

    request = run(ada, "scheduled")

    assert outcome(request) == DONE
    assert request.api_requests == 1 + 3  # no more than the library and a look at each


# --- What each is ---


def test_the_request_keeps_the_sums_of_what_was_done_to_each(
    ada: User, simulator: Simulator
) -> None:
    newest = rule_mirror(ada, "Newest", limit=30)

    request = run(ada, "first")

    results = {result.mirror_id: result for result in request.results.all()}
    assert {key: (one.state, one.added) for key, one in results.items()} == {
        main_of(ada).pk: ("done", 180),
        newest.pk: ("done", 30),
    }
    assert request.added == 210
    assert mirrored(simulator, ada)[:180] == simulator.liked("ada")


def test_songs_of_a_mirror_that_takes_them_leave_the_main_one(
    ada: User, simulator: Simulator
) -> None:
    taker = rule_mirror(ada, "Newest", limit=30, takes_from_main=True)
    run(ada, "first")
    liked = simulator.liked("ada")

    assert held(simulator, taker) == liked[:30]
    assert held(simulator, main_of(ada)) == liked[30:]

    # Paused, it holds what it held.
    services.pause_mirror(ada, taker)
    fresh = like_one(simulator)
    run(ada, "scheduled")
    assert held(simulator, main_of(ada)) == [fresh, *liked[30:]]

    # What Spotify refuses there is not lost.
    services.resume_mirror(ada, taker)
    MirrorTrack.objects.create(
        mirror=taker, track_id=bare(liked[3]), refused_at=timezone.now(), refused_reason="x"
    )
    run_again(ada)
    assert liked[3] in held(simulator, main_of(ada))
    assert liked[3] not in held(simulator, taker)


@pytest.mark.parametrize("rule", [{"limit": 0}, {"sort": "by magic"}, [], {"tests": "all"}])
def test_a_rule_that_cannot_be_read_marks_its_mirror_and_leaves_the_others_alone(
    ada: User, simulator: Simulator, rule: Any
) -> None:
    newest = rule_mirror(ada, "Newest")
    run(ada, "first")
    before = held(simulator, newest)
    Mirror.objects.filter(pk=newest.pk).update(rule=rule)
    like_one(simulator)

    assert outcome(run(ada, "scheduled")) == DONE

    newest.refresh_from_db()
    assert newest.broken
    assert held(simulator, newest) == before
    assert held(simulator, main_of(ada)) == simulator.liked("ada")

    services.change_rule(newest, {"limit": 5})
    assert outcome(run_again(ada)) == DONE
    assert held(simulator, newest) == simulator.liked("ada")[:5]


@pytest.mark.parametrize("refresh", ["daily", "weekly", "monthly"])
def test_a_list_that_is_chosen_now_and_then_stays_in_between(
    ada: User, simulator: Simulator, refresh: str
) -> None:
    newest = rule_mirror(ada, "Newest", refresh=refresh)
    run(ada, "first")
    before = simulator.liked("ada")[:10]
    like_one(simulator)
    gone = simulator.liked("ada")[4]
    simulator.unlike("ada", gone)

    run(ada, "scheduled")

    assert held(simulator, newest) == [uri for uri in before if uri != gone]
    Mirror.objects.filter(user=ada).update(refreshed_at=timezone.now() - timedelta(days=40))
    run(ada, "scheduled")
    assert held(simulator, newest) == simulator.liked("ada")[:10]


def test_a_mirror_leaves_out_what_its_listener_excludes_and_keeps_what_they_keep(
    ada: User, simulator: Simulator
) -> None:
    newest = rule_mirror(ada, "Newest", limit=3)
    liked = simulator.liked("ada")
    run(ada, "first")
    for uri, choice in ((liked[1], "excluded"), (liked[100], "kept")):
        MirrorTrack.objects.create(mirror=newest, track_id=bare(uri), choice=choice)

    run(ada, "scheduled")

    assert held(simulator, newest) == [liked[0], liked[2], liked[100]]


def test_only_the_main_playlist_asks_for_a_new_sign_in(ada: User, simulator: Simulator) -> None:
    newest = rule_mirror(ada, "Newest")
    consent = ada.connection
    consent.authorized_at = timezone.now() - timedelta(days=178)
    consent.save()

    run(ada, "first")

    playlist = simulator.playlist(playlist_of(newest).spotify_id or "")
    assert "sign in to Syncify again" not in playlist.description


# --- One's trouble is not the others' ---


def test_a_mirror_that_fails_stops_no_other_and_is_tried_again_alone(
    ada: User, simulator: Simulator
) -> None:
    broken, fine = rule_mirror(ada, "Broken"), rule_mirror(ada, "Fine", limit=5)
    run(ada, "first")
    like_one(simulator)
    path = f"/playlists/{playlist_of(broken).spotify_id}"
    simulator.fault("status", path=path, code=503, times=0)

    request = run(ada, "scheduled")

    assert outcome(request) == ("queued", "unavailable", 1)
    assert held(simulator, main_of(ada)) == simulator.liked("ada")
    assert held(simulator, fine) == simulator.liked("ada")[:5]
    states = dict(request.results.values_list("mirror__name", "state"))
    assert (states["Broken"], states["Fine"]) == ("failed", "done")
    [result] = request.results.filter(state=SyncResult.State.FAILED)
    assert (result.error_code, result.error_message) == ("unavailable", "Spotify did not answer.")

    simulator.clear_faults()
    simulator.forget_requests()
    assert outcome(run_again(ada)) == ("succeeded", "", 1)
    assert held(simulator, broken) == simulator.liked("ada")[:10]
    # The likes; the playlist and its items, as a write to it had no answer; and two writes.
    assert simulator.count() == 1 + 2 + 2
    assert set(request.results.values_list("state", flat=True)) == {"done"}


def test_the_request_says_whose_trouble_it_was(ada: User, simulator: Simulator) -> None:
    jazz = rule_mirror(ada, "Jazz")
    run(ada, "first")
    like_one(simulator)
    simulator.fault("status", path=f"/playlists/{playlist_of(jazz).spotify_id}", code=404, times=0)

    request = run(ada, "scheduled")

    assert outcome(request) == ("queued", "not_found", 1)
    assert request.error_message.startswith("Jazz: Spotify could not find the playlist")


def test_a_further_playlist_that_is_gone_keeps_nothing_else_from_success(
    ada: User, simulator: Simulator
) -> None:
    jazz = rule_mirror(ada, "Jazz")
    run(ada, "first")
    simulator.destroy_playlist(playlist_of(jazz).spotify_id or "")
    assert run(ada, "manual").error_code == "confirming_gone"
    time_for_a_second_look()

    request = run_again(ada)

    assert outcome(request) == DONE
    assert "Jazz: Left out: The playlist no longer exists" in request.note
    jazz.refresh_from_db()
    assert jazz.state == "removed"
    services.make_new_playlist(jazz)
    assert outcome(run_again(ada)) == DONE
    assert held(simulator, jazz) == simulator.liked("ada")[:10]


def test_a_mirror_that_waits_for_a_second_look_lets_the_others_go_on(
    ada: User, simulator: Simulator
) -> None:
    jazz = rule_mirror(ada, "Jazz")
    run(ada, "first")
    strange = [f"spotify:track:{simulator.new_track()}" for _ in range(60)]
    simulator.insert(playlist_of(jazz).spotify_id or "", *strange, position=0)
    fresh = like_one(simulator)

    request = run(ada, "manual")

    assert outcome(request) == ("queued", "confirming_removal", 0)
    assert request.error_message.startswith("Jazz: 60 songs that you do not like would leave")
    assert held(simulator, main_of(ada))[0] == fresh
    assert len(held(simulator, jazz)) == 70
    time_for_a_second_look()
    assert outcome(run_again(ada)) == DONE
    assert held(simulator, jazz) == simulator.liked("ada")[:10]


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_work_goes_on_at_the_mirror_that_was_not_finished(
    ada: User, simulator: Simulator, killed: bool
) -> None:
    mirrors = [rule_mirror(ada, f"Newest {n}", limit=10 + n) for n in range(3)]
    queue.enqueue(ada.pk, trigger="first")
    for calls in range(1, 40):
        if not run_for(ada, calls, killed=killed):
            break

    for mirror in mirrors:
        assert held(simulator, mirror) == simulator.liked("ada")[: (mirror.rule or {})["limit"]]
    assert held(simulator, main_of(ada)) == simulator.liked("ada")
    assert len(simulator.playlists("ada")) == 4
    request = SyncRequest.objects.get(user=ada)
    assert killed or request.added == 180 + 10 + 11 + 12


# --- States -----------------------------------------------------


def test_a_sync_that_runs_leaves_a_paused_mirror_alone_until_it_wakes(
    ada: User, simulator: Simulator
) -> None:
    run(ada, "first")
    services.pause_mirror(ada)
    before = held(simulator, main_of(ada))
    simulator.forget_requests()

    services.change_settings(mirror=main_of(ada), name="Later")
    assert not SyncRequest.objects.filter(user=ada, completed=None).exists()
    like_one(simulator)
    run(ada, "manual")
    assert held(simulator, main_of(ada)) == before
    assert simulator.count() == simulator.count("GET")

    services.resume_mirror(ada)
    assert outcome(run_again(ada)) == DONE
    assert held(simulator, main_of(ada)) == simulator.liked("ada")
    assert simulator.playlist(playlist_of(main_of(ada)).spotify_id or "").name == "Later"


def test_settings_of_a_removed_playlist_do_not_bring_it_back(
    ada: User, simulator: Simulator
) -> None:
    run(ada, "first")
    [playlist_id] = simulator.playlists("ada")
    simulator.unfollow("ada", playlist_id)
    Mirror.objects.filter(user=ada).update(state="removed")

    services.change_settings(mirror=main_of(ada), name="Elsewhere")
    run(ada, "manual")

    assert simulator.playlists("ada") == []
    services.bring_back(main_of(ada))
    run_again(ada)
    assert simulator.playlists("ada") == [playlist_id]
    assert simulator.playlist(playlist_id).name == "Elsewhere"


def test_a_blocked_listener_is_not_synced(ada: User, simulator: Simulator) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)

    request = run(ada, "manual")

    assert outcome(request) == ("dead", "blocked", 1)
    assert simulator.count() == 0


def test_a_library_that_is_paused_is_synced_by_hand_alone(ada: User, simulator: Simulator) -> None:
    Library.objects.filter(user=ada).update(is_paused=True)

    assert run(ada, "scheduled").error_code == "paused"
    assert simulator.count() == 0
    assert outcome(run(ada, "manual")) == DONE


# --- Details ---


@pytest.mark.usefixtures("small_volumes")
def test_a_second_volume_renamed_in_spotify_renames_only_itself(
    ada: User, simulator: Simulator
) -> None:
    run(ada, "first")
    second = Playlist.objects.get(mirror__user=ada, number=2)
    simulator.rename(second.spotify_id or "", "The rest")

    run(ada, "manual")
    services.change_settings(mirror=main_of(ada), description="Given here")
    run_again(ada)

    assert main_of(ada).name == "Liked Songs of Ada"
    assert simulator.playlist(second.spotify_id or "").name in {
        "The rest",
        "Liked Songs of Ada (2)",
    }


# --- What is written ---


def test_a_quiet_sync_writes_neither_playlists_nor_their_items(
    ada: User, simulator: Simulator, django_assert_max_num_queries: Any
) -> None:
    run(ada, "first")
    before = list(PlaylistItems.objects.values("pk", "uris"))
    queue.enqueue(ada.pk, trigger="scheduled")

    with django_assert_max_num_queries(49) as captured:
        run_again(ada)

    written = [query["sql"] for query in captured.captured_queries]
    to_playlists = ('UPDATE "playlist', 'INSERT INTO "playlist')
    assert not [sql for sql in written if sql.startswith(to_playlists)]
    assert list(PlaylistItems.objects.values("pk", "uris")) == before
