"""The form that connects ListenBrainz."""

from django import forms


class ListenBrainzForm(forms.Form):
    token = forms.CharField(
        max_length=255,
        label="Your user token",
        help_text="See the settings of your ListenBrainz account. The token is stored encrypted "
        "and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
