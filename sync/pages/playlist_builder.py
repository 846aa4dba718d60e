"""The builder of a playlist: its draft, its form and its preview."""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import QueryDict
from django.utils import timezone

from sync.mirrors import keeping, model, presets
from sync.mirrors.conditions import Scope
from sync.mirrors.costs import cost_of
from sync.mirrors.parser import parse
from sync.mirrors.preview import preview
from sync.mirrors.rule_json import from_json, loads
from sync.mirrors.rules import Rule, RuleError, SharedSongs
from sync.mirrors.sentences import sentence
from sync.mirrors.shared import songs_for
from sync.models import ListeningHistory, Mirror
from sync.pages.playlist_forms import DetailsForm, choices, preset_value
from sync.pages.rule_draft import Draft
from sync.pages.words import full_day
from sync.sharing.names import sharers_in
from syncify.http import Request

#: Longer sentences are cut.
SENTENCE_MAX = 1_000


@dataclass(slots=True)
class Page:
    """The content of the builder."""

    draft: Draft
    form: DetailsForm
    rule: Rule | None = None
    sentence: str = ""
    not_understood: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def begun(request: Request, names: dict[int, str]) -> Page | None:
    """The builder filled from the query string; None if the query string is empty."""
    today = timezone.localdate()
    if text := request.GET.get("sentence", "")[:SENTENCE_MAX].strip():
        parsed = parse(text, today=today, playlists=names)
        page = _page_of(request, parsed.rule, name=_name_for(request, text))
        page.sentence, page.not_understood = text, parsed.not_understood
        return page
    key = request.GET.get("preset", "")
    if key in presets.BY_KEY:
        preset = presets.BY_KEY[key]
        value = request.GET.get("value", "")
        try:
            rule = presets.rule_of(key, today=today, value=preset_value(preset, value))
        except RuleError as error:
            messages.error(request, f"{preset.name}: {error.message}.")
            return None
        page = _page_of(request, rule, name=_name_for(request, _name_of(preset, value)))
        for name, setting in presets.duplicates_of(key).items():
            page.form.initial[name] = setting
        return page
    if day := request.GET.get("likes_at", ""):
        try:
            rule = from_json({"source": {"likes_at": day}})
        except RuleError as error:
            messages.error(request, f"No playlist of that day: {error.message}.")
            return None
        name = f"My likes of {full_day(date.fromisoformat(day))}"
        return _page_of(request, rule, name=_name_for(request, name))
    if request.GET.get("by") == "form":
        return _page_of(request, Rule(), name="")
    return None


def _name_of(preset: presets.Preset, value: str) -> str:
    match preset.needs:
        case "":
            return preset.name
        case "decade":
            return f"{value}s"
        case "genre":
            return value[:1].upper() + value[1:]
        case _:
            return value


def _name_for(request: Request, text: str) -> str:
    name = " ".join(re.split(r"[,;]", text)[0].split())[:90]
    return keeping.free_name(request.user, name[:1].upper() + name[1:])


def _page_of(request: Request, rule: Rule, *, name: str) -> Page:
    mirror = Mirror(user=request.user, is_main=False)
    return Page(Draft.of_rule(rule), DetailsForm(instance=mirror, initial={"name": name}), rule)


def written(request: Request, mirror: Mirror) -> Page:
    """The builder filled from the form, after the action of the pressed button."""
    draft = Draft.of_data(request.POST)
    do = request.POST.get("do", "save")
    page = Page(draft, DetailsForm(request.POST, instance=mirror))
    if do == "import":
        try:
            page.draft = Draft.of_rule(loads(request.POST.get("json", "")))
        except RuleError as error:
            draft.errors["json"] = str(error)
            page.notes.append(f"This is no rule: {error}.")
            return page
    draft.press(do)
    page.rule = page.draft.rule(half_written=do != "save")
    if do != "save":
        data = {key: page.form.data.get(key) for key in page.form.fields}
        page.form = DetailsForm(instance=mirror, initial=data)
    return page


def asked_model(request: Request) -> Page:
    """The form filled by the language model from the sentence. Nothing is saved."""
    text = request.POST.get("sentence", "").strip()
    rule = model.ask_model(text, today=timezone.localdate()) if model.is_configured() else None
    page = _page_of(request, rule or Rule(), name=_name_for(request, text) if text else "")
    page.sentence = text[:SENTENCE_MAX]
    if rule is None:
        page.not_understood = (text[: model.SENTENCE_MAX],)
    else:
        page.notes.append("The language model suggests this. Check it before you save.")
    return page


def stored(mirror: Mirror) -> Page:
    rule = None if keeping.is_fixed(mirror) else rule_of(mirror)
    draft = Draft.of_rule(rule) if rule else Draft()
    return Page(draft, DetailsForm(instance=mirror), rule)


def stays_fixed(request: Request, mirror: Mirror) -> bool:
    """Whether a fixed list was saved without a new rule."""
    return keeping.is_fixed(mirror) and "match" not in request.POST


def rule_of(mirror: Mirror) -> Rule | None:
    if mirror.is_main:
        return Rule()
    try:
        return from_json(mirror.rule)
    except RuleError:
        return None


def settings_of(page: Page) -> dict[str, str]:
    form = page.form
    return {name: str(form[name].value() or "") for name in ("keep_same", "keep_twin")}


def previewed(
    request: Request,
    rule: Rule,
    settings: QueryDict | dict[str, str],
    mirror: Mirror | None,
    names: dict[int, str],
) -> dict[str, Any]:
    scope = Scope(
        request.user.pk,
        timezone.now(),
        timezone.get_current_timezone(),
        mirror.pk if mirror else 0,
        songs_for(request.user.pk),
    )
    found = preview(
        rule,
        scope,
        keep_same=_known(settings.get("keep_same"), Mirror.KeepSame.values, "all"),
        keep_twin=_known(settings.get("keep_twin"), Mirror.KeepTwin.values, "both"),
        mirror=mirror,
    )
    return {
        "preview": found,
        "preview_sentence": sentence(rule, names, sharers_in(request.user, rule)),
        "cost": cost_of(rule),
        "needs_plays": (rule.asks("plays") or rule.asks("last_played"))
        and not ListeningHistory.objects.filter(user=request.user).exclude(known=[]).exists(),
        "needs_genres": rule.asks("genre"),
        "is_shared": isinstance(rule.source, SharedSongs),
    }


def _known(given: str | None, values: list[str], usual: str) -> str:
    return given if given in values else usual


def shown_choices(names: dict[int, str]) -> dict[str, Any]:
    return choices(playlists=names, today=timezone.localdate())
