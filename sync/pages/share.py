"""The pages behind share links: without account or cookie, with the shared data only."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial, wraps
from hashlib import sha256
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from accounts.limits import fill
from sync.models import ShareLink
from sync.pages.card import card_for
from sync.pages.downloads import download
from sync.pages.words import songs as songs_in_words
from sync.sharing import downloads, feeds
from sync.sharing.elsewhere import SERVICES, SPOTIFY, address_at, searches_for
from sync.sharing.links import LinkEnded, find_link, note_use
from sync.sharing.songs import (
    ON_PAGE,
    Facts,
    SharedSong,
    all_songs,
    facts_of,
    newest_of,
    page_of,
    version_of,
)
from syncify.text import plain
from syncify.visitors import address_of, household_of, log_refusal

type SharedView = Callable[..., HttpResponseBase]

#: Requests of one address in an hour, for all links together.
MOST_REQUESTS = 1_200
#: Covers in the picture of a page.
_IN_MOSAIC = 4
#: Increase it after a change of templates or files, so that visitors get new pages.
_VERSION = 2
#: Seconds that a page is cached for further visitors.
_KEPT_FOR = 600

PAGE, FEED, DOWNLOAD = ShareLink.Kind.PAGE, ShareLink.Kind.FEED, ShareLink.Kind.DOWNLOAD


@dataclass(frozen=True)
class Visit:
    request: HttpRequest
    link: ShareLink
    token: str

    @property
    def title(self) -> str:
        if self.link.mirror is not None:
            return str(self.link.mirror) or "A playlist"
        return f"Liked Songs of {self.link.user}" if self.link.shows_name else "Liked Songs"

    @cached_property
    def playlist_url(self) -> str:
        """The playlist in Spotify; "" for all likes, or without a playlist yet."""
        if self.link.mirror is None:
            return ""
        made = self.link.mirror.playlists.filter(spotify_id__isnull=False)
        spotify_id = made.values_list("spotify_id", flat=True).first()
        return f"{settings.SPOTIFY_OPEN_URL}/playlist/{spotify_id}" if spotify_id else ""

    @cached_property
    def version(self) -> tuple[int, datetime | None]:
        """Of the songs: the newest finished request, 0 before the first, and when it ended."""
        return version_of(self.link)

    @cached_property
    def facts(self) -> Facts:
        return facts_of(self.link, version=self.version[0])

    def address(self, name: str) -> str:
        """The complete address of another page of this link."""
        return f"{settings.BASE_URL}{reverse(name, args=[self.token])}"


def shared(
    *kinds: str, where: Callable[[ShareLink], bool] = lambda _: True
) -> Callable[[SharedView], Callable[..., HttpResponseBase]]:
    """A view that links of ``kinds`` open; others answer 404, and ended ones 410.

    It gets a Visit and the other parts of its address, and may raise Http404.

    Only the visitor's browser caches the response, and revalidates it each time. Times are in the
    listener's time zone, because the visitor is unknown.
    """

    def decorate(view: SharedView) -> Callable[..., HttpResponseBase]:
        @require_safe
        @wraps(view)
        def shared_view(request: HttpRequest, token: str, **rest: object) -> HttpResponseBase:
            if wait := fill({f"share address {household_of(address_of(request))}": MOST_REQUESTS}):
                log_refusal(request, "limit:share")
                headers = {"Retry-After": str(int(wait.total_seconds()))}
                return _message(request, "too_often", 429, headers=headers)
            try:
                link = find_link(token)
            except LinkEnded:
                return _message(request, "ended", 410)
            if link is None or link.kind not in kinds or not where(link):
                log_refusal(request, "share")
                return _message(request, "unknown", 404)
            note_use(link)
            try:
                with timezone.override(_zone_of(link)):
                    response = view(Visit(request, link, token), **rest)
            except Http404:
                return _message(request, "unknown", 404)
            response.headers.setdefault("Cache-Control", "private, no-cache")
            response.headers["X-Robots-Tag"] = "noindex"
            return response

        return shared_view

    return decorate


@shared(PAGE)
def page(visit: Visit) -> HttpResponseBase:
    # Every visitor sees the same page until the next sync.
    return unless_known(visit, _page, is_kept=not visit.request.GET)


def _page(visit: Visit) -> HttpResponse:
    link, asked = visit.link, visit.request.GET
    facts = visit.facts
    query = plain(asked.get("q", ""))[:200].strip()
    songs = page_of(link, query=query, number=_number(asked.get("page")), places=facts.places)
    service = asked.get("at", "") if asked.get("at") in SERVICES else SPOTIFY
    address = address_at(service)
    opened = _number(asked.get("song"), default=0)

    def here(**other: object) -> str:
        """The address of this page with another query."""
        wanted = {"at": service, "q": query, "page": songs.number, **other}
        usual = {"at": SPOTIFY, "q": "", "page": 1}
        return f"?{urlencode({k: v for k, v in wanted.items() if v != usual[k]})}"

    context = {
        "visit": visit,
        "link": link,
        "facts": facts,
        "page": songs,
        "songs": [
            (song, address(song), searches_for(song) if place == opened else [])
            for place, song in enumerate(songs.songs, start=1)
        ],
        "first": (songs.number - 1) * ON_PAGE + 1,
        "mosaic": _mosaic(songs.songs),
        "service": service,
        "services": [(name, here(at=key), key == service) for key, name in SERVICES.items()],
        "all_songs": here(q="", page=1),
        "previous": here(page=songs.number - 1) if songs.number > 1 else "",
        "next": here(page=songs.number + 1) if songs.number < songs.last else "",
        "summary": _summary(facts.count),
        "address": visit.address("share"),
        "preview": visit.address("share_preview"),
    }
    return render(visit.request, "sharing/page.html", context)


@shared(PAGE)
def preview(visit: Visit) -> HttpResponseBase:
    """The picture that messengers show for a link."""
    return unless_known(visit, _preview)


def _preview(visit: Visit) -> HttpResponse:
    from sync.mirrors import drawing  # noqa: PLC0415 - 8 MB, for those who are asked

    chosen = visit.link.mirror.cover if visit.link.mirror else ""
    palette = chosen if chosen in drawing.PALETTES else drawing.DEFAULT_PALETTE
    picture = drawing.preview(visit.title, _summary(visit.facts.count), palette)
    # Messengers show it on their own pages.
    headers = {"Cross-Origin-Resource-Policy": "cross-origin"}
    return HttpResponse(picture, "image/png", headers=headers)


@shared(PAGE)
def oembed(visit: Visit) -> HttpResponseBase:
    """The link as oEmbed JSON, for any ``format``."""
    return JsonResponse(
        {
            "version": "1.0",
            "type": "link",
            "title": visit.title,
            "provider_name": "Syncify",
            "provider_url": settings.BASE_URL,
            "thumbnail_url": visit.address("share_preview"),
            "thumbnail_width": 1200,
            "thumbnail_height": 630,
        }
    )


@shared(FEED)
def atom(visit: Visit) -> HttpResponseBase:
    def build(visit: Visit) -> HttpResponse:
        feed = feeds.atom(
            visit.link,
            newest_of(visit.link, limit=feeds.NEWEST),
            title=visit.title,
            url=visit.address("share_atom"),
            home=_home_of(visit),
            updated=visit.version[1] or visit.link.created,
        )
        return HttpResponse(feed, "application/atom+xml; charset=utf-8")

    return unless_known(visit, build)


@shared(FEED)
def json_feed(visit: Visit) -> HttpResponseBase:
    def build(visit: Visit) -> HttpResponse:
        feed = feeds.json_feed(
            visit.link,
            newest_of(visit.link, limit=feeds.NEWEST),
            title=visit.title,
            url=visit.address("share_json_feed"),
            home=_home_of(visit),
        )
        return JsonResponse(feed, content_type="application/feed+json")

    return unless_known(visit, build)


def _may_download(link: ShareLink) -> bool:
    return link.kind == DOWNLOAD or link.has_downloads


@shared(DOWNLOAD, PAGE, where=_may_download)
def songs_csv(visit: Visit) -> HttpResponseBase:
    return _file(visit, "csv", "text/csv; charset=utf-8", downloads.songs_csv)


@shared(DOWNLOAD, PAGE, where=_may_download)
def songs_jspf(visit: Visit) -> HttpResponseBase:
    creator = str(visit.link.user) if visit.link.shows_name else ""
    write = partial(downloads.songs_jspf, visit.title, creator=creator)
    return _file(visit, "jspf", "application/json", write)


@shared(DOWNLOAD, PAGE, where=_may_download)
def songs_json(visit: Visit) -> HttpResponseBase:
    return _file(visit, "json", "application/json", partial(downloads.songs_json, visit.title))


@shared(DOWNLOAD)
def state(visit: Visit) -> HttpResponseBase:
    """For dashboards such as Homepage and Home Assistant."""
    card = card_for(visit.link.user, now=timezone.now(), mirror=visit.link.mirror_id)
    library = card.library
    is_due = library.interval != library.Interval.OFF
    return JsonResponse(
        {
            "name": visit.title,
            "state": card.status.key,
            "sentence": card.status.title,
            "songs": visit.facts.count,
            "last_sync": card.synced_at,
            "next_sync": library.next_due if is_due else None,
        }
    )


def _file(
    visit: Visit, suffix: str, kind: str, write: Callable[[Iterable[SharedSong]], Iterator[str]]
) -> HttpResponseBase:
    def build(visit: Visit) -> HttpResponseBase:
        name = downloads.file_name(visit.title, suffix)
        pieces = write(all_songs(visit.link))
        return download(visit.request, pieces, name=name, content_type=kind)

    return unless_known(visit, build)


def unless_known(
    visit: Visit, build: Callable[[Visit], HttpResponseBase], *, is_kept: bool = False
) -> HttpResponseBase:
    """The response of ``build``, or 304 to a visitor who has it already.

    The ETag depends on all inputs of the response, and reads no songs. With ``is_kept``, a response
    after the first sync is built once for all visitors of this process.
    """
    link = visit.link
    newest, changed = visit.version
    parts = [
        _VERSION,
        staticfiles_storage.url("css/app.css"),
        link.pk,
        link.shows_name,
        link.has_downloads,
        link.has_insights,
        visit.title,
        link.mirror and (link.mirror.description, link.mirror.cover, link.mirror.state),
        visit.playlist_url,
        timezone.get_current_timezone_name(),
        str(link.user),
        newest,
        visit.request.get_full_path(),
    ]
    digest = sha256(repr(parts).encode()).hexdigest()[:32]
    etag = quote_etag(digest)
    known = get_conditional_response(
        visit.request, etag, int(changed.timestamp()) if changed else None
    )
    response: HttpResponseBase
    if known is not None:
        response = known
    elif is_kept and newest:
        response = _kept(f"share:{digest}", lambda: build(visit))
    else:
        response = build(visit)
    response.headers["ETag"] = etag
    if changed:
        response.headers["Last-Modified"] = f"{changed.astimezone(UTC):%a, %d %b %Y %H:%M:%S} GMT"
    return response


def _kept(key: str, build: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    content: bytes | None = cache.get(key)
    if content is not None:
        return HttpResponse(content)
    response = build()
    if isinstance(response, HttpResponse):
        cache.set(key, response.content, _KEPT_FOR)
    return response


def _home_of(visit: Visit) -> str:
    return visit.playlist_url or settings.BASE_URL


def _mosaic(songs: list[SharedSong]) -> list[str]:
    """The first four different covers; none unless there are four."""
    covers = list(dict.fromkeys(song.cover_url for song in songs if song.cover_url))
    return covers[:_IN_MOSAIC] if len(covers) >= _IN_MOSAIC else []


def _summary(count: int) -> str:
    return songs_in_words(count)


def _number(text: str | None, *, default: int = 1) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else default


def _zone_of(link: ShareLink) -> ZoneInfo | None:
    try:
        return ZoneInfo(link.user.library.time_zone)
    except (ObjectDoesNotExist, ValueError, OSError):  # none is known
        return None


def _message(
    request: HttpRequest, case: str, status: int, *, headers: dict[str, str] | None = None
) -> HttpResponse:
    response = render(request, "sharing/message.html", {"case": case}, status=status)
    response.headers["X-Robots-Tag"] = "noindex"
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response
