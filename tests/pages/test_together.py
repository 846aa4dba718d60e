"""Together: who sees what before agreement, during it and after; invitations in a browser."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import access
from accounts.models import User
from sync.models import Mirror, Pair, PairInvitation, Playlist, PlaylistItems, SavedTrack
from sync.sharing import pairs
from sync.sharing.codes import make_code
from sync.sharing.playlists import create_shared_mirror
from tests.builders import as_user, make_like, make_user

pytestmark = pytest.mark.django_db

#: In the names of Ada's songs and artists, and nowhere else.
SECRET = "Ada’s own"


@pytest.fixture
def ada(ada: User) -> User:
    like = make_like(ada, "secret")
    like.track.name, like.track.artists = f"{SECRET} song", [f"{SECRET} band"]
    like.track.save()
    return ada


@pytest.fixture
def bea(ada: User, bea: User) -> User:
    """Liked Ada's song once."""
    SavedTrack.objects.create(
        user=bea, track_id="secret", added_at="2025-01-01T00:00Z", removed_at="2025-02-01T00:00Z"
    )
    return bea


def hold(mirror: Mirror, track: str) -> None:
    """Let the mirror's playlist hold this song, as a sync left it."""
    playlist = Playlist.objects.create(mirror=mirror, number=1, spotify_id=f"at-{mirror.pk}")
    PlaylistItems.objects.create(playlist=playlist, uris=[f"spotify:track:{track}"])


# --- Who sees what --------------------------------------------------------------------------------


def _stranger(ada: User, bea: User) -> None:
    pairs.accept(make_user("cleo"), make_code(ada))


def _invited(ada: User, bea: User) -> None:
    make_code(ada)


def _agreed(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada))
    pairs.show_newest(ada, pair.pk, shows=True)
    hold(create_shared_mirror(bea, pair.pk, "theirs_not_mine"), "secret")


def _ended(ada: User, bea: User) -> None:
    _agreed(ada, bea)
    pairs.end(ada, Pair.objects.get().pk)


def _blocked(ada: User, bea: User) -> None:
    _agreed(ada, bea)
    access.block_listener(ada)


def _deleted(ada: User, bea: User) -> None:
    _agreed(ada, bea)
    ada.delete()


