"""The redirect URI, for which Spotify accepts https, or http on a loopback address; pure."""

from enum import StrEnum
from urllib.parse import urlsplit

PATH = "/accounts/callback/"
#: The redirect URI if Spotify does not accept the base URL.
PASTE_BACK_URI = f"http://127.0.0.1:8000{PATH}"
_LOOPBACK = {"127.0.0.1", "::1"}


class Case(StrEnum):
    HTTPS = "https"  #: Spotify redirects to Syncify.
    LOOPBACK = "loopback"  #: Spotify redirects to Syncify, on this machine only.
    PASTE_BACK = (
        "paste_back"  #: the redirect ends at an error page, whose address the listener pastes.
    )


def redirect_uri(base_url: str) -> tuple[str, Case]:
    """The address to register with Spotify for a Syncify at ``base_url``, and the case it is."""
    parts = urlsplit(base_url)
    if parts.scheme == "https":
        return f"{base_url}{PATH}", Case.HTTPS
    if parts.hostname in _LOOPBACK:
        return f"{base_url}{PATH}", Case.LOOPBACK
    return PASTE_BACK_URI, Case.PASTE_BACK


def advice(base_url: str) -> str:
    """For the operator: what to register, and what follows for those who sign in."""
    uri, case = redirect_uri(base_url)
    follows = {
        Case.HTTPS: "Spotify leads everybody straight back to it.",
        Case.LOOPBACK: "Spotify leads back to it in a browser on the machine that Syncify runs on.",
        Case.PASTE_BACK: (
            f"Spotify does not take {base_url} itself, so after agreeing, listeners copy the "
            "address of an error page and paste it into Syncify."
        ),
    }[case]
    return f"Register exactly {uri} as redirect URI of your Spotify app. {follows}"
