"""A sync from end to end: real PostgreSQL, real HTTP to the simulated Spotify."""

import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from django.db import connection, transaction

from accounts.models import User
from sync.models import (
    Mirror,
    MirrorTrack,
    Playlist,
    SavedTrack,
    StoredPage,
    SyncRequest,
    Track,
)
from sync.queue import store as queue
from syncify.simulator.server import Simulator
from syncify.simulator.state import Recorded
from tests.builders import connect
from tests.driving import (
    a_day_later,
    a_week_later,
    mirrored,
    outcome,
    run,
    run_again,
    run_confirmed,
    run_for,
    set_details,
)
from tests.waiting import PATIENCE, in_thread, wait_until_blocked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bystander")]

DONE = ("succeeded", "", 0)
#: Megabytes that a sync of 4,000 songs may take over a worker that has nothing to do.
MEMORY = 20


def listener(simulator: Simulator, name: str, size: int) -> User:
    simulator.add_listener(name, size=size)
    return connect(simulator, name)


def cost(simulator: Simulator, user: User, trigger: str = "scheduled") -> int:
    """The requests of a sync after which the playlist equals the Liked Songs."""
    simulator.forget_requests()
    request = run(user, trigger)
    assert outcome(request) == DONE
    assert mirrored(simulator, user) == simulator.liked(user.spotify_id)
    assert request.api_requests == simulator.count()
    return request.api_requests


def like(simulator: Simulator, user: User, number: int) -> None:
    for _ in range(number):
        simulator.like(user.spotify_id, simulator.new_track())


def unlike(simulator: Simulator, user: User, *places: int) -> None:
    liked = simulator.liked(user.spotify_id)
    simulator.unlike(user.spotify_id, *(liked[place] for place in places))


def playlist_of(user: User) -> str:
    return playlists_of(user)[0]


def playlists_of(user: User) -> list[str]:
    volumes = Playlist.objects.filter(mirror__user=user)
    return [volume.spotify_id or "" for volume in volumes]


def writes(simulator: Simulator) -> list[tuple[str, str]]:
    return [(one.method, one.path) for one in simulator.requests if one.method != "GET"]


# --- What a sync costs ----------------------------------------------------------------------------


def test_first_sync_makes_a_playlist_that_equals_the_liked_songs(
    ada: User, simulator: Simulator
) -> None:
    request = run(ada, "first")

    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert request.state == "succeeded"
    assert (request.song_count, request.added, request.progress) == (180, 180, 1)
    assert request.song_total == 180
    assert request.api_requests == simulator.count() == 4 + 2 + 1


def test_a_listener_without_songs_gets_an_empty_playlist(db: None, simulator: Simulator) -> None:
    dora = connect(simulator, "dora")

    assert cost(simulator, dora, "first") == 2
    assert cost(simulator, dora) == 1
    assert simulator.playlist_uris(playlist_of(dora)) == []


def test_what_each_kind_of_day_costs(db: None, simulator: Simulator) -> None:
    nora = listener(simulator, "nora", 1_250)
    spent = partial(cost, simulator, nora)

    assert spent("first") == 25 + 13 + 1
    assert spent() == 1
    assert spent("manual") == 3

    a_day_later()
    assert spent() == 3

    for new in (1, 49):
        like(simulator, nora, new)
        assert spent() == 3

    a_day_later()
    like(simulator, nora, 3)
    assert spent() == 4

    for place in (-1, 60):
        simulator.like("nora", simulator.liked("nora")[place])
        assert spent() <= 4

    for place in (1_000, 30):
        like(simulator, nora, 3)
        unlike(simulator, nora, place)
        assert spent() <= 10

    for place in (0, 50, 333, 999, -51, -1):
        unlike(simulator, nora, place)
        assert spent() <= 9


