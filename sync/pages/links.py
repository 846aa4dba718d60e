"""The listener's share links: made, listed and revoked; QR codes of their playlists."""

import io
from typing import NamedTuple

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.limits import limited
from accounts.models import User
from sync.models import Mirror, Playlist, ShareLink
from sync.sharing.links import (
    MOST_LINKS,
    NewLink,
    TooManyLinks,
    create_link,
    is_of_all_likes,
    links_of,
    revoke_link,
)
from syncify.http import Request

#: The form's value for all likes instead of one playlist.
LIBRARY = "all"

_limited = limited("links", per_address=600, per_listener=120)


class LinkForm(forms.Form):
    kind = forms.ChoiceField(
        label="What to share",
        choices=[
            (ShareLink.Kind.PAGE, "A page that anyone can open, with or without Spotify"),
            (ShareLink.Kind.FEED, "A feed of new likes, for feed readers"),
            (ShareLink.Kind.DOWNLOAD, "Downloads for scripts and dashboards"),
        ],
        widget=forms.RadioSelect,
        initial=ShareLink.Kind.PAGE,
    )
    songs = forms.ChoiceField(label="Which songs")
    name = forms.CharField(
        label="Note to yourself",
        max_length=100,
        required=False,
        strip=True,
        help_text="Only you see it, for example “for Bea”.",
    )
    shows_name = forms.BooleanField(
        label="Show my name on the page",
        required=False,
    )
    has_downloads = forms.BooleanField(
        label="Visitors of the page may download the list of songs",
        required=False,
    )
    has_insights = forms.BooleanField(
        label="Visitors of the page may see the insights and years of all my Liked Songs",
        required=False,
    )

    def __init__(self, user: User, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._mirrors = {
            str(mirror.pk): mirror
            for mirror in Mirror.objects.filter(user=user).order_by("-is_main", "pk")
        }
        field = self.fields["songs"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for mypy
        field.choices = [
            *((key, f"The playlist “{mirror}”") for key, mirror in self._mirrors.items()),
            (LIBRARY, "All my Liked Songs"),
        ]

    def clean(self) -> None:
        chosen = self._mirrors.get(self.cleaned_data.get("songs", ""))
        if self.cleaned_data.get("has_insights") and not is_of_all_likes(chosen):
            self.add_error(
                "songs",
                "Insights are about all Liked Songs. Share all Liked Songs, or no insights.",
            )

    @property
    def mirror(self) -> Mirror | None:
        """The chosen playlist; None for all likes."""
        return self._mirrors.get(self.cleaned_data["songs"])


class Address(NamedTuple):
    """An address of a new link: its title, and a QR code for pages."""

    label: str
    url: str
    qr: SafeString | str = ""


_ADDRESSES = {
    ShareLink.Kind.PAGE: [("The page", "share")],
    ShareLink.Kind.FEED: [("Atom", "share_atom"), ("JSON Feed", "share_json_feed")],
    ShareLink.Kind.DOWNLOAD: [
        ("CSV", "share_csv"),
        ("JSPF", "share_jspf"),
        ("JSON", "share_json"),
        ("State, for dashboards", "share_state"),
    ],
}


@require_http_methods(["GET", "HEAD", "POST"])
@_limited
@login_required
def links(request: Request) -> HttpResponse:
    """The links, and a form for a new one; its addresses are shown once."""
    new: NewLink | None = None
    if request.method == "POST":
        form = LinkForm(request.user, request.POST)
        if form.is_valid():
            new = _create(request.user, form)
    else:
        initial = {"songs": request.GET.get("songs"), "kind": request.GET.get("kind")}
        form = LinkForm(request.user, initial={k: v for k, v in initial.items() if v})
    context = {
        "form": LinkForm(request.user) if new else form,
        "links": links_of(request.user),
        "new": new and new.link,
        "addresses": _addresses(new) if new else [],
    }
    return render(request, "sharing/links.html", context, status=422 if form.errors else 200)


def _create(user: User, form: LinkForm) -> NewLink | None:
    data = form.cleaned_data
    try:
        return create_link(
            user=user,
            kind=data["kind"],
            mirror=form.mirror,
            name=data["name"],
            shows_name=data["shows_name"],
            has_downloads=data["has_downloads"],
            has_insights=data["has_insights"],
        )
    except TooManyLinks:
        form.add_error(None, f"You have {MOST_LINKS} links. Revoke one that is not needed.")
        return None


def _addresses(new: NewLink) -> list[Address]:
    kind = ShareLink.Kind(new.link.kind)
    urls = [
        (label, f"{settings.BASE_URL}{reverse(name, args=[new.token])}")
        for label, name in _ADDRESSES[kind]
    ]
    return [
        Address(label, url, _inline_qr(url) if kind == ShareLink.Kind.PAGE else "")
        for label, url in urls
    ]


@require_POST
@_limited
@login_required
def revoke(request: Request, pk: int) -> HttpResponse:
    revoke_link(get_object_or_404(ShareLink, pk=pk, user=request.user))
    messages.success(request, "The link is revoked. Its address no longer opens.")
    return HttpResponseRedirect(reverse("links"), status=303)


@require_safe
@login_required
def qr(request: Request, pk: int) -> HttpResponse:
    """The address of a playlist in Spotify as a QR code; ``volume`` says which part."""
    number = request.GET.get("volume", "1")
    if not (number.isascii() and number.isdigit() and len(number) < 5):
        raise Http404
    playlist = get_object_or_404(
        Playlist.objects.exclude(spotify_id=None),
        mirror=pk,
        mirror__user=request.user,
        number=int(number),
    )
    file = io.BytesIO()
    _code(playlist.url).save(file, kind="svg", border=4, light="#fff", omitsize=True)
    return HttpResponse(file.getvalue(), "image/svg+xml")


def _code(url: str) -> segno.QRCode:
    return segno.make_qr(url, error="m")


def _inline_qr(url: str) -> SafeString:
    """Inline SVG, because the address is known only now."""
    drawn = _code(url).svg_inline(
        border=4, light="#fff", svgclass="qr", lineclass=None, omitsize=True
    )
    return mark_safe(drawn)  # noqa: S308 - squares, without a letter of the address
