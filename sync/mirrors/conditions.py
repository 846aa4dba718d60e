"""Converts the tests of a rule to database conditions; no other module does.

No part of a rule becomes SQL text: fields and operators are looked up here, values are parameters.
A condition is never null, so that its negation is correct.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import reduce
from operator import and_, or_

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.lookups import Contains, Exact

from sync.library.duplicates import find_pairs, ids_with_duplicates
from sync.library.genre_tree import with_below
from sync.library.songs import different_pairs, load_songs
from sync.mirrors.rules import Rule, RuleGroup, RuleTest, SharedSongs, Span
from sync.models import ArtistGenre, Play, PlaylistItems, SavedTrack, TrackArtist
from syncify.text import folded


@dataclass(frozen=True, slots=True)
class Scope:
    """The listener and the time of a selection."""

    user_id: int
    now: datetime
    zone: tzinfo = UTC
    #: The mirror that the songs are for; 0 for a preview.
    mirror_id: int = 0
    #: The likes that the listeners of a pair or household show to this one, their own included.
    #: ``sync.sharing`` provides it; without it, a rule over these selects nothing.
    shared_songs: Callable[[SharedSongs], QuerySet[SavedTrack]] | None = None

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)

    def first_day(self, span: Span) -> date:
        """The first day of a period that ends today."""
        if span.unit == "days":
            return self.today - timedelta(days=span.n)
        months = self.today.year * 12 + self.today.month - 1
        months -= span.n * (12 if span.unit == "years" else 1)
        year, month = divmod(months, 12)
        # 31 March less a month is the last day of February.
        for day in range(self.today.day, 27, -1):
            try:
                return date(year, month + 1, day)
            except ValueError:
                continue
        return date(year, month + 1, self.today.day)


class Line(Func):
    """One line of a track's search text: 1 for the title, 2 for the artists, 3 for the album."""

    function = "split_part"
    output_field = TextField()

    def __init__(self, line: int) -> None:
        super().__init__(F("track__search"), Value("\n"), Value(line))


def condition(rule: Rule, scope: Scope) -> Q:
    """The condition of all tests of ``rule``."""
    return _joined(rule.match, (_entry(entry, scope) for entry in rule.tests))


def _joined(match: str, conditions: Iterable[Q]) -> Q:
    return reduce(and_ if match == "all" else or_, conditions, Q())


def _entry(entry: RuleTest | RuleGroup, scope: Scope) -> Q:
    if isinstance(entry, RuleGroup):
        return _joined(entry.match, (_entry(test, scope) for test in entry.tests))
    asked = _FIELDS[entry.field](entry, scope)
    return ~asked if entry.op in _NEGATIVE else asked


# Each function below gives the condition of the positive operator: ``in_last`` for both
# ``in_last`` and ``not_in_last``. Songs with an unknown value do not pass it.

_NEGATIVE = frozenset({"is_not", "not_contains", "not_in_last", "not_in"})


def _title(test: RuleTest, _scope: Scope) -> Q:
    return _line(test, 1)


def _album(test: RuleTest, _scope: Scope) -> Q:
    return _line(test, 3)


def _line(test: RuleTest, line: int) -> Q:
    lookup = Exact if test.op in {"is", "is_not"} else Contains
    return Q(lookup(Line(line), folded(str(test.value))))


def _artist(test: RuleTest, _scope: Scope) -> Q:
    lookup = "artist__search" if test.op in {"is", "is_not"} else "artist__search__contains"
    named = TrackArtist.objects.filter(**{lookup: folded(str(test.value))})
    return Q(track_id__in=named.values("track_id"))


def _liked(test: RuleTest, scope: Scope) -> Q:
    return Q(**{f"added_at__{name}": at for name, at in _moments(test, scope).items()})


def _last_played(test: RuleTest, scope: Scope) -> Q:
    wanted = {f"last_played__{name}": at for name, at in _moments(test, scope).items()}
    return _played(scope, **wanted)


def _moments(test: RuleTest, scope: Scope) -> dict[str, datetime]:
    if isinstance(test.value, Span):
        return {"gte": scope.start_of(scope.first_day(test.value))}
    assert isinstance(test.value, date)  # noqa: S101 - the grammar says so
    if test.op == "before":
        return {"lt": scope.start_of(test.value)}
    return {"gte": scope.start_of(test.value + timedelta(days=1))}


