"""Every page and state that a browser can be shown, and how to get there."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from accounts.limits import fill
from accounts.models import RateLimit, SpotifyApp, SpotifyConnection, User
from sync.models import (
    Incident,
    Library,
    Mirror,
    MirrorTrack,
    Playlist,
    PlaylistItems,
    SavedTrack,
    Track,
)
from sync.sharing.links import create_link, revoke_link
from syncify.spotify.models import ApiHour
from tests.browser.pages import NARROW, cookies_of, follow, give, window
from tests.builders import main_mirror, make_like, make_refused, make_request, make_user
from tests.library.rows import add_song, fill_library, like
from tests.sharing.rows import make_playlist, make_songs

_SOON = timezone.now() + timedelta(hours=2)
_LONG_AGO = timezone.now() - timedelta(days=175)
#: How the browser and htmx tell of an answer that is no success, such as 404.
MEANT = ("Failed to load resource", "Response Status Error Code")


def _nothing(_: object) -> None:
    pass


@dataclass(frozen=True)
class State:
    """A page, what is stored of the listener who sees it, and what they then do."""

    name: str
    path: str = "/"
    arrange: Callable[[User], object] = _nothing
    act: Callable[[Page], object] = _nothing
    signed_in: bool = True


class Stop(NamedTuple):
    """A page as it is shown, and what the browser had to object to on the way."""

    state: State
    page: Page
    complaints: list[str]


# --- What is stored ------------------------------------------------------------------------------


def _request(**fields: object) -> Callable[[User], object]:
    return lambda user: make_request(user, **fields)


def _mirror(**fields: object) -> Callable[[User], object]:
    def change(user: User) -> None:
        make_request(user, state="succeeded", song_count=3)
        Mirror.objects.filter(user=user).update(**fields)

    return change


def _library(**fields: object) -> Callable[[User], object]:
    def change(user: User) -> None:
        make_request(user, state="succeeded", song_count=3)
        Library.objects.filter(user=user).update(**fields)

    return change


def _connection(**fields: object) -> Callable[[User], object]:
    def change(user: User) -> None:
        make_request(user, state="succeeded", song_count=3)
        SpotifyConnection.objects.filter(user=user).update(**fields)

    return change


def _synced(user: User) -> None:
    """All that a dashboard can hold."""
    for number in (1, 2):
        Playlist.objects.create(
            mirror=main_mirror(user), number=number, spotify_id=f"{user}-{number}"
        )
    for number in range(22):
        make_request(user, state="succeeded", song_count=9, added=1, note=f"Note {number}.")
    make_request(user, state="cancelled")
    done = make_request(
        user, state="succeeded", song_count=9, added=4, removed=1, moved=2, skipped=1
    )
    for name in ("Looped", "Swayed", "Burnt"):
        make_like(user, f"{name} {user.pk}", added_in=done)
    make_like(user, f"Drawn {user.pk}", removed_in=done, removed_at=timezone.now())
    make_refused(user, f"Held {user.pk}")


def _shared(user: User) -> None:
    """Links of each kind, one of them revoked, and a playlist with songs."""
    make_playlist(main_mirror(user), make_songs(user, "Looped", "Swayed", "Burnt", cover=""))
    for kind in ("page", "feed", "download"):
        link, _ = create_link(user=user, kind=kind, mirror=main_mirror(user), name="for Bea")
    revoke_link(link)


def _years(user: User) -> None:
    """A library with something for every chart and list."""
    fill_library(user, songs=240, syncs=40)
    like = SavedTrack.objects.filter(user=user, removed_at=None).latest("added_at")
    Track.objects.filter(pk=like.track_id).update(name=f"Newest of {user}", explicit=True)
    MirrorTrack.objects.create(
        mirror=main_mirror(user), track_id=like.track_id, refused_at=timezone.now()
    )


def _playlists(user: User) -> None:
    """A few playlists by rule, one of them with a rule that nobody can read; and duplicates."""
    fill_library(user, songs=60, syncs=8)
    likes = SavedTrack.objects.filter(user=user, removed_at=None)
    keys = list(likes.values_list("track_id", flat=True)[:30])
    for name, rule in (("Nineties", {"tests": []}), ("Broken", {"tests": [{"field": "mood"}]})):
        mirror = Mirror.objects.create(user=user, is_main=False, name=name, rule=rule)
        playlist = Playlist.objects.create(
            mirror=mirror, number=1, spotify_id=f"{user}-{name.lower()}"
        )
        PlaylistItems.objects.create(
            playlist=playlist, uris=[f"spotify:track:{key}" for key in keys]
        )
    for number in (1, 2):
        song = add_song(f"twice-{number}-{user}", name="Nightcall", artists=["Kavinsky"])
        like(user, song, timezone.now() - timedelta(days=number))
    make_request(user, state="succeeded", song_count=62)


def _first_playlist(page: Page) -> None:
    follow(page.get_by_role("link", name="Nineties").first)
    page.get_by_text("Edit this playlist").click()
    expect(page.get_by_role("button", name="Add a condition", exact=True)).to_be_visible()


def _lent(user: User) -> None:
    """An operator of two Spotify apps."""
    _operator(user)
    SpotifyApp.objects.get_or_create(
        client_id="lent-app",
        defaults={"label": "Flat 3", "secret": "x", "developer": "Frida"},
    )


def _operator(user: User) -> None:
    _synced(user)
    error = {
        "attempt": 1,
        "at": timezone.now().isoformat(),
        "code": "http_500",
        "message": "Spotify is down.",
    }
    make_request(user, state="dead", error_message="Spotify is down.", errors=[error])
    make_request(user, state="running", stage="writing", progress=0.5)
    User.objects.filter(pk=user.pk).update(is_operator_by_code=True)
    Incident.objects.get_or_create(
        key="backup", defaults={"message": "No backup was made for two days."}
    )
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    ApiHour.objects.get_or_create(hour=hour, defaults={"calls": 5})


def _impatient(user: User) -> None:
    fill({f"sync listener {user.pk}": 1})
    RateLimit.objects.update(empty_at=_SOON)


def _broken(user: User) -> None:
    Mirror.objects.filter(user=user).delete()


# --- What they do --------------------------------------------------------------------------------


def _press(button: str, then: str) -> Callable[[Page], object]:
    def act(page: Page) -> None:
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_text(then).first).to_be_visible()

    return act


def _press_too_often(page: Page) -> None:
    _press("Sync now", "Try again in")(page)
    # A card that comes later leaves the refusal in place.
    page.evaluate("""
        if (typeof stream !== "undefined") {
            const data = document.querySelector(".mirror").outerHTML;
            stream.dispatchEvent(new MessageEvent("card", { data }));
        }
    """)
    expect(page.get_by_text("Try again in").first).to_be_visible()


def _follow(link: str, then: str) -> Callable[[Page], object]:
    def act(page: Page) -> None:
        follow(page.get_by_role("link", name=link).first)
        expect(page.get_by_role("link", name=then)).to_be_visible()

    return act


def _open_all_numbers(page: Page) -> None:
    for summary in page.get_by_text("As numbers").all():
        summary.click()


def _open_the_sheet(page: Page) -> None:
    page.locator(".share > summary").click()
    expect(page.get_by_label("Link to part 2")).to_be_visible()


def _go_to_the_cover(page: Page) -> None:
    follow(page.get_by_role("link", name="Cover", exact=True))
    expect(page.get_by_role("button", name="Use this cover")).to_be_visible()


def _choose_a_cover(page: Page) -> None:
    _go_to_the_cover(page)
    page.get_by_role("radio", name="Lagoon").check()
    _press("Use this cover", "Saved.")(page)


def _look_at_a_shared_page(page: Page) -> None:
    _press("Make the link", "Your new link")(page)
    follow(page.get_by_role("link", name="Open the page"))
    expect(page.get_by_text("Songs open in")).to_be_visible()


def _look_at_shared_insights(page: Page) -> None:
    page.get_by_label("may see the insights").check()
    _look_at_a_shared_page(page)
    follow(page.get_by_role("link", name="Insights"))
    expect(page.get_by_role("heading", name="Moments")).to_be_visible()
    _open_all_numbers(page)


def _look_at_a_shared_year(page: Page) -> None:
    _look_at_shared_insights(page)
    follow(page.get_by_role("rowheader", name="2026").get_by_role("link"))
    expect(page.get_by_text("in likes")).to_be_visible()


def _go_to_an_invitation(page: Page) -> None:
    _press("Make an invitation", "Your invitation")(page)
    page.goto(page.get_by_label("Address").input_value())
    expect(page.get_by_label("E-mail address")).to_be_visible()


def _answer_an_invitation(page: Page) -> None:
    _go_to_an_invitation(page)
    page.get_by_label("E-mail address").fill("guest@bea.example")
    _press("Send it to", "Your address is with")(page)


def _see_a_guest(page: Page) -> None:
    invitations = page.url
    _answer_an_invitation(page)
    page.goto(invitations)
    expect(page.get_by_text("guest@bea.example").first).to_be_visible()


def _open_a_menu(page: Page) -> None:
    _look_at_a_shared_page(page)
    follow(page.get_by_role("button", name="Other services").nth(1))
    expect(page.get_by_role("link", name="Tidal")).to_have_count(2)


def _find_nothing(page: Page) -> None:
    _look_at_a_shared_page(page)
    page.get_by_role("searchbox").fill("zebra")
    follow(page.get_by_role("button", name="Search"))
    expect(page.get_by_text("0 of 3 songs match")).to_be_visible()


def _ask_to_block(page: Page) -> None:
    follow(page.get_by_role("link", name="Block").first)
    expect(page.get_by_role("button", name="Block them")).to_be_visible()


def _enter_a_wrong_app(page: Page) -> None:
    page.get_by_label("Label").fill("Attic")
    page.get_by_label("Client ID").fill("not an id")
    page.get_by_label("Client secret").fill("x")
    _press("Check and store", "A Client ID has 32 letters and digits.")(page)


def _ask_to_move(page: Page) -> None:
    follow(page.get_by_role("link", name="Move").first)
    expect(page.get_by_role("button", name="Ask them to sign in again")).to_be_visible()


def _save_without_a_name(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("")
    page.evaluate("document.querySelector('form.panel').noValidate = true")
    follow(page.get_by_role("button", name="Save"))
    expect(page.locator("[aria-invalid=true]")).to_be_visible()


def _save_with_an_old_token(page: Page) -> None:
    page.context.clear_cookies(name="csrftoken")
    _press("Save", "open for too long")(page)


_FAILED = {"error_code": "unavailable", "error_message": "Spotify does not answer.", "failures": 1}

STATES = [
    State("landing page", signed_in=False),
    State("privacy, to a visitor", "/privacy/", signed_in=False),
    State("privacy", "/privacy/"),
    State("nothing here", "/nowhere/"),
    State("a failed sign-in", "/accounts/callback/?state=x&code=y", signed_in=False),
    State("copy this address", f"/accounts/callback/?state={'x' * 43}&code=y", signed_in=False),
    State("paste back", "/accounts/callback/paste/", signed_in=False),
    State(
        "nothing pasted",
        "/accounts/callback/paste/",
        act=_press("Sign in", "Nothing was pasted"),
        signed_in=False,
    ),
    State("never synced"),
    State("queued", arrange=_request()),
    State("first sync queued", arrange=_request(trigger="first")),
    State("waiting to try again", arrange=_request(run_at=_SOON, **_FAILED)),
    State("waiting for Spotify", arrange=_request(run_at=_SOON)),
    State("reading", arrange=_request(state="running", stage="reading", song_count=900)),
    State("comparing", arrange=_request(state="running", stage="comparing", song_count=900)),
    State("writing", arrange=_request(state="running", stage="writing", progress=0.6)),
    State("stopping", arrange=_request(state="running", stage="writing", cancel_asked_at=_SOON)),
    State("dead", arrange=_request(state="dead", error_message="Spotify is down.")),
    State("stopped", arrange=_request(state="cancelled")),
    State("no songs", arrange=_request(state="succeeded")),
    State("up to date", arrange=_synced),
    State("paused", arrange=_mirror(state="paused")),
    State("playlist removed", arrange=_mirror(state="removed")),
    State("mass removal", arrange=_library(confirm_after=_SOON)),
    State("consent over", arrange=_connection(state="sign_in_needed")),
    State("refused", arrange=_connection(state="refused", state_reason="forbidden")),
    State("not registered", arrange=_connection(state="refused", state_reason="not_registered")),
    State("scope missing", arrange=_connection(state="refused", state_reason="scope_missing")),
    State("consent ends soon", arrange=_connection(authorized_at=_LONG_AGO)),
    State("several playlists", arrange=_playlists),
    State("sync now", arrange=_synced, act=_press("Sync now", "waiting for its turn")),
    State("pause", arrange=_synced, act=_press("Pause", "Resume")),
    State("too often", arrange=_impatient, act=_press_too_often),
    State("history", "/sync/history/", _synced),
    State("history, older", "/sync/history/", _synced, _follow("Older", "Newest")),
    State("history, with changes", "/sync/history/?changes=yes", _synced),
    State("history, empty", "/sync/history/"),
    State("songs", "/songs/", _years),
    State(
        "songs, all filters", "/songs/?q=e&sort=title&liked=2025&explicit=no&decade=1990", _years
    ),
    State("songs, none found", "/songs/?q=zebra", _years),
    State("songs, gone", "/songs/?show=gone", _years),
    State("songs, refused", "/songs/?show=refused", _years),
    State("songs, another day", "/songs/?at=2025-05-01", _years),
    State("songs, before all days", "/songs/?at=1999-05-01", _years),
    State("songs, two days", "/songs/?at=2025-05-01&since=2024-05-01", _years),
    State("songs, not understood", "/songs/?sort=loudest", _years),
    State("songs, empty", "/songs/"),
    State("songs, like again", "/songs/again/", _years),
    State("song", "/songs/", _years, _follow("About Newest of", "Open in Spotify")),
    State("playlists", "/playlists/", _playlists),
    State("new playlist", "/playlists/new/"),
    State(
        "new playlist, by sentence",
        "/playlists/new/?sentence=from+the+90s,+blorft,+20+songs+a+day",
        _playlists,
    ),
    State("a playlist by rule", "/playlists/", _playlists, _first_playlist),
    State("duplicates", "/duplicates/", _playlists),
    State("plays and genres", "/plays/", _playlists),
    State("insights", "/insights/", _years, _open_all_numbers),
    State("insights, empty", "/insights/"),
    State("year", "/insights/2025/", _years),
    State("diary", "/sync/history/", _years),
    State("settings", "/settings/"),
    State("settings saved", "/settings/", act=_press("Save", "Saved.")),
    State("settings invalid", "/settings/", act=_save_without_a_name),
    State("settings, open for too long", "/settings/", act=_save_with_an_old_token),
    State("delete?", "/accounts/delete/"),
    State("deleted", "/accounts/delete/", act=_press("Delete everything", "account is deleted")),
    State("signed out", act=_press("Sign out", "Sign in with Spotify")),
    State(
        "signed out everywhere", "/settings/", act=_press("Sign out everywhere", "on every device")
    ),
    State("share sheet", arrange=_synced, act=_open_the_sheet),
    State("share links", "/settings/links/", _shared),
    State("a new share link", "/settings/links/", act=_press("Make the link", "Your new link")),
    State("cover", "/settings/", act=_go_to_the_cover),
    State("cover chosen", "/settings/", act=_choose_a_cover),
    State("shared page", "/settings/links/", _shared, _look_at_a_shared_page),
    State("shared page, a menu", "/settings/links/", _shared, _open_a_menu),
    State("shared page, nothing found", "/settings/links/", _shared, _find_nothing),
    State("shared insights", "/settings/links/", _shared, _look_at_shared_insights),
    State("shared year", "/settings/links/", _shared, _look_at_a_shared_year),
    State("no such link", f"/s/{'x' * 22}/", signed_in=False),
    State("operator", "/operator/", _operator),
    State("checks", "/operator/checks/", _operator),
    State("invitation", "/operator/invitations/", _operator, _go_to_an_invitation),
    State("invitation, answered", "/operator/invitations/", _operator, _answer_an_invitation),
    State("guest waits", "/operator/invitations/", _operator, _see_a_guest),
    State("no invitation", f"/invite/{'x' * 22}/", signed_in=False),
    State("operator, asks before it blocks", "/operator/", _operator, _ask_to_block),
    State("asked to move", arrange=_connection(move_to="lent-app")),
    State("apps", "/operator/apps/", _lent),
    State("apps, not accepted", "/operator/apps/", _lent, _enter_a_wrong_app),
    State("move", "/operator/", _lent, _ask_to_move),
    State("something broke", arrange=_broken),
]


def cookies_for(state: State) -> Mapping[str, str]:
    """Arrange ``state`` for a listener of its own; returns the cookies of their browser."""
    if not state.signed_in:
        return {}
    user = make_user(state.name.replace(" ", "-"))
    state.arrange(user)
    return cookies_of(user)


def stops(
    browser: Browser, server: str, arranged: Iterable[tuple[State, Mapping[str, str]]]
) -> Iterator[Stop]:
    """All in one window, one after the other."""
    complaints: list[str] = []

    def hear(line: ConsoleMessage) -> None:
        if line.type in {"error", "warning"} and not line.text.startswith(MEANT):
            complaints.append(line.text)

    def see(request: Request) -> None:
        if not request.url.startswith(f"{server}/"):
            complaints.append(f"asks {request.url}")

    page = window(browser, viewport=NARROW)
    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", see)
    for state, cookies in arranged:
        complaints.clear()
        page.context.clear_cookies()
        give(page.context, server, cookies)
        page.goto(f"{server}{state.path}")
        state.act(page)
        yield Stop(state, page, complaints)
