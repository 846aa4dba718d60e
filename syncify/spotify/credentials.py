"""With which app Syncify speaks to Spotify."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """An app at Spotify, as the calls need it.

    ``key`` is "" for the first app, and its Client ID for every other. ``developer`` is "" for the
    developer account of the first app. Whatever Spotify refuses to an app concerns the ``key``;
    its quota is that of the ``developer``.
    """

    client_id: str
    #: Empty: sign-in uses PKCE.
    secret: str = field(default="", repr=False)
    developer: str = ""
    key: str = ""
