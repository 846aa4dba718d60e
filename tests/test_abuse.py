"""What nobody should do, tried on every URL there is: no right gained, nothing changed, no 500."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import SpotifyApp, SpotifyConnection, User
from accounts.operators import make_code
from sync.models import (
    Household,
    HouseholdMember,
    InboxItem,
    Invitation,
    Mirror,
    Pair,
    Playlist,
    ShareLink,
    SyncRequest,
)
from sync.sharing.links import create_link
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import sign_in
from tests.builders import at_playlist, main_mirror, make_request, make_user
from tests.driving import mirrored, run, run_again

pytestmark = pytest.mark.django_db

# --- Who may do what ----------------------------------------------------------------------------

#: One status for everybody, or one each for a visitor, another listener and an operator.
type Answer = int | tuple[int, int, int]


class Row(NamedTuple):
    """What GET and POST are answered. A POST without the page's token is always 403."""

    get: Answer
    post: Answer


VISITORS = {"anonymous": 0, "blocked": 0, "other": 1, "operator": 2}  #: places in an Answer

PUBLIC_PAGE = Row(200, 405)
SHARED = Row(200, 405)  #: whoever knows the token is let in, and asks each time.
PERSONAL_PAGE = Row((302, 200, 200), 405)
PERSONAL_BUTTON = Row(405, (302, 303, 303))
OWNERS_PAGE = Row((302, 404, 404), 405)
OWNERS_BUTTON = Row(405, (302, 404, 404))
OWNERS_FORM = Row((302, 404, 404), (302, 404, 404))
OPERATOR_PAGE = Row((404, 404, 200), 405)
OPERATOR_BUTTON = Row(405, (404, 404, 303))
PERSONAL_FORM = Row((302, 200, 200), (302, 422, 422))  #: the POST is empty, and so invalid
REDIRECTS = Row(405, 302)

