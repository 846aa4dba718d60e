"""The form for a pasted address."""

from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from accounts.paste import Answer, NotAnAnswer, read_pasted


class PasteForm(forms.Form):
    """``answer`` is Spotify's answer, once the form is valid."""

    answer: Answer

    address = forms.CharField(
        label="The address of that page",
        required=False,  # the view has its own message for an empty field
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        host = urlsplit(settings.SPOTIFY_AUTHORIZE_URL).netloc
        try:
            self.answer = read_pasted(address, spotify=host)
        except NotAnAnswer as error:
            raise ValidationError(str(error)) from error
        return address
