"""Pages of a household: who sees what before agreement, during it and after; its walk by form."""

import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import access
from accounts.models import User
from sync.models import Household, HouseholdMember, Mirror, SyncRequest
from sync.sharing import codes, households
from sync.sharing.playlists import create_household_mirror
from tests.builders import as_user, make_like, make_user
from tests.pages.test_together import SECRET, ada, bea, hold

__all__ = ["ada", "bea"]

pytestmark = pytest.mark.django_db

ALL = 2**62  #: agrees with all members there are.


@pytest.fixture
def house(ada: User) -> Household:
    """Ada is alone in it with Cleo."""
    found = households.start(ada)
    join(found, make_user("cleo"))
    return found


def join(house: Household, user: User, *, upto: int = ALL) -> None:
    households.accept(user, households.invite(house.owner, house.pk), upto=upto)


# --- Who sees what --------------------------------------------------------------------------------


def _stranger(house: Household, bea: User) -> None:
    pass


def _invited(house: Household, bea: User) -> None:
    households.invite(house.owner, house.pk)


def _waiting(house: Household, bea: User) -> None:
    """Cleo has not agreed to Bea."""
    join(house, bea)


def _agreed(house: Household, bea: User) -> None:
    join(house, bea)
    for member in HouseholdMember.objects.filter(household=house).select_related("user"):
        households.agree(member.user, house.pk, upto=ALL)
    hold(create_household_mirror(bea, house.pk, "everyone"), "secret")


def _left(house: Household, bea: User) -> None:
    _agreed(house, bea)
    households.leave(bea, house.pk)


def _ended(house: Household, bea: User) -> None:
    _agreed(house, bea)
    households.leave(house.owner, house.pk)


def _blocked(house: Household, bea: User) -> None:
    _agreed(house, bea)
    access.block_listener(house.owner)


def _deleted(house: Household, bea: User) -> None:
    _agreed(house, bea)
    house.owner.delete()


