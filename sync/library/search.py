"""Search in one listener's likes by words, filters, a day or a playlist; read-only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlencode

from django.db.models import (
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Collate, Least, NullIf, StrIndex

from sync.library.continued import changed_by, in_playlists
from sync.library.duplicates import Grade
from sync.library.songs import duplicate_groups
from sync.library.timeline import came, end_of, gone, open_at, start_of, went
from sync.models import MirrorTrack, SavedTrack
from syncify.text import folded

if TYPE_CHECKING:
    from accounts.models import User

PAGE_SIZE = 100
#: A search by words counts up to this number, or says "more than" it, because counting takes
#: longer than finding.
MOST_COUNTED = 1_000
#: The number of characters that a search uses.
LONGEST_SEARCH = 500
#: The decade of songs whose release date is unknown.
UNKNOWN = "unknown"

SORTS = {
    "": "Newest first",
    "oldest_like": "Oldest first",
    "title": "Title",
    "artist": "Artist",
    "album": "Album",
    "newest_release": "Newest release",
    "oldest_release": "Oldest release",
    "longest": "Longest",
    "shortest": "Shortest",
}
SHOWS = {
    "": "Liked",
    "gone": "No longer liked",
    "refused": "Refused by Spotify",
    "duplicates": "Duplicates",
}
EXPLICIT = {"": "All", "yes": "Explicit only", "no": "Without explicit"}

_PERIOD = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """A year, a month or a day of the listener's calendar."""

    first: date
    #: The first day after it.
    end: date

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From "2024", "2024-03" or "2024-03-05"; None for anything else."""
        found = _PERIOD.fullmatch(text)
        if found is None:
            return None
        year, month, day = (int(part) if part else 0 for part in found.groups())
        try:
            first = date(year, month or 1, day or 1)
            if day:
                return cls(first, first + timedelta(days=1))
            if month:
                return cls(first, date(year + month // 12, month % 12 + 1, 1))
            return cls(first, date(year + 1, 1, 1))
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a list of songs. Each field is "" if it is not set."""

    q: str = ""
    sort: str = ""
    artist: str = ""
    #: The id of an album, or the name of one whose id is not known.
    album: str = ""
    decade: str = ""
    liked: str = ""
    explicit: str = ""
    show: str = ""
    at: str = ""
    #: With ``at``: only songs added between the two days or, with ``show=gone``, removed.
    since: str = ""
    #: The id of a mirror: the songs in its playlists.
    playlist: str = ""
    #: The id of a request: the songs that it added or removed.
    sync: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, str], *, today: date) -> tuple[Self, list[str]]:
        """The query, and a note for each part that is not valid and was ignored."""
        found, notes = {}, []
        for field in fields(cls):
            text = params.get(field.name, "").replace("\0", " ").strip()
            if field.name == "q" and len(text) > LONGEST_SEARCH:
                notes.append(f"Only the first {LONGEST_SEARCH} characters of the search count.")
                text = text[:LONGEST_SEARCH]
            if field.name == "show" and text == "all":
                text = ""
            if field.name == "sort" and text == "newest_like":
                text = ""
            if text and not _CHECKS[field.name](text):
                notes.append(f"“{field.name}” is not valid and was ignored.")
                text = ""
            found[field.name] = text
        if found["at"] > today.isoformat():
            notes.append("That day is in the future. These are today's songs.")
            found["at"] = ""
        if found["since"]:
            found["at"] = found["at"] or today.isoformat()
            if found["since"] > found["at"]:
                notes.append("The earlier day comes first, so the two days were swapped.")
                found["since"], found["at"] = found["at"], min(found["since"], today.isoformat())
        return cls(**found), notes

    @property
    def words(self) -> list[str]:
        """The folded words of the search, each once."""
        return list(dict.fromkeys(folded(self.q).split()))

    @property
    def filters(self) -> dict[str, str]:
        """The filters, without the order."""
        return {name: value for name, value in self._given().items() if name != "sort"}

    def but(self, **changes: str) -> Query:
        return replace(self, **changes)

    def urlencoded(self) -> str:
        """The shortest query string with the same meaning."""
        return urlencode(self._given())

    def _given(self) -> dict[str, str]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value}


def _is_decade(text: str) -> bool:
    return text == UNKNOWN or bool(re.fullmatch(r"[12]\d\d0", text, re.ASCII))


def _is_day(text: str) -> bool:
    return bool(_DAY.fullmatch(text)) and Period.parse(text) is not None


_CHECKS: dict[str, Callable[[str], object]] = {
    "q": bool,
    "artist": bool,
    "album": bool,
    "sort": SORTS.__contains__,
    "show": SHOWS.__contains__,
    "explicit": EXPLICIT.__contains__,
    "decade": _is_decade,
    "liked": Period.parse,
    "at": _is_day,
    "since": _is_day,
    "playlist": _NUMBER.fullmatch,
    "sync": _NUMBER.fullmatch,
}


class Page(NamedTuple):
    """A page of a list of songs."""

    rows: list[SavedTrack]
    has_more: bool
    #: The number of songs in the list, for words at most MOST_COUNTED + 1; None if not known.
    total: int | None


