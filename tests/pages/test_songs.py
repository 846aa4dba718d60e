"""The pages of songs as a listener, a stranger and a script meet them."""

import asyncio
import csv
import json
import re
from datetime import timedelta
from io import StringIO
from itertools import chain
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from sync.library.search import PAGE_SIZE
from sync.models import Album, Library, Mirror, MirrorTrack, Playlist, PlaylistItems, SavedTrack
from tests.builders import make_request, make_user
from tests.library.rows import add_song, at, big_library, like
from tests.pages.test_playlists import fields_of

pytestmark = pytest.mark.django_db

DOWNLOADS = ["songs.csv", "transfer.csv", "songs.jspf"]


def page_of(client: Client, path: str = "/songs/", **params: str) -> str:
    response = client.get(path, params)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def titles(page: str) -> list[str]:
    return re.findall(r'class="song"[^>]*><bdi>(.*?)</bdi>', page)


# --- The list -------------------------------------------------------------------------------------


def test_a_row_has_all_that_is_known_of_a_song(client: Client, ada: User) -> None:
    Album.objects.create(id="al", name="Swept", cover_url="https://i.scdn.co/image/cover")
    track = add_song("4uLU6hMCjMI75M1A2tKUQC", album="Swept", album_id="al", explicit=True)
    like(ada, track, at("2024-03-05"))

    page = page_of(client)

    assert 'href="https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"' in page
    assert 'href="/songs/4uLU6hMCjMI75M1A2tKUQC/" aria-label="About Looped"' in page
    assert '<a href="/songs/?artist=Kiasmos"><bdi>Kiasmos</bdi></a>' in page
    assert all(text in page for text in ("Swept", "5 Mar 2024", "3:35", 'title="Explicit"'))
    assert (
        '<img class="art" src="https://i.scdn.co/image/cover" alt="" width="48" height="48"'
        ' loading="lazy" decoding="async" referrerpolicy="no-referrer">' in page
    )


def test_a_hundred_songs_at_a_time_each_once(client: Client, ada: User) -> None:
    for number in range(2 * PAGE_SIZE + 1):
        like(ada, add_song(f"s{number}", name=f"Song {number}"), at("2024-01-01"), rank=number)

    pages = [titles(page_of(client, sort="oldest_like", page=str(n))) for n in (1, 2, 3, 4)]

    assert [len(page) for page in pages] == [100, 100, 1, 0]
    assert list(chain.from_iterable(pages))[::-1] == [f"Song {number}" for number in range(201)]
    first = page_of(client, sort="oldest_like")
    assert "201 songs" in first
    assert 'href="?sort=oldest_like&amp;page=2"' in first
    assert 'hx-select="#likes > li"' in first


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 400, "1e3", "٣"])
def test_an_odd_page_number_is_the_first_or_an_empty_page(
    client: Client, ada: User, page: str
) -> None:
    like(ada, add_song("looped"), at("2024-01-01"))

    assert client.get("/songs/", {"page": page}).status_code == 200


def test_the_address_holds_the_whole_state(client: Client, ada: User) -> None:
    like(ada, add_song("looped"), at("2024-03-05"))
    params = {"q": "kiasmos", "sort": "title", "liked": "2024", "explicit": "no", "decade": "2010"}

    page = page_of(client, **params)

    assert titles(page) == ["Looped"]
    assert 'value="kiasmos"' in page
    for chosen in ("title", "2024", "no", "2010"):
        assert f'<option value="{chosen}" selected>' in page
    assert f'href="/songs/songs.csv?{urlencode(params)}"'.replace("&", "&amp;") != ""
    assert 'href="/songs/?q=kiasmos&amp;sort=title&amp;decade=2010&amp;explicit=no"' in page


def test_htmx_is_told_the_shortest_address(client: Client, ada: User) -> None:
    like(ada, add_song("looped"), at("2024-03-05"))
    asked = {"q": "loop", "sort": "", "show": "", "at": ""}

    response = client.get("/songs/", asked, headers={"HX-Request": "true"})
    further = client.get("/songs/", {**asked, "page": "2"}, headers={"HX-Request": "true"})

    assert response.headers["HX-Replace-Url"] == "/songs/?q=loop"
    assert "HX-Replace-Url" not in further.headers


