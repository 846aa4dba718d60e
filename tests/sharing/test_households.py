"""Households: who is in, whose songs are shared, and the end of both."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import access
from accounts.models import User
from sync.mirrors import keeping
from sync.mirrors.rules import HouseholdSongs, OfHousehold
from sync.models import (
    Household,
    HouseholdMember,
    Mirror,
    MirrorTrack,
    Pair,
    PairInvitation,
    Playlist,
    PlaylistItems,
    SyncRequest,
)
from sync.sharing import codes, households, pairs
from sync.sharing.codes import TogetherError
from sync.sharing.households import Standing, agreed
from sync.sharing.playlists import (
    create_household_mirror,
    owners_in_words,
    playlists_over,
    tracks_with_owners,
    whose_songs,
)
from sync.sharing.sources import shared_songs, songs_of_household
from syncify.simulator.server import Simulator
from tests.builders import connect, make_user
from tests.driving import run
from tests.library.rows import add_song, at, like
from tests.waiting import at_once

ALL = 2**62  #: agrees with all members there are.

# --- Who is in ------------------------------------------------------------------------------------

standings = st.lists(
    st.builds(Standing, st.integers(1, 9), st.integers(0, 9), st.booleans()),
    max_size=5,
    unique_by=lambda one: one.member,
)


@given(standings)
def test_any_two_members_who_are_in_agree_to_each_other(rows: list[Standing]) -> None:
    inside = agreed(rows)

    members = [row for row in rows if row.member in inside]
    assert all(row.may_use for row in members)
    for one in members:
        for other in members:
            assert one == other or one.agreed_upto >= other.member


@given(standings, st.integers(0, 9))
def test_who_joins_or_agrees_puts_nobody_out(rows: list[Standing], upto: int) -> None:
    before = agreed(rows)

    joined = Standing(10, upto)
    assert before <= agreed([*rows, joined])
    for row in rows:
        more = row._replace(agreed_upto=max(row.agreed_upto, upto))
        assert before <= agreed([more if one == row else one for one in rows])


@given(standings)
def test_without_a_member_the_others_stay_in(rows: list[Standing]) -> None:
    for row in rows:
        rest = [one for one in rows if one != row]
        assert agreed(rows) - {row.member} <= agreed(rest)


# --- Joining and leaving --------------------------------------------------------------------------


@pytest.fixture
def house(ada: User) -> Household:
    """Ada's, with her alone."""
    return households.start(ada)


def join(house: Household, user: User, *, upto: int = ALL) -> None:
    households.accept(user, households.invite(house.owner, house.pk), upto=upto)


def sharing(house: Household, user: User) -> list[str]:
    """Whose songs the user sees, by name."""
    ids = households.sharing_ids(house.pk, user.pk)
    return [str(User.objects.get(pk=pk)) for pk in ids]


def test_guest_and_owner_share_at_once(house: Household, ada: User, bea: User) -> None:
    assert sharing(house, ada) == ["Ada"]

    join(house, bea)

    assert sharing(house, ada) == sharing(house, bea) == ["Ada", "Bea"]


def test_later_guest_waits_for_those_who_were_there(
    house: Household, ada: User, bea: User, cleo: User
) -> None:
    join(house, bea)
    join(house, cleo)
    assert sharing(house, ada) == sharing(house, bea) == ["Ada", "Bea"]
    assert sharing(house, cleo) == []

    shown = households.house_of(house.pk, bea)
    assert shown
    assert [str(member.user) for member in shown.waiting] == ["Cleo"]
    assert households.agree(bea, house.pk, upto=shown.upto)

    for user in (ada, bea, cleo):
        assert sharing(house, user) == ["Ada", "Bea", "Cleo"]


def test_nobody_agrees_to_members_that_were_not_shown(
    house: Household, ada: User, bea: User, cleo: User
) -> None:
    [first] = HouseholdMember.objects.filter(household=house)
    join(house, bea, upto=0)
    assert sharing(house, bea) == []
    join(house, cleo, upto=first.pk)
    assert sharing(house, ada) == ["Ada"]

    assert households.agree(bea, house.pk, upto=first.pk)

    assert sharing(house, ada) == ["Ada", "Bea"]
    assert sharing(house, cleo) == []