@pytest.mark.usefixtures("small_volumes")
def test_what_several_volumes_cost(ada: User, simulator: Simulator) -> None:
    spent = partial(cost, simulator, ada)

    assert spent("first") == 4 + 3 + 3  # pages, playlists, an insert each
    playlists = playlists_of(ada)
    assert spent() == 1

    a_day_later()
    assert spent() == 2
    assert spent("manual") == 2

    unlike(simulator, ada, 100)
    assert spent() <= 4 + 3 + 1
    like(simulator, ada, 1)  # three full volumes hand songs down, and a fourth is made
    assert spent() <= 1 + 3 + 1 + 2 * 4
    assert playlists_of(ada)[:3] == playlists
    names = [simulator.playlist(one).name for one in playlists_of(ada)]
    assert names == ["Liked Songs of Ada", *(f"Liked Songs of Ada ({n})" for n in (2, 3, 4))]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_does_not_let_a_playlist_be_read(
    ada: User, simulator: Simulator, when: str
) -> None:
    simulator.fault("drop", method="POST", path="/items", skip=1, when=when)
    cost(simulator, ada, "first")

    a_day_later()
    assert cost(simulator, ada) == 3


def test_a_sync_of_many_songs_needs_little_memory(
    simulator: Simulator, process_env: dict[str, str]
) -> None:
    listener(simulator, "nora", 4_000)
    connect(simulator, "emil")
    # The high-water mark after a small sync, and after the big one. Not ru_maxrss: a child process
    # begins with its parent's.
    script = """
import re, pathlib, django
django.setup()
from accounts.models import User
from tests.driving import run
for name in ("emil", "nora"):
    assert run(User.objects.get(spotify_id=name)).state == "succeeded"
    print(re.search(r"VmHWM:.*", pathlib.Path("/proc/self/status").read_text())[0])
"""

    child = subprocess.run(  # noqa: S603 - runs nothing but ourselves
        [sys.executable, "-c", script],
        env=process_env,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    idle, most = map(int, re.findall(r"^VmHWM:\s+(\d+)", child.stdout, re.MULTILINE))
    assert (most - idle) / 1024 < MEMORY


# --- Order and dates ------------------------------------------------------------------------------


def test_likes_of_one_date_keep_the_order_that_spotify_shows(
    ada: User, simulator: Simulator
) -> None:
    album = [simulator.new_track() for _ in range(5)]
    now = simulator.now
    simulator.like("ada", *album[2:], at=now)
    run(ada)
    simulator.like("ada", *album[:2], at=now)

    run(ada)

    uris = [f"spotify:track:{track}" for track in album]
    assert mirrored(simulator, ada)[:5] == simulator.liked("ada")[:5] == uris


def test_a_like_with_an_old_date_stands_where_its_date_belongs(
    ada: User, simulator: Simulator
) -> None:
    run(ada)
    simulator.like("ada", simulator.new_track(), at=simulator.saved("ada")[90].added_at)

    run(ada)

    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_what_the_newest_page_and_the_total_cannot_show_comes_right_within_a_week(
    ada: User, simulator: Simulator
) -> None:
    run(ada)
    simulator.like("ada", simulator.new_track(), at=simulator.saved("ada")[90].added_at)
    unlike(simulator, ada, 120)
    run(ada)
    assert mirrored(simulator, ada) != simulator.liked("ada")

    a_week_later()
    run(ada)

    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_songs_that_stay_keep_their_date_in_the_playlist(ada: User, simulator: Simulator) -> None:
    run(ada)
    playlist = simulator.playlist(playlist_of(ada))
    before = {row.uri: row.added_at for row in playlist.rows}
    simulator.advance(timedelta(minutes=10))
    like(simulator, ada, 3)
    unlike(simulator, ada, 20, 100)
    simulator.like("ada", simulator.liked("ada")[150])

    run(ada)

    after = {row.uri: row.added_at for row in playlist.rows}
    assert len(before.keys() & after.keys()) == 178
    assert all(after[uri] == before[uri] for uri in before.keys() & after.keys())


# --- What is kept ---------------------------------------------------------------------------------


def test_songs_are_stored_as_spotify_describes_them(db: None, simulator: Simulator) -> None:
    song = simulator.known_song(simulator.new_track(explicit=True))
    simulator.set_liked("emil", song.id)

    run(connect(simulator, "emil"))

    track = Track.objects.get(pk=song.id)
    assert (track.name, track.artists) == (song.name, [name for _, name in song.artists])
    assert (track.album_name, track.release_date) == (song.album, song.release_date)
    assert (track.duration_ms, track.explicit, track.isrc) == (song.duration_ms, True, song.isrc)


def test_likes_that_end_become_history(ada: User, simulator: Simulator) -> None:
    first = run(ada)
    gone, again, *_ = (uri.rpartition(":")[2] for uri in reversed(simulator.liked("ada")))
    simulator.unlike("ada", gone)
    simulator.like("ada", again)

    second = run(ada)

    [ended] = SavedTrack.objects.filter(user=ada, track=gone)
    assert (ended.added_in, ended.removed_in) == (first, second)
    assert ended.removed_at is not None
    old, new = SavedTrack.objects.filter(user=ada, track=again).order_by("added_at")
    assert (old.removed_in, new.added_in, new.removed_at) == (second, second, None)
    assert (second.added, second.removed, second.moved) == (0, 1, 1)


def test_a_refused_song_is_tried_again_at_the_next_full_read(
    ada: User, simulator: Simulator
) -> None:
    refused = simulator.liked("ada")[7]
    simulator.fault("poison", uri=refused, code=400)
    assert run(ada).skipped == 1
    assert set(simulator.liked("ada")) - set(mirrored(simulator, ada)) == {refused}

    simulator.clear_faults()
    run(ada)
    assert refused not in mirrored(simulator, ada)
    a_week_later()
    run(ada)

    assert mirrored(simulator, ada) == simulator.liked("ada")


def test_a_song_that_never_stays_in_the_playlist_is_given_up(
    db: None, simulator: Simulator
) -> None:
    simulator.add_listener("nora")
    simulator.set_liked("nora", *(simulator.new_track() for _ in range(10)))
    nora = connect(simulator, "nora")
    asked = simulator.liked("nora")[4]
    answered = f"spotify:track:{simulator.new_track()}"

    def answer_with_another_id() -> None:
        uris = simulator.playlist_uris(playlist_id := simulator.playlists("nora")[0])
        if asked in uris:
            place = uris.index(asked)
            simulator.remove_positions(playlist_id, place)
            simulator.insert(playlist_id, answered, position=place)

    def puts_it_in(one: Recorded) -> bool:
        return one.method == "POST" and one.path.endswith("/items")

    for _ in range(3):
        simulator.after_request(puts_it_in, answer_with_another_id)
        run(nora)
        a_day_later()
    run(nora)

    left = [uri for uri in simulator.liked("nora") if uri != asked]
    assert mirrored(simulator, nora) == left
    [refused] = MirrorTrack.objects.exclude(refused_at=None)
    assert f"spotify:track:{refused.track_id}" == asked
    a_day_later()
    simulator.forget_requests()
    run(nora)
    assert writes(simulator) == []


# --- Other people's edits -------------------------------------------------------------------------


def add_foreign(simulator: Simulator, playlist_id: str) -> None:
    simulator.insert(playlist_id, f"spotify:track:{simulator.new_track()}", position=3)


def take_out(simulator: Simulator, playlist_id: str) -> None:
    simulator.remove_positions(playlist_id, 5, 17)


def double(simulator: Simulator, playlist_id: str) -> None:
    simulator.insert(playlist_id, simulator.playlist_uris(playlist_id)[9], position=0)


def shuffle(simulator: Simulator, playlist_id: str) -> None:
    simulator.move(playlist_id, 100, 2, 7)


def empty(simulator: Simulator, playlist_id: str) -> None:
    simulator.remove_positions(playlist_id, *range(180))


@pytest.mark.parametrize(
    ("edit", "note"),
    [
        (add_foreign, "1 added there"),
        (take_out, "2 removed there"),
        (double, "the order changed"),
        (shuffle, "the order changed"),
        (empty, "180 removed there"),
    ],
)
def test_an_edit_in_spotify_is_set_right_at_the_next_look_and_noted(
    ada: User,
    simulator: Simulator,
    edit: Callable[[Simulator, str], None],
    note: str,
) -> None:
    run(ada)
    edit(simulator, playlist_of(ada))
    a_day_later()

    request = run(ada, "scheduled")

    assert outcome(request) == DONE
    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert f"({note})" in request.note
    assert "written anew" not in request.note
    a_day_later()
    simulator.forget_requests()
    assert run(ada).note == ""
    assert writes(simulator) == []


# --- Name, description, public --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "wish", "name_there", "name_here"),
    [
        pytest.param("Theirs", {}, "Theirs", "Theirs", id="nothing"),
        pytest.param("Theirs", {"name": "Ours"}, "Ours", "Ours", id="another name"),
        pytest.param("Theirs", {"description": "D"}, "Theirs", "Theirs", id="something else"),
        pytest.param("x" * 150, {"description": "D"}, "x" * 150, "x" * 100, id="a long one"),
    ],
)
def test_a_name_given_in_spotify_is_adopted_unless_one_is_given_here(
    ada: User,
    simulator: Simulator,
    there: str,
    wish: dict[str, str],
    name_there: str,
    name_here: str,
) -> None:
    run(ada)
    simulator.rename(playlist_of(ada), there)
    a_day_later()
    simulator.forget_requests()
    if wish:
        set_details(ada, **wish)
        run_again(ada)
    else:
        run(ada)
        assert writes(simulator) == []

    playlist = simulator.playlist(playlist_of(ada))
    assert (playlist.name, playlist.description) == (name_there, wish.get("description", ""))
    assert Mirror.objects.get(user=ada).name == name_here


