"""The form of a playlist apart from its rule, and the options of its selects."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.db.models.expressions import DatabaseDefault

from sync.library.genre_tree import genres
from sync.mirrors.keeping import Details
from sync.mirrors.presets import Preset
from sync.models import Mirror
from sync.pages.playlist_choices import MATCHES, REFRESHES, SORTS, UNITS, WHATS
from sync.pages.rule_draft import number_or_text

if TYPE_CHECKING:
    MirrorForm = forms.ModelForm[Mirror]
else:
    MirrorForm = forms.ModelForm


class DetailsForm(MirrorForm):
    """The settings apart from the rule; the main mirror takes no songs from itself."""

    class Meta:
        model = Mirror
        fields: ClassVar = [
            *("name", "description", "public", "keep_same", "keep_twin"),
            *("takes_from_main", "keeps_additions"),
        ]
        labels: ClassVar = {
            "keep_same": "If you like a song more than once, hold",
            "keep_twin": "If there is an explicit and a clean version, hold",
            "takes_from_main": "Leave these songs out of my main playlist",
            "keeps_additions": "Keep songs that somebody adds in Spotify",
            "public": "Show it on my profile",
        }
        help_texts: ClassVar = {
            "name": "Up to 100 characters. If you rename it in Spotify, Syncify uses that name.",
            "description": "Up to 300 characters, shown under the name in Spotify.",
            "takes_from_main": "They move to this playlist. They stay liked.",
            "keeps_additions": "They stay below the songs of the rule.",
            "public": "Spotify may ignore this.",
        }
        widgets: ClassVar = {"description": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A mirror that is not stored yet holds an expression for each default of the database,
        # which would check every box.
        for name, value in self.initial.items():
            if isinstance(value, DatabaseDefault):
                self.initial[name] = value.expression.value  # type: ignore[attr-defined] # no stub
        for name in ("keep_same", "keep_twin"):
            self.fields[name].required = False
        if self.instance.is_main and self.instance.pk:
            del self.fields["takes_from_main"]

    def clean_description(self) -> str:
        """One line: Spotify refuses line breaks."""
        return " ".join(self.cleaned_data["description"].split())

    def clean_keep_same(self) -> str:
        return self.cleaned_data["keep_same"] or str(Mirror.KeepSame.ALL)

    def clean_keep_twin(self) -> str:
        return self.cleaned_data["keep_twin"] or str(Mirror.KeepTwin.BOTH)

    def details(self) -> Details:
        return Details(**self.cleaned_data)


def preset_value(preset: Preset, text: str) -> str | int | None:
    """The value that a preset needs, as ``presets.rule_of`` takes it."""
    if preset.needs in {"year", "decade"}:
        return number_or_text(text)
    return text if preset.needs else None


def choices(*, playlists: Mapping[int, str], today: date) -> dict[str, Any]:
    """The options of the selects."""
    return {
        "whats": WHATS,
        "matches": MATCHES,
        "units": UNITS,
        "sorts": SORTS,
        "refreshes": REFRESHES,
        "playlists": {str(key): name for key, name in playlists.items()},
        "genres": genres(),
        "decades": range(today.year // 10 * 10, 1940, -10),
        "this_year": today.year,
    }
