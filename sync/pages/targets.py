"""The pages of connected services: connection, results, and matches by hand."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.limits import limited
from sync.models import Connection, SyncRequest, TrackLink
from sync.targets import services
from sync.targets.access import offered
from sync.targets.forms import OptionsForm
from sync.targets.listenbrainz.client import PLAYLIST
from sync.targets.listenbrainz.forms import ListenBrainzForm
from sync.targets.listenbrainz.recordings import known
from sync.targets.matching import Missing
from sync.targets.protocol import Check, RemoteSong, TargetError, minutes
from sync.targets.songs import liked_ids
from sync.targets.subsonic.forms import SubsonicForm
from syncify.http import Request
from syncify.text import plain

_ON_PAGE = 50
_QUERY_MAX = 200
_presses = limited("targets", per_address=600, per_listener=120)
#: Each of these makes Syncify call a server that the listener named.
_asks = limited("targets-ask", per_address=240, per_listener=60)

REASONS = {
    Missing.NOT_THERE: "The server has no song of this title by this artist.",
    Missing.OTHER_VERSIONS: "The server has other versions only",
    Missing.OTHER_LENGTH: "The server has it with another length only",
    Missing.OTHER_ALBUM: "The server has it on another album only",
    Missing.BY_HAND: "You marked it as missing on the server.",
    Missing.GONE: "The song that you chose is no longer on the server.",
}
# The first characters of formulas in spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Row:
    """A song and its match, for people."""

    link: TrackLink
    reason: str


@require_safe
@login_required
def targets(request: Request) -> HttpResponse:
    connections = {each.service: each for each in _own(request)}
    return render(
        request,
        "targets/index.html",
        {"server": connections.get("subsonic"), "listenbrainz": connections.get("listenbrainz")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@_presses
def subsonic(request: Request) -> HttpResponse:
    """The connected server, or the form to connect one; with POST, test or connect it."""
    if request.method == "POST":
        return _enter_subsonic(request)
    connection = _own(request).filter(service=services.SUBSONIC).first()
    if connection is None:
        return render(request, "targets/connect_subsonic.html", _connect_context(None))
    counts = {
        "total": services.links_of(connection).count(),
        "missing": services.missing_of(connection).count(),
    }
    context = {**_context(connection), **counts, "found": counts["total"] - counts["missing"]}
    return render(request, "targets/subsonic.html", context)


@_asks
def _enter_subsonic(request: Request) -> HttpResponse:
    form = SubsonicForm(request.POST)
    checks: list[Check] = []
    if form.is_valid():
        entered = form.cleaned_data
        try:
            checks = services.check_subsonic(**entered)
        except TargetError as error:
            form.add_error(None, str(error))
        else:
            if "test" not in request.POST:
                services.connect(
                    user=request.user,
                    service=services.SUBSONIC,
                    address=entered["address"],
                    username=entered["username"],
                    secret=entered["password"],
                )
                messages.success(request, "Connected. The first run is under way.")
                return _see_other("subsonic")
    context = {**_connect_context(form), "checks": checks}
    return render(
        request, "targets/connect_subsonic.html", context, status=422 if form.errors else 200
    )


def _connect_context(form: SubsonicForm | None) -> dict[str, object]:
    server = offered()
    if form is None:
        form = SubsonicForm(
            initial={"address": server.address, "username": server.username} if server else None
        )
    return {"form": form, "offered": server}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@_presses
def listenbrainz(request: Request) -> HttpResponse:
    """The connected account, or the form to connect one; with POST, connect it."""
    if request.method == "POST":
        return _enter_listenbrainz(request)
    connection = _own(request).filter(service=services.LISTENBRAINZ).first()
    if connection is None:
        form = ListenBrainzForm()
        return render(request, "targets/connect_listenbrainz.html", {"form": form})
    recordings = known(likes := liked_ids(request.user.pk))
    found = sum(1 for each in likes if recordings.get(each))
    context = {**_context(connection), "total": len(likes), "found": found, "place": PLAYLIST}
    return render(request, "targets/listenbrainz.html", context)


@_asks
def _enter_listenbrainz(request: Request) -> HttpResponse:
    form = ListenBrainzForm(request.POST)
    checks: list[Check] = []
    if form.is_valid():
        token = form.cleaned_data["token"]
        try:
            name, checks = services.check_listenbrainz(token=token)
        except TargetError as error:
            form.add_error(None, str(error))
        else:
            if "test" not in request.POST:
                services.connect(
                    user=request.user, service=services.LISTENBRAINZ, username=name, secret=token
                )
                messages.success(request, "Connected. The first run is under way.")
                return _see_other("listenbrainz")
    context = {"form": form, "checks": checks}
    return render(
        request, "targets/connect_listenbrainz.html", context, status=422 if form.errors else 200
    )


# --- Buttons of a connected service -------------------------------------------------------------


@require_POST
@_presses
@login_required
def target_sync(request: Request, service: str) -> HttpResponse:
    services.request_run(_connection(request, service))
    return _see_other(service)


@require_POST
@_presses
@login_required
def target_pause(request: Request, service: str) -> HttpResponse:
    connection = _connection(request, service)
    if "resume" in request.POST:
        services.resume(connection)
    else:
        services.pause(connection)
    return _see_other(service)


@require_POST
@_presses
@login_required
def target_options(request: Request, service: str) -> HttpResponse:
    connection = _connection(request, service)
    form = OptionsForm(request.POST, connection=connection)
    if form.is_valid():
        services.set_options(connection, mirrors=form.cleaned_data["mirrors"], options=form.options)
        messages.success(request, "Saved.")
    else:
        messages.error(request, "Not saved: one of the playlists was deleted.")
    return _see_other(service)


@require_POST
@_presses
@login_required
def target_disconnect(request: Request, service: str) -> HttpResponse:
    services.disconnect(_connection(request, service))
    messages.success(request, "Disconnected. Playlists at the service stay there.")
    return _see_other("targets")


# --- Missing songs, and matches by hand ---------------------------------------------------------


@require_safe
@login_required
def target_missing(request: Request) -> HttpResponse:
    missing = services.missing_of(_connection(request, services.SUBSONIC))
    page = Paginator(missing, _ON_PAGE).get_page(request.GET.get("page"))
    rows = [Row(link, reason_of(link)) for link in page]
    return render(request, "targets/missing.html", {"page": page, "rows": rows})


@require_safe
@login_required
def target_missing_csv(request: Request) -> HttpResponse:
    missing = services.missing_of(_connection(request, services.SUBSONIC))
    response = HttpResponse("".join(csv_lines(missing)), "text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="missing-songs.csv"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@_presses
def target_song(request: Request, track: str) -> HttpResponse:
    """One song: search for it at the server; with POST, choose its match."""
    link = get_object_or_404(
        TrackLink.objects.select_related("track", "connection"),
        connection__user=request.user,
        connection__service=services.SUBSONIC,
        track=plain(track),
    )
    if request.method == "POST":
        return _choose(request, link)
    query = request.GET.get("q", "").strip()[:_QUERY_MAX] or _default_query(link)
    return _search(request, link, query)


@_asks
def _search(request: Request, link: TrackLink, query: str) -> HttpResponse:
    found: list[RemoteSong] = []
    chosen, trouble = None, ""
    try:
        with services.server_of(link.connection) as server:
            found = server.search(query)
            chosen = server.song(link.remote_id) if link.remote_id else None
    except TargetError as error:
        trouble = str(error)
    context = {
        "row": Row(link, reason_of(link)),
        "length": minutes(link.track.duration_ms // 1_000),
        "query": query,
        "found": found,
        "chosen": chosen,
        "trouble": trouble,
    }
    return render(request, "targets/song.html", context)


def _choose(request: Request, link: TrackLink) -> HttpResponse:
    if "forget" in request.POST:
        services.forget_choice(link)
        messages.success(request, "The next run searches for it again.")
    elif "nowhere" in request.POST:
        services.choose(link, "")
        messages.success(request, "Saved: the server does not have it.")
    elif remote_id := plain(request.POST.get("song", ""))[:255]:
        services.choose(link, remote_id)
        messages.success(request, "Saved. The next run updates the playlists.")
    else:
        messages.error(request, "Choose a song first.")
    return _see_other("target_missing")


def reason_of(link: TrackLink) -> str:
    """Why a song is missing, as a sentence; "" for one that was found."""
    if link.remote_id and link.how != Missing.GONE:
        return ""
    reason = REASONS.get(Missing(link.how), "") if link.how in Missing else ""
    return f"{reason}: {plain(link.instead)}" if link.instead else reason


def csv_lines(links: QuerySet[TrackLink]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    # A mark that lets spreadsheets read it as UTF-8.
    yield "\ufeff" + writer.writerow(["Title", "Artists", "Album", "ISRC", "Spotify", "Why"])
    for link in links.iterator(chunk_size=1_000):
        track = link.track
        values = [
            track.name,
            ", ".join(track.artists),
            track.album_name,
            track.isrc,
            f"spotify:track:{track.pk}",
            reason_of(link),
        ]
        yield writer.writerow([_harmless(value) for value in values])


class _Echo:
    """A file whose ``write`` returns its argument."""

    def write(self, line: str) -> str:
        return line


def _harmless(value: str) -> str:
    """Text that spreadsheets do not run as a formula."""
    value = plain(value)
    return f"'{value}" if value.startswith(_FORMULA) else value


def _default_query(link: TrackLink) -> str:
    first = link.track.artists[0] if link.track.artists else ""
    return f"{link.track.name} {first}"[:_QUERY_MAX].strip()


def _context(connection: Connection) -> dict[str, object]:
    requests = SyncRequest.objects.filter(user=connection.user_id, kind=connection.service)
    form: forms.Form = OptionsForm(connection=connection)
    playlists = connection.playlists.select_related("mirror")
    return {
        "connection": connection,
        "latest": requests.order_by("-id").first(),
        "playlists": playlists.order_by("-mirror__is_main", "mirror__name", "pk"),
        "options": form,
    }


def _own(request: Request) -> QuerySet[Connection]:
    return Connection.objects.filter(user=request.user)


def _connection(request: Request, service: str) -> Connection:
    if service not in Connection.Service:
        raise Http404
    return get_object_or_404(_own(request), service=service)


def _see_other(name: str) -> HttpResponse:
    return HttpResponseRedirect(reverse(name), status=303)