def addresses(pk: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every address of a household, and all others under which its songs could be seen."""
    source = json.dumps({"household": pk, "of": "everyone"})
    yield "get", "/together/", {}
    yield "get", f"/together/households/{pk}/", {}
    yield "get", "/playlists/preview/", {"source": source}
    yield "post", f"/together/households/{pk}/invite/", {}
    yield "post", f"/together/households/{pk}/playlist/", {"of": "turns"}
    yield "get", f"/together/households/{pk}/", {}
    yield "get", "/inbox/", {}
    yield "get", "/songs/secret/", {}


def seen(client: Client, pk: int) -> dict[str, tuple[int, bool]]:
    """Of each address, its status, and whether it shows what is Ada's."""
    found = {}
    for method, path, form in addresses(pk):
        response: Any = getattr(client, method)(path, form, follow=True)
        page = html.unescape(response.content.decode())
        # Bea's own former like has a page of hers.
        found[f"{method} {path}"] = response.status_code, SECRET in page and "/songs/" not in path
    return found


@pytest.mark.parametrize(
    "arrange", [_stranger, _invited, _waiting, _left, _ended, _blocked, _deleted]
)
def test_without_agreement_nothing_of_a_member_is_seen_anywhere(
    house: Household, bea: User, arrange: Callable[[Household, User], None]
) -> None:
    arrange(house, bea)
    mirrors = Mirror.objects.filter(user=bea).count()

    found = seen(as_user(bea), house.pk)

    assert [path for path, (_, leaks) in found.items() if leaks] == []
    is_member = HouseholdMember.objects.filter(household=house.pk, user=bea).exists()
    assert is_member == (arrange in {_waiting, _blocked})
    assert found[f"get /together/households/{house.pk}/"][0] == (200 if is_member else 404)
    if arrange is not _blocked:  # Cleo and Bea go on
        assert Mirror.objects.filter(user=bea).count() == mirrors


def test_with_agreement_members_see_the_songs_and_whose_they_are(
    house: Household, bea: User
) -> None:
    _agreed(house, bea)

    page = html.unescape(as_user(bea).get(f"/together/households/{house.pk}/").content.decode())

    assert f"{SECRET} song" in page
    assert '<span class="small"><bdi>Ada</bdi></span>' in page


@pytest.mark.parametrize(("of", "count"), [("everyone", "2"), ("turns", "2"), ("all", "0")])
def test_preview_of_a_rule_over_a_household_counts_the_songs_of_its_members(
    house: Household, bea: User, of: str, count: str
) -> None:
    _agreed(house, bea)
    make_like(bea, "hers")
    source = json.dumps({"household": house.pk, "of": of})

    page = as_user(bea).get("/playlists/preview/", {"source": source}).content.decode()

    assert f'data-count="{count}"' in page
    assert "Songs of the household of Ada" in page


def test_operator_and_stranger_see_nothing_of_a_household(house: Household, bea: User) -> None:
    _agreed(house, bea)
    dora = make_user("dora")
    User.objects.filter(pk=dora.pk).update(is_operator_by_code=True)
    client = as_user(dora)

    assert not any(leaks for _, leaks in seen(client, house.pk).values())
    for press in ("agree", "leave"):
        assert client.post(f"/together/households/{house.pk}/{press}/").status_code == 404
    assert "household" not in client.get("/operator/").content.decode().lower()


def test_guest_sees_names_and_no_song(house: Household, bea: User) -> None:
    code = households.invite(house.owner, house.pk)

    page = as_user(bea).get(f"/together/join/{code}/").content.decode()

    assert "<bdi>Ada</bdi> invites you into a household" in page
    assert "<bdi>Cleo</bdi>" in page
    assert SECRET not in page


# --- By form --------------------------------------------------------------------------------------


def invited(response: Any) -> str:
    """The address that a new invitation shows."""
    [address] = re.findall(r'value="http[^"]*(/together/join/[^"]+)"', response.content.decode())
    return str(address)


def upto(page: str) -> str:
    [number] = re.findall(r'name="upto"\s+value="(\d+)"', page)
    return str(number)


def test_one_press_starts_a_household_with_playlist_and_invitation(ada: User, bea: User) -> None:
    hers, his = as_user(ada), as_user(bea)

    address = invited(hers.post("/together/households/", {"of": "turns"}))

    mirror = Mirror.objects.get(user=ada, is_main=False)
    assert mirror.name == "Household of Ada: newest likes in turn"
    assert SyncRequest.objects.filter(user=ada).exists()
    assert "Start a household" not in hers.get("/together/").content.decode()

    # Another press of a guest, and both are in.
    page = his.get(address).content.decode()
    response = his.post(address, {"upto": upto(page)}, follow=True)

    house = Household.objects.get()
    assert response.redirect_chain == [(f"/together/households/{house.pk}/", 303)]
    assert households.sharing_ids(house.pk, bea.pk) == [ada.pk, bea.pk]
    assert his.get(address).status_code == 404
    assert "Household of <bdi>Ada</bdi>" in his.get("/together/").content.decode()


@pytest.mark.parametrize("sent", ["", "x", "-1", "9" * 30, "١"])
def test_guest_who_agrees_to_nobody_waits(ada: User, bea: User, sent: str) -> None:
    code = households.invite(ada, households.start(ada).pk)

    response = as_user(bea).post(f"/together/join/{code}/", {"upto": sent}, follow=True)

    assert "waits until all agree" in response.content.decode()
    assert households.sharing_ids(Household.objects.get().pk, bea.pk) == []


def test_member_agrees_to_who_is_new_and_leaves(house: Household, bea: User) -> None:
    cleo = as_user(User.objects.get(spotify_id="cleo"))
    join(house, bea)
    path = f"/together/households/{house.pk}/"

    page = cleo.get(path).content.decode()
    assert "<bdi>Bea</bdi></b>\n        joined" in page
    cleo.post(f"{path}agree/", {"upto": upto(page)})
    assert len(households.sharing_ids(house.pk, bea.pk)) == 3
    assert 'name="upto"' not in cleo.get(path).content.decode()

    response = cleo.post(f"{path}leave/", follow=True)
    assert "You left." in response.content.decode()
    assert cleo.get(path).status_code == 404
    assert cleo.post(f"{path}leave/").status_code == 404
    assert len(households.sharing_ids(house.pk, bea.pk)) == 2


def test_only_the_owner_is_offered_an_invitation(house: Household) -> None:
    cleo, path = User.objects.get(spotify_id="cleo"), f"/together/households/{house.pk}/"

    assert f"{path}invite/" not in as_user(cleo).get(path).content.decode()
    assert as_user(cleo).post(f"{path}invite/").status_code == 404
    owner = as_user(house.owner)
    assert f"{path}invite/" in owner.get(path).content.decode()
    assert invited(owner.post(f"{path}invite/"))


def test_full_household_offers_no_invitation(house: Household, bea: User) -> None:
    for user in (bea, make_user("dora"), make_user("emil")):
        join(house, user)
    owner, path = as_user(house.owner), f"/together/households/{house.pk}/"

    assert "More than 5 members are not possible" in owner.get(path).content.decode()
    response = owner.post(f"{path}invite/", follow=True)
    assert "more are not possible" in response.content.decode()
    assert not codes.open_invitations(house.owner).exists()


@pytest.mark.parametrize("kind", ["", "both", "theirs_not_mine", "all\0"])
def test_unknown_kind_of_playlist_is_refused(house: Household, kind: str) -> None:
    response = as_user(house.owner).post(
        f"/together/households/{house.pk}/playlist/", {"of": kind}, follow=True
    )

    assert "Choose the songs of the playlist" in response.content.decode()
    assert not Mirror.objects.filter(is_main=False).exists()


def test_playlist_is_made_with_one_press_and_then_no_longer_offered(house: Household) -> None:
    path = f"/together/households/{house.pk}/"
    client = as_user(house.owner)

    page = client.post(f"{path}playlist/", {"of": "all"}, follow=True).content.decode()

    assert Mirror.objects.get(is_main=False).name == "Household of Ada: what all like"
    assert 'value="all"' not in page
    assert 'value="everyone"' in page


def test_page_of_a_household_asks_seven_queries_at_most(
    house: Household, bea: User, django_assert_max_num_queries: Any
) -> None:
    path, client = f"/together/households/{house.pk}/", as_user(house.owner)
    _agreed(house, bea)
    for of in ("everyone", "turns", "all"):
        hold(create_household_mirror(house.owner, house.pk, of), "secret")  # type: ignore[arg-type]

    with django_assert_max_num_queries(7):
        client.get(path)