ROWS = {
    "": PUBLIC_PAGE,
    "accounts/callback/": Row(400, 405),
    "accounts/callback/paste/": Row(200, 422),
    "accounts/delete/": PERSONAL_FORM,
    "accounts/export/": PERSONAL_PAGE,
    "accounts/login/": REDIRECTS,
    "accounts/login/continue/": Row(302, 405),
    "accounts/logout/": REDIRECTS,
    "accounts/permissions/": Row((302, 404, 404), 405),  # without a scope to ask for
    "accounts/sessions/end/": REDIRECTS,
    "connections/": PERSONAL_PAGE,
    "connections/<str:service>/disconnect/": OWNERS_BUTTON,
    "connections/<str:service>/options/": OWNERS_BUTTON,
    "connections/<str:service>/pause/": OWNERS_BUTTON,
    "connections/<str:service>/sync/": OWNERS_BUTTON,
    "connections/listenbrainz/": PERSONAL_FORM,
    "connections/subsonic/": PERSONAL_FORM,
    "connections/subsonic/missing.csv": Row((302, 404, 404), 405),  # while none is connected
    "connections/subsonic/missing/": Row((302, 404, 404), 405),
    "connections/subsonic/songs/<str:track>/": Row((302, 404, 404), (302, 404, 404)),
    "duplicates/": PERSONAL_PAGE,
    "duplicates/different/": OWNERS_BUTTON,
    "duplicates/like-again/": OWNERS_BUTTON,
    "duplicates/unlike/": OWNERS_FORM,
    "events/": Row((204, 200, 200), 405),
    "favicon.ico": Row(301, 405),
    "first-run/": Row(404, 404),  # there is an app
    "healthz": PUBLIC_PAGE,
    "inbox/": PERSONAL_PAGE,
    "inbox/<int:pk>/": OWNERS_BUTTON,
    "inbox/all/": PERSONAL_BUTTON,
    "inbox/count/": PERSONAL_PAGE,
    "inbox/options/": PERSONAL_BUTTON,
    "insights/": PERSONAL_PAGE,
    "insights/<int:number>/": OWNERS_PAGE,
    "invite/<str:code>/": Row(404, 404),  # that of no invitation
    "metrics": Row(404, 405),  # there is no token
    "operator/": OPERATOR_PAGE,
    "operator/<int:pk>/retry/": OPERATOR_BUTTON,
    "operator/apps/": Row((404, 404, 200), (404, 404, 422)),  # the POST is empty
    "operator/apps/<int:pk>/delete/": OPERATOR_BUTTON,
    "operator/apps/<int:pk>/rest/": OPERATOR_BUTTON,
    "operator/ask-spotify/": OPERATOR_BUTTON,
    "operator/checks/": OPERATOR_PAGE,
    "operator/code/": Row((302, 200, 200), (302, 422, 422)),  # while a code is unused
    "operator/invitations/": Row((404, 404, 200), (404, 404, 200)),  # the answer knows the code
    "operator/invitations/<int:pk>/added/": OPERATOR_BUTTON,
    "operator/invitations/<int:pk>/withdraw/": OPERATOR_BUTTON,
    "operator/listeners/<int:listener>/block/": Row((404, 404, 200), (404, 404, 303)),
    "operator/listeners/<int:listener>/move/": Row((404, 404, 200), 404),  # the POST is empty
    "playlists/": PERSONAL_PAGE,
    "playlists/<int:pk>/": OWNERS_FORM,
    "playlists/<int:pk>/card/": OWNERS_PAGE,
    "playlists/<int:pk>/cover.jpg": OWNERS_PAGE,
    "playlists/<int:pk>/cover/": OWNERS_FORM,
    "playlists/<int:pk>/delete/": OWNERS_FORM,
    "playlists/<int:pk>/duplicate/": OWNERS_BUTTON,
    "playlists/<int:pk>/freeze/": OWNERS_BUTTON,
    "playlists/<int:pk>/pause/": OWNERS_BUTTON,
    "playlists/<int:pk>/playlist.nsp": OWNERS_PAGE,
    "playlists/<int:pk>/qr.svg": OWNERS_PAGE,
    "playlists/<int:pk>/repair/": Row((302, 404, 404), (302, 404, 404)),
    "playlists/<int:pk>/rule.json": OWNERS_PAGE,
    "playlists/<int:pk>/sync/": OWNERS_BUTTON,
    "playlists/<int:pk>/syncs/<int:sync>/cancel/": OWNERS_BUTTON,
    "playlists/<int:pk>/syncs/<int:sync>/retry/": OWNERS_BUTTON,
    "playlists/new/": PERSONAL_FORM,
    "playlists/others/": PERSONAL_PAGE,
    "playlists/preview/": PERSONAL_PAGE,
    "plays/": PERSONAL_FORM,
    "plays/artists/<str:artist>/": OWNERS_BUTTON,
    "plays/listenbrainz/": PERSONAL_BUTTON,
    "plays/progress/": PERSONAL_PAGE,
    "privacy/": PUBLIC_PAGE,
    "robots.txt": PUBLIC_PAGE,
    "s/<str:token>/": SHARED,
    "s/<str:token>/<int:number>/": Row(404, 405),  # of no year
    "s/<str:token>/feed.atom": SHARED,
    "s/<str:token>/feed.json": SHARED,
    "s/<str:token>/insights/": SHARED,
    "s/<str:token>/oembed": SHARED,
    "s/<str:token>/preview.png": SHARED,
    "s/<str:token>/songs.csv": SHARED,
    "s/<str:token>/songs.json": SHARED,
    "s/<str:token>/songs.jspf": SHARED,
    "s/<str:token>/state.json": SHARED,
    "settings/": PERSONAL_FORM,
    "settings/links/": PERSONAL_FORM,
    "settings/links/<int:pk>/revoke/": OWNERS_BUTTON,
    "songs/": PERSONAL_PAGE,
    "songs/<str:track_id>/": OWNERS_PAGE,
    "songs/again/": Row((302, 200, 200), (302, 303, 303)),
    "songs/songs.csv": PERSONAL_PAGE,
    "songs/songs.jspf": PERSONAL_PAGE,
    "songs/transfer.csv": PERSONAL_PAGE,
    "sync/": PERSONAL_BUTTON,
    "sync/history/": PERSONAL_PAGE,
    "together/": PERSONAL_PAGE,
    "together/<int:pk>/": OWNERS_PAGE,
    "together/<int:pk>/end/": OWNERS_BUTTON,
    "together/<int:pk>/newest/": OWNERS_BUTTON,
    "together/<int:pk>/playlist/": OWNERS_BUTTON,
    "together/households/": Row(405, (302, 200, 200)),  # the answer alone knows the code
    "together/households/<int:pk>/": OWNERS_PAGE,
    "together/households/<int:pk>/agree/": OWNERS_BUTTON,
    "together/households/<int:pk>/invite/": OWNERS_BUTTON,
    "together/households/<int:pk>/leave/": OWNERS_BUTTON,
    "together/households/<int:pk>/playlist/": OWNERS_BUTTON,
    "together/invite/": Row(405, (302, 200, 200)),  # the answer alone knows the code
    "together/join/": PERSONAL_BUTTON,
    "together/join/<str:code>/": Row((302, 404, 404), (302, 404, 404)),  # that of no invitation
    "together/withdraw/": PERSONAL_BUTTON,
}


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for each in resolver.url_patterns:
        if isinstance(each, URLPattern):
            yield f"{before}{each.pattern}"
        else:
            yield from routes(each, f"{before}{each.pattern}")