def search(user: User, query: Query, *, zone: tzinfo) -> QuerySet[SavedTrack]:
    """The listener's likes that match ``query``, in its order."""
    rows = _with_words(_base(user, query, zone), query.words)
    # As for words: the planner expects few matches of @>.
    if query.artist:
        place = Func(F("track__artists"), Value(query.artist), function="array_position")
        place.output_field = IntegerField()
        rows = rows.alias(artist_at=place).filter(artist_at__isnull=False)
    if query.album:
        by_name = Q(track__album=None, track__album_name=query.album)
        rows = rows.filter(Q(track__album=query.album) | by_name)
    if query.decade == UNKNOWN:
        rows = rows.filter(track__released=None)
    elif query.decade:
        first = int(query.decade)
        rows = rows.filter(track__released__gte=date(first, 1, 1))
        rows = rows.filter(track__released__lt=date(first + 10, 1, 1))
    if period := Period.parse(query.liked):
        rows = rows.filter(added_at__gte=start_of(period.first, zone))
        rows = rows.filter(added_at__lt=start_of(period.end, zone))
    if query.explicit:
        rows = rows.filter(track__explicit=query.explicit == "yes")
    return rows.order_by(*_order(query))


def _with_words(rows: QuerySet[SavedTrack], words: Sequence[str]) -> QuerySet[SavedTrack]:
    """The ``rows`` whose title, artists or album have all ``words``.

    The planner expects few matches of LIKE, and then reads the songs of all listeners. It expects
    many matches of these functions, so it begins with the listener's likes.
    """
    places = [StrIndex("track__search", Value(word)) for word in words]
    if places and max(map(len, words)) == 1:
        # Most songs have a letter. Of "is not null", the planner expects that: it walks the likes
        # in their order until a page is full.
        found = {f"place{number}": NullIf(place, 0) for number, place in enumerate(places)}
        return rows.alias(**found).filter(**{f"{name}__isnull": False for name in found})
    if places:
        # Of ">", it expects a third. With one condition for each word it would expect too few.
        return rows.alias(least=Least(*places, Value(1))).filter(least__gt=0)
    return rows


def page_of(query: Query, likes: QuerySet[SavedTrack], number: int) -> Page:
    """One page of the ``likes`` that ``query`` found.

    Only the ids are found in order: tracks and albums are read for the rows that are shown.
    """
    start = (number - 1) * PAGE_SIZE
    # A search by words looks at every song once, for the page and for the count.
    first = 0 if query.words else start
    end = max(start + PAGE_SIZE, MOST_COUNTED if query.words else 0)
    found = list(likes.values_list("pk", flat=True)[first : end + 1])
    ids = found[start - first : start - first + PAGE_SIZE]
    rows = SavedTrack.objects.select_related("track__album").in_bulk(ids)
    has_more = len(found) > start - first + PAGE_SIZE
    total = None
    if query.words:
        total = min(len(found), MOST_COUNTED + 1)
    elif number == 1 and not has_more:
        total = len(ids)
    return Page([rows[pk] for pk in ids if pk in rows], has_more, total)


def _base(user: User, query: Query, zone: tzinfo) -> QuerySet[SavedTrack]:
    """The likes that the search covers."""
    liked = SavedTrack.objects.filter(user=user, removed_at=None)
    if query.since:
        moments = {
            "since": end_of(date.fromisoformat(query.since), zone),
            "until": end_of(date.fromisoformat(query.at), zone),
        }
        rows = went(user, **moments) if query.show == "gone" else came(user, **moments)
    elif query.at:
        rows = open_at(user, end_of(date.fromisoformat(query.at), zone))
    elif query.sync:
        rows = changed_by(user.pk, int(query.sync))
    elif query.show == "gone":
        rows = gone(user)
    else:
        rows = liked
    if query.playlist:
        rows = rows.filter(track__in=in_playlists(user.pk, mirror=int(query.playlist)))
    match query.show:
        case "gone" if (query.at or query.sync) and not query.since:
            rows = rows.exclude(Exists(liked.filter(track=OuterRef("track"))))
        case "refused":
            rows = rows.filter(track__in=refused_tracks(user).values("track"))
        case "duplicates":
            rows = rows.filter(track__in=_duplicates(user))
    return rows


def refused_tracks(user: User) -> QuerySet[MirrorTrack]:
    """The tracks that Spotify refuses for one of the listener's playlists."""
    return MirrorTrack.objects.filter(mirror__user=user, refused_at__isnull=False)


def _duplicates(user: User) -> list[str]:
    """The tracks that have a duplicate among the likes."""
    sure = (group for group in duplicate_groups(user.pk) if group.grade != Grade.PERHAPS)
    return [track for group in sure for track in group.ids]


def _line(number: int) -> Func:
    """A line of ``Track.search``: 1 is the title, 2 the artists, 3 the album."""
    text = Func(
        F("track__search"),
        Value("\n"),
        Value(number),
        function="split_part",
        output_field=TextField(),
    )
    return Collate(text, "C")


_NEWEST = (F("added_at").desc(), F("rank"))
_BY_TITLE = Collate(F("track__search"), "C")
_ORDERS: dict[str, tuple[Combinable | str, ...]] = {
    "": (),
    "oldest_like": ("added_at", "-rank"),
    "title": (_BY_TITLE,),
    "artist": (_line(2), _BY_TITLE),
    "album": (_line(3), "track__disc_number", "track__track_number"),
    "newest_release": (F("track__released").desc(nulls_last=True),),
    "oldest_release": (F("track__released").asc(nulls_last=True),),
    "longest": ("-track__duration_ms",),
    "shortest": ("track__duration_ms",),
}


def _order(query: Query) -> list[Combinable | str]:
    first: tuple[Combinable | str, ...] = _ORDERS[query.sort]
    if not query.sort and query.show == "gone":
        first = (F("removed_at").desc(),)
    elif not query.sort and query.show == "duplicates":
        first = (_BY_TITLE,)
    return [*first, *_NEWEST, "id"]
