"""The pages of numbers: charts and their tables agree, every number leads to its songs."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from sync.models import MirrorTrack, SavedTrack
from tests.library.rows import add_song, at, big_library, like

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.clear()


def page_of(client: Client, path: str = "/insights/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def count_of(page: str) -> int:
    [found] = re.findall(r'role="status">\s?([\d,]+) song', page)
    return int(found.replace(",", ""))


def test_an_empty_library_has_a_page_worth_reading(client: Client, ada: User) -> None:
    assert "Charts of your Liked Songs" in page_of(client)


@pytest.mark.parametrize("songs", [1, 2, 400])
def test_charts_have_a_name_a_description_and_the_same_numbers_in_a_table(
    client: Client, songs: int
) -> None:
    ada = big_library("ada", songs=songs, syncs=8)
    client.force_login(ada)

    page = page_of(client)

    charts = re.findall(r'<svg [^>]*role="img"[^>]*>.*?</svg>', page)
    assert len(charts) == 3
    for chart in charts:
        assert re.search(r'<title id="[\w-]+">[^<]+</title> <desc id="[\w-]+">[^<]+\.', chart)
    for figure in re.findall(r'<figure class="bars.*?</figure>', page):
        bars = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', figure)]
        rows = re.findall(r'<th scope="row">.*?</th> <td> <a href="\S+">([\d,.]+)', figure)
        assert len(bars) == len(rows)
        most = bars.index(max(bars))
        if "Songs</th>" in figure:
            numbers = [int(row.replace(",", "")) for row in rows]
            assert numbers[most] == max(numbers)
            total = sum(numbers)
            assert f">{total:,}</a>" in page


def test_every_number_leads_to_as_many_songs(client: Client) -> None:
    ada = big_library("ada", songs=120, syncs=8)
    client.force_login(ada)

    page = page_of(client)

    heat = page[page.index('<table class="heat">') : page.index("Decades of your songs")]
    cells = re.findall(r'<a href="(/songs/\S+)">(\d+)</a>', heat)
    assert sum(int(number) for _, number in cells) > 100
    top = re.findall(r'<a href="(/songs/\S+?)"><bdi>.*?<span class="number">([\d,]+)<', page)
    assert len(top) > 10
    for address, number in [*cells[::7], *top[::4]]:
        assert count_of(page_of(client, address.replace("&amp;", "&"))) == int(number), address


def test_lists_tell_of_firsts_breaks_and_losses(client: Client, ada: User) -> None:
    like(ada, add_song("first", name="First", release_date="1999-01-01"), at("2020-01-01"))
    like(ada, add_song("old", name="Old", release_date="1966"), at("2023-01-01"))
    like(ada, add_song("gone", name="Gone"), at("2020-01-01"), removed_at=at("2022-01-01"))
    like(ada, add_song("refused", name="Refused"), at("2024-01-01"))
    today = timezone.localtime()
    same_day = today.replace(year=today.year - 4) if today.day < 29 else today - timedelta(1461)
    like(ada, add_song("today", name="Today"), same_day)
    MirrorTrack.objects.create(
        mirror=ada.mirrors.get(),
        track_id="refused",
        refused_at=timezone.now(),
        refused_reason="Not here.",
    )

    page = page_of(client)

    for heading, song in [
        ("The first like", "First"),
        ("The oldest song", "Old"),
        ("On this day", "Today"),
        ("No longer liked", "Gone"),
        ("Refused by Spotify", "Refused"),
    ]:
        rest = page[page.index(f">{heading}<") :]
        assert re.findall(r'class="song"[^>]*><bdi>(.*?)</bdi>', rest)[0] == song
    assert "days without a like" in page
    assert "Not here." in page


def test_survivors_are_told_from_what_is_known_exactly(client: Client, ada: User) -> None:
    like(ada, add_song("old"), at("2020-01-01"))
    like(ada, add_song("new"), timezone.now())
    page = page_of(client)
    assert "Before you signed up: only songs that you still liked" in page

    User.objects.filter(pk=ada.pk).update(date_joined=at("2019-01-01"))
    assert "Before you signed up" not in page_of(client)


def test_a_year_has_its_page_and_its_neighbours(client: Client, ada: User) -> None:
    for number, day in enumerate(["2020-03-01", "2022-01-05", "2022-05-05", "2022-05-05"]):
        like(
            ada,
            add_song(f"s{number}", name=f"Song {number}", release_date=f"19{70 + number}"),
            at(f"{day} 12:00"),
            rank=-number,
        )
    like(ada, add_song("gone"), at("2022-06-01"), removed_at=at("2023-01-01"))

    page = page_of(client, "/insights/2022/")

    assert ">3 songs</a></b> on 2 days" in page.replace("</a> </b>", "</a></b>")
    assert "1 more were liked and later unliked" in page
    assert 'href="/insights/2020/" rel="prev"' in page
    assert 'rel="next"' not in page
    for heading, song in [("The first like", "Song 1"), ("The oldest discovery", "Song 1")]:
        rest = page[page.index(heading) :]
        assert re.findall(r'class="song"[^>]*><bdi>(.*?)</bdi>', rest)[0] == song
    assert "Thursday, 5 May" in page


@pytest.mark.parametrize("year", ["2021", "1", "0", "99999999999999999999"])
def test_a_year_without_a_like_is_not_there(client: Client, ada: User, year: str) -> None:
    like(ada, add_song("s"), at("2022-03-01"))

    assert client.get(f"/insights/{year}/").status_code == 404


def test_years_are_those_of_the_listeners_clock(client: Client, ada: User) -> None:
    like(ada, add_song("late"), at("2023-12-31 23:30"))
    client.cookies["timezone"] = "Pacific/Auckland"

    assert client.get("/insights/2023/").status_code == 404
    assert client.get("/insights/2024/").status_code == 200


def test_nobody_sees_somebody_elses_numbers(client: Client, ada: User) -> None:
    bea = big_library("bea", songs=20, syncs=4)
    like(ada, add_song("mine", name="Mine"), at("2024-01-01"))

    page = page_of(client)

    assert set(re.findall(r'class="song"[^>]*><bdi>(.*?)</bdi>', page)) == {"Mine"}
    assert not any(like.track.name in page for like in bea.saved_tracks.select_related("track"))


def test_without_pictures_no_page_asks_another_host(client: Client, settings: Any) -> None:
    settings.PICTURES = False
    ada = big_library("ada", songs=60, syncs=8, covers="https://i.scdn.co")
    client.force_login(ada)

    for path in ("/insights/", "/songs/", "/sync/history/"):
        assert "scdn.co" not in page_of(client, path)


def test_numbers_are_kept_until_the_likes_change(client: Client, ada: User) -> None:
    first = like(ada, add_song("first"), at("2020-01-01"))
    assert "First of many" not in page_of(client)
    add_song("next", name="First of many")
    with CaptureQueriesContext(connection) as again:
        page_of(client)

    like(ada, "next", at("2019-01-01"))
    with CaptureQueriesContext(connection) as after:
        assert "First of many" in page_of(client)
    assert len(again) < len(after)

    SavedTrack.objects.filter(pk=first.pk).update(removed_at=timezone.now())
    assert ">No longer liked<" in page_of(client)
    SavedTrack.objects.update(removed_at=timezone.now())
    assert "Charts of your Liked Songs" in page_of(client)
