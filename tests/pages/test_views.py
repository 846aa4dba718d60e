"""What the pages show, what their buttons do, and who may see what."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from sync.models import (
    Library,
    Mirror,
    Playlist,
    PlaylistItems,
    SyncRequest,
)
from sync.queue import store as queue
from tests.builders import (
    at_playlist,
    main_mirror,
    make_like,
    make_refused,
    make_request,
)
from tests.sharing.rows import make_playlist, make_songs

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
PAGES_OF_A_LISTENER = [
    *("/", "/songs/", "/insights/", "/sync/history/"),
    *("/settings/", "/privacy/", "/accounts/delete/"),
]
#: As they stand below a playlist of the listener.
BUTTONS = ["sync/", "syncs/1/cancel/", "syncs/1/retry/", "pause/"]


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


# --- Landing, sign-in, frames of pages ----------------------------------------------------------


def test_a_visitor_learns_what_this_is_and_signs_in_by_a_form(client: Client) -> None:
    page = text_of(client.get("/"))

    assert "always equals your Liked Songs" in page
    assert '<form method="post" action="/accounts/login/">' in page
    assert "Sign out" not in page


@pytest.mark.parametrize("path", PAGES_OF_A_LISTENER)
def test_a_listener_sees_a_whole_page(client: Client, ada: User, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert "</html>" in text_of(response)


@pytest.mark.parametrize("path", PAGES_OF_A_LISTENER)
def test_no_page_has_inline_code_or_fetches_from_elsewhere(
    client: Client, ada: User, path: str
) -> None:
    response = client.get(path)

    page = text_of(response)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)|hx-on|javascript:", page)
    assert not re.search(r"""(?:src|<link[^>]*href)=["'](?!/)""", page)


@pytest.mark.parametrize("path", ["/playlists/1/card/", "/playlists/1/sync/"])
def test_an_expired_session_redirects_the_page_not_the_card(client: Client, path: str) -> None:
    method = client.get if path.endswith("card/") else client.post

    response = method(path, headers=HTMX)

    assert response.headers["HX-Redirect"].startswith("/?next=")
    assert response.content == b""