@pytest.mark.parametrize(
    "wish", [{"name": "Songs <3 & more"}, {"description": "From me & to you"}, {"public": True}]
)
@pytest.mark.usefixtures("small_volumes")
def test_settings_changed_here_are_written_once(
    ada: User, simulator: Simulator, wish: dict[str, object]
) -> None:
    simulator.behaviour.public_ignored = False
    simulator.set_liked("ada", *(simulator.new_track() for _ in range(70)))
    run(ada)
    set_details(ada, **wish)
    simulator.forget_requests()

    run_again(ada)

    volumes = playlists_of(ada)
    assert writes(simulator) == [("PUT", f"/v1/playlists/{one}") for one in volumes]
    for number, playlist_id in enumerate(volumes):
        for field, value in wish.items():
            suffix = " (2)" if field == "name" and number else ""
            expected = f"{value}{suffix}" if suffix else value
            assert getattr(simulator.playlist(playlist_id), field) == expected
    assert cost(simulator, ada) == 1
    a_day_later()
    assert cost(simulator, ada) == 2


def test_a_name_is_written_though_spotify_clears_no_description(
    ada: User, simulator: Simulator
) -> None:
    simulator.behaviour.refuse_empty_description = True
    run(ada)

    set_details(ada, name="Mine")

    assert outcome(run_again(ada)) == DONE
    assert simulator.playlist(playlist_of(ada)).name == "Mine"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("calls", [1, 2, 3])
