"""The pages of all playlists, of a new playlist, and of one playlist."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.limits import limited
from sync.library.exports import file_name
from sync.mirrors import keeping, model, presets
from sync.mirrors.costs import cost_of
from sync.mirrors.leaving import NotDone, remove_from_library
from sync.mirrors.nsp import to_nsp
from sync.mirrors.parser import parse
from sync.mirrors.rules import Rule
from sync.mirrors.summaries import names_of, summaries, words_of
from sync.models import Mirror, Playlist
from sync.pages.card import card_for
from sync.pages.playlist_builder import (
    SENTENCE_MAX,
    Page,
    asked_model,
    begun,
    previewed,
    rule_of,
    settings_of,
    shown_choices,
    stays_fixed,
    stored,
    written,
)
from sync.pages.rule_draft import Draft
from sync.pages.zone import library_of
from sync.sharing.names import sharers_in, sharers_of
from syncify.http import Request

_limited = limited("playlists", per_address=600, per_listener=120, methods=["POST"])
_TOO_MANY = f"You have {keeping.MOST_MIRRORS} playlists, and more are not possible. Delete one."
_TAKEN = "Another of your playlists has this name."


@require_safe
@login_required
def playlists(request: Request) -> HttpResponse:
    library_of(request)
    found = summaries(request.user, sharers_of(request.user))
    context = {
        "summaries": found,
        "is_full": len(found) >= keeping.MOST_MIRRORS,
        "most": keeping.MOST_MIRRORS,
        "presets": presets.PRESETS,
        **shown_choices({each.mirror.pk: each.mirror.name for each in found}),
    }
    return render(request, "playlists/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@_limited
@login_required
def new(request: Request) -> HttpResponse:
    """Choose the songs of a new playlist, preview them, and make it."""
    library_of(request)
    names = names_of(request.user)
    if request.method != "POST":
        page = begun(request, names)
        if page is None:
            context = {"presets": presets.PRESETS, "asks_model": model.is_configured()}
            return render(request, "playlists/new.html", context | shown_choices(names))
        return _builder(request, page, names)
    page = written(request, Mirror(user=request.user, is_main=False))
    if request.POST.get("do") == "ask":
        return _builder(request, asked_model(request), names)
    if request.POST.get("do", "save") != "save":
        return _builder(request, page, names)
    if page.rule is not None and page.form.is_valid():
        try:
            mirror = keeping.create_mirror(
                user=request.user, details=page.form.details(), rule=page.rule
            )
        except keeping.NameTaken:
            page.form.add_error("name", _TAKEN)
        except keeping.TooManyMirrors:
            page.form.add_error(None, _TOO_MANY)
        else:
            messages.success(
                request, f"Syncify is making “{mirror}”. It will be in Spotify in a moment."
            )
            return _to(mirror)
    return _builder(request, page, names, status=422)


@require_safe
@login_required
def playlist_preview(request: Request) -> HttpResponse:
    """A fragment with the songs that a sentence, or the fields of the form, would select."""
    library_of(request)
    names = names_of(request.user)
    mirror = _named_mirror(request)
    context: dict[str, Any] = {}
    if "sentence" in request.GET:
        text = request.GET["sentence"][:SENTENCE_MAX]
        parsed = parse(text, today=timezone.localdate(), playlists=names)
        context = {"not_understood": parsed.not_understood, "is_sentence": True}
        rule = parsed.rule if text.strip() else None
    elif mirror is not None and mirror.is_main:
        rule = Rule()
    else:
        draft = Draft.of_data(request.GET)
        rule = draft.rule(half_written=True)
        context = {"reasons": draft.reasons}
    if rule is not None:
        context |= previewed(request, rule, request.GET, mirror, names)
    return render(request, "playlists/preview.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@_limited
@login_required
def playlist(request: Request, pk: int) -> HttpResponse:
    """One playlist: its state and all its settings."""
    mirror = _own(request, pk)
    library_of(request)
    names = names_of(request.user)
    if request.method != "POST":
        return _shown(request, mirror, stored(mirror), names)
    page = written(request, mirror)
    if request.POST.get("do", "save") != "save":
        return _shown(request, mirror, page, names)
    is_complete = mirror.is_main or page.rule is not None or stays_fixed(request, mirror)
    if page.form.is_valid() and is_complete:
        rule = None if mirror.is_main or stays_fixed(request, mirror) else page.rule
        try:
            keeping.change_mirror(
                mirror=Mirror.objects.get(pk=mirror.pk), details=page.form.details(), rule=rule
            )
        except keeping.NameTaken:
            page.form.add_error("name", _TAKEN)
        else:
            messages.success(request, "Saved. The next sync changes the playlist.")
            return _to(mirror)
    return _shown(request, _own(request, pk), page, names, status=422)


@require_POST
@_limited
@login_required
def duplicate(request: Request, pk: int) -> HttpResponse:
    try:
        copy = keeping.duplicate_mirror(_own(request, pk))
    except keeping.TooManyMirrors:
        messages.error(request, _TOO_MANY)
        return _to(_own(request, pk))
    messages.success(request, f"This is the copy: “{copy}”.")
    return _to(copy)


@require_POST
@_limited
@login_required
def freeze(request: Request, pk: int) -> HttpResponse:
    mirror = get_object_or_404(Mirror, pk=pk, user=request.user, is_main=False)
    count = keeping.freeze_mirror(mirror)
    songs = "song" if count == 1 else "songs"
    messages.success(request, f"The playlist is now a fixed list of {count:,} {songs}.")
    return _to(mirror)


@require_http_methods(["GET", "HEAD", "POST"])
@_limited
@login_required
def delete(request: Request, pk: int) -> HttpResponse:
    """Ask what happens to the playlist at Spotify; with POST, delete the mirror."""
    mirror = get_object_or_404(Mirror, pk=pk, user=request.user, is_main=False)
    choice = request.POST.get("at_spotify")
    if request.method != "POST" or choice not in {"stays", "goes"}:
        is_there = Playlist.objects.filter(mirror=mirror).exclude(spotify_id=None).exists()
        context = {"mirror": mirror, "is_there": is_there, "is_missing": request.method == "POST"}
        status = 422 if request.method == "POST" else 200
        return render(request, "playlists/delete.html", context, status=status)
    name = str(mirror)
    ids = keeping.delete_mirror(mirror)
    if choice == "stays" or not ids:
        messages.success(request, f"Syncify no longer updates “{name}”.")
    else:
        try:
            remove_from_library(request.user, ids)
        except NotDone as error:
            messages.warning(
                request,
                f"Syncify no longer updates “{name}”, but it is still in your Spotify library: "
                f"{error} You can remove it in Spotify.",
            )
        else:
            messages.success(request, f"“{name}” is deleted and removed from your Spotify library.")
    return HttpResponseRedirect(reverse("playlists"), status=303)


@require_safe
@login_required
def rule_json(request: Request, pk: int) -> HttpResponse:
    mirror = get_object_or_404(Mirror, pk=pk, user=request.user, is_main=False)
    response = JsonResponse(mirror.rule, json_dumps_params={"indent": 2, "ensure_ascii": False})
    return _file(response, mirror, "json")


@require_safe
@login_required
def playlist_nsp(request: Request, pk: int) -> HttpResponse:
    """The rule as a smart playlist of Navidrome."""
    mirror = _own(request, pk)
    if keeping.is_fixed(mirror) or (rule := rule_of(mirror)) is None:
        raise Http404
    exported = to_nsp(str(mirror), rule)
    response = JsonResponse(exported.nsp, json_dumps_params={"indent": 2, "ensure_ascii": False})
    return _file(response, mirror, "nsp")


# --- What pages show ------------------------------------------------------------------------------


def _builder(
    request: Request, page: Page, names: dict[int, str], *, status: int = 200
) -> HttpResponse:
    context = {
        "page": page,
        "source_words": page.draft.source_words(sharers_in(request.user, page.rule)),
        "asks_model": model.is_configured() and len(page.sentence) <= model.SENTENCE_MAX,
        **shown_choices(names),
    }
    if page.rule is not None:
        context |= previewed(request, page.rule, settings_of(page), None, names)
    return render(request, "playlists/builder.html", context, status=status)


def _shown(
    request: Request, mirror: Mirror, page: Page, names: dict[int, str], *, status: int = 200
) -> HttpResponse:
    saved = Mirror.objects.get(pk=mirror.pk)
    stored_rule = rule_of(saved)
    is_fixed = keeping.is_fixed(saved)
    wants_rule = "rule" in request.GET or "match" in request.POST
    context = {
        "page": page,
        "mirror": saved,
        "card": card_for(request.user, now=timezone.now(), mirror=mirror.pk),
        "sentence": words_of(saved, names, sharers_in(request.user, stored_rule)),
        "source_words": page.draft.source_words(sharers_in(request.user, page.rule)),
        "is_fixed": is_fixed,
        "is_open": request.method == "POST" or wants_rule,
        "has_rule": not saved.is_main and (not is_fixed or wants_rule),
        "stored_cost": cost_of(stored_rule) if stored_rule and not is_fixed else "",
        "nsp_left_out": to_nsp("", stored_rule).left_out if stored_rule else [],
        **shown_choices(names),
    }
    if page.rule is not None and (not is_fixed or wants_rule):
        context |= previewed(request, page.rule, settings_of(page), saved, names)
    return render(request, "playlists/playlist.html", context, status=status)


def _named_mirror(request: Request) -> Mirror | None:
    text = request.GET.get("mirror", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    return Mirror.objects.filter(pk=int(text), user=request.user).first()


def _own(request: Request, pk: int) -> Mirror:
    return get_object_or_404(Mirror, pk=pk, user=request.user)


def _to(mirror: Mirror) -> HttpResponse:
    return HttpResponseRedirect(reverse("playlist", args=[mirror.pk]), status=303)


def _file(response: HttpResponse, mirror: Mirror, extension: str) -> HttpResponse:
    name = file_name(str(mirror), timezone.localdate(), extension)
    disposition = content_disposition_header(as_attachment=True, filename=name)
    response.headers["Content-Disposition"] = disposition or "attachment"
    return response