@pytest.mark.parametrize("path", [*BUTTONS, "/sync/", "/settings/"])
def test_a_form_from_elsewhere_is_refused_in_plain_words(ada: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    response = client.post(path if path.startswith("/") else at_playlist(ada, path))

    assert response.status_code == 403
    assert "open for too long" in text_of(response)


def test_a_missing_page_says_so_in_plain_words(client: Client) -> None:
    response = client.get("/no/such/page/")

    assert response.status_code == 404
    assert "There is nothing here" in text_of(response)


def test_a_broken_page_says_so_in_plain_words(
    client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.pages.views.card_for", None)
    client.raise_request_exception = False

    response = client.get("/")

    assert response.status_code == 500
    assert "Something broke on our side" in text_of(response)


def test_privacy_page_knows_every_table_about_a_listener() -> None:
    # Who adds one tells listeners of it in templates/privacy.html.
    tables = {relation.related_model.__name__ for relation in User._meta.related_objects}

    assert " ".join(sorted(tables)) == (
        "ArtistGenre Connection DifferentSongs Household HouseholdMember InboxItem Incident"
        " Invitation Library ListeningHistory Mirror Pair PairInvitation Play SavedTrack ShareLink"
        " SpotifyConnection StoredPage SyncRequest UploadPart"
    )


def test_times_are_told_as_the_clock_of_the_visitor_does(client: Client, ada: User) -> None:
    noon = timezone.now().replace(hour=12, minute=0) - timedelta(days=40)
    make_request(ada, state="succeeded", completed=noon, song_count=3, added=1)

    for zone, told in [
        ("", "12:00 UTC"),
        ("../../etc/passwd", "12:00 UTC"),
        ("no such zone", "12:00 UTC"),
        ("Asia/Tokyo", "21:00"),
        ("Asia%2FTokyo", "21:00"),
        # The zone that was told last stands in.
        ("no such zone", "21:00"),
    ]:
        client.cookies["timezone"] = zone
        assert told in text_of(client.get("/sync/history/"))


# --- Dashboard ----------------------------------------------------------------------------------


def test_the_dashboard_shows_the_playlist_and_its_link(client: Client, ada: User) -> None:
    Playlist.objects.create(mirror=main_mirror(ada), number=1, spotify_id="first")
    Playlist.objects.create(mirror=main_mirror(ada), number=2, spotify_id="second")
    Playlist.objects.create(mirror=main_mirror(ada), number=3, spotify_id=None)
    make_request(ada, state="succeeded", song_count=10_500)

    page = text_of(client.get("/"))

    assert "Liked Songs of Ada" in page
    assert "10,500 songs, newest first" in page
    assert 'href="https://open.spotify.com/playlist/first"' in page
    assert 'data-copy="https://open.spotify.com/playlist/first"' in page
    assert 'data-copy="https://open.spotify.com/playlist/second"' in page
    both = "https://open.spotify.com/playlist/first https://open.spotify.com/playlist/second"
    assert f'data-copy="{both}"' in page
    assert "Copy both links" in page
    assert "part 3" not in page


def test_what_changed_last_is_told_by_name(client: Client, ada: User, bea: User) -> None:
    request = make_request(ada, state="succeeded", added=7, removed=1, song_count=9)
    now = timezone.now()
    for age, name in enumerate(["Looped", "Swayed", "Burnt", "Lit", "Held", "Thrown", "Bent"]):
        make_like(ada, name, added_in=request, added_at=now - timedelta(days=age))
    make_like(ada, "Drawn", removed_in=request, removed_at=now)
    make_like(bea, "Blurred", added_in=request)
    make_request(ada, state="succeeded", song_count=9)  # nothing had changed since

    page = text_of(client.get("/"))

    assert "7 songs added, 1 removed" in page
    songs = re.findall(r'<bdi class="song">(\w+)</bdi> <bdi class="artists">Kiasmos</bdi>', page)
    assert songs == ["Looped", "Swayed", "Burnt", "Lit", "Held", "Drawn"]
    assert "and 2 more" in page


def test_songs_that_spotify_refused_are_shown(client: Client, ada: User) -> None:
    make_request(ada, state="succeeded", song_count=2, skipped=1)
    make_refused(ada, "Looped")
    make_like(ada, "Swayed")

    page = text_of(client.get("/"))

    assert "Left out</h2>" in page
    assert '<bdi class="song">Looped</bdi>' in page
    assert "Swayed" not in page


@pytest.mark.parametrize(
    ("state", "every"), [("queued", "10"), ("running", "10"), ("succeeded", "60"), ("dead", "60")]
)
def test_the_card_is_polled_often_only_while_a_request_is_open(
    client: Client, ada: User, state: str, every: str
) -> None:
    make_request(ada, state=state)

    card = text_of(client.get(at_playlist(ada, "card/")))

    opening = f'<div id="mirror-{main_mirror(ada).pk}" class="mirror" data-poll="{every}"'
    assert card.startswith(opening)
    assert "<html" not in card


def test_a_running_sync_shows_its_progress_and_a_way_to_stop_it(client: Client, ada: User) -> None:
    request = make_request(ada, state="running", stage="writing", progress=0.625)

    card = text_of(client.get(at_playlist(ada, "card/")))

    mirror = main_mirror(ada).pk
    assert f'aria-labelledby="sentence-{mirror}" max="1" value="0.625">' in card
    assert '<li class="step-current" aria-current="step"> Write' in card
    assert f'action="/playlists/{mirror}/syncs/{request.pk}/cancel/"' in card
    assert "Sync now" not in card


def test_a_name_of_a_playlist_is_text_and_no_markup(client: Client, ada: User) -> None:
    Mirror.objects.filter(user=ada).update(name="<b>bold</b>")

    assert "&lt;b&gt;bold&lt;/b&gt;" in text_of(client.get("/"))


@pytest.mark.parametrize(("path", "most"), [("/", 7), ("card/", 6), ("/sync/history/", 9)])
def test_queries_do_not_grow_with_syncs_songs_or_volumes(
    client: Client, ada: User, path: str, most: int
) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            request = make_request(ada, state="succeeded", added=2, skipped=1, song_count=2)
            make_refused(ada, f"{request.pk}", added_in=request)
            number = Playlist.objects.count() + 1
            Playlist.objects.create(mirror=main_mirror(ada), number=number, spotify_id=f"{number}")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(path if path.startswith("/") else at_playlist(ada, path))
        return len(captured)

    fill(2)
    make_request(ada)
    few = queries()
    SyncRequest.objects.filter(completed=None).delete()
    fill(5)
    make_request(ada)

    assert queries() == few
    assert few <= most


# --- Buttons ------------------------------------------------------------------------------------


def test_sync_now_queues_a_sync_and_returns_to_the_dashboard(client: Client, ada: User) -> None:
    response = client.post("/sync/")

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert ada.sync_requests.get().state == "queued"


def test_sync_now_answers_htmx_with_the_card(client: Client, ada: User) -> None:
    response = client.post(at_playlist(ada, "sync/"), headers=HTMX)

    assert response.status_code == 200
    assert text_of(response).startswith(f'<div id="mirror-{main_mirror(ada).pk}"')
    assert 'data-poll="10"' in text_of(response)


def test_a_second_wish_shows_the_sync_that_runs(client: Client, ada: User) -> None:
    running = make_request(ada, state="running", stage="writing", progress=0.5)

    response = client.post(at_playlist(ada, "sync/"), headers=HTMX)

    assert "50% done" in text_of(response)
    assert ada.sync_requests.get() == running


@pytest.mark.parametrize("ending", ["succeeded", "cancelled", "dead"])
def test_the_button_rests_for_a_minute_and_the_page_says_so(
    client: Client, ada: User, ending: str
) -> None:
    last = make_request(ada, state=ending, attempt=1)
    again = [at_playlist(ada, "sync/"), "/sync/"]
    again += [at_playlist(ada, f"syncs/{last.pk}/retry/")] if ending == "dead" else []
    from_when = f"{last.created + timedelta(minutes=1):%H:%M:%S} UTC"

    assert f"The button works again from {from_when} on." in text_of(client.get("/"))
    for url in again:
        response = client.post(url, headers=HTMX)
        assert response.status_code == 429
        assert 50 <= int(response.headers["Retry-After"]) <= 60
        assert "Your last sync is less than a minute old. Try again in " in text_of(response)
    assert ada.sync_requests.count() == 1

    SyncRequest.objects.update(created=F("created") - timedelta(minutes=1))
    assert "works again" not in text_of(client.get("/"))
    assert client.post(again[-1]).status_code == 303
    assert ada.sync_requests.filter(state="queued").count() == 1


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"state": "succeeded", "attempt": 1, "trigger": "scheduled"}, id="scheduled"),
        pytest.param({"state": "succeeded", "attempt": 1, "trigger": "first"}, id="first"),
        pytest.param({"state": "cancelled"}, id="never begun"),
    ],
)
def test_the_button_rests_after_syncs_by_hand_alone(
    client: Client, ada: User, bea: User, before: dict[str, Any]
) -> None:
    make_request(ada, **before)
    make_request(bea, state="succeeded", attempt=1)

    assert client.post("/sync/").status_code == 303
    assert ada.sync_requests.filter(state="queued").count() == 1


