"""The history as a diary: weeks, songs, folds, and nobody else's."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from sync.models import Mirror, Playlist, PlaylistItems, SyncResult
from tests.builders import make_request, make_user
from tests.library.rows import add_song, at, like

pytestmark = pytest.mark.django_db


def page_of(client: Client, **params: str) -> str:
    response = client.get("/sync/history/", params)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def headlines(page: str) -> list[str]:
    return re.findall(r'<h3>(.*?)</h3>|<p class="fold"> (.*?) <span', page) and [
        "".join(found).strip()
        for found in re.findall(r'<h3>(.*?)</h3>|<p class="fold"> (.*?) <span', page)
    ]


def test_what_came_and_went_is_told_by_name(client: Client, ada: User) -> None:
    done = make_request(ada, state="succeeded", added=2, removed=1, song_count=9)
    for number in range(2):
        like(ada, add_song(f"new{number}", name=f"New {number}"), at("2026-01-01"), added_in=done)
    like(
        ada,
        add_song("gone", name="Gone"),
        at("2024-01-01"),
        removed_in=done,
        removed_at=at("2026-01-02"),
    )

    page = page_of(client)

    assert headlines(page) == ["2 new, 1 gone"]
    assert '<a class="song" href="/songs/new0/"><bdi>New 0</bdi></a>' in page
    gone = page[page.index("No longer liked") :]
    assert '<a class="song" href="/songs/gone/"><bdi>Gone</bdi></a>' in gone
    assert "liked for 2 years" in gone
    assert "All 3 songs" not in page


def test_every_song_of_a_large_sync_can_be_reached(client: Client, ada: User) -> None:
    first = make_request(ada, state="succeeded", trigger="first", added=30, song_count=30)
    for number in range(30):
        like(ada, add_song(f"song{number}"), at("2026-01-01"), added_in=first)

    page = page_of(client)

    assert headlines(page) == ["First copy: 30 new"]
    [address] = re.findall(r'<a href="(\S*)">All 30 songs of this sync</a>', page)
    assert address == f"/songs/?sync={first.pk}"
    assert client.get(address).content.decode().count('class="like"') == 30


def test_quiet_checks_are_folded_between_those_with_changes(client: Client, ada: User) -> None:
    monday = timezone.now() - timedelta(days=timezone.now().weekday() + 7)
    for hours, fields in enumerate(
        [{}, {}, {"added": 1}, {}, {}, {}, {"moved": 2}, {}, {"note": "Renamed to “Hearts”."}, {}]
    ):
        make_request(ada, state="succeeded", completed=monday + timedelta(hours=hours), **fields)

    page = page_of(client)

    assert headlines(page) == [
        "1 check, nothing new",
        "Nothing had changed",
        "1 check, nothing new",
        "2 songs put in their place",
        "3 checks, nothing new",
        "1 song added",
        "2 checks, nothing new",
    ]
    assert "Renamed to “Hearts”." in page
    assert len(headlines(page_of(client, changes="yes"))) == 3


def test_weeks_are_headings_and_part_a_fold(client: Client, ada: User) -> None:
    now = timezone.now()
    monday = (now - timedelta(days=now.weekday())).replace(hour=12)
    for days in (21, 20, 9, 1):
        make_request(ada, state="succeeded", completed=monday - timedelta(days=days))
    make_request(ada, state="succeeded", completed=now, added=1)

    page = page_of(client)

    weeks = re.findall(r"<h2>(.*?)</h2>", page)
    assert weeks[:2] == ["This week", "Last week"]
    assert all(week.startswith("Week of ") for week in weeks[2:])
    assert len(weeks) == 4
    assert headlines(page)[1:] == [
        "1 check, nothing new",
        "1 check, nothing new",
        "2 checks, nothing new",
    ]


@pytest.mark.parametrize(
    ("fields", "songs", "headline"),
    [
        ({"trigger": "first", "song_count": 0}, 0, "Empty playlist made"),
        ({"state": "cancelled", "added": 1}, 1, "Stopped half-way: 1 new"),
        ({"state": "cancelled"}, 0, "Stopped before it finished"),
        ({"state": "dead", "error_message": "Spotify is down. Wait."}, 1, "Spotify is down"),
        ({"added": 3}, 0, "3 songs added"),
    ],
)
def test_a_headline_says_what_became_of_a_sync(
    client: Client, ada: User, fields: dict[str, Any], songs: int, headline: str
) -> None:
    done = make_request(ada, **{"state": "succeeded", "song_count": 5, **fields})
    for number in range(songs):
        like(ada, add_song(f"song{number}"), at("2026-01-01"), added_in=done)
    playlist = Playlist.objects.create(mirror=ada.mirrors.get(), number=1)
    uris = [f"spotify:track:song{number}" for number in range(songs)]
    PlaylistItems.objects.create(playlist=playlist, uris=uris)

    assert headlines(page_of(client)) == [headline]


def test_what_it_did_to_each_playlist_is_told_where_there_are_several(
    client: Client, ada: User
) -> None:
    done = make_request(ada, state="succeeded", added=3)
    jazz = Mirror.objects.create(user=ada, name="Jazz", is_main=False, rule={})
    for mirror, added in ((ada.mirrors.get(is_main=True), 2), (jazz, 1)):
        SyncResult.objects.update_or_create(
            request=done, mirror=mirror, defaults={"state": "done", "added": added}
        )

    page = page_of(client)

    assert "<bdi>Jazz</bdi>: 1 added, 0 removed" in page


def test_older_syncs_follow_without_a_gap(client: Client, ada: User) -> None:
    for number in range(45):
        make_request(ada, state="succeeded", note=f"Note {number}.")
        make_request(ada, state="succeeded")
    pages, path = [], "/sync/history/"
    while path:
        page = " ".join(client.get(path).content.decode().split())
        pages.append(page)
        found = re.search(r'href="(\?before=\d+)" rel="next"', page)
        path = f"/sync/history/{found[1]}" if found else ""

    notes = [note for page in pages for note in re.findall(r"Note \d+\.", page)]
    assert notes == [f"Note {number}." for number in reversed(range(45))]
    assert sum(page.count("1 check, nothing new") for page in pages) == 45


@pytest.mark.parametrize("before", ["0", "x", "-1", "9" * 30, "1"])
def test_an_odd_place_in_the_history_is_a_page(client: Client, ada: User, before: str) -> None:
    make_request(ada, state="succeeded", added=1)

    page_of(client, before=before)


def test_only_ones_own_finished_syncs_are_told(client: Client, ada: User) -> None:
    bea = make_user("bea")
    make_request(bea, state="succeeded", note="Not for Ada.")
    make_request(bea, state="succeeded")
    make_request(ada, note="Still open.")
    make_request(ada, state="succeeded", kind="genres", note="Not a sync.")

    page = page_of(client)

    assert "No sync has ended yet" in page
    assert not re.search(r"Not for Ada|Still open|Not a sync", page)