def test_code_leads_into_the_household_once(house: Household, bea: User, cleo: User) -> None:
    code = households.invite(house.owner, house.pk)
    with pytest.raises(TogetherError, match="household"):
        pairs.accept(bea, code)
    households.accept(bea, code, upto=ALL)

    with pytest.raises(TogetherError, match="used, withdrawn"):
        households.accept(cleo, code, upto=ALL)
    assert not Pair.objects.exists()


def test_code_of_a_pair_leads_into_no_household(house: Household, ada: User, bea: User) -> None:
    with pytest.raises(TogetherError, match="does not lead into a household"):
        households.accept(bea, codes.make_code(ada), upto=ALL)


def test_only_the_owner_invites(house: Household, bea: User, cleo: User) -> None:
    join(house, bea)

    for user in (bea, cleo):
        with pytest.raises(TogetherError, match="Only the owner"):
            households.invite(user, house.pk)


def test_five_members_are_the_most(house: Household, ada: User) -> None:
    spare = households.invite(ada, house.pk)
    for number in range(4):
        join(house, make_user(f"friend{number}"))

    with pytest.raises(TogetherError, match="more are not possible"):
        households.invite(ada, house.pk)
    with pytest.raises(TogetherError, match="more are not possible"):
        households.accept(make_user("late"), spare, upto=ALL)
    assert HouseholdMember.objects.count() == 5
    assert codes.open_invitations(ada).count() == 1


def test_nobody_is_a_member_twice_or_of_too_many(house: Household, ada: User, bea: User) -> None:
    join(house, bea)
    with pytest.raises(TogetherError, match="already"):
        join(house, bea)
    for number in range(households.MOST_HOUSEHOLDS - 1):
        join(households.start(make_user(f"owner{number}")), bea)

    with pytest.raises(TogetherError, match="5 households"):
        join(households.start(make_user("one more")), bea)
    with pytest.raises(TogetherError, match="5 households"):
        households.start(bea)
    assert households.start(ada) == house


def test_member_leaves_and_the_household_stays(
    house: Household, ada: User, bea: User, cleo: User
) -> None:
    join(house, bea)
    join(house, cleo)

    assert households.leave(bea, house.pk)

    assert not households.leave(bea, house.pk)
    assert sharing(house, bea) == []
    # Cleo waited for Bea alone.
    assert sharing(house, ada) == sharing(house, cleo) == ["Ada", "Cleo"]


def test_who_comes_back_is_agreed_to_anew(
    house: Household, ada: User, bea: User, cleo: User
) -> None:
    join(house, bea)
    join(house, cleo)
    households.agree(bea, house.pk, upto=ALL)
    households.leave(cleo, house.pk)

    join(house, cleo)

    assert sharing(house, cleo) == []
    assert sharing(house, bea) == ["Ada", "Bea"]


@pytest.mark.parametrize("end", [households.leave, lambda user, _: user.delete()])
def test_owner_ends_the_household(
    house: Household, ada: User, bea: User, end: Callable[[User, int], object]
) -> None:
    join(house, bea)
    households.invite(ada, house.pk)

    end(ada, house.pk)

    assert sharing(house, bea) == []
    assert households.households_of(bea) == []
    for table in (Household, HouseholdMember):
        assert not table.objects.exists()
    assert not PairInvitation.objects.filter(used=None).exists()


def test_blocked_member_is_named_and_shares_nothing(
    house: Household, ada: User, bea: User, cleo: User
) -> None:
    join(house, bea)
    access.block_listener(bea)
    join(house, cleo)

    assert sharing(house, ada) == sharing(house, cleo) == ["Ada", "Cleo"]
    assert sharing(house, bea) == []
    shown = households.house_of(house.pk, ada)
    assert shown
    assert [member.is_away for member in shown.members] == [False, True, False]

    # Bea has not been asked about Cleo yet.
    access.unblock_listener(bea)
    assert sharing(house, ada) == ["Ada", "Bea"]
    assert sharing(house, cleo) == []