@pytest.mark.parametrize("is_cancelling", [False, True])
def test_a_press_while_a_sync_runs_is_remembered(
    client: Client, ada: User, is_cancelling: bool
) -> None:
    request = make_request(ada, state="running")
    if is_cancelling:
        client.post(at_playlist(ada, f"syncs/{request.pk}/cancel/"))

    client.post(at_playlist(ada, "pause/"))
    client.post(at_playlist(ada, "pause/"), {"resume": "yes"})
    request.refresh_from_db()
    assert request.again == "manual"
    assert client.post(at_playlist(ada, "sync/")).status_code == 303

    (queue.cancelled if is_cancelling else queue.succeed)(request)
    assert [each.state for each in ada.sync_requests.order_by("id")] == [
        "cancelled" if is_cancelling else "succeeded",
        "queued",
    ]


def test_cancel_stops_a_queued_sync_at_once(client: Client, ada: User) -> None:
    request = make_request(ada)

    response = client.post(at_playlist(ada, f"syncs/{request.pk}/cancel/"))

    request.refresh_from_db()
    assert (response.status_code, request.state) == (303, "cancelled")


def test_cancel_asks_a_running_sync_to_stop(client: Client, ada: User) -> None:
    request = make_request(ada, state="running")

    response = client.post(at_playlist(ada, f"syncs/{request.pk}/cancel/"), headers=HTMX)

    request.refresh_from_db()
    assert request.cancel_asked_at is not None
    assert "Stopping at the next safe point" in text_of(response)
    assert "Cancel</button>" not in text_of(response)


