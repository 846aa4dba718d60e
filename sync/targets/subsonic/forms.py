"""The form that connects a music server."""

from django import forms

from sync.targets.addresses import Origin
from sync.targets.protocol import AddressRefused


class SubsonicForm(forms.Form):
    address = forms.CharField(
        max_length=300,
        label="Address of the server",
        help_text="For example https://music.example, the same address as in your music app.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "url"}),
    )
    username = forms.CharField(
        max_length=255,
        label="Your name there",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    password = forms.CharField(
        max_length=255,
        strip=False,
        label="Your password there",
        help_text="Stored encrypted, and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"].strip().rstrip("/")
        # People also copy the address of the API.
        address = address.removesuffix("/rest").rstrip("/")
        try:
            Origin.of(address)
        except AddressRefused as error:
            raise forms.ValidationError(str(error)) from error
        return address