def test_a_search_with_very_many_results_is_not_counted_to_the_end(
    client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sync.library.search", "sync.pages.songs"):
        monkeypatch.setattr(f"{module}.MOST_COUNTED", 110)
    for number in range(112):
        like(ada, add_song(f"s{number}", name="Looped"), at("2024-01-01"), rank=number)
        expected = "1 song" if number == 0 else f"{number + 1} songs"
        if number >= 108:
            assert (expected if number < 110 else "more than 110 songs") in page_of(
                client, q="loop"
            )
    assert "112 songs" in page_of(client)


def test_what_is_unknown_is_left_out_with_a_note(client: Client, ada: User) -> None:
    bea = make_user("bea")
    like(ada, add_song("looped"), at("2024-03-05"))
    hers = make_request(bea, state="succeeded")

    for params in (
        {"sort": "loudest"},
        {"show": "everything"},
        {"playlist": str(bea.mirrors.get().pk)},
        {"sync": str(hers.pk)},
        {"sync": "999999999999999999"},
    ):
        page = page_of(client, **params)
        assert "was ignored" in page
        assert titles(page) == ["Looped"]


def test_an_empty_library_has_a_page_worth_reading(client: Client, ada: User) -> None:
    page = page_of(client)

    assert "Every song that you like, in one place" in page
    assert "<form class=" not in page


def test_a_search_without_a_result_leads_back(client: Client, ada: User) -> None:
    like(ada, add_song("looped"), at("2024-03-05"))

    page = page_of(client, q="zebra")

    assert "0 songs" in page
    assert "No songs found." in page
    assert '<a href="/songs/">Show all songs</a>' in page


NASTY = "<b>&\"'{{ 7 }}\u202egnp.end"


def test_names_do_no_harm(client: Client, ada: User) -> None:
    track = add_song("nasty", name=NASTY, artists=[NASTY], album=NASTY)
    like(ada, track, at("2024-03-05"))

    for path, params in [
        ("/songs/", {}),
        ("/songs/", {"artist": NASTY, "album": NASTY, "q": NASTY}),
        ("/songs/nasty/", {}),
        ("/insights/", {}),
        ("/insights/2024/", {}),
    ]:
        page = page_of(client, path, **params)
        assert "<b>&" not in page
        # A field's text is its own affair.
        assert "\u202e" not in re.sub(r'value=".*?"', "", page)
        assert "&lt;b&gt;" in page


# --- The time machine -----------------------------------------------------------------------------


def test_the_library_as_it_was(client: Client, ada: User) -> None:
    like(ada, add_song("gone", name="Gone"), at("2020-01-01"), removed_at=at("2022-01-01"))
    like(ada, add_song("held", name="Held"), at("2021-01-01"))

    assert titles(page_of(client, at="2021-06-01")) == ["Held", "Gone"]
    assert titles(page_of(client, at="2020-06-01")) == ["Gone"]
    assert titles(page_of(client, at="2023-06-01")) == ["Held"]


def test_a_day_before_the_first_like_offers_the_first(client: Client, ada: User) -> None:
    like(ada, add_song("held"), at("2021-01-05"))

    page = page_of(client, at="1999-01-01")

    assert '<a href="/songs/?at=2021-01-05">5 January 2021</a>' in page


def test_two_days_are_compared(client: Client, ada: User) -> None:
    like(ada, add_song("gone", name="Gone"), at("2020-01-01"), removed_at=at("2022-01-01"))
    like(ada, add_song("held", name="Held"), at("2021-01-01"))

    came = page_of(client, since="2020-06-01", at="2023-01-01")
    went = page_of(client, since="2020-06-01", at="2023-01-01", show="gone")

    assert (titles(came), titles(went)) == (["Held"], ["Gone"])
    assert "1 came" in came
    assert "1 went" in came
    assert came.count('aria-current="true"') == went.count('aria-current="true"') == 1
    # The numbers are of all songs, and so are the lists that they lead to.
    searched = page_of(client, since="2020-06-01", at="2023-01-01", q="nothing", sort="title")
    assert 'aria-current="true"' not in searched
    for number, show in (("1 came", ""), ("1 went", "&amp;show=gone")):
        address = f"/songs/?sort=title{show}&amp;at=2023-01-01&amp;since=2020-06-01"
        assert number in searched[searched.index(f'href="{address}"') :][:150]


def test_refused_songs_between_two_days_are_counted_by_themselves(
    client: Client, ada: User
) -> None:
    like(ada, add_song("held"), at("2021-01-01"))
    refused = like(ada, add_song("refused"), at("2021-01-01"))
    MirrorTrack.objects.create(
        mirror=ada.mirrors.get(is_main=True), track=refused.track, refused_at=timezone.now()
    )

    for number in ("1", "2"):
        page = page_of(client, since="2020-06-01", at="2023-01-01", show="refused", page=number)

        assert '<p id="count" class="muted number" role="status"> 1 song </p>' in page


def test_days_before_the_sign_up_say_what_they_lack(client: Client, ada: User) -> None:
    like(ada, add_song("held"), at("2021-01-05"))

    assert "only the songs that you still liked then" in page_of(client, at="2021-06-01")
    User.objects.filter(pk=ada.pk).update(date_joined=at("2021-01-01"))
    assert "Exactly as your library was" in page_of(client, at="2021-06-01")


def test_a_day_of_the_library_becomes_a_playlist(client: Client, ada: User) -> None:
    like(ada, add_song("gone", name="Gone"), at("2020-01-01"), removed_at=at("2022-01-01"))
    like(ada, add_song("held", name="Held"), at("2021-01-01"))
    page = page_of(client, at="2021-06-01")
    [address] = re.findall(r'href="([^"]+)">Make a playlist of this<', page)

    fields = fields_of(client.get(address))
    client.post("/playlists/new/", fields | {"do": "save"})

    assert address == "/playlists/new/?likes_at=2021-06-01"
    mirror = Mirror.objects.get(user=ada, is_main=False)
    assert mirror.name == "My likes of 1 June 2021"
    assert mirror.rule is not None
    assert mirror.rule["source"] == {"likes_at": "2021-06-01"}
    assert "Make a playlist of this" not in page_of(client, at="2021-06-01", artist="Kiasmos")
    assert "Make a playlist of this" not in page_of(client)


@pytest.mark.parametrize("day", ["2021-02-30", "soon", "\0", "9" * 50])
def test_a_playlist_of_an_odd_day_is_not_begun(client: Client, ada: User, day: str) -> None:
    response = client.get("/playlists/new/", {"likes_at": day})

    assert response.status_code == 200
    assert "No playlist of that day" in response.content.decode()


# --- One song -------------------------------------------------------------------------------------


def test_a_song_tells_its_story(client: Client, ada: User) -> None:
    track = add_song("looped", name="Looped (Live)")
    like(ada, track, at("2020-01-01"), removed_at=at("2021-02-03"))
    like(ada, track, at("2022-03-04"))
    like(ada, add_song("studio", name="Looped"), at("2020-01-01"))
    like(ada, add_song("other", name="Swayed"), at("2020-01-01"))
    like(ada, add_song("cover", name="Looped", artists=["Cover Band"]), at("2020-01-01"))
    playlist = Playlist.objects.create(mirror=ada.mirrors.get(), number=1)
    PlaylistItems.objects.create(playlist=playlist, uris=["spotify:track:looped"])
    MirrorTrack.objects.create(
        mirror=ada.mirrors.get(),
        track_id="looped",
        refused_at=timezone.now(),
        refused_reason="Not here.",
    )

    page = page_of(client, "/songs/looped/")

    story = ["Liked on", "1 January 2020", "noticed on", "3 February 2021", "Liked again"]
    assert [page.index(text) for text in story] == sorted(page.index(text) for text in story)
    assert "Liked Songs of Ada" in page
    assert "Not here." in page
    versions = page[page.index("Other versions") : page.index("More by")]
    assert titles(versions) == ["Looped"]
    assert "/songs/cover/" not in page
    assert set(titles(page[page.index("More by") :])) == {"Looped", "Swayed"}


def test_a_song_that_is_gone_still_has_its_page(client: Client, ada: User) -> None:
    like(ada, add_song("looped"), at("2020-01-01"), removed_at=at("2021-01-01"))

    assert "You liked it once" in page_of(client, "/songs/looped/")


def test_a_song_of_somebody_else_is_not_there_unless_one_likes_it_too(
    client: Client, ada: User
) -> None:
    bea = make_user("bea")
    like(bea, add_song("hers"), at("2020-01-01"))
    assert client.get("/songs/hers/").status_code == 404

    like(ada, "hers", at("2024-01-01"))
    page = page_of(client, "/songs/hers/")

    assert "1 January 2024" in page
    assert "1 January 2020" not in page


@pytest.mark.parametrize("key", ["x", "%00", "%F0%9F%8E%88", "x" * 300, "-1", "..%2f"])
def test_a_song_that_nobody_likes_is_not_there(client: Client, ada: User, key: str) -> None:
    assert client.get(f"/songs/{key}/").status_code == 404


# --- Downloads ------------------------------------------------------------------------------------


def test_downloads_stand_above_the_list_which_grows_as_one_scrolls(
    client: Client, ada: User
) -> None:
    like(ada, add_song("one", name="Looped"), at("2020-01-01"))

    page = page_of(client)

    assert page.index("songs.csv") < page.index('id="likes"')


@pytest.mark.parametrize("name", DOWNLOADS)
def test_a_download_has_the_songs_of_the_same_list(client: Client, ada: User, name: str) -> None:
    like(ada, add_song("one", name="Looped"), at("2020-01-01"), removed_at=at("2022-01-01"))
    like(ada, add_song("two", name="Swayed"), at("2021-01-01"))
    like(make_user("bea"), add_song("hers", name="Hers"), at("2021-01-01"))

    for params, expected in [
        ({}, ["Swayed"]),
        ({"q": "loop"}, []),
        ({"at": "2021-06-01", "sort": "title"}, ["Looped", "Swayed"]),
        ({"show": "gone"}, ["Looped"]),
    ]:
        response = client.get(f"/songs/{name}", params)
        text = b"".join(response.streaming_content).decode()  # type: ignore[arg-type]
        if name.endswith("jspf"):
            found = [song["title"] for song in json.loads(text)["playlist"]["track"]]
        else:
            key = "title" if name.startswith("transfer") else "Track Name"
            reader = csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""))
            found = [row[key] for row in reader]
        assert found == expected
        assert response.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''l")
        assert "no-store" in response.headers["Cache-Control"]


