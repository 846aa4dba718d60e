"""The form of the settings page."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms

from sync.models import Library, Mirror

if TYPE_CHECKING:
    MirrorForm = forms.ModelForm[Mirror]
else:
    MirrorForm = forms.ModelForm


class SettingsForm(MirrorForm):
    #: The details of the playlist, which can also be changed inside Spotify.
    DETAILS: ClassVar = ["name", "description", "public", "remind_in_spotify"]

    interval = forms.ChoiceField(choices=Library.Interval, label="Check for changes")
    preferred_hour = forms.TypedChoiceField(
        label="In the hour from",
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", "any time"), *((hour, f"{hour:02}:00") for hour in range(24))],
        help_text="For daily and weekly syncs, in the time zone of this browser.",
    )
    theme = forms.ChoiceField(
        label="Colours",
        required=False,
        choices=[("", "as the device has them"), ("light", "light"), ("dark", "dark")],
        help_text="For this browser.",
    )

    class Meta:
        model = Mirror
        fields: ClassVar = ["name", "description", "public", "remind_in_spotify"]
        labels: ClassVar = {
            "public": "Show it on my profile",
            "remind_in_spotify": "Remind me inside Spotify too",
        }
        help_texts: ClassVar = {
            "name": "Up to 100 characters. If you change the name in Spotify, Syncify keeps it.",
            "description": "Up to 300 characters, shown under the name in Spotify.",
            "public": (
                "Spotify may ignore this setting. It affects only profile and search: everyone "
                "with the link can open the playlist."
            ),
            "remind_in_spotify": (
                "Spotify's permission ends every six months. In its last week the playlist's "
                "description, which everyone with the link can read, asks you to sign in again."
            ),
        }
        widgets: ClassVar = {"description": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.DETAILS:
            # ``changed_data`` compares with the values that the page showed.
            self.fields[name].show_hidden_initial = True

    def clean_description(self) -> str:
        """One line: Spotify refuses line breaks."""
        return " ".join(self.cleaned_data["description"].split())
