"""Runs for a music server, from the queue to the stand-in server and back."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from sync.models import (
    Connection,
    Mirror,
    Playlist,
    PlaylistItems,
    SyncRequest,
    TargetCatalogue,
    TargetPlaylist,
    TrackLink,
)
from sync.queue import store as queue
from sync.queue.connected import enqueue_connected, enqueue_due_services
from sync.queue.job import Cancelled, Job
from sync.targets.subsonic import sync as subsonic
from syncify.simulator.subsonic import PLAIN, SILENT, MusicServer, Traits
from tests.targets.scenes import connect_server, like, run, song, unlike, wait_over

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(ada: User, server: MusicServer) -> Connection:
    """Ada's connection; she likes the songs 0 to 9."""
    for number in range(10):
        like(ada, number)
    return connect_server(ada, server)


def playlist(server: MusicServer) -> list[str]:
    [only] = server.playlists.values()
    return only.songs


def test_the_likes_become_a_playlist_in_their_order(
    ada: User, server: MusicServer, link: Connection
) -> None:
    request = run(ada)

    assert request.state == "succeeded"
    assert playlist(server) == [f"s{number}" for number in range(10)]
    assert next(iter(server.playlists.values())).name == "Liked Songs of Ada"
    assert (request.song_count, request.added, request.skipped) == (10, 10, 0)
    assert request.note == "10 of 10 songs found."
    link.refresh_from_db()
    assert (link.state, link.state_reason) == ("active", "")
    assert link.succeeded_at is not None


@pytest.mark.parametrize("traits", [Traits(), PLAIN, SILENT], ids=["open", "plain", "silent"])
def test_a_second_run_writes_nothing(
    ada: User, server: MusicServer, link: Connection, traits: Traits
) -> None:
    server.traits = traits
    link.settings = {"stars": True}
    link.save()
    run(ada)
    before = list(server.writes)
    links = list(TrackLink.objects.order_by("pk").values())

    request = run(ada)

    assert request.state == "succeeded"
    assert server.writes == before
    assert list(TrackLink.objects.order_by("pk").values()) == links
    assert (request.added, request.removed) == (0, 0)


def test_what_the_server_lacks_is_missing_with_its_reason(
    ada: User, server: MusicServer, link: Connection
) -> None:
    like(ada, 30)
    like(ada, 31, name="Song 1 - Live")
    server.add(song(32, id="other", title="Song 32 (Live)"))
    like(ada, 32)

    request = run(ada)

    assert request.note == "10 of 13 songs found."
    missing = TrackLink.objects.filter(remote_id="").order_by("track")
    assert list(missing.values_list("track", "how", "instead")) == [
        ("t30", "not_there", ""),
        ("t31", "other_versions", "Song 1"),
        ("t32", "other_versions", "Song 32 (Live)"),
    ]


def test_changes_of_the_likes_arrive(ada: User, server: MusicServer, link: Connection) -> None:
    run(ada)
    unlike(ada, 3)
    like(ada, 15)

    request = run(ada)

    assert playlist(server) == [f"s{number}" for number in (0, 1, 2, 4, 5, 6, 7, 8, 9, 15)]
    assert (request.added, request.removed) == (1, 1)
    assert not TrackLink.objects.filter(track="t3").exists()


def test_stars_are_set_if_wished_and_never_taken_away(
    ada: User, server: MusicServer, link: Connection
) -> None:
    server.stars["s19"] = None
    run(ada)
    assert set(server.stars) == {"s19"}

    link.settings = {"stars": True}
    link.save()
    request = run(ada)
    unlike(ada, 3)
    run(ada)

    assert set(server.stars) == {"s19", *(f"s{number}" for number in range(10))}
    assert "10 songs loved." in request.note