def test_settings_changed_while_a_sync_runs_are_written_by_the_next(
    simulator: Simulator, calls: int
) -> None:
    ada = connect(simulator, "ada")
    run(ada)
    like(simulator, ada, 1)

    def change_name() -> None:
        set_details(ada, name="Second thoughts")
        connection.close()

    simulator.after_request(calls, change_name)
    assert run(ada).state == "succeeded"
    [following] = SyncRequest.objects.filter(completed=None)
    assert following.trigger == "manual"

    run_again(ada)

    assert simulator.playlist(playlist_of(ada)).name == "Second thoughts"
    assert not SyncRequest.objects.filter(completed=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_name_given_here_while_a_sync_adopts_another_wins(simulator: Simulator) -> None:
    ada = connect(simulator, "ada")
    run(ada)
    simulator.rename(playlist_of(ada), "Theirs")
    a_day_later()

    def change_name() -> None:
        set_details(ada, name="Ours")
        connection.close()

    simulator.after_request(1, change_name)
    run(ada)
    run_again(ada)

    assert simulator.playlist(playlist_of(ada)).name == "Ours"
    assert Mirror.objects.get(user=ada).name == "Ours"


@pytest.mark.django_db(transaction=True)
def test_a_change_of_settings_and_a_sync_do_not_wait_for_each_other(simulator: Simulator) -> None:
    ada = connect(simulator, "ada")
    is_locked = Event()

    @transaction.atomic
    def change_settings_slowly() -> None:
        Mirror.objects.select_for_update().get(user=ada)
        is_locked.set()
        wait_until_blocked()
        queue.enqueue(ada.pk, trigger="manual")

    with ThreadPoolExecutor(1) as threads:
        changing = in_thread(threads, change_settings_slowly)
        assert is_locked.wait(PATIENCE)
        request = run(ada)
        changing.result(PATIENCE)

    assert outcome(request) == DONE


def test_a_public_setting_that_spotify_ignores_is_asked_for_once(
    ada: User, simulator: Simulator
) -> None:
    run(ada)
    volume = Playlist.objects.get(mirror__user=ada)
    assert (Mirror.objects.get(user=ada).public, volume.seen_public) == (False, True)

    assert cost(simulator, ada) == 1
    a_day_later()
    assert cost(simulator, ada) == 3
    assert writes(simulator) == []


# --- Volumes --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_volumes")
def test_the_first_volume_keeps_its_link_while_others_come_and_run_empty(
    ada: User, simulator: Simulator
) -> None:
    simulator.set_liked("ada", *(simulator.new_track() for _ in range(50)))
    run(ada)
    [first] = playlists_of(ada)
    counts: list[list[int]] = []
    for change in (partial(like, number=15), partial(like, number=70), _unlike_most, _unlike_most):
        change(simulator, ada)
        assert outcome(run_confirmed(ada)) == DONE
        assert mirrored(simulator, ada) == simulator.liked("ada")
        assert playlists_of(ada)[0] == first
        counts.append([len(simulator.playlist_uris(one)) for one in playlists_of(ada)])

    assert [len(volumes) for volumes in counts] == [2, 3, 3, 3]
    assert all(held <= 60 for volumes in counts for held in volumes)
    assert counts[-1][1:] == [0, 0]


def _unlike_most(simulator: Simulator, user: User) -> None:
    """Every second one."""
    unlike(simulator, user, *range(1, simulator.saved_count(user.spotify_id), 2))


@pytest.mark.usefixtures("small_volumes")
def test_a_song_handed_down_is_neither_added_nor_removed(ada: User, simulator: Simulator) -> None:
    simulator.set_liked("ada", *(simulator.new_track() for _ in range(70)))
    run(ada)
    like(simulator, ada, 2)

    request = run(ada)

    assert (request.added, request.removed, request.moved) == (2, 0, 0)
    assert mirrored(simulator, ada) == simulator.liked("ada")


# --- Stops ----------------------------------------------------------------------------------------

KILLED = pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])