def test_stranger_sees_no_household(house: Household, cleo: User) -> None:
    assert households.house_of(house.pk, cleo) is None
    assert sharing(house, cleo) == []
    assert not households.agree(cleo, house.pk, upto=ALL)
    assert not households.leave(cleo, house.pk)
    with pytest.raises(TogetherError):
        create_household_mirror(cleo, house.pk, "turns")


def is_in(user: User, code: str) -> bool:
    """Whether the code lets the user in."""
    try:
        households.accept(user, code, upto=ALL)
    except TogetherError:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_of_many_who_join_at_once_five_are_in() -> None:
    house = households.start(make_user("ada"))
    friends = [make_user(f"friend{number}") for number in range(6)]
    invitations = [households.invite(house.owner, house.pk) for _ in friends]

    accepted = at_once(*map(partial(partial, is_in), friends, invitations))

    assert sorted(accepted) == [False, False, True, True, True, True]
    assert HouseholdMember.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_joining_while_the_owner_ends_it_leaves_all_or_nothing() -> None:
    house = households.start(make_user("ada"))
    friends = [make_user(f"friend{number}") for number in range(3)]
    invitations = [households.invite(house.owner, house.pk) for _ in friends]

    at_once(
        *map(partial(partial, is_in), friends, invitations),
        lambda: households.leave(house.owner, house.pk),
    )

    assert not HouseholdMember.objects.exists()


# --- Songs ----------------------------------------------------------------------------------------


def fill(ada: User, bea: User, cleo: User) -> None:
    """All like "all"; x1 and x2 are one recording."""
    for key, isrc in [("a", ""), ("b", ""), ("c", ""), ("all", ""), ("x1", "X"), ("x2", "X")]:
        add_song(key, name=key, isrc=isrc)
    for user, keys in ((ada, ["a", "x1"]), (bea, ["b", "x2"]), (cleo, ["c", "x1"])):
        for number, key in enumerate([*keys, "all"], 1):
            like(user, key, at(f"2025-05-0{number}"))


def of(user: User, house: Household, what: OfHousehold) -> list[str]:
    songs = shared_songs(user.pk, HouseholdSongs(house.pk, what))
    return sorted(set(songs.values_list("track_id", flat=True)))


def test_songs_of_a_household_by_source(house: Household, ada: User, bea: User, cleo: User) -> None:
    fill(ada, bea, cleo)
    assert of(ada, house, "everyone") == ["a", "all", "x1"]
    assert of(ada, house, "all") == []

    join(house, bea)
    join(house, cleo)
    assert of(ada, house, "everyone") == ["a", "all", "b", "x1", "x2"]
    assert of(cleo, house, "everyone") == []
    households.agree(bea, house.pk, upto=ALL)

    assert of(cleo, house, "turns") == ["a", "all", "b", "c", "x1", "x2"]
    assert of(ada, house, "all") == ["all", "x1"]
    assert of(bea, house, "all") == ["all", "x2"]


def _leave(user: User, house: Household) -> None:
    households.leave(user, house.pk)


def _block(user: User, house: Household) -> None:
    access.block_listener(user)


def _delete(user: User, house: Household) -> None:
    user.delete()


@pytest.mark.parametrize("how", [_leave, _block, _delete])
@pytest.mark.parametrize("what", ["everyone", "turns", "all"])
def test_songs_of_who_is_gone_are_gone(
    ada: User,
    bea: User,
    cleo: User,
    house: Household,
    what: OfHousehold,
    how: Callable[[User, Household], None],
) -> None:
    fill(ada, bea, cleo)
    join(house, bea)
    mine = {"a", "all", "x1"}

    how(bea, house)

    assert set(of(ada, house, what)) <= mine
    if User.objects.filter(pk=bea.pk).exists():
        assert songs_of_household(bea.pk, HouseholdSongs(house.pk, what)).count() == 0


