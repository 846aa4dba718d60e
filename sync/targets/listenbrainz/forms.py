"""What a listener enters to connect ListenBrainz."""

from django import forms


class ListenBrainzForm(forms.Form):
    token = forms.CharField(
        max_length=255,
        label="Your user token",
        help_text="It is in the settings of your account at ListenBrainz. Stored encrypted, "
        "and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
