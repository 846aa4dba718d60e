"""The form for an app at Spotify, which asks Spotify whether its credentials are right."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.operators import digest_of_unused
from syncify.spotify.credentials import Credentials
from syncify.spotify_apps import CLIENT_ID, CLIENT_SECRET, LONGEST_NAME, one_line

_AS_IT_IS = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


class CredentialsForm(forms.Form):
    """Client ID and secret. No page contains the secret that was entered."""

    client_id = forms.CharField(
        label="Client ID", max_length=100, widget=forms.TextInput(attrs=_AS_IT_IS)
    )
    client_secret = forms.CharField(
        label="Client secret", max_length=200, widget=forms.PasswordInput(attrs=_AS_IT_IS)
    )

    def clean_client_id(self) -> str:
        client_id = str(self.cleaned_data["client_id"])
        if not CLIENT_ID.fullmatch(client_id):
            raise ValidationError("A Client ID has 32 letters and digits.")
        return client_id

    def clean_client_secret(self) -> str:
        secret = str(self.cleaned_data["client_secret"])
        if not CLIENT_SECRET.fullmatch(secret):
            raise ValidationError("A Client secret has 32 letters and digits.")
        return secret

    def clean(self) -> dict[str, Any]:
        """Check the credentials at Spotify, if all fields are valid."""
        from syncify.spotify import probe  # noqa: PLC0415 - imports an HTTP library

        cleaned = self.cleaned_data
        if self.errors:
            return cleaned
        app = Credentials(cleaned["client_id"], cleaned["client_secret"])
        try:
            problem = probe.credentials_problem(app)
        except probe.NoAnswer as error:
            raise ValidationError(
                "Spotify does not answer, so the app could not be checked. Try again in a minute."
            ) from error
        if problem:
            raise ValidationError(
                "Spotify does not accept this Client ID with this Client secret. Copy both again."
            )
        return cleaned


class AppForm(CredentialsForm):
    """The label, owner and credentials of a further Spotify app."""

    label = forms.CharField(
        label="Label",
        max_length=LONGEST_NAME,
        help_text="How pages name it, such as “Flat 3”. Listeners see it.",
    )
    developer = forms.CharField(
        label="Owner of the developer account",
        max_length=LONGEST_NAME,
        required=False,
        help_text="The person in whose account at Spotify the app is; listeners see it. All apps "
        "of one owner share one quota. Empty: the same account as that of the first app.",
    )
    field_order = ("label", "developer", "client_id", "client_secret")

    def clean_label(self) -> str:
        if not (label := one_line(self.cleaned_data["label"])):
            raise ValidationError("Enter a label.")
        return label

    def clean_developer(self) -> str:
        return one_line(self.cleaned_data["developer"])


class FirstRunForm(CredentialsForm):
    code = forms.CharField(
        label="Code from the log",
        max_length=40,
        widget=forms.TextInput(attrs=_AS_IT_IS),
    )
    field_order = ("code", "client_id", "client_secret")

    digest = ""

    def clean_code(self) -> str:
        self.digest = digest_of_unused(str(self.cleaned_data["code"]))
        if not self.digest:
            raise ValidationError("That is not the current code.")
        return ""