def addresses(pair: int, code: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every address of Together and the inbox, with each method that it takes."""
    yield from (("get", path, {}) for path in ("/together/", f"/together/{pair}/", "/inbox/"))
    yield "get", f"/together/join/{code}/", {}
    yield "post", "/together/join/", {"code": code}
    yield "post", "/together/invite/", {}
    yield "post", "/together/withdraw/", {}
    yield "post", f"/together/{pair}/newest/", {"shows": "on"}
    yield "post", f"/together/{pair}/playlist/", {"of": "turns"}
    yield "get", f"/together/{pair}/", {}


def seen(client: Client, pair: int, code: str = "no-such-code") -> dict[str, tuple[int, bool]]:
    """Of each address, its status, and whether it shows what is Ada's."""
    found = {}
    for method, path, form in addresses(pair, code):
        response: Any = getattr(client, method)(path, form, follow=True)
        found[f"{method} {path}"] = response.status_code, SECRET in response.content.decode()
    return found


@pytest.mark.parametrize("arrange", [_stranger, _invited, _ended, _blocked, _deleted])
def test_without_agreement_nothing_of_another_is_seen_anywhere(
    ada: User, bea: User, arrange: Callable[[User, User], None]
) -> None:
    arrange(ada, bea)
    pair = Pair.objects.values_list("pk", flat=True).first() or 1
    mirrors = Mirror.objects.filter(user=bea).count()

    found = seen(as_user(bea), pair)

    assert [path for path, (_, leaks) in found.items() if leaks] == []
    assert found[f"get /together/{pair}/"][0] == 404
    assert found[f"post /together/{pair}/newest/"][0] == 404
    assert found[f"post /together/{pair}/playlist/"][0] == 404
    assert Mirror.objects.filter(user=bea).count() == mirrors


def test_holder_of_a_code_sees_a_name_and_no_song(ada: User, bea: User) -> None:
    code = make_code(ada)

    response = as_user(bea).get(f"/together/join/{code}/")

    assert "<bdi>Ada</bdi> invites you" in response.content.decode()
    assert SECRET not in response.content.decode()


def test_with_agreement_each_sees_what_both_allow(ada: User, bea: User) -> None:
    _agreed(ada, bea)
    pair = Pair.objects.get().pk

    page = as_user(bea).get(f"/together/{pair}/").content.decode()

    assert "Newest likes of <bdi>Ada</bdi>" in page
    assert page.count(f"{SECRET} song") >= 2
    assert "Newest likes" not in as_user(ada).get(f"/together/{pair}/").content.decode()


def test_third_listener_and_operator_see_nothing_of_a_pair(ada: User, bea: User) -> None:
    _agreed(ada, bea)
    pair = Pair.objects.get().pk
    cleo = make_user("cleo")
    User.objects.filter(pk=cleo.pk).update(is_operator_by_code=True)
    client = as_user(cleo)

    assert not any(leaks for _, leaks in seen(client, pair).values())
    assert client.post(f"/together/{pair}/end/").status_code == 404
    page = client.get("/operator/").content.decode()
    assert "together" not in page.lower()
    assert SECRET not in page


# --- Invitations ----------------------------------------------------------------------------------


def invited(client: Client) -> str:
    """The address that a new invitation shows."""
    page = client.post("/together/invite/").content.decode()
    [address] = re.findall(r'value="http[^"]*(/together/join/[^"]+)"', page)
    return str(address)


def test_invitation_leads_through_agreement_to_the_page_of_both(ada: User, bea: User) -> None:
    hers, his = as_user(ada), as_user(bea)
    address = invited(hers)

    assert "<bdi>Ada</bdi> invites" in his.get(address).content.decode()
    response = his.post(address, follow=True)

    pair = Pair.objects.get()
    assert response.redirect_chain == [(f"/together/{pair.pk}/", 303)]
    assert hers.get(f"/together/{pair.pk}/").status_code == 200
    assert his.get(address).status_code == 404
    assert hers.get(address).status_code == 404


def test_code_can_be_typed_in_alone_or_as_an_address(ada: User, bea: User) -> None:
    address = invited(as_user(ada))
    code = address.rstrip("/").rpartition("/")[2]

    for typed in (code, f" {code} ", f"http://testserver{address}"):
        response = as_user(bea).post("/together/join/", {"code": typed})
        assert response.headers["Location"] == address


@pytest.mark.parametrize("typed", ["", "/", "..", "x", "a b c d e f g h", "é" * 10, "x" * 5_000])
def test_what_is_no_code_is_told(bea: User, typed: str) -> None:
    response = as_user(bea).post("/together/join/", {"code": typed}, follow=True)

    assert "not the code of an invitation" in response.content.decode()


def test_visitor_who_is_not_signed_in_comes_back_to_the_invitation(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(display_name="Zora")
    address = invited(as_user(ada))
    visitor = Client()

    response = visitor.get(address)
    page = visitor.get(response.headers["Location"]).content.decode()

    assert f'name="next" value="{address}"' in page
    assert "Zora" not in page


@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example/", "javascript:x"])
def test_start_page_leads_nowhere_else_after_the_sign_in(path: str) -> None:
    assert b'name="next"' not in Client().get("/", {"next": path}).content


def test_codes_cannot_be_tried_without_end(bea: User) -> None:
    client = as_user(bea)

    statuses = [client.get(f"/together/join/no-such-{n}/").status_code for n in range(70)]

    assert statuses[:60] == [404] * 60
    assert 429 in statuses[60:]


def test_withdrawn_invitation_is_gone(ada: User, bea: User) -> None:
    client = as_user(ada)
    address = invited(client)

    client.post("/together/withdraw/")

    assert as_user(bea).get(address).status_code == 404
    assert not PairInvitation.objects.exists()


# --- The page of a pair ---------------------------------------------------------------------------


def test_playlist_is_made_with_one_press_and_then_no_longer_offered(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk
    client = as_user(ada)

    response = client.post(f"/together/{pair}/playlist/", {"of": "both"}, follow=True)

    page = response.content.decode()
    assert Mirror.objects.get(user=ada, is_main=False).name == "Ada and Bea: what both like"
    assert 'value="both"' not in page
    assert 'value="turns"' in page


@pytest.mark.parametrize("kind", ["", "all", "both\0"])
def test_unknown_kind_of_playlist_is_refused(ada: User, bea: User, kind: str) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk

    response = as_user(ada).post(f"/together/{pair}/playlist/", {"of": kind}, follow=True)

    assert "Choose the songs of the playlist" in response.content.decode()
    assert not Mirror.objects.filter(is_main=False).exists()


def test_newest_likes_are_shown_only_for_as_long_as_wanted(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk
    hers, his = as_user(ada), as_user(bea)

    hers.post(f"/together/{pair}/newest/", {"shows": "on"})
    assert "Newest likes of" in his.get(f"/together/{pair}/").content.decode()
    hers.post(f"/together/{pair}/newest/")
    assert "Newest likes of" not in his.get(f"/together/{pair}/").content.decode()


def test_either_ends_it_from_the_page(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk

    response = as_user(bea).post(f"/together/{pair}/end/", follow=True)

    assert "Ended." in response.content.decode()
    assert as_user(ada).get(f"/together/{pair}/").status_code == 404
    assert as_user(ada).post(f"/together/{pair}/end/").status_code == 404


def test_pair_with_a_blocked_listener_can_be_ended(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk
    access.block_listener(bea)
    client = as_user(ada)

    assert "cannot be seen at the moment" in client.get("/together/").content.decode()
    assert client.post(f"/together/{pair}/end/").status_code == 303
    assert not Pair.objects.exists()


@pytest.mark.parametrize("likes", [2, 40])
def test_page_of_a_pair_asks_eight_queries_at_most(
    ada: User, bea: User, likes: int, django_assert_max_num_queries: Any
) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk
    pairs.show_newest(ada, pair, shows=True)
    for of in ("both", "turns", "theirs_not_mine")[: likes // 10]:
        hold(create_shared_mirror(bea, pair, of), "secret")  # type: ignore[arg-type]
    for number in range(likes):
        make_like(ada, f"song {number}")
        make_like(bea, f"song {number}")
    client = as_user(bea)

    # The comparison is kept after the first look.
    with django_assert_max_num_queries(9):
        client.get(f"/together/{pair}/")
    with django_assert_max_num_queries(8):
        page = client.get(f"/together/{pair}/").content.decode()
    assert f"{likes} songs in common" in page


# --- Previews -------------------------------------------------------------------------------------


def preview(client: Client, pair: int, of: str) -> tuple[str, str]:
    """How many songs a rule over the pair selects, and the whole preview."""
    source = json.dumps({"pair": pair, "of": of})
    page = client.get("/playlists/preview/", {"source": source}).content.decode()
    [count] = re.findall(r'data-count="(\d*)"', page)
    return count, page


def test_preview_of_a_rule_over_a_pair_counts_the_songs_of_both(ada: User, bea: User) -> None:
    make_like(bea, "hers")
    pair = pairs.accept(bea, make_code(ada)).pk
    client = as_user(bea)

    assert preview(client, pair, "both")[0] == "0"
    assert preview(client, pair, "turns")[0] == "2"
    count, page = preview(client, pair, "theirs_not_mine")
    assert count == "1"
    assert SECRET in page
    assert 'href="/songs/' not in page


def test_preview_after_the_end_and_of_the_pair_of_others_is_empty(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk
    assert preview(as_user(make_user("cleo")), pair, "turns")[0] == "0"

    pairs.end(ada, pair)

    count, page = preview(as_user(bea), pair, "turns")
    assert count == "0"
    assert SECRET not in page


def test_shared_playlists_are_named_after_their_listeners(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk
    mirror = create_shared_mirror(bea, pair, "turns")
    client = as_user(bea)

    for path in ("/playlists/", f"/playlists/{mirror.pk}/"):
        assert "Songs of you and Ada in turns" in client.get(path).content.decode()
    page = client.get(f"/playlists/{mirror.pk}/").content.decode()
    assert f"pair {pair}" not in page
    assert "Songs that only others like are removed" in page

    pairs.end(ada, pair)
    assert f"Songs of pair {pair} in turns" in client.get("/playlists/").content.decode()


def test_page_of_a_shared_playlist_previews_its_songs(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada)).pk
    mirror = create_shared_mirror(bea, pair, "theirs_not_mine")

    page = as_user(bea).get(f"/playlists/{mirror.pk}/").content.decode()

    assert 'data-count="1"' in page
