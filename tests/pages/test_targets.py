"""The pages of connected services, as their listener and as another one sees them."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from sync.models import Connection, Mirror, SyncRequest, TargetPlaylist, TrackLink
from syncify.simulator.listenbrainz import ListenBrainz
from syncify.simulator.subsonic import MusicServer
from tests.builders import make_user
from tests.targets.scenes import connect, like, run, song

pytestmark = pytest.mark.django_db
SECRET = "s3cret-password"


@pytest.fixture
def server(settings: Any) -> Iterator[MusicServer]:
    songs = [song(number) for number in range(20)]
    with MusicServer(songs, username="ada", password=SECRET) as running:
        settings.OFFERED_SERVER = running.url
        yield running


@pytest.fixture
def ada(ada: User) -> User:
    for number in range(10):
        like(ada, number)
    return ada


@pytest.fixture
def link(ada: User, server: MusicServer) -> Connection:
    return connect(ada, "subsonic", address=server.url, username="ada", secret=SECRET)


def entered(server: MusicServer, **changes: str) -> dict[str, str]:
    return {"address": server.url, "username": "ada", "password": SECRET, **changes}


# --- Connecting ---------------------------------------------------------------------------------


def test_a_server_is_connected_and_the_first_run_queued(
    client: Client, ada: User, server: MusicServer
) -> None:
    response = client.post("/connections/subsonic/", entered(server))

    assert (response.status_code, response.headers["Location"]) == (303, "/connections/subsonic/")
    connection = Connection.objects.get()
    assert (connection.user, connection.secret) == (ada, SECRET)
    assert [each.mirror.is_main for each in TargetPlaylist.objects.all()] == [True]
    request = SyncRequest.objects.get()
    assert (request.kind, request.trigger) == ("subsonic", "first")
    assert server.writes == []


def test_a_test_says_what_works_and_stores_nothing(
    client: Client, ada: User, server: MusicServer
) -> None:
    page = client.post("/connections/subsonic/", entered(server, test="yes"))

    text = re.sub(r"\s+", " ", page.content.decode())
    assert page.status_code == 200
    for what in ("Sign-in", "Kind of server", "List of albums", "Playlists", "Stars"):
        assert f"<b>{what}:</b> works" in text
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong"}, "does not accept this name and password"),
        ({"address": "http://127.0.0.1:1"}, "does not connect to this address"),
        ({"address": "http://169.254.169.254"}, "does not connect to this address"),
        ({"address": "http://192.168.1.1"}, "SYNCIFY_TARGET_HOSTS"),
        ({"address": "ftp://music.example"}, "must begin with http"),
        ({"address": ""}, "required"),
        ({"password": ""}, "required"),
    ],
)
def test_what_does_not_work_is_said_and_not_stored(
    client: Client, ada: User, server: MusicServer, changes: dict[str, str], words: str
) -> None:
    page = client.post("/connections/subsonic/", entered(server, **changes))

    assert page.status_code == 422
    assert words in page.content.decode()
    assert not Connection.objects.exists()


def test_the_password_is_never_shown_again(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    Connection.objects.update(state="refused", state_reason="Not accepted.")

    pages = [client.get(path) for path in ("/connections/", "/connections/subsonic/")]
    pages.append(client.post("/connections/subsonic/", entered(server, username="")))
    pages.append(client.get("/accounts/export/"))

    for page in pages:
        assert SECRET not in page.content.decode()


def test_an_offered_server_is_connected_with_two_presses(
    client: Client, ada: User, server: MusicServer, settings: Any
) -> None:
    settings.OFFERED_USER, settings.OFFERED_PASSWORD = "ada", SECRET
    page = client.get("/connections/subsonic/").content.decode()
    hidden = dict(re.findall(r'type="hidden"\s+name="(\w+)"\s+value="([^"]*)"', page))

    assert client.post("/connections/subsonic/", hidden).status_code == 303
    assert run(ada).state == "succeeded"
    [playlist] = server.playlists.values()
    assert len(playlist.songs) == 10


def test_the_same_account_again_keeps_matches_and_another_begins_anew(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    TrackLink.objects.filter(track="t1").update(remote_id="s15", by_hand=True)
    Connection.objects.update(state="refused")

    client.post("/connections/subsonic/", entered(server))
    kept = TrackLink.objects.get(track="t1").remote_id
    again = Connection.objects.get()
    server.username = "bea"
    client.post("/connections/subsonic/", entered(server, username="bea"))

    assert (again.pk, again.state, kept) == (link.pk, "active", "s15")
    assert Connection.objects.get().pk != link.pk
    assert not TrackLink.objects.exists()


def test_listenbrainz_is_connected_by_token(client: Client, ada: User, settings: Any) -> None:
    with ListenBrainz() as service:
        settings.LISTENBRAINZ_URL = service.url
        for number in range(8):
            service.add(f"Song {number}", "Kiasmos")

        refused = client.post("/connections/listenbrainz/", {"token": "wrong"})
        tested = client.post("/connections/listenbrainz/", {"token": "token", "test": "yes"})
        assert not Connection.objects.exists()
        connected = client.post("/connections/listenbrainz/", {"token": "token"})
        run(ada, "listenbrainz")
        page = client.get("/connections/listenbrainz/").content.decode()

    assert [each.status_code for each in (refused, tested, connected)] == [422, 200, 303]
    assert "8 of 10 found" in re.sub(r"\s+", " ", page)
    assert Connection.objects.get().username == "ada"


# --- A connected server -------------------------------------------------------------------------


def test_the_page_says_how_much_was_found(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    like(ada, 30)
    like(ada, 31)
    run(ada)

    page = re.sub(r"\s+", " ", client.get("/connections/subsonic/").content.decode())

    assert "10 of 12 found" in page
    assert "2 missing songs" in page
    assert "10 of 12 songs, as" in page


def test_missing_songs_have_their_reasons_on_the_page_and_in_the_table(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    like(ada, 30, name="=HYPERLINK(1)")
    like(ada, 31, name="Song 1 - Live")
    run(ada)

    page = client.get("/connections/subsonic/missing/").content.decode()
    table = client.get("/connections/subsonic/missing.csv")
    rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))

    assert "The server has other versions only: Song 1" in page
    assert [row[0] for row in rows] == ["Title", "'=HYPERLINK(1)", "Song 1 - Live"]
    assert rows[2][5] == "The server has other versions only: Song 1"
    assert "attachment" in table.headers["Content-Disposition"]


def test_a_song_is_matched_by_hand_with_the_servers_search(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    like(ada, 30, name="Song Fifteen")
    run(ada)

    found = client.get("/connections/subsonic/songs/t30/", {"q": "Song 15"}).content.decode()
    chosen = client.post("/connections/subsonic/songs/t30/", {"song": "s15"})
    run(ada)

    assert 'value="s15"' in found
    assert chosen.status_code == 303
    assert "s15" in next(iter(server.playlists.values())).songs
    assert not client.get("/connections/subsonic/missing/").context["rows"]


def test_not_there_is_an_answer_and_can_be_taken_back(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)

    client.post("/connections/subsonic/songs/t1/", {"nowhere": "yes"})
    run(ada)
    without = next(iter(server.playlists.values())).songs.copy()
    client.post("/connections/subsonic/songs/t1/", {"forget": "yes"})
    run(ada)

    assert "s1" not in without
    assert "s1" in next(iter(server.playlists.values())).songs


def test_the_search_says_when_the_server_is_down(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    server.stop()

    page = client.get("/connections/subsonic/songs/t1/")

    assert page.status_code == 200
    assert "Nothing listens at this port." in page.content.decode()


def test_options_choose_playlists_and_stars(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    jazz = Mirror.objects.create(user=ada, name="Jazz", is_main=False, rule={})

    client.post("/connections/subsonic/options/", {"mirrors": [jazz.pk], "stars": "on"})

    assert [each.mirror_id for each in TargetPlaylist.objects.all()] == [jazz.pk]
    assert Connection.objects.get().settings["stars"] is True


def test_a_mirror_of_somebody_else_cannot_be_chosen(
    client: Client, ada: User, link: Connection
) -> None:
    theirs = Mirror.objects.get(user=make_user("bea"))

    client.post("/connections/subsonic/options/", {"mirrors": [theirs.pk]})

    assert [each.mirror.user for each in TargetPlaylist.objects.all()] == [ada]


def test_pause_and_resume(client: Client, ada: User, server: MusicServer, link: Connection) -> None:
    client.post("/connections/subsonic/sync/")
    client.post("/connections/subsonic/pause/")
    paused = (Connection.objects.get().state, SyncRequest.objects.get().state)
    client.post("/connections/subsonic/pause/", {"resume": "yes"})

    assert paused == ("paused", "cancelled")
    assert Connection.objects.get().state == "active"
    assert SyncRequest.objects.filter(completed=None).count() == 1


def test_disconnecting_forgets_all_here_and_leaves_all_there(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    client.post("/connections/subsonic/sync/")

    client.post("/connections/subsonic/disconnect/")

    assert not Connection.objects.exists()
    assert not TrackLink.objects.exists()
    assert not SyncRequest.objects.filter(completed=None).exists()
    assert len(server.playlists) == 1


def test_bea_sees_and_changes_nothing_of_adas(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    run(ada)
    before = [list(model.objects.order_by("pk").values()) for model in (Connection, TrackLink)]
    client.force_login(make_user("bea"))

    paths = ["missing/", "missing.csv", "songs/t1/"]
    got = [client.get(f"/connections/subsonic/{path}").status_code for path in paths]
    posts = ["sync/", "pause/", "options/", "disconnect/", "songs/t1/"]
    posted = [
        client.post(f"/connections/subsonic/{path}", {"song": "s9", "mirrors": []}).status_code
        for path in posts
    ]

    assert (set(got), set(posted)) == ({404}, {404})
    assert server.url not in client.get("/connections/").content.decode()
    assert before == [
        list(model.objects.order_by("pk").values()) for model in (Connection, TrackLink)
    ]


def test_queries_of_the_list_do_not_grow(
    client: Client,
    ada: User,
    server: MusicServer,
    link: Connection,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(30, 75):
        like(ada, number)
    run(ada)

    with django_assert_max_num_queries(7):
        page = client.get("/connections/subsonic/missing/")

    assert len(page.context["rows"]) == 45


def test_nasty_names_do_no_harm(
    client: Client, ada: User, server: MusicServer, link: Connection
) -> None:
    nasty = "<b>&\"'{{ 7 }}\u202egnp.\x1b[31m\x85\u2066end"
    like(ada, 30, name=nasty, artists=[nasty], album_name=nasty)
    server.add(song(31, title=nasty, artist="Somebody", album=nasty))
    Mirror.objects.update(name=nasty)
    run(ada)

    paths = ["", "missing/", "songs/t30/?q=gnp", "missing.csv"]
    pages = [client.get(f"/connections/subsonic/{path}").content.decode() for path in paths]

    assert "s31" in pages[2]
    for page in pages:
        assert not re.search("[\u202e\u2066\x1b\x85]", page)
    for page in pages[:3]:
        assert "<b>&" not in page
