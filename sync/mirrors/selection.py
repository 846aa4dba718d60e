"""The songs that a rule selects, in order."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import NamedTuple

from django.db.models import F, OrderBy, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import MD5, Collate, Concat

from sync.mirrors.conditions import Line, Scope, condition
from sync.mirrors.rotation import Rotation, period_of, rotate
from sync.mirrors.rules import LikesAt, PairSongs, Rule, Sort
from sync.models import SavedTrack


class Selection(NamedTuple):
    track_ids: list[str]
    #: What "rediscover" has to know next time; None for every other order.
    rotation: Rotation | None


def select(rule: Rule, scope: Scope, rotation: Rotation | None = None) -> Selection:
    """The tracks of ``rule`` in order, each once."""
    likes = _ordered(rule, scope)
    if _in_turns(rule):
        by_user: dict[int, list[str]] = defaultdict(list)
        for user_id, track_id in likes.values_list("user_id", "track_id"):
            by_user[user_id].append(track_id)
        # The first of each listener, then the second of each.
        turns = chain.from_iterable(zip_longest(*by_user.values()))
        track_ids = [each for each in turns if each is not None]
    else:
        track_ids = list(likes.values_list("track_id", flat=True))
    # A song that was liked twice, or by two listeners, stays where it comes first.
    track_ids = list(dict.fromkeys(track_ids))
    if rule.per_artist is not None:
        artists = dict(likes.values_list("track_id", "track__artists__0"))
        track_ids = _few_per_artist(track_ids, artists, rule.per_artist)
    if rule.sort != "rediscover" or rule.limit is None:
        return Selection(track_ids[: rule.limit], None)
    keys = dict(likes.values_list("track_id", _chance(rule, scope)))
    places, rotation = rotate(
        [keys[track_id] for track_id in track_ids],
        rule.limit,
        period=period_of(rule.refresh, scope.today),
        last=rotation,
    )
    return Selection([track_ids[place] for place in places], rotation)


def is_due(rule: Rule, scope: Scope, selected_at: datetime | None) -> bool:
    """Whether a list that was selected at that time is to be selected anew."""
    if selected_at is None or rule.refresh == "sync":
        return True
    then = selected_at.astimezone(scope.zone).date()
    return period_of(rule.refresh, then) != period_of(rule.refresh, scope.today)


def matching(rule: Rule, scope: Scope) -> QuerySet[SavedTrack]:
    """The likes that pass the tests of ``rule``, in no order, with nothing cut off."""
    return _source(rule, scope).filter(condition(rule, scope))


def _ordered(rule: Rule, scope: Scope) -> QuerySet[SavedTrack]:
    likes = matching(rule, scope)
    if rule.sort in {"random", "rediscover"}:
        return likes.order_by(_chance(rule, scope), *_NEWEST)
    return likes.order_by(*_ORDERS[rule.sort])


def _chance(rule: Rule, scope: Scope) -> Combinable:
    """A number that looks like chance, and is the same for a mirror, a period and a track."""
    period = "" if rule.sort == "rediscover" else period_of(rule.refresh, scope.today)
    seed = Value(f"{scope.mirror_id} {period} ")
    return MD5(Concat(seed, F("track_id"), output_field=TextField()))


def _in_turns(rule: Rule) -> bool:
    return isinstance(rule.source, PairSongs) and rule.source.of == "turns"


def _source(rule: Rule, scope: Scope) -> QuerySet[SavedTrack]:
    match rule.source:
        case LikesAt(day):
            end = scope.start_of(day + timedelta(days=1))
            then = Q(removed_at=None) | Q(removed_at__gte=end)
            return SavedTrack.objects.filter(then, user=scope.user_id, added_at__lt=end)
        case PairSongs() as songs:
            if scope.songs_of_pair is None:
                return SavedTrack.objects.none()
            return scope.songs_of_pair(songs)
        case _:
            return SavedTrack.objects.filter(user=scope.user_id, removed_at=None)


def _few_per_artist(
    track_ids: list[str], artists: Mapping[str, str | None], most: int
) -> list[str]:
    """At most so many songs of each first artist; songs without an artist all stay."""
    seen: Counter[str] = Counter()
    kept = []
    for track_id in track_ids:
        if (artist := artists[track_id]) is not None:
            seen[artist] += 1
            if seen[artist] > most:
                continue
        kept.append(track_id)
    return kept


def _text(line: int) -> Collate:
    """In the order of the code points: the same on every server."""
    return Collate(Line(line), "C")


_NEWEST: tuple[OrderBy, ...] = (F("added_at").desc(), F("rank").asc(), F("id").desc())
_OLDEST: tuple[OrderBy, ...] = (F("added_at").asc(), F("rank").desc(), F("id").asc())
_ORDERS: Mapping[Sort, tuple[OrderBy, ...]] = {
    "newest_like": _NEWEST,
    "oldest_like": _OLDEST,
    "newest_release": (F("track__released").desc(nulls_last=True), *_NEWEST),
    "oldest_release": (F("track__released").asc(nulls_last=True), *_NEWEST),
    "title": (OrderBy(_text(1)), OrderBy(_text(2)), *_NEWEST),
    "artist": (OrderBy(_text(2)), OrderBy(_text(1)), *_NEWEST),
    "length": (F("track__duration_ms").desc(), *_NEWEST),
}