def _released(test: RuleTest, scope: Scope) -> Q:
    if isinstance(test.value, Span):
        return _known(track__released__gte=scope.first_day(test.value))
    return _known(
        **{"track__released__lt" if test.op == "before" else "track__released__gt": test.value}
    )


def _year(test: RuleTest, _scope: Scope) -> Q:
    first, last = _ends(test)
    wanted = {}
    if first is not None:
        wanted["track__released__gte"] = date(first, 1, 1)
    if last is not None:
        wanted["track__released__lte"] = date(last, 12, 31)
    return _known(**wanted)


def _known(**wanted: object) -> Q:
    return Q(track__released__isnull=False, **wanted)


def _length(test: RuleTest, _scope: Scope) -> Q:
    first, last = _ends(test)
    wanted = Q()
    if first is not None:
        wanted &= Q(track__duration_ms__gte=first * 1000)
    if last is not None:
        wanted &= Q(track__duration_ms__lte=last * 1000)
    return wanted


def _plays(test: RuleTest, scope: Scope) -> Q:
    """A song without a row was never played."""
    first, last = _ends(test)
    wanted = Q()
    if first:
        wanted &= _played(scope, plays__gte=first)
    if last is not None:
        wanted &= ~_played(scope, plays__gt=last)
    # Every song has at least 0 plays; an empty condition would be dropped from an "or".
    return wanted or Q(track_id__isnull=False)


def _played(scope: Scope, **wanted: object) -> Q:
    plays = Play.objects.filter(user=scope.user_id, **wanted)
    return Q(track_id__in=plays.values("track_id"))


def _ends(test: RuleTest) -> tuple[int | None, int | None]:
    """Lowest and highest number that pass; None for no limit."""
    if isinstance(test.value, tuple):
        first, last = test.value
        return int(first), int(last)
    assert isinstance(test.value, int)  # noqa: S101 - the grammar says so
    return (test.value, None) if test.op == "at_least" else (None, test.value)


def _explicit(test: RuleTest, _scope: Scope) -> Q:
    return Q(track__explicit=test.value)


def _duplicate(test: RuleTest, scope: Scope) -> Q:
    pairs = find_pairs(load_songs(scope.user_id), different_pairs(scope.user_id))
    found = Q(track_id__in=ids_with_duplicates(pairs))
    return found if test.value else ~found


def _genre(test: RuleTest, scope: Scope) -> Q:
    """A genre that the listener set for an artist replaces all that were found."""
    assert isinstance(test.value, tuple)  # noqa: S101 - the grammar says so
    named = ArtistGenre.objects.filter(genre__in=with_below(str(name) for name in test.value))
    own = ArtistGenre.objects.filter(user=scope.user_id)
    found = named.filter(user=None).exclude(artist__in=own.values("artist_id"))
    artists = Q(artist__in=named.filter(user=scope.user_id).values("artist_id"))
    artists |= Q(artist__in=found.values("artist_id"))
    return Q(track_id__in=TrackArtist.objects.filter(artists).values("track_id"))


def _mirror(test: RuleTest, scope: Scope) -> Q:
    """The songs in those playlists; none for deleted ones or those of another listener."""
    assert isinstance(test.value, tuple)  # noqa: S101 - the grammar says so
    held = PlaylistItems.objects.filter(
        playlist__mirror__in=[int(each) for each in test.value],
        playlist__mirror__user=scope.user_id,
    )
    # A row without a uri would make "not in" null.
    uris = Func(F("uris"), Value(None, TextField()), function="array_remove")
    uri = Func(uris, function="unnest", output_field=TextField())
    track = Func(uri, Value(":"), Value(3), function="split_part", output_field=TextField())
    return Q(track_id__in=held.annotate(track=track).values("track"))


_FIELDS: Mapping[str, Callable[[RuleTest, Scope], Q]] = {
    "title": _title,
    "artist": _artist,
    "album": _album,
    "liked": _liked,
    "released": _released,
    "last_played": _last_played,
    "length": _length,
    "year": _year,
    "plays": _plays,
    "explicit": _explicit,
    "duplicate": _duplicate,
    "genre": _genre,
    "mirror": _mirror,
}
