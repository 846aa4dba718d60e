"""The playlists beside the main one, as rows of the dashboard."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from sync.models import Mirror, PlaylistItems, SyncResult
from sync.pages.others import others_of
from tests.builders import main_mirror, make_request, make_user
from tests.sharing.rows import make_mirror, make_playlist, make_songs

pytestmark = pytest.mark.django_db


def test_the_dashboard_shows_the_main_playlist_and_a_row_for_each_other(
    client: Client, ada: User
) -> None:
    songs = make_songs(ada, "A", "B", "C")
    make_playlist(main_mirror(ada), songs)
    jazz, late = make_mirror(ada, "Jazz <&>"), make_mirror(ada, "Late")
    make_playlist(jazz, songs[:2])
    make_mirror(make_user("bea"), "Hers")
    Mirror.objects.filter(pk=late.pk).update(state="paused")

    page = client.get("/").content.decode()

    assert re.findall(r'id="mirror-(\d+)"', page) == [str(main_mirror(ada).pk)]
    rows = page[page.index('<section id="others"') :]
    assert re.findall(r"<bdi>(.*?)</bdi>", rows) == ["Jazz &lt;&amp;&gt;", "Late"]
    assert f'href="/playlists/{jazz.pk}/"' in rows
    assert f'href="/settings/links/?songs={jazz.pk}"' in rows
    assert f'href="/settings/links/?songs={late.pk}"' not in rows  # there is nothing to share yet
    assert "2 songs" in rows
    assert "Paused" in rows
    assert f'data-events="/events/?mirror={main_mirror(ada).pk}&amp;mirror=others"' in page
    assert client.get("/playlists/others/").content.decode().strip() in page


def test_without_others_there_is_no_list_and_no_stream_of_one(client: Client, ada: User) -> None:
    page = client.get("/").content.decode()

    assert 'id="others"' not in page
    assert "mirror=others" not in page


def test_a_row_tells_what_the_latest_sync_did(ada: User) -> None:
    jazz = make_mirror(ada, "Jazz")

    def state(request_state: str | None, result: str, error: str = "") -> str:
        if request_state is not None:
            request = make_request(ada, state=request_state)
            SyncResult.objects.create(
                request=request, mirror=jazz, state=result, error_message=error
            )
        [row] = others_of(ada)
        return row.state

    assert state(None, "") == "Waits for its first sync"
    make_playlist(jazz, make_songs(ada, "A"))
    assert state("succeeded", "failed", "Spotify refused it.") == "Spotify refused it."
    assert state("succeeded", "done") == ""
    assert state("dead", "running") == ""  # it ended before the playlist was right
    assert state("running", "running") == "Being updated"
    make_request(make_user("bea"), state="running")
    for _ in range(3):
        make_request(ada, state="cancelled")
    assert state(None, "") == "Being updated"


def test_rows_are_counted_again_when_a_playlist_was_written(ada: User) -> None:
    jazz, songs = make_mirror(ada, "Jazz"), make_songs(ada, "A", "B", "C")
    playlist = make_playlist(jazz, songs[:2])
    make_playlist(jazz, songs[2:], number=2)
    assert [row.count for row in others_of(ada)] == [3]

    PlaylistItems.objects.filter(playlist=playlist).update(uris=[])
    assert [row.count for row in others_of(ada)] == [1]


def test_forty_nine_playlists_need_no_more_queries_than_one(client: Client, ada: User) -> None:
    songs, counts = make_songs(ada, "A", "B"), []
    make_playlist(main_mirror(ada), songs)
    make_request(ada, state="succeeded", song_count=2, completed=timezone.now())
    for number in range(49):
        make_playlist(make_mirror(ada, f"Jazz {number}"), songs)
        if number in {0, 48}:
            client.get("/")
            with CaptureQueriesContext(connection) as captured:
                page = client.get("/")
            counts.append(len(captured))

    assert counts[0] == counts[1] <= 8
    assert len(page.content) < 60_000