@KILLED
def test_a_read_that_was_stopped_goes_on(ada: User, simulator: Simulator, killed: bool) -> None:
    queue.enqueue(ada.pk, trigger="first")
    assert run_for(ada, 3, killed=killed)
    assert StoredPage.objects.count() == 3

    request = run_again(ada)

    assert mirrored(simulator, ada) == simulator.liked("ada")
    read = [one.query["offset"] for one in simulator.requests if one.path == "/v1/me/tracks"]
    assert read == ["0", "50", "100", "0", "150"]
    assert killed or request.api_requests == simulator.count()
    assert not StoredPage.objects.exists()


@KILLED
def test_a_read_begins_again_when_songs_came_in_the_meantime(
    ada: User, simulator: Simulator, killed: bool
) -> None:
    queue.enqueue(ada.pk, trigger="first")
    assert run_for(ada, 3, killed=killed)
    like(simulator, ada, 1)

    run_again(ada)

    assert mirrored(simulator, ada) == simulator.liked("ada")
    assert simulator.count("GET", "/v1/me/tracks") == 3 + 4


@KILLED
def test_a_sync_that_is_stopped_after_every_call_comes_to_its_end(
    db: None, simulator: Simulator, killed: bool
) -> None:
    simulator.add_listener("nora")
    simulator.set_liked("nora", *(simulator.new_track() for _ in range(230)))
    nora = connect(simulator, "nora")
    queue.enqueue(nora.pk, trigger="first")

    for calls in count(1):
        if not run_for(nora, calls, killed=killed):
            break

    assert mirrored(simulator, nora) == simulator.liked("nora")
    request = SyncRequest.objects.get(user=nora)
    assert (request.state, request.removed, request.moved) == ("succeeded", 0, 0)
    assert len(playlists_of(nora)) == len(simulator.playlists("nora")) == 1
    assert killed or request.added == 230


@KILLED
def test_writing_goes_on_where_it_was_stopped(db: None, simulator: Simulator, killed: bool) -> None:
    simulator.add_listener("nora")
    simulator.set_liked("nora", *(simulator.new_track() for _ in range(400)))
    nora = connect(simulator, "nora")
    queue.enqueue(nora.pk, trigger="first")
    assert run_for(nora, 8 + 1 + 2, killed=killed)
    assert len(mirrored(simulator, nora)) == 200

    request = run_again(nora)

    assert mirrored(simulator, nora) == simulator.liked("nora")
    assert killed or request.added == 400
    assert simulator.count("POST", f"/v1/playlists/{playlist_of(nora)}") == 4
