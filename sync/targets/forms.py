"""The options of a connected service."""

from typing import Any

from django import forms

from sync.models import Connection, Mirror


class OptionsForm(forms.Form):
    """The mirrors that the service gets, and further options."""

    mirrors = forms.ModelMultipleChoiceField(
        Mirror.objects.none(),
        required=False,
        label="Playlists",
        help_text="Playlists that you remove here stay at the service unchanged.",
        widget=forms.CheckboxSelectMultiple,
    )
    stars = forms.BooleanField(required=False, label="Star my Liked Songs")
    loves = forms.BooleanField(required=False, label="Love my Liked Songs")

    def __init__(self, data: Any = None, *, connection: Connection) -> None:
        own = Mirror.objects.filter(user=connection.user_id).order_by("-is_main", "name", "pk")
        super().__init__(
            data,
            initial={
                "mirrors": own.filter(target_playlists__connection=connection),
                "stars": connection.settings.get("stars", False),
                "loves": connection.settings.get("loves", True),
            },
        )
        choice = self.fields["mirrors"]
        assert isinstance(choice, forms.ModelMultipleChoiceField)  # noqa: S101 - for the types
        choice.queryset = own
        is_server = connection.service == Connection.Service.SUBSONIC
        del self.fields["loves" if is_server else "stars"]

    @property
    def options(self) -> dict[str, bool]:
        return {name: self.cleaned_data[name] for name in ("stars", "loves") if name in self.fields}