def test_a_download_is_named_after_listener_list_and_day(client: Client, ada: User) -> None:
    like(ada, add_song("one"), at("2020-01-01"))

    response = client.get("/songs/transfer.csv", {"artist": "Kiasmos", "q": "mr. loop"})

    today = timezone.localdate().isoformat()
    assert response.headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''"
        f"liked-songs-of-ada-artist-kiasmos-mr-loop-{today}.transfer.csv"
    )


@pytest.mark.django_db(transaction=True)
def test_under_asgi_a_download_is_sent_while_it_is_written() -> None:
    ada = big_library("ada", songs=1_200, syncs=0)
    client = AsyncClient()
    client.force_login(ada)

    async def download() -> list[bytes]:
        response = await client.get("/songs/songs.csv")
        pieces = [piece async for piece in response.streaming_content]  # type: ignore[union-attr]
        # The thread of the request has a connection of its own.
        await sync_to_async(connections.close_all)()
        return pieces

    pieces = asyncio.run(download())

    assert len(pieces) > 2
    assert b"".join(pieces).count(b"\r\n") == SavedTrack.objects.filter(removed_at=None).count() + 1


# --- Everybody else, and how much it costs --------------------------------------------------------


PATHS: list[tuple[str, dict[str, str]]] = [
    ("/songs/", {}),
    ("/songs/", {"q": "e", "sort": "artist"}),
    ("/songs/", {"show": "duplicates"}),
    ("/songs/", {"show": "gone"}),
    ("/songs/", {"at": "2025-05-01"}),
    ("/songs/", {"page": "3"}),
    ("/songs/", {"since": "2025-05-01", "at": "2026-05-01"}),
    ("/insights/", {}),
    ("/insights/", {}),
    ("/duplicates/", {}),
    ("/plays/", {}),
    ("/playlists/", {}),
    ("/sync/history/", {}),
]