def test_retry_queues_a_new_sync_and_keeps_the_dead_one(client: Client, ada: User) -> None:
    dead = make_request(ada, state="dead", error_message="Spotify is down.")

    client.post(at_playlist(ada, f"syncs/{dead.pk}/retry/"))

    assert [each.state for each in ada.sync_requests.order_by("id")] == ["dead", "queued"]


def test_only_a_dead_sync_can_be_retried(client: Client, ada: User) -> None:
    done = make_request(ada, state="succeeded")

    assert client.post(at_playlist(ada, f"syncs/{done.pk}/retry/")).status_code == 404
    assert ada.sync_requests.count() == 1


def test_pause_and_resume(client: Client, ada: User) -> None:
    client.post(at_playlist(ada, "pause/"))
    assert main_mirror(ada).state == "paused"
    for page in ("/", "/settings/"):
        assert 'name="resume"' in text_of(client.get(page))

    client.post(at_playlist(ada, "pause/"), {"resume": "yes"})
    assert main_mirror(ada).state == "active"


def test_a_playlist_that_was_removed_is_brought_back(client: Client, ada: User) -> None:
    make_playlist(main_mirror(ada), [])
    Mirror.objects.update(state="removed")
    page = text_of(client.get("/"))
    assert "Bring it back" in page
    assert 'name="return" value="yes"' in page

    # Another wish for a sync is not that.
    client.post(at_playlist(ada, "sync/"))
    assert main_mirror(ada).state == "removed"
    response = client.post(at_playlist(ada, "repair/"), {"return": "yes"}, headers=HTMX)

    assert response.status_code == 200
    assert main_mirror(ada).state == "active"
    assert ada.sync_requests.get().state == "queued"
    assert Playlist.objects.get().spotify_id


def test_a_new_playlist_is_made_only_when_it_is_asked_for_in_so_many_words(
    client: Client, ada: User
) -> None:
    make_playlist(main_mirror(ada), [])
    repair = at_playlist(ada, "repair/")
    assert client.post(repair, {"anew": "yes"}).status_code == 409
    Mirror.objects.update(state="removed")
    make_request(ada, state="dead", error_code="playlist_gone", error_message="Gone.")
    assert "Make a new playlist" in text_of(client.get("/"))
    assert "It has another link" in text_of(client.get(repair))
    assert Playlist.objects.get().spotify_id

    assert client.post(repair, {"anew": "yes"}).status_code == 303

    assert Playlist.objects.get().spotify_id is None
    assert main_mirror(ada).state == "active"
    assert ada.sync_requests.filter(state="queued").count() == 1


def test_a_playlist_is_written_anew_when_the_listener_accepts_new_dates(
    client: Client, ada: User
) -> None:
    playlist = make_playlist(main_mirror(ada), make_songs(ada, "A"))
    assert "Rewrite the playlist" not in text_of(client.get("/"))
    PlaylistItems.objects.filter(playlist=playlist).update(
        uris=["spotify:track:A", None, "spotify:local:a:b:c:1"]
    )
    assert "holds 2 empty rows or local" in " ".join(text_of(client.get("/")).split())
    repair = at_playlist(ada, "repair/")
    assert "all songs in it get today's date" in text_of(client.get(repair))
    assert not main_mirror(ada).rewrite_asked

    assert client.post(repair, {"rewrite": "yes"}).status_code == 303

    assert main_mirror(ada).rewrite_asked
    assert ada.sync_requests.count() == 1


@pytest.mark.parametrize(("action", "state"), [("cancel", "running"), ("retry", "dead")])
def test_a_request_of_another_listener_does_not_exist(
    client: Client, ada: User, bea: User, action: str, state: str
) -> None:
    hers = make_request(bea, state=state)

    for owner in (ada, bea):
        response = client.post(at_playlist(owner, f"syncs/{hers.pk}/{action}/"))
        assert response.status_code == 404
    unchanged = SyncRequest.objects.get()
    assert (unchanged.state, unchanged.cancel_asked_at) == (state, None)


# --- Settings -----------------------------------------------------------------------------------


def wishes(**fields: str) -> dict[str, str]:
    return {"name": "My hearts", "description": "", "interval": "daily", **fields}