ROUTES = sorted(routes(get_resolver()))
OBJECTS = [route for route in ROUTES if "<int:pk>" in route or "<int:listener>" in route]
#: Each address of an object, those of a request in each of its states.
STATES = [
    (route, state)
    for route in OBJECTS
    for state in SyncRequest.State.values
    if state == "dead" or "sync" in route or "retry" in route
]


def path_of(route: str, pk: object, listener: object, token: str = "") -> str:
    parts = {
        "<int:pk>": pk,
        "<int:sync>": pk,
        "<int:number>": pk,
        "<str:track_id>": pk,
        "<int:listener>": listener,
        "<str:token>": token,
        "<str:artist>": pk,
        "<str:code>": "no-such-code",
    }
    for name, value in parts.items():
        route = route.replace(name, str(value))
    return f"/{route}"


#: Of all that is one listener's, where an address names it.
NUMBER = 10**9


def own_everything(request: SyncRequest) -> None:
    """Give the listener one of each thing of the request's number: one names all of theirs."""
    mirror = main_mirror(request.user)
    Mirror.objects.filter(pk=mirror.pk).update(id=request.pk)
    Playlist.objects.create(mirror_id=request.pk, number=1, spotify_id="hers")
    link, _ = create_link(user=request.user, kind="page", mirror=None)
    ShareLink.objects.filter(pk=link.pk).update(id=request.pk)
    InboxItem.objects.create(
        id=request.pk, user=request.user, mirror_id=request.pk, track_id="looped"
    )
    now = timezone.now()
    Invitation.objects.create(
        id=request.pk, user=request.user, code_hash="hers", given=now, expires=now + timedelta(1)
    )
    SpotifyApp.objects.create(id=request.pk, label="Flat 3", client_id="flat-3", secret="hidden")
    friend = make_user("friend")
    Pair.objects.create(id=request.pk, first=request.user, second=friend)
    household = Household.objects.create(id=request.pk, owner=request.user)
    for user in (request.user, friend):
        HouseholdMember.objects.create(household=household, user=user)


def token_for(user: User, route: str) -> str:
    """The token of a link that opens ``route``."""
    kind = "feed" if "feed." in route else "page"
    if "songs." in route or "state." in route:
        kind = "download"
    return create_link(user=user, kind=kind, mirror=main_mirror(user), has_insights=True).token


def everything() -> list[dict[str, Any]]:
    """What no refused request may change."""
    tables = (
        User,
        SpotifyConnection,
        Mirror,
        SyncRequest,
        InboxItem,
        Pair,
        HouseholdMember,
        Invitation,
        SpotifyApp,
    )
    rows = [table.objects.order_by("pk").values() for table in tables]
    # A look at a shared page is remembered.
    links = ShareLink.objects.order_by("pk").values("pk", "revoked")
    return list(chain.from_iterable([*rows, links]))


@pytest.fixture(autouse=True)
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event stream asks in threads of its own, which would not see this test's transaction."""
    monkeypatch.setattr(
        "sync.pages.events._in_thread", lambda function, *args: sync_to_async(function)(*args)
    )


@pytest.fixture
def ada() -> User:
    return make_user("ada")


