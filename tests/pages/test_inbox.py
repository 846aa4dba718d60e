"""The inbox's page: by whom, buttons, undo, options, and nothing of anybody else."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.models import InboxItem, Library, Mirror, SyncRequest
from tests.builders import main_mirror, make_like, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(ada: User) -> User:
    """With the permission to like songs."""
    SpotifyConnection.objects.filter(user=ada).update(scopes="user-library-modify")
    return ada


def make_item(user: User, track: str = "looped", **fields: Any) -> InboxItem:
    values = {"name": track.title(), "artists": ["Kiasmos"], "added_by": "bea", **fields}
    return InboxItem.objects.create(
        user=user, mirror=main_mirror(user), track_id=track, added_at=timezone.now(), **values
    )


def press(client: Client, item: InboxItem, do: str, **headers: str) -> Any:
    return client.post(f"/inbox/{item.pk}/", {"do": do}, headers=headers)


def state_of(item: InboxItem) -> tuple[str, str]:
    item.refresh_from_db()
    return item.state, item.delivery


@pytest.mark.parametrize(
    ("added_by", "who"),
    [
        ("ada", "you"),
        ("bea", "Bea"),
        ("stranger", "the Spotify user stranger"),
        ("", "somebody"),
    ],
)
def test_page_says_who_added_a_song_and_where(
    client: Client, ada: User, added_by: str, who: str
) -> None:
    make_user("bea")
    make_item(ada, added_by=added_by)

    page = client.get("/inbox/").content.decode()

    assert f"Added by <bdi>{who}</bdi> to <bdi>Liked Songs of Ada</bdi>" in page


def test_empty_inbox_says_what_comes_there(client: Client, ada: User) -> None:
    assert b"Nothing waits for you" in client.get("/inbox/").content


@pytest.mark.parametrize(
    ("kind", "do", "state"),
    [
        ("added", "like", ("liked", "asked")),
        ("added", "dismiss", ("dismissed", "")),
        ("added", "unlike", ("waiting", "")),
        ("taken_out", "unlike", ("unliked", "asked")),
        ("taken_out", "dismiss", ("dismissed", "")),
        ("taken_out", "like", ("waiting", "")),
        ("added", "explode", ("waiting", "")),
        ("added", "", ("waiting", "")),
    ],
)
def test_press_decides_and_leads_back(
    client: Client, ada: User, kind: str, do: str, state: tuple[str, str]
) -> None:
    item = make_item(ada, kind=kind)

    response = press(client, item, do)

    assert (response.status_code, response.headers["Location"]) == (303, "/inbox/")
    assert state_of(item) == state
    assert SyncRequest.objects.filter(user=ada).exists() == (state[1] == "asked")


def test_decided_song_can_be_brought_back_from_the_page(client: Client, ada: User) -> None:
    item = make_item(ada)
    press(client, item, "like")
    assert b'value="undo"' in client.get("/inbox/").content

    press(client, item, "undo")

    assert state_of(item) == ("waiting", "")


@pytest.mark.parametrize("delivery", ["sending", "done", "refused"])
def test_undo_is_not_offered_once_spotify_was_told(
    client: Client, ada: User, delivery: str
) -> None:
    item = make_item(ada, state="liked", delivery=delivery, decided_at=timezone.now())

    assert b'value="undo"' not in client.get("/inbox/").content
    press(client, item, "undo")

    assert state_of(item) == ("liked", delivery)


def test_undo_yields_to_a_newer_addition_of_the_song(client: Client, ada: User) -> None:
    old = make_item(ada, state="dismissed", decided_at=timezone.now())
    make_item(ada)

    assert press(client, old, "undo").status_code == 303

    assert state_of(old) == ("dismissed", "")


def test_unlike_is_offered_only_for_a_song_that_is_liked(client: Client, ada: User) -> None:
    make_item(ada, "liked", kind="taken_out")
    make_item(ada, "stranger", kind="taken_out")
    make_like(ada, "liked")

    page = client.get("/inbox/").content.decode()

    assert page.count('value="unlike"') == 1
    assert page.count("Put back<") == 2


def test_all_leaves_alone_what_came_after_the_page(client: Client, ada: User) -> None:
    first, second = make_item(ada, "one"), make_item(ada, "two")
    taken_out = make_item(ada, "three", kind="taken_out")
    later = make_item(ada, "four")

    client.post("/inbox/all/", {"do": "dismiss", "upto": second.pk})

    states = [state_of(item)[0] for item in (first, second, taken_out, later)]
    assert states == ["dismissed", "dismissed", "waiting", "waiting"]


@pytest.mark.parametrize("upto", ["", "-1", "x", "9" * 19, "9" * 5_000, "٣"])
def test_all_with_an_odd_number_breaks_nothing(client: Client, ada: User, upto: str) -> None:
    make_item(ada)

    assert client.post("/inbox/all/", {"do": "like", "upto": upto}).status_code == 303


def test_first_like_asks_for_the_permission_and_is_kept(client: Client, ada: User) -> None:
    SpotifyConnection.objects.filter(user=ada).update(scopes="user-library-read")
    item = make_item(ada)

    response = press(client, item, "like")

    assert response.headers["Location"].startswith("/accounts/permissions/?scope=user-library-m")
    assert state_of(item) == ("liked", "asked")
    assert not SyncRequest.objects.filter(user=ada).exists()
    assert b"Syncify needs your permission" in client.get("/inbox/").content
    assert press(client, item, "undo", HX_Request="true").status_code == 200


def test_press_by_htmx_gets_the_list_and_the_count(client: Client, ada: User) -> None:
    make_item(ada, "one")
    item = make_item(ada, "two")

    page = press(client, item, "dismiss", HX_Request="true").content.decode()

    assert "<html" not in page
    assert 'id="inbox"' in page
    assert "1<span" in page.partition('id="inbox-count"')[2]


def test_navigation_counts_what_waits(client: Client, ada: User) -> None:
    make_item(ada, "one")
    make_item(ada, "two", state="dismissed")
    make_item(make_user("bea"), "three")

    for path in ("/inbox/count/", "/songs/"):
        page = client.get(path).content.decode()
        assert '<span class="count">1<' in page


def test_options_are_stored_and_turn_only_own_mirrors(client: Client, ada: User) -> None:
    hers, theirs = main_mirror(ada), main_mirror(make_user("bea"))

    client.post("/inbox/options/", {"likes_own": "on", "keep": [hers.pk, theirs.pk, "x", "9" * 30]})

    assert Library.objects.get(user=ada).likes_own_additions
    assert list(Mirror.objects.filter(keeps_additions=True)) == [hers]
    client.post("/inbox/options/", {})
    assert not Library.objects.get(user=ada).likes_own_additions
    assert not Mirror.objects.filter(keeps_additions=True).exists()


def test_items_of_others_do_not_exist(client: Client, ada: User) -> None:
    item = make_item(make_user("bea"), "secret")

    assert b"Secret" not in client.get("/inbox/").content
    assert press(client, item, "dismiss").status_code == 404
    client.post("/inbox/all/", {"do": "dismiss", "upto": item.pk})
    assert state_of(item) == ("waiting", "")


def test_long_inbox_costs_no_more_queries(
    client: Client, ada: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(130):
        make_item(ada, f"song{number}", added_by=f"friend{number}")

    with django_assert_max_num_queries(16):
        page = client.get("/inbox/").content.decode()

    assert page.count('class="inbox-item"') == 100
    assert "There are more songs." in page
