"""The songs that a rule selects, in order."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import NamedTuple

from django.db.models import F, OrderBy, Q, QuerySet, TextField, Value, Window
from django.db.models.expressions import Expression
from django.db.models.functions import MD5, Collate, Concat, RowNumber

from sync.mirrors.conditions import Line, Scope, condition
from sync.mirrors.rotation import Rotation, period_of, rotate
from sync.mirrors.rules import HouseholdSongs, LikesAt, PairSongs, Rule, SharedSongs, Sort
from sync.models import SavedTrack


class Selection(NamedTuple):
    track_ids: list[str]
    #: The next position of "rediscover"; None for every other order.
    rotation: Rotation | None


class _Row(NamedTuple):
    track_id: str
    user_id: int
    artist: str | None
    isrc: str
    key: str


_COLUMNS = ("track_id", "user_id", "track__artists__0", "track__isrc")


def select(rule: Rule, scope: Scope, rotation: Rotation | None = None) -> Selection:
    """The tracks of ``rule`` in order, each once; of several listeners, each recording once."""
    rotates = rule.sort == "rediscover" and rule.limit is not None
    is_shared = isinstance(rule.source, SharedSongs)
    if not (is_shared or rule.per_artist or rotates):
        # A song that was liked twice stays where it comes first.
        once = dict.fromkeys(_ordered(rule, scope).values_list("track_id", flat=True))
        return Selection(list(once)[: rule.limit], None)
    if is_shared and rule.limit and not (rule.per_artist or rotates):
        rows = _first_songs(rule, scope, rule.limit)
    else:
        rows = _once(rule, _rows(rule, scope))
    if rule.per_artist is not None:
        rows = _few_per_artist(rows, rule.per_artist)
    if not rotates or rule.limit is None:
        return Selection([row.track_id for row in rows[: rule.limit]], None)
    places, rotation = rotate(
        [row.key for row in rows],
        rule.limit,
        period=period_of(rule.refresh, scope.today),
        last=rotation,
    )
    return Selection([rows[place].track_id for place in places], rotation)


def is_due(rule: Rule, scope: Scope, selected_at: datetime | None) -> bool:
    """Whether a list that was selected at that time needs a new selection."""
    if selected_at is None or rule.refresh == "sync":
        return True
    then = selected_at.astimezone(scope.zone).date()
    return period_of(rule.refresh, then) != period_of(rule.refresh, scope.today)


def matching(rule: Rule, scope: Scope) -> QuerySet[SavedTrack]:
    """The likes that pass the tests of ``rule``, in no order, with nothing cut off."""
    return _source(rule, scope).filter(condition(rule, scope))


def _ordered(rule: Rule, scope: Scope) -> QuerySet[SavedTrack]:
    return matching(rule, scope).order_by(*_order(rule, scope))


def _order(rule: Rule, scope: Scope) -> tuple[OrderBy, ...]:
    if rule.sort in {"random", "rediscover"}:
        return (OrderBy(_chance(rule, scope)), *_NEWEST)
    return _ORDERS[rule.sort]


def _first_songs(rule: Rule, scope: Scope, limit: int) -> list[_Row]:
    """At least ``limit`` songs, or all: of several large libraries, few rows are needed."""
    most = 2 * limit
    while True:
        rows = _rows(rule, scope, most=most)
        songs = _once(rule, rows)
        if len(songs) >= limit or not _is_cut(rule, rows, most):
            return songs
        most *= 8


def _rows(rule: Rule, scope: Scope, *, most: int | None = None) -> list[_Row]:
    """The likes in order: the first ``most`` of all, or of each listener where they take turns."""
    likes = _ordered(rule, scope)
    key = _chance(rule, scope) if rule.sort == "rediscover" else Value("")
    if most is not None and _in_turns(rule):
        place = Window(RowNumber(), partition_by="user_id", order_by=_order(rule, scope))
        likes = likes.annotate(place=place).filter(place__lte=most)
    elif most is not None:
        likes = likes[:most]
    rows = [_Row(*row) for row in likes.values_list(*_COLUMNS, key)]
    return _each_in_turn(rows) if _in_turns(rule) else rows


def _is_cut(rule: Rule, rows: list[_Row], most: int) -> bool:
    """Whether there may be more rows than these."""
    if _in_turns(rule):
        return max(Counter(row.user_id for row in rows).values(), default=0) >= most
    return len(rows) >= most


def _once(rule: Rule, rows: list[_Row]) -> list[_Row]:
    """The first row of each song; of several listeners, of each recording."""
    is_shared = isinstance(rule.source, SharedSongs)
    first: dict[str, _Row] = {}
    for row in rows:
        first.setdefault(row.isrc if is_shared and row.isrc else row.track_id, row)
    return list(first.values())


def _chance(rule: Rule, scope: Scope) -> Expression:
    """A number that looks like chance, and is the same for a mirror, a period and a track."""
    period = "" if rule.sort == "rediscover" else period_of(rule.refresh, scope.today)
    seed = Value(f"{scope.mirror_id} {period} ")
    return MD5(Concat(seed, F("track_id"), output_field=TextField()))


def _in_turns(rule: Rule) -> bool:
    return isinstance(rule.source, SharedSongs) and rule.source.of == "turns"


def _source(rule: Rule, scope: Scope) -> QuerySet[SavedTrack]:
    match rule.source:
        case LikesAt(day):
            end = scope.start_of(day + timedelta(days=1))
            then = Q(removed_at=None) | Q(removed_at__gte=end)
            return SavedTrack.objects.filter(then, user=scope.user_id, added_at__lt=end)
        case PairSongs() | HouseholdSongs() as songs:
            if scope.shared_songs is None:
                return SavedTrack.objects.none()
            return scope.shared_songs(songs)
        case _:
            return SavedTrack.objects.filter(user=scope.user_id, removed_at=None)


def _each_in_turn(rows: list[_Row]) -> list[_Row]:
    """The first of each listener, then the second of each."""
    by_user: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        by_user[row.user_id].append(row)
    turns = chain.from_iterable(zip_longest(*by_user.values()))
    return [row for row in turns if row is not None]


def _few_per_artist(rows: list[_Row], most: int) -> list[_Row]:
    """At most this many songs of each first artist; all songs without an artist stay."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        if row.artist is not None:
            seen[row.artist] += 1
            if seen[row.artist] > most:
                continue
        kept.append(row)
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