@pytest.fixture(autouse=True)
def _operator_code(db: None) -> None:
    """There is one that nobody has entered."""
    make_code()


@pytest.fixture
def dead(ada: User) -> SyncRequest:
    request = make_request(ada, id=NUMBER, state="dead", error_message="Spotify is down.")
    own_everything(request)
    return request


def test_every_url_has_its_row() -> None:
    assert list(ROWS) == ROUTES


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize("route", ROWS)
def test_every_url_answers_each_visitor_as_it_should(
    dead: SyncRequest, route: str, visitor: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    if visitor != "anonymous":
        someone = make_user(visitor)
        client.force_login(someone)
        blocked, operator = visitor == "blocked", visitor == "operator"
        User.objects.filter(pk=someone.pk).update(
            is_active=not blocked, is_operator_by_code=operator
        )
    client.get("/")  # for the cookie that belongs to the token
    token = {"X-CSRFToken": client.cookies["csrftoken"].value}
    token_of_link = token_for(dead.user, route)
    path, before = path_of(route, dead.pk, dead.user_id, token_of_link), everything()

    got, forged = client.get(path), client.post(path)
    untouched = everything() == before
    posted = client.post(path, headers=token)

    for answer, response in zip(ROWS[route], (got, posted), strict=True):
        status = answer if isinstance(answer, int) else answer[VISITORS[visitor]]
        assert response.status_code == status
        kept = "no-cache" if ROWS[route] is SHARED and status == 200 else "no-store"
        assert kept in response.headers["Cache-Control"]
        if status == 302:
            is_asked_in = not isinstance(answer, int)
            assert response.headers["Location"].startswith("/?next=") or not is_asked_in
            assert not response.headers["Location"].startswith("//")
    assert forged.status_code == 403
    assert untouched


@pytest.mark.parametrize(("route", "state"), STATES)
def test_what_is_anothers_does_not_exist(client: Client, ada: User, route: str, state: str) -> None:
    hers = make_request(ada, id=NUMBER, state=state)
    own_everything(hers)
    client.force_login(make_user("bea"))
    before = everything()

    path = path_of(route, hers.pk, ada.pk)
    responses = [client.post(path), client.get(path)]

    assert {response.status_code for response in responses} <= {404, 405}
    assert 404 in {response.status_code for response in responses}
    assert everything() == before


# --- Whatever is sent ---------------------------------------------------------------------------

FIELDS = [
    *("page", "state", "code", "error", "name", "description", "public", "interval"),
    *("confirm", "resume", "next", "csrfmiddlewaretoken", "callback", "address", "user"),
    *("code", "unblock", "explained", "remind_in_spotify", "scope", "wish"),
    *("sort", "artist", "album", "decade", "liked", "show", "at", "since"),
    *("playlist", "sync", "before", "changes", "explicit"),
    *("q", "at", "kind", "songs", "shows_name", "has_downloads", "volume", "format"),
    *("sentence", "preset", "value", "by", "rule", "do", "json", "what-0", "value-0", "value2-0"),
    *("group-0", "what-0-0", "value-0-0", "raw-0-0", "upto"),
    *("unit-0", "raw-0", "match", "source", "day", "limit", "per_artist", "refresh", "mirror"),
    *("keep_same", "keep_twin", "at_spotify", "one", "other", "keep", "genres", "clear", "undo"),
    *("do", "upto", "likes_own", "keep", "of", "shows"),
    *("email", "has_insights", "app", "label", "developer", "client_id", "client_secret"),
    *("username", "password", "token", "mirrors", "stars", "q", "song", "nowhere", "forget"),
]
COOKIES = ["sessionid", "csrftoken", "timezone", "messages", "invitation", "spotify-app"]
#: As bytes, so that there is no UTF-8 among them as well.
VALUES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.sampled_from(
        [
            b"\0",
            b"\xed\xa0\x80",
            b"-1",
            b"1e999",
            b"9" * 400,
            b"../../etc/passwd",
            b"<script>",
            b"{{ 7 }}",
            b"' OR 1=1 --",
            b"x" * 100_000,
        ]
    ),
)
FORMS = st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), max_size=5).map(
    lambda fields: "&".join(f"{name}={quote_from_bytes(value)}" for name, value in fields)
)
#: What a header may hold; an octal escape in quotes stands for any byte.
CRUMBS = st.one_of(
    st.text(
        st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f;"), max_size=40
    ),
    st.sampled_from(['"\\000abcdefgh"', '"\\012\\015"', '"\\377\\376abcdefg"', "x" * 4_000]),
)
JARS = st.dictionaries(st.sampled_from(COOKIES), CRUMBS).map(
    lambda jar: "; ".join(f"{name}={value}" for name, value in jar.items())
)
KINDS = st.sampled_from(
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-16",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json",
        "text/plain; charset=no-such",
        "\xff",
    ]
)


