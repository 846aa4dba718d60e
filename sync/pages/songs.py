"""The pages of songs: search and time machine, one song, downloads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from sync.library import exports, versions
from sync.library.search import (
    EXPLICIT,
    MOST_COUNTED,
    SHOWS,
    SORTS,
    UNKNOWN,
    Period,
    Query,
    page_of,
    refused_tracks,
    search,
)
from sync.library.timeline import changed, end_of, first_liked_at
from sync.models import Album, Mirror, SavedTrack, SyncRequest
from sync.pages.downloads import download
from sync.pages.words import at, full_day
from sync.pages.zone import library_of
from syncify.http import Request

_MOST_PAGES = 10_000
_OF_ARTIST = 12
_FIRST_DECADE = 1950
_CSV, _JSPF = "text/csv; charset=utf-8", "application/jspf+json"


class Chip(NamedTuple):
    """An active filter, and the address of the list without it."""

    text: str
    without: str


@require_safe
@login_required
def songs(request: Request) -> HttpResponse:
    library = library_of(request)
    query, notes, chips = _asked(request)
    number = _page_number(request)
    likes = search(request.user, query, zone=timezone.get_current_timezone())
    page = page_of(query, likes, number)
    between = _between(request.user, query) if query.since else None
    first_at = first_liked_at(request.user)
    context = {
        "library": library,
        "query": query,
        "notes": notes,
        "chips": chips,
        "rows": page.rows,
        "number": number,
        "count": _count(likes, between) if page.total is None else page.total,
        "more": f"{query.urlencoded()}&page={number + 1}".lstrip("&") if page.has_more else "",
        "reasons": _reasons(request.user, page.rows) if query.show == "refused" else {},
        "first_at": first_at,
        "between": between,
        "most": MOST_COUNTED if query.words else None,
        "today": timezone.localdate(),
        **_choices(query, first_at),
    }
    response = render(request, "songs/songs.html", context)
    if request.htmx and number == 1:
        response.headers["HX-Replace-Url"] = _address(query)
    return response


@require_safe
@login_required
def song(request: Request, track_id: str) -> HttpResponse:
    library_of(request)
    # PostgreSQL refuses a NUL in any text.
    likes = versions.likes_of_track(request.user, track_id) if "\0" not in track_id else []
    if not likes:
        raise Http404
    track = likes[0].track
    context = {
        "track": track,
        "likes": likes,
        "is_liked": any(like.removed_at is None for like in likes),
        "mirrors": versions.playlists_with(request.user, track_id),
        "refusals": refused_tracks(request.user).filter(track=track_id).select_related("mirror"),
        **versions.similar(request.user, track, most=_OF_ARTIST)._asdict(),
    }
    return render(request, "songs/song.html", context)


@require_safe
@login_required
def songs_csv(request: Request) -> StreamingHttpResponse:
    likes, title = _listed(request)
    return _file(request, exports.songs_csv(likes), title, "csv", _CSV)


@require_safe
@login_required
def transfer_csv(request: Request) -> StreamingHttpResponse:
    likes, title = _listed(request)
    return _file(request, exports.transfer_csv(likes), title, "transfer.csv", _CSV)


@require_safe
@login_required
def songs_jspf(request: Request) -> StreamingHttpResponse:
    likes, title = _listed(request)
    pieces = exports.songs_jspf(likes, title=title, creator=str(request.user))
    return _file(request, pieces, title, "jspf", _JSPF)


def _listed(request: Request) -> tuple[QuerySet[SavedTrack], str]:
    """The songs of the query, and their title."""
    library_of(request)
    query, _, chips = _asked(request)
    words = [chip.text for chip in chips] + ([query.q] if query.q else [])
    likes = search(request.user, query, zone=timezone.get_current_timezone())
    return likes, " ".join([f"Liked Songs of {request.user}", *words])


def _file(
    request: Request, pieces: Iterator[str], title: str, extension: str, content_type: str
) -> StreamingHttpResponse:
    name = exports.file_name(title, timezone.localdate(), extension)
    return download(request, pieces, name=name, content_type=content_type)


# --- The query -----------------------------------------------------------------------------------


def _asked(request: Request) -> tuple[Query, list[str], list[Chip]]:
    """The query, a note for each ignored part, and its filters."""
    query, notes = Query.parse(request.GET.dict(), today=timezone.localdate())
    chips = []
    for name, value in query.filters.items():
        if name not in _NAMES:
            continue
        text = _NAMES[name](request.user, value)
        if text:
            chips.append(Chip(text, _address(query.but(**{name: ""}))))
        else:
            notes.append(f"There is no such {name}, so it was ignored.")
            query = query.but(**{name: ""})
    return query, notes, chips


def _address(query: Query) -> str:
    text = query.urlencoded()
    return reverse("songs") + (f"?{text}" if text else "")


def _page_number(request: Request) -> int:
    text = request.GET.get("page", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return min(max(number, 1), _MOST_PAGES)


def _album(_user: User, value: str) -> str:
    found = Album.objects.filter(pk=value).values_list("name", flat=True).first()
    return f"Album: {found or value}"


def _decade(_user: User, value: str) -> str:
    return "Release date unknown" if value == UNKNOWN else f"Released in the {value}s"


def _liked(_user: User, value: str) -> str:
    period = Period.parse(value)
    if period is None:
        return ""
    first = period.first
    words = {4: f"in {value}", 7: f"in {first:%B} {first.year}", 10: f"on {full_day(first)}"}
    return f"Liked {words[len(value)]}"


def _mirror(user: User, value: str) -> str:
    mirror = Mirror.objects.filter(user=user, pk=value).first()
    return f"In the playlist {mirror}" if mirror else ""


def _sync(user: User, value: str) -> str:
    rows = SyncRequest.objects.filter(user=user, pk=value, completed__isnull=False)
    completed = rows.values_list("completed", flat=True).first()
    return f"Changed by the sync {at(completed, timezone.now())}" if completed else ""


#: The texts of filters that are shown as chips; "" if the object does not exist.
_NAMES: Mapping[str, Callable[[User, str], str]] = {
    "artist": lambda _user, value: f"Artist: {value}",
    "album": _album,
    "decade": _decade,
    "liked": _liked,
    "explicit": lambda _user, value: EXPLICIT[value],
    "show": lambda _user, value: SHOWS[value],
    "at": lambda _user, value: f"On {full_day(date.fromisoformat(value))}",
    "since": lambda _user, value: f"Since {full_day(date.fromisoformat(value))}",
    "playlist": _mirror,
    "sync": _sync,
}


# --- Texts and numbers around the list -----------------------------------------------------------


def _choices(query: Query, first_at: datetime | None) -> dict[str, Mapping[str, str]]:
    """The choices of each field, with a text for each value."""
    this_year = timezone.localdate().year
    first_year = timezone.localtime(first_at).year if first_at else this_year
    years = {str(year): str(year) for year in range(this_year, first_year - 1, -1)}
    decades = {
        str(decade): f"{decade}s" for decade in range(this_year // 10 * 10, _FIRST_DECADE - 10, -10)
    }
    # A link may have others, such as a month.
    if query.liked and query.liked not in years:
        years = {query.liked: query.liked, **years}
    if query.decade and query.decade != UNKNOWN:
        decades.setdefault(query.decade, f"{query.decade}s")
    return {
        "sorts": SORTS,
        "shows": SHOWS,
        "explicits": EXPLICIT,
        "years": {"": "Any year", **years},
        "decades": {"": "Any decade", **decades, UNKNOWN: "Unknown"},
    }


def _count(likes: QuerySet[SavedTrack], between: Mapping[str, Any] | None) -> int:
    """The number of songs in the list."""
    if between is not None and (between["is_came"] or between["is_went"]):
        return int(between["came" if between["is_came"] else "went"])
    return likes.count()


def _reasons(user: User, rows: Sequence[SavedTrack]) -> dict[str, str]:
    """Why Spotify refused each of these songs, by track."""
    refused = refused_tracks(user).filter(track__in=[like.track_id for like in rows])
    return dict(refused.values_list("track_id", "refused_reason"))


def _between(user: User, query: Query) -> dict[str, Any]:
    """The numbers of songs added and removed between two days, and the addresses of the lists.

    Both are of all songs, whatever else ``query`` asks for.
    """
    zone = timezone.get_current_timezone()
    came = Query(since=query.since, at=query.at, sort=query.sort)
    went = came.but(show="gone")
    moments = {
        "since": end_of(date.fromisoformat(query.since), zone),
        "until": end_of(date.fromisoformat(query.at), zone),
    }
    return {
        **changed(user, **moments)._asdict(),
        "came_url": _address(came),
        "went_url": _address(went),
        "is_came": query == came,
        "is_went": query == went,
        "since": date.fromisoformat(query.since),
        "until": date.fromisoformat(query.at),
    }