def test_a_match_by_hand_survives_everything(
    ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    TrackLink.objects.filter(track="t1").update(remote_id="s17", by_hand=True)
    TrackLink.objects.filter(track="t2").update(remote_id="", by_hand=True)

    run(ada)  # the server has better matches
    unlike(ada, 1)
    run(ada)  # the song is gone from the likes
    like(ada, 1)
    server.songs.pop("s17")
    run(ada)  # and its match from the server
    gone = TrackLink.objects.get(track="t1")
    kept_while_gone = (gone.remote_id, gone.by_hand, gone.how)
    server.add(song(17))
    TargetCatalogue.objects.all().delete()
    run(ada)

    assert kept_while_gone == ("s17", True, "gone")
    assert playlist(server) == ["s0", "s17", *(f"s{number}" for number in range(3, 10))]
    assert TrackLink.objects.get(track="t2").remote_id == ""


def test_a_choice_made_during_a_run_is_kept(
    ada: User, server: MusicServer, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(ada)
    server.songs.pop("s1")
    match = subsonic.match

    def match_and_choose(*args: Any, **kwargs: Any) -> Any:
        TrackLink.objects.filter(track="t1").update(remote_id="s17", by_hand=True, how="by_hand")
        return match(*args, **kwargs)

    monkeypatch.setattr(subsonic, "match", match_and_choose)
    run(ada)

    chosen = TrackLink.objects.get(track="t1")
    assert (chosen.remote_id, chosen.by_hand, chosen.how) == ("s17", True, "by_hand")


def test_only_albums_that_changed_are_read_again(
    ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    assert server.calls.count("getAlbum") == 2
    server.calls.clear()

    run(ada)
    assert server.calls.count("getAlbum") == 0

    server.add(song(9, id="more", title="One more"))
    run(ada)
    assert server.calls.count("getAlbum") == 1


def test_all_albums_are_read_again_after_a_week(
    ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    stored = TargetCatalogue.objects.get()
    TargetCatalogue.objects.update(read_at=stored.read_at - timedelta(days=7))
    server.calls.clear()

    run(ada)

    assert server.calls.count("getAlbum") == 2


def test_a_paused_mirror_is_left_as_it_is(ada: User, server: MusicServer, link: Connection) -> None:
    run(ada)
    Mirror.objects.update(state="paused")
    unlike(ada, 3)

    run(ada)

    assert "s3" in playlist(server)


def test_a_mirror_by_rule_follows_its_playlist(
    ada: User, server: MusicServer, link: Connection
) -> None:
    mirror = Mirror.objects.create(user=ada, name="Jazz", is_main=False, rule={"tests": []})
    held = Playlist.objects.create(mirror=mirror, number=1, spotify_id="jazz")
    PlaylistItems.objects.create(playlist=held, uris=["spotify:track:t5", None, "spotify:track:t2"])
    TargetPlaylist.objects.create(connection=link, mirror=mirror)

    run(ada)

    assert {each.name: each.songs for each in server.playlists.values()}["Jazz"] == ["s5", "s2"]


# --- Trouble ------------------------------------------------------------------------------------


def test_a_server_that_is_down_is_tried_again(
    ada: User, server: MusicServer, link: Connection
) -> None:
    server.stop()

    request = run(ada)

    assert (request.state, request.error_code, request.failures) == ("queued", "target_trouble", 1)
    assert "Nothing listens" in request.error_message
    link.refresh_from_db()
    assert link.state == "failing"
    server.start()
    wait_over(request)
    assert run(ada).state == "succeeded"
    link.refresh_from_db()
    assert (link.state, link.state_reason) == ("active", "")


def test_a_refused_password_is_believed_the_second_time(
    ada: User, server: MusicServer, link: Connection
) -> None:
    server.password = "changed"

    first = run(ada)
    assert (first.state, first.error_code) == ("queued", "target_refused")
    wait_over(first)
    second = run(ada)

    assert (second.pk, second.state, second.error_code) == (first.pk, "dead", "target_refused")
    link.refresh_from_db()
    assert link.state == "refused"
    enqueue_connected(ada.pk)
    enqueue_due_services()
    assert not SyncRequest.objects.filter(completed=None).exists()


def test_a_password_refused_once_is_forgotten(
    ada: User, server: MusicServer, link: Connection
) -> None:
    server.password = "changed"
    first = run(ada)
    server.password = "demo"
    wait_over(first)
    run(ada)
    server.password = "changed"

    assert run(ada).state == "queued"


def test_a_lost_key_asks_for_the_password(ada: User, server: MusicServer, link: Connection) -> None:
    Connection.objects.update(secret="")

    assert "cannot be decrypted" in run(ada).error_message
    assert server.calls == []


def test_a_pause_that_the_server_asks_for_is_kept(
    ada: User, server: MusicServer, link: Connection
) -> None:
    server.troubles = [("getAlbumList2", 429)]

    request = run(ada)

    assert (request.state, request.error_code, request.failures) == ("queued", "target_pause", 0)


@pytest.mark.parametrize(
    ("method", "status", "again"),
    [
        ("createPlaylist", 0, False),  # applied, and the answer is lost
        ("createPlaylist", -1, False),  # never applied
        ("createPlaylist", 500, False),
        ("getPlaylist", 500, False),
        ("getPlaylists", 500, False),
        ("star", 0, False),
        ("star", -1, False),
        ("star", 500, False),
        # A playlist that is there is replaced, and one more song is starred.
        *(
            (method, status, True)
            for method in ("createPlaylist", "star")
            for status in (0, -1, 500)
        ),
    ],
)
def test_a_run_that_dies_anywhere_leaves_the_right_playlist_after_the_next(
    ada: User, server: MusicServer, link: Connection, method: str, status: int, again: bool
) -> None:
    link.settings = {"stars": True}
    link.save()
    server.traits = PLAIN if method == "getPlaylists" else Traits()
    if again:
        run(ada)
        unlike(ada, 3)
        like(ada, 15)
    server.troubles = [(method, status)]

    died = run(ada)
    wait_over(died)
    request = run(ada)

    assert (died.state, request.state) == ("queued", "succeeded")
    likes = [0, 1, 2, 4, 5, 6, 7, 8, 9, 15] if again else range(10)
    assert playlist(server) == [f"s{number}" for number in likes]
    assert set(playlist(server)) <= set(server.stars)
    assert len(server.stars) == 10 + again


def test_a_song_that_the_server_drops_is_not_written_again(
    ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    server.songs.pop("s9")
    server.calls.clear()

    request = run(ada)  # the list of albums shows that one is gone

    assert request.note == "9 of 10 songs found."
    assert "createPlaylist" not in server.calls, "the server had dropped it by itself"
    assert run(ada).state == "succeeded"


def test_an_empty_server_empties_nothing(ada: User, server: MusicServer, link: Connection) -> None:
    run(ada)
    songs, server.songs = server.songs, {}
    before = list(server.writes)

    assert run(ada).state == "succeeded"

    assert server.writes == before
    server.songs = songs
    assert run(ada).state == "succeeded"
    assert playlist(server) == [f"s{number}" for number in range(10)]


def test_a_run_that_is_cancelled_writes_no_more(
    ada: User, server: MusicServer, link: Connection
) -> None:
    queue.enqueue(ada.pk, "subsonic", trigger="manual")
    request = queue.claim(worker="w")
    assert request
    queue.ask_cancel(request)

    with pytest.raises(Cancelled):
        subsonic.run_subsonic(Job(request))

    assert server.writes == []


# --- When runs are queued -----------------------------------------------------------------------


def test_likes_that_change_during_a_run_are_seen_by_it(
    ada: User, server: MusicServer, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring, rounds = subsonic._bring, []

    def bring_and_like(*args: Any) -> Any:
        summary = bring(*args)
        if not rounds:
            like(ada, 15)
        rounds.append(1)
        return summary

    monkeypatch.setattr(subsonic, "_bring", bring_and_like)

    request = run(ada)

    assert len(rounds) == 2
    assert "s15" in playlist(server)
    assert request.added == 11


def test_a_service_is_queued_with_the_likes_and_once_a_day(ada: User, link: Connection) -> None:
    enqueue_connected(ada.pk)
    enqueue_connected(ada.pk)
    [request] = SyncRequest.objects.all()
    assert (request.kind, request.trigger) == ("subsonic", "scheduled")

    SyncRequest.objects.update(state="succeeded", completed="2026-10-01T00:00Z")
    enqueue_due_services()
    assert SyncRequest.objects.count() == 1

    SyncRequest.objects.update(created="2026-10-01T00:00Z")
    enqueue_due_services()
    enqueue_due_services()
    assert SyncRequest.objects.count() == 2


@pytest.mark.parametrize("state", ["paused", "refused"])
def test_a_service_that_rests_is_not_queued(ada: User, link: Connection, state: str) -> None:
    Connection.objects.update(state=state)

    enqueue_connected(ada.pk)
    enqueue_due_services()

    assert not SyncRequest.objects.exists()


def test_a_service_that_was_disconnected_is_no_error(ada: User, server: MusicServer) -> None:
    request = run(ada)

    assert request.state == "succeeded"
    assert "not connected" in request.note


def test_queries_do_not_grow_with_the_likes(
    ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    with CaptureQueriesContext(database) as few:
        run(ada)
    for number in range(10, 20):
        like(ada, number)
    run(ada)
    with CaptureQueriesContext(database) as many:
        run(ada)

    assert len(many) == len(few)