@pytest.mark.parametrize("signed_in", [True, False])
@settings(max_examples=100, derandomize=True)
@given(data=st.data())
def test_nothing_that_is_sent_breaks_a_page(
    client: Client, ada: User, dead: SyncRequest, signed_in: bool, data: st.DataObject
) -> None:
    ids = [str(dead.pk), "0", str(2**31), str(2**63), "9" * 5_000]
    number = data.draw(st.sampled_from(ids), "id")
    route = data.draw(st.sampled_from(ROUTES), "route")
    client.cookies.clear()
    if signed_in:
        User.objects.update(is_operator_by_code=True)
        client.force_login(ada)
    else:
        client.cookies.load(data.draw(JARS, "cookies"))
    ask = {"QUERY_STRING": data.draw(FORMS, "query")}

    with transaction.atomic():
        path = path_of(route, number, number, token_for(ada, route))
        got = client.get(path, **ask)
        form = data.draw(FORMS, "form").encode()
        posted = client.generic("POST", path, form, data.draw(KINDS, "kind"), **ask)
        transaction.set_rollback(True)

    assert max(got.status_code, posted.status_code) < 500


@pytest.mark.parametrize("name", [*COOKIES, "sign-in-xxxxxxxx", "unknown"])
@pytest.mark.parametrize("route", ["", "accounts/callback/", "accounts/login/", "events/"])
def test_a_cookie_that_is_too_long_counts_as_none(client: Client, route: str, name: str) -> None:
    client.cookies[name] = "x" * 60_000
    state = "x" * 43

    got = client.get(f"/{route}", {"state": state, "code": "x"})

    assert got.status_code in {200, 204, 400, 405}


# --- Names --------------------------------------------------------------------------------------

NASTY = "<b>&\"'{{ 7 }}\u202egnp.\x1b[31m\x85\u2066\0\ud800end"
SHOWN = "&lt;b&gt;&amp;&quot;&#x27;{{ 7 }}gnp.[31m?end"
UNSEEN = re.compile(r"[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def test_nasty_names_are_synced_and_do_no_harm_on_any_page(
    client: Client, simulator: Simulator, settings: Any
) -> None:
    settings.OPERATORS = ["cleo"]
    simulator.add_listener("cleo", size=3)
    simulator.listeners["cleo"].display_name = NASTY
    sign_in(client, simulator, "cleo")
    cleo = User.objects.get()
    assert run_again(cleo).state == "succeeded"
    song = simulator.new_track(name=NASTY, artists=(("artist", NASTY),), album=NASTY)
    simulator.like("cleo", song)
    simulator.rename(simulator.playlists("cleo")[0], NASTY)

    assert run(cleo).state == "succeeded"

    assert mirrored(simulator, cleo) == simulator.liked("cleo")
    pages = {
        path: client.get(path).content.decode()
        for path in (
            *("/", at_playlist(cleo, "card/"), "/sync/history/", "/settings/", "/operator/"),
            *("/privacy/", "/songs/", "/insights/"),
        )
    }
    for path, page in pages.items():
        assert NASTY[:6] not in page
        # A field's text is its own affair.
        assert path == "/settings/" or not UNSEEN.search(page)
    assert f"<bdi>{SHOWN}</bdi>" in pages["/"]
    for path in ("/sync/history/", "/songs/"):
        assert f"<bdi>{SHOWN}</bdi></a>" in pages[path]
    assert f"Signed in as <b>{SHOWN}</b>" in pages["/privacy/"]
    assert SHOWN in pages["/operator/"]
