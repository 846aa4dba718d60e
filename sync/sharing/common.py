"""What the two listeners of a pair have in common: from the local copy of their likes alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import CharField, Count, Max, Q, QuerySet, Value
from django.db.models.functions import Concat

from accounts.access import may_use_q
from accounts.models import User
from sync.mirrors.rules import PairSongs
from sync.models import Artist, Mirror, Pair, PlaylistItems, SavedTrack, TrackArtist

#: Artists count as somebody's taste from so many likes on.
LIKES_OF_TASTE = 2
#: With fewer such artists on one side, nothing is said about tastes.
ARTISTS_OF_TASTE = 5
#: Songs and artists that a page lists.
MOST_SONGS, MOST_ARTISTS, MOST_NEWEST = 12, 12, 8
#: Songs of a shared playlist of which a page says whose they are.
MOST_HELD = 50

_KEPT_FOR = 3600
_TEXT = CharField()

#: What is said from each overlap on.
WORDS = (
    (0.6, "Your tastes are very near to each other."),
    (0.35, "Your tastes are near to each other."),
    (0.15, "Your tastes meet here and there."),
    (0.0, "Your tastes are far apart."),
)
UNKNOWN = "There are too few artists of whom each likes two songs to compare your tastes."


@dataclass(frozen=True, slots=True)
class SharedArtist:
    """An artist whom both like, and the number of songs that each likes."""

    name: str
    mine: int
    theirs: int


@dataclass(frozen=True, slots=True)
class Comparison:
    songs_count: int
    songs: list[SavedTrack]
    artists_count: int
    artists: list[SharedArtist]
    #: The other's likes by artists whom both like.
    suggestions: list[SavedTrack]
    taste: str


def songs_of_pair(user_id: int, songs: PairSongs) -> QuerySet[SavedTrack]:
    """The likes that a rule over a pair selects from, for the listener ``user_id``.

    None unless both agree and may use this installation at this moment.
    """
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
            return SavedTrack.objects.filter(user__in=[user_id, other], removed_at=None)


def likes_of(user_id: int) -> QuerySet[SavedTrack]:
    return SavedTrack.objects.filter(user=user_id, removed_at=None)


def also_liked_by(user_id: int) -> Q:
    """Of likes: the listener likes the song too, in this or another release of the recording."""
    liked = likes_of(user_id)
    recordings = liked.exclude(track__isrc="").values("track__isrc")
    return Q(track__in=liked.values("track")) | Q(track__isrc__in=recordings)


def compare(user: User, other: User) -> Comparison:
    """What ``user`` sees of what both have in common. The caller has checked their consent.

    Kept for an hour, under a key that changes with every like and unlike of both.
    """
    versions = dict(
        SavedTrack.objects.filter(user__in=[user.pk, other.pk])
        .values("user")
        .annotate(version=Concat(Max("pk"), Value("-"), Count("removed_at"), output_field=_TEXT))
        .values_list("user", "version")
    )
    key = f"pair:{user.pk}:{other.pk}:{versions.get(user.pk)}:{versions.get(other.pk)}"
    found: Comparison | None = cache.get(key)
    if found is None:
        found = _compare(user, other)
        cache.set(key, found, _KEPT_FOR)
    return found


def _compare(user: User, other: User) -> Comparison:
    common = likes_of(user.pk).filter(also_liked_by(other.pk))
    mine, theirs = _likes_by_artist(user.pk), _likes_by_artist(other.pk)
    shared = sorted(
        mine.keys() & theirs.keys(),
        key=lambda artist: (-min(mine[artist], theirs[artist]), artist),
    )
    names = Artist.objects.in_bulk(shared[:MOST_ARTISTS])
    by_shared = TrackArtist.objects.filter(artist__in=shared).values("track")
    suggestions = likes_of(other.pk).exclude(also_liked_by(user.pk)).filter(track__in=by_shared)
    return Comparison(
        songs_count=common.count(),
        songs=list(_shown(common)[:MOST_SONGS]),
        artists_count=len(shared),
        artists=[
            SharedArtist(names[artist].name, mine[artist], theirs[artist])
            for artist in shared[:MOST_ARTISTS]
        ],
        suggestions=list(_shown(suggestions)[:MOST_SONGS]),
        taste=in_words(_taste(mine), _taste(theirs)),
    )


def newest_likes(user: User) -> list[SavedTrack]:
    return list(_shown(likes_of(user.pk))[:MOST_NEWEST])


def overlap(one: Collection[str], other: Collection[str]) -> float:
    """The share of the smaller set that is in the other one too; 0 where one is empty."""
    smaller = min(len(set(one)), len(set(other)))
    return len(set(one) & set(other)) / smaller if smaller else 0.0


def in_words(mine: Collection[str], theirs: Collection[str]) -> str:
    """How near two tastes are; the same sentence for both."""
    if min(len(mine), len(theirs)) < ARTISTS_OF_TASTE:
        return UNKNOWN
    share = overlap(mine, theirs)
    return next(words for least, words in WORDS if share >= least)


def whose_songs(mirror: Mirror, user: User, other: User) -> list[tuple[SavedTrack, str]]:
    """The first songs that a shared playlist holds, each with who likes it, in words."""
    held = PlaylistItems.objects.filter(playlist__mirror=mirror, playlist__number=1)
    uris = held.values_list("uris__0_100", flat=True).first() or []
    ids = [uri.removeprefix("spotify:track:") for uri in uris if uri][:MOST_HELD]
    likes: dict[str, dict[int, SavedTrack]] = {}
    of_both = SavedTrack.objects.filter(
        user__in=[user.pk, other.pk], track__in=ids, removed_at=None
    )
    for like in of_both.select_related("track__album"):
        likes.setdefault(like.track_id, {})[like.user_id] = like
    return [
        (next(iter(by.values())), _owner(by, user, other))
        for track in ids
        if (by := likes.get(track))
    ]


def _owner(likes: Mapping[int, SavedTrack], user: User, other: User) -> str:
    if len(likes) == 2:
        return "Both"
    return "You" if user.pk in likes else str(other)


def _shown(likes: QuerySet[SavedTrack]) -> QuerySet[SavedTrack]:
    return likes.select_related("track__album").order_by("-added_at", "rank", "id")


def _likes_by_artist(user_id: int) -> dict[str, int]:
    counted = (
        likes_of(user_id)
        .filter(track__track_artists__isnull=False)
        .values("track__track_artists__artist")
        .annotate(likes=Count("pk"))
    )
    return dict(counted.values_list("track__track_artists__artist", "likes"))


def _taste(likes: Mapping[str, int]) -> set[str]:
    return {artist for artist, count in likes.items() if count >= LIKES_OF_TASTE}