def test_settings_are_saved_and_confirmed(client: Client, ada: User) -> None:
    response = client.post(
        "/settings/",
        wishes(public="on", interval="weekly", description="From\nmy  heart."),
        follow=True,
    )

    mirror = Mirror.objects.get(user=ada)
    assert response.redirect_chain == [("/settings/", 303)]
    assert "Saved." in text_of(response)
    assert (mirror.name, mirror.public) == ("My hearts", True)
    assert Library.objects.get(user=ada).interval == "weekly"
    assert mirror.description == "From my heart."


def test_a_form_that_was_open_while_spotify_renamed_the_playlist_leaves_its_name(
    client: Client, ada: User
) -> None:
    shown = main_mirror(ada).name
    assert f'name="initial-name" value="{shown}"' in text_of(client.get("/settings/"))
    Mirror.objects.update(name="Given in Spotify")

    client.post("/settings/", {**wishes(name=shown, public="on"), "initial-name": shown})

    mirror = main_mirror(ada)
    assert (mirror.name, mirror.public) == ("Given in Spotify", True)

    client.post("/settings/", {**wishes(name="Given here"), "initial-name": shown})
    assert main_mirror(ada).name == "Given here"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"description": "x" * 301},
        {"interval": "fortnightly"},
    ],
)
def test_what_spotify_would_not_take_is_answered_beside_the_field(
    client: Client, ada: User, fields: dict[str, str]
) -> None:
    response = client.post("/settings/", wishes(**fields))

    assert response.status_code == 422
    assert 'aria-invalid="true"' in text_of(response)
    assert Mirror.objects.get(user=ada).name == "Liked Songs of Ada"


def test_settings_touch_no_mirror_but_ones_own(client: Client, ada: User, bea: User) -> None:
    client.post("/settings/", wishes(user=str(bea.pk), pk=str(bea.pk)))

    assert Mirror.objects.get(user=bea).name == "Liked Songs of Bea"


def test_settings_say_when_spotify_does_not_follow_the_wish(client: Client, ada: User) -> None:
    Playlist.objects.create(mirror=main_mirror(ada), number=1, spotify_id="first", seen_public=True)

    assert "At present Spotify shows it" in text_of(client.get("/settings/"))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "Other"}, "The next sync, which is queued, updates the playlist."),
        ({"interval": "weekly"}, "The next scheduled sync is "),
        ({"preferred_hour": "7"}, "The next scheduled sync is "),
        ({"interval": "off"}, "Syncs run only when you ask."),
        ({}, "Saved. </p>"),
    ],
)
def test_what_became_of_saved_settings_is_told(
    client: Client, ada: User, fields: dict[str, str], says: str
) -> None:
    same = {"name": "Liked Songs of Ada", "remind_in_spotify": "on"}

    page = text_of(client.post("/settings/", wishes(**same | fields), follow=True))

    told = re.search(r'<p class="notice notice-success" role="status">(.*?</p>)', page)
    assert told is not None
    assert says in told[1].replace("</p>", " </p>")


def test_the_preferred_hour_is_that_of_the_browsers_clock(client: Client, ada: User) -> None:
    client.cookies["timezone"] = "Asia%2FTokyo"

    client.post("/settings/", wishes(preferred_hour="7"))

    library = Library.objects.get(user=ada)
    assert (library.preferred_hour, library.time_zone) == (7, "Asia/Tokyo")
    assert library.next_due is not None
    assert (library.next_due.hour + 9) % 24 == 7
    assert '<option value="7" selected>' in text_of(client.get("/settings/"))


def test_a_browser_keeps_its_colours(client: Client, ada: User) -> None:
    client.post("/settings/", wishes(theme="dark"))
    assert '<html lang="en" data-theme="dark">' in text_of(client.get("/"))

    client.post("/settings/", wishes(theme=""))
    assert '<html lang="en" >' in text_of(client.get("/"))
    client.cookies["theme"] = '"><script>'
    assert "script>&" not in text_of(client.get("/"))
    assert client.post("/settings/", wishes(theme="pink")).status_code == 422


def test_settings_show_who_one_is_at_spotify(client: Client, ada: User) -> None:
    assert "Ada, at Spotify: <code>ada</code>" in text_of(client.get("/settings/"))
