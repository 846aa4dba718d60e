"""Where Spotify sends a listener back to: it takes https, or http on a loopback number; pure."""

from enum import StrEnum
from urllib.parse import urlsplit

PATH = "/accounts/callback/"
#: Where the way back ends when Spotify would not take our own address.
PASTE_BACK_URI = f"http://127.0.0.1:8000{PATH}"
_LOOPBACK = {"127.0.0.1", "::1"}


class Case(StrEnum):
    HTTPS = "https"  #: Spotify leads back to us.
    LOOPBACK = "loopback"  #: Spotify leads back to us, on this machine only.
    PASTE_BACK = "paste_back"  #: Spotify leads to an error page, whose address is pasted to us.


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
