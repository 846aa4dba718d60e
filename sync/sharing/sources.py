"""The likes from which rules over a pair or household select: only of those who agree now."""

from functools import reduce
from operator import and_

from django.db.models import Q, QuerySet

from accounts.access import may_use_q
from sync.mirrors.rules import HouseholdSongs, PairSongs, SharedSongs
from sync.models import Pair, SavedTrack
from sync.sharing.households import sharing_ids


def shared_songs(user_id: int, songs: SharedSongs) -> QuerySet[SavedTrack]:
    """The likes of ``songs`` that the listener ``user_id`` may see at this moment."""
    match songs:
        case PairSongs():
            return songs_of_pair(user_id, songs)
        case HouseholdSongs():
            return songs_of_household(user_id, songs)


def songs_of_pair(user_id: int, songs: PairSongs) -> QuerySet[SavedTrack]:
    """No likes unless both agree and may use this installation."""
    agreed = Pair.objects.filter(may_use_q("first__"), may_use_q("second__"), pk=songs.pair)
    pair = agreed.filter(Q(first=user_id) | Q(second=user_id)).first()
    if pair is None:
        return SavedTrack.objects.none()
    other = pair.second_id if pair.first_id == user_id else pair.first_id
    match songs.of:
        case "both":
            return likes_of(user_id).filter(also_liked_by(other))
        case "theirs_not_mine":
            return likes_of(other).exclude(also_liked_by(user_id))
        case _:
            return likes_of(user_id, other)


def songs_of_household(user_id: int, songs: HouseholdSongs) -> QuerySet[SavedTrack]:
    """No likes unless the listener is in; only their own while nobody else is."""
    ids = sharing_ids(songs.household, user_id)
    if songs.of != "all":
        return likes_of(*ids)
    others = [also_liked_by(other) for other in ids if other != user_id]
    if not others:
        return SavedTrack.objects.none()
    return likes_of(user_id).filter(reduce(and_, others))


def likes_of(*user_ids: int) -> QuerySet[SavedTrack]:
    return SavedTrack.objects.filter(user__in=user_ids, removed_at=None)


def also_liked_by(user_id: int) -> Q:
    """Of likes: the listener likes the song too, in this or another release of the recording."""
    liked = likes_of(user_id)
    recordings = liked.exclude(track__isrc="").values("track__isrc")
    return Q(track__in=liked.values("track")) | Q(track__isrc__in=recordings)
