"""Pairs: invitations that work once, consent on both sides, and its end."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts import access
from accounts.models import User
from sync.models import Mirror, Pair, PairInvitation, SyncRequest
from sync.sharing import codes, pairs
from sync.sharing.codes import TogetherError, make_code
from sync.sharing.playlists import create_shared_mirror
from tests.builders import make_user
from tests.waiting import at_once

pytestmark = pytest.mark.django_db

NO_INVITATION = "used, withdrawn, or is too old"


@pytest.fixture
def pair(ada: User, bea: User) -> Pair:
    return pairs.accept(bea, make_code(ada))


def test_code_makes_a_pair_that_both_see(ada: User, bea: User) -> None:
    code = make_code(ada)
    assert codes.invitation_of(code, bea).user == ada
    assert pairs.partners_of(ada) == pairs.partners_of(bea) == []

    pair = pairs.accept(bea, code)

    assert [one.user for one in pairs.partners_of(ada)] == [bea]
    assert [one.user for one in pairs.partners_of(bea)] == [ada]
    assert (pair.first, pair.second) == (ada, bea)


def test_only_a_hash_of_the_code_is_stored(ada: User) -> None:
    code = make_code(ada)

    [row] = PairInvitation.objects.values()
    assert code not in str(row)


def test_code_works_once(ada: User, bea: User) -> None:
    code = make_code(ada)
    pairs.accept(bea, code)

    with pytest.raises(TogetherError, match=NO_INVITATION):
        pairs.accept(make_user("cleo"), code)
    assert Pair.objects.count() == 1


def test_code_ends_after_seven_days(ada: User, bea: User) -> None:
    code = make_code(ada)
    [expires] = PairInvitation.objects.values_list("expires", flat=True)
    assert timedelta(days=6, hours=23) < expires - timezone.now() <= timedelta(days=7)
    PairInvitation.objects.update(expires=timezone.now())

    with pytest.raises(TogetherError, match=NO_INVITATION):
        pairs.accept(bea, code)


def _withdraw(ada: User) -> None:
    codes.withdraw(ada)


def _block(ada: User) -> None:
    access.block_listener(ada)


def _delete(ada: User) -> None:
    ada.delete()


@pytest.mark.parametrize("what", [_withdraw, _block, _delete])
def test_code_of_somebody_who_left_does_not_work(
    ada: User, bea: User, what: Callable[[User], None]
) -> None:
    code = make_code(ada)
    what(ada)

    with pytest.raises(TogetherError, match=NO_INVITATION):
        pairs.accept(bea, code)


def test_own_code_does_not_work(ada: User) -> None:
    code = make_code(ada)

    with pytest.raises(TogetherError, match="your own"):
        pairs.accept(ada, code)
    assert codes.open_invitations(ada).count() == 1


@pytest.mark.parametrize("code", ["", "x", "\0", "\ud800", "a" * 10_000])
def test_made_up_code_does_not_work(bea: User, code: str) -> None:
    with pytest.raises(TogetherError, match=NO_INVITATION):
        pairs.accept(bea, code)


def test_second_invitation_between_the_same_two_changes_nothing(
    ada: User, bea: User, pair: Pair
) -> None:
    assert pairs.accept(ada, make_code(bea)) == pair


def test_open_invitations_are_limited(ada: User) -> None:
    for _ in range(codes.MOST_INVITATIONS):
        make_code(ada)

    with pytest.raises(TogetherError, match="open invitations"):
        make_code(ada)


def test_either_ends_it_and_only_once(ada: User, bea: User, pair: Pair) -> None:
    assert not pairs.end(make_user("cleo"), pair.pk)
    assert pairs.end(bea, pair.pk)

    assert not pairs.end(ada, pair.pk)
    assert pairs.partners_of(ada) == pairs.partners_of(bea) == []


def test_end_queues_a_sync_for_whoever_has_a_playlist_of_both(
    ada: User, bea: User, pair: Pair
) -> None:
    create_shared_mirror(ada, pair.pk, "both")
    SyncRequest.objects.all().delete()

    pairs.end(bea, pair.pk)

    assert [request.user for request in SyncRequest.objects.all()] == [ada]


def test_shared_playlist_is_made_once(ada: User, bea: User, pair: Pair) -> None:
    made = create_shared_mirror(ada, pair.pk, "turns")

    assert create_shared_mirror(ada, pair.pk, "turns") == made
    assert create_shared_mirror(bea, pair.pk, "turns") != made
    assert made.rule == {
        "source": {"pair": pair.pk, "of": "turns"},
        "match": "all",
        "tests": [],
        "sort": "newest_like",
        "limit": 500,
        "per_artist": None,
        "refresh": "sync",
    }


def test_shared_playlist_needs_the_pair(ada: User, pair: Pair) -> None:
    with pytest.raises(TogetherError):
        create_shared_mirror(make_user("cleo"), pair.pk, "both")
    assert not Mirror.objects.filter(is_main=False).exists()


def test_blocked_partner_is_named_but_not_shown(ada: User, bea: User, pair: Pair) -> None:
    access.block_listener(bea)

    [partner] = pairs.partners_of(ada)
    assert not partner.is_visible
    assert pairs.partner_in(pair.pk, ada) is None
    assert pairs.end(ada, pair.pk)


def test_deleted_account_ends_its_pairs(ada: User, bea: User, pair: Pair) -> None:
    bea.delete()

    assert pairs.partners_of(ada) == []


def test_each_decides_alone_what_they_show(ada: User, bea: User, pair: Pair) -> None:
    pairs.show_newest(bea, pair.pk, shows=True)
    pairs.show_newest(make_user("cleo"), pair.pk, shows=True)

    hers, his = pairs.partner_in(pair.pk, ada), pairs.partner_in(pair.pk, bea)
    assert hers
    assert his
    assert (hers.i_show_newest, hers.they_show_newest) == (False, True)
    assert (his.i_show_newest, his.they_show_newest) == (True, False)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_use_a_code_at_once_one_gets_in(ada: User) -> None:
    code = make_code(ada)
    others = [make_user(f"friend{number}") for number in range(4)]

    def accept(user: User) -> bool:
        try:
            pairs.accept(user, code)
        except TogetherError:
            return False
        return True

    accepted = at_once(*[partial(accept, user) for user in others])

    assert sorted(accepted) == [False, False, False, True]
    assert Pair.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_accepting_and_ending_at_once_leaves_one_of_both(ada: User, bea: User) -> None:
    pair = pairs.accept(bea, make_code(ada))
    invitations = [make_code(ada) for _ in range(5)]

    at_once(
        *[partial(pairs.accept, bea, code) for code in invitations],
        *[partial(pairs.end, user, pair.pk) for user in (ada, bea)],
    )

    assert Pair.objects.count() <= 1
    assert [one.user for one in pairs.partners_of(ada)] == [bea] * Pair.objects.count()