def test_pages_stay_small_ask_little_and_never_call_spotify(client: Client, settings: Any) -> None:
    # Any call would fail: nothing listens there.
    settings.SPOTIFY_API_URL = "http://127.0.0.1:9/v1/"
    ada = big_library("ada", songs=900, syncs=120, covers="https://i.scdn.co")
    client.force_login(ada)
    newest = SavedTrack.objects.filter(user=ada, removed_at=None).latest("added_at")
    year = timezone.localtime(newest.added_at).year
    costs = {}
    for path, params in [
        *PATHS,
        (f"/songs/{newest.track_id}/", {}),
        (f"/insights/{year}/", {}),
    ]:
        with CaptureQueriesContext(connection) as queries:
            response = client.get(path, params)
        assert response.status_code == 200
        costs[f"{len(costs)}. {path} {params}"] = (len(queries), len(response.content))

    assert {name: cost for name, cost in costs.items() if cost[0] > 8} == {}
    assert {name: cost for name, cost in costs.items() if cost[1] > 100_000} == {}


# --- Time zone ------------------------------------------------------------------------------------


def test_the_browsers_time_zone_is_kept_and_stands_in_where_none_is_told(
    client: Client, ada: User
) -> None:
    like(ada, add_song("late"), at("2024-01-31 23:30"))
    client.cookies["timezone"] = "Pacific%2FAuckland"

    assert "1 Feb 2024" in page_of(client)
    assert Library.objects.get(user=ada).time_zone == "Pacific/Auckland"
    del client.cookies["timezone"]
    assert "1 Feb 2024" in page_of(client)
    client.cookies["timezone"] = "no/such zone"
    assert "1 Feb 2024" in page_of(client)
    client.cookies["timezone"] = "UTC"
    assert "31 Jan 2024" in page_of(client)
    assert Library.objects.get(user=ada).time_zone == "UTC"


def test_a_stored_zone_that_this_machine_does_not_know_is_passed_over(
    client: Client, ada: User
) -> None:
    Library.objects.update_or_create(user=ada, defaults={"time_zone": "Mars/Olympus"})
    like(ada, add_song("late"), timezone.now() - timedelta(days=1))

    assert titles(page_of(client)) == ["Looped"]
