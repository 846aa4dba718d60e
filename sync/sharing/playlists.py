"""Playlists with songs of a pair or household: mirrors of one listener, with a rule over it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, Subquery

from sync.mirrors.keeping import MOST_MIRRORS, free_name
from sync.mirrors.rule_json import to_json
from sync.mirrors.rules import HouseholdSongs, Of, OfHousehold, PairSongs, Rule, SharedSongs
from sync.mirrors.shared import KEYS
from sync.models import Mirror, Playlist, PlaylistItems, SavedTrack, SyncRequest, Track
from sync.queue import store as queue
from sync.queue.locks import lock_listener
from sync.sharing.codes import TogetherError
from sync.sharing.following import mirrors_over
from sync.sharing.households import house_of
from sync.sharing.pairs import partner_in

if TYPE_CHECKING:
    from accounts.models import User

#: The name of each kind of playlist, and its song limit.
KINDS: Mapping[Of, tuple[str, int | None]] = {
    "both": ("what both like", None),
    "turns": ("newest likes in turn", 500),
    "theirs_not_mine": ("likes that are new to me", 500),
}
KINDS_OF_HOUSEHOLD: Mapping[OfHousehold, tuple[str, int | None]] = {
    "everyone": ("newest likes", 500),
    "turns": ("newest likes in turn", 500),
    "all": ("what all like", None),
}
#: Shared playlists that one listener keeps.
MOST = 20
#: Songs of a shared playlist that a page lists with their owners.
MOST_HELD = 50


@dataclass(frozen=True, slots=True)
class OwnedTrack:
    track: Track
    #: The ids of those of the given listeners who like it.
    liked_by: Collection[int]


@dataclass(frozen=True, slots=True)
class SharedPlaylist:
    """A shared playlist as its owner's page shows it."""

    mirror: Mirror
    #: At Spotify; "" before it is made.
    url: str
    #: The first tracks that it holds.
    ids: Sequence[str]


def create_shared_mirror(user: User, pair_id: int, of: Of) -> Mirror:
    """A playlist of ``user`` with songs of the pair, filled by the next sync.

    Returns the one that exists already, if there is one. Raises TogetherError.
    """
    with transaction.atomic():
        lock_listener(user.pk)
        partner = partner_in(pair_id, user)
        if partner is None:
            raise TogetherError("You are no longer together with this listener.")
        words, limit = KINDS[of]
        return _create(user, PairSongs(pair_id, of), limit, f"{user} and {partner.user}: {words}")


def create_household_mirror(user: User, household_id: int, of: OfHousehold) -> Mirror:
    """A playlist of ``user`` with songs of the household, filled by the next sync.

    Returns the one that exists already, if there is one. Raises TogetherError.
    """
    with transaction.atomic():
        lock_listener(user.pk)
        house = house_of(household_id, user)
        if house is None or not house.me.is_in:
            raise TogetherError("The other members have to agree to you first.")
        words, limit = KINDS_OF_HOUSEHOLD[of]
        name = f"Household of {house.household.owner}: {words}"
        return _create(user, HouseholdSongs(household_id, of), limit, name)


def _create(user: User, source: SharedSongs, limit: int | None, name: str) -> Mirror:
    rule = to_json(Rule(source=source, limit=limit))
    own = Mirror.objects.filter(user=user)
    if same := own.filter(rule__source=rule["source"]).first():
        return same
    if own.filter(rule__source__has_any_keys=list(KEYS)).count() >= MOST:
        raise TogetherError(f"You have {MOST} shared playlists already.")
    if own.count() >= MOST_MIRRORS:
        raise TogetherError(f"You have {MOST_MIRRORS} playlists, and more are not possible.")
    name = free_name(user, name[-100:])
    mirror = Mirror.objects.create(user=user, is_main=False, name=name, rule=rule)
    queue.enqueue(user.pk, trigger=SyncRequest.Trigger.MANUAL)
    return mirror


def playlists_over(user: User, kind: type[SharedSongs], pk: int) -> list[SharedPlaylist]:
    """The playlists of ``user`` with songs of this pair or household, by one query."""
    first = Playlist.objects.filter(mirror=OuterRef("pk"), number=1)
    held = PlaylistItems.objects.filter(playlist__mirror=OuterRef("pk"), playlist__number=1)
    mirrors = mirrors_over(user.pk, kind, pk).annotate(
        at_spotify=Subquery(first.values("spotify_id")[:1]),
        held=Subquery(held.values(f"uris__0_{MOST_HELD}")[:1]),
    )
    return [
        SharedPlaylist(
            mirror,
            Playlist(spotify_id=mirror.at_spotify).url if mirror.at_spotify else "",
            [uri.removeprefix("spotify:track:") for uri in mirror.held or () if uri],
        )
        for mirror in mirrors
    ]


def tracks_with_owners(ids: Iterable[str], users: Collection[User]) -> dict[str, OwnedTrack]:
    """These tracks with their albums, each with who of ``users`` likes it, by one query."""
    likes = SavedTrack.objects.filter(track=OuterRef("pk"), user__in=users, removed_at=None)
    shown = ("name", "artists", "album_name", "album__cover_url")
    tracks = Track.objects.filter(pk__in=set(ids)).select_related("album").only(*shown)
    return {
        track.pk: OwnedTrack(track, track.liked_by)
        for track in tracks.annotate(liked_by=ArraySubquery(likes.values("user")))
    }


def whose_songs(
    playlist: SharedPlaylist, tracks: Mapping[str, OwnedTrack], me: User, users: Sequence[User]
) -> list[tuple[Track, str]]:
    """The first songs of the playlist, each with who of ``users`` likes it, in words.

    ``tracks`` come from ``tracks_with_owners``. Songs that nobody of these likes are left out.
    """
    found = [tracks[key] for key in playlist.ids if key in tracks]
    return [
        (owned.track, owners_in_words(owned.liked_by, me, users))
        for owned in found
        if owned.liked_by
    ]


def owners_in_words(liked_by: Collection[int], me: User, users: Sequence[User]) -> str:
    """Such as "You, Bea"; "Both" or "Everybody" if all of ``users`` like it."""
    if len(users) > 1 and all(user.pk in liked_by for user in users):
        return "Both" if len(users) == 2 else "Everybody"
    names = ["You"] if me.pk in liked_by else []
    return ", ".join(names + [str(one) for one in users if one != me and one.pk in liked_by])