def test_each_song_says_whose_it_is(house: Household, ada: User, bea: User, cleo: User) -> None:
    fill(ada, bea, cleo)
    join(house, bea)
    join(house, cleo)
    households.agree(bea, house.pk, upto=ALL)
    mirror = create_household_mirror(ada, house.pk, "turns")
    playlist = Playlist.objects.create(mirror=mirror, number=1, spotify_id="ours")
    uris: list[str | None] = [f"spotify:track:{key}" for key in ("b", "x1", "all", "a", "gone")]
    PlaylistItems.objects.create(playlist=playlist, uris=[*uris, None])

    users = [ada, bea, cleo]
    [shown] = playlists_over(ada, HouseholdSongs, house.pk)
    songs = whose_songs(shown, tracks_with_owners(shown.ids, users), ada, users)

    assert [(track.pk, who) for track, who in songs] == [
        ("b", "Bea"),
        ("x1", "You, Cleo"),
        ("all", "Everybody"),
        ("a", "You"),
    ]
    assert playlists_over(bea, HouseholdSongs, house.pk) == []


def test_one_listener_alone_is_not_everybody(ada: User) -> None:
    assert owners_in_words([ada.pk], ada, [ada]) == "You"


def test_frozen_playlist_holds_own_likes_only(
    house: Household, ada: User, bea: User, cleo: User
) -> None:
    fill(ada, bea, cleo)
    join(house, bea)
    mirror = create_household_mirror(ada, house.pk, "everyone")
    playlist = Playlist.objects.create(mirror=mirror, number=1, spotify_id="ours")
    PlaylistItems.objects.create(
        playlist=playlist, uris=[f"spotify:track:{key}" for key in ("b", "x1", "a")]
    )

    assert keeping.freeze_mirror(mirror) == 2

    kept = MirrorTrack.objects.filter(mirror=mirror, choice=MirrorTrack.Choice.KEPT)
    assert set(kept.values_list("track_id", flat=True)) == {"x1", "a"}


# --- From sync to sync ----------------------------------------------------------------------------


def held(simulator: Simulator, mirror: Mirror) -> list[str | None]:
    playlist = Playlist.objects.get(mirror=mirror)
    return simulator.playlist_uris(playlist.spotify_id or "")


def likes(simulator: Simulator, *names: str) -> set[str]:
    return {uri for name in names for uri in simulator.liked(name)}


@pytest.mark.django_db
@pytest.mark.parametrize("keeps", [True, False])
def test_playlist_of_a_household_follows_who_is_in(simulator: Simulator, *, keeps: bool) -> None:
    ada, bea, cleo = (connect(simulator, name) for name in ("ada", "bea", "cleo"))
    for name, count in (("ada", 5), ("bea", 60), ("cleo", 3)):
        simulator.set_liked(name, *[simulator.new_track() for _ in range(count)])
    for user in (ada, bea, cleo):
        run(user, "first")
    house = households.start(ada)
    mirror = create_household_mirror(ada, house.pk, "everyone")
    Mirror.objects.filter(pk=mirror.pk).update(keeps_additions=keeps)
    join(house, bea)
    join(house, cleo)
    run(ada)
    assert set(held(simulator, mirror)) == likes(simulator, "ada", "bea")

    households.agree(bea, house.pk, upto=ALL)
    run(ada)
    assert set(held(simulator, mirror)) == likes(simulator, "ada", "bea", "cleo")
    assert len(held(simulator, mirror)) == 68

    simulator.advance(timedelta(seconds=2))
    households.leave(bea, house.pk)
    request = run(ada)
    assert request.state == "succeeded"
    assert set(held(simulator, mirror)) == likes(simulator, "ada", "cleo")

    households.leave(ada, house.pk)
    run(ada)
    assert held(simulator, mirror) == []
    assert len(simulator.liked("ada")) == 5


@pytest.mark.django_db
def test_members_with_a_playlist_are_synced_when_somebody_comes_or_goes(
    ada: User, bea: User, cleo: User
) -> None:
    house = households.start(ada)
    create_household_mirror(ada, house.pk, "turns")

    def queued(act: Callable[[], object]) -> list[User]:
        SyncRequest.objects.all().delete()
        act()
        return [request.user for request in SyncRequest.objects.all()]

    assert queued(lambda: join(house, bea)) == [ada]
    assert queued(lambda: join(house, cleo)) == [ada]
    assert queued(lambda: households.agree(bea, house.pk, upto=ALL)) == [ada]
    assert queued(lambda: households.leave(bea, house.pk)) == [ada]
    assert queued(lambda: households.leave(ada, house.pk)) == [ada]
