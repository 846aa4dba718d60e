"""Texts for the operator about a block of calls to Spotify."""

from collections.abc import Mapping

from django.conf import settings

from syncify.spotify.models import Silence

_Because = Silence.Because
#: The cause, for blocks that only the operator can end; ``{of}`` names an app other than the first.
OPERATORS_CAUSES = {
    _Because.CREDENTIALS: "Spotify does not accept the client id or secret{of}.",
    _Because.PREMIUM: "Spotify requires the owner of the app{of} to have Premium.",
}
_REMEDIES = {
    _Because.CREDENTIALS: "{check}, then restart the worker.",
    _Because.PREMIUM: "Renew it, then restart the worker.",
}
_QUOTA = "Spotify's quota is spent{of}. Syncs wait and continue automatically."
_CHECK_SETTINGS = "Check SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET"
_CHECK_PAGE = "Check them on the operator's page, or in SPOTIFY_APPS"


def block_in_words(block: Silence, labels: Mapping[str, str]) -> str:
    """The cause of a block and its remedy; ``labels`` are those of the apps by their keys."""
    whose, because = block.whose, Silence.Because(block.because)
    if because == _Because.QUOTA:
        return _QUOTA.format(of=f" in the developer account of {whose}" if whose else "")
    of = f" “{labels.get(whose, whose)}”" if whose else ""
    is_set = not whose and bool(settings.SPOTIFY_CLIENT_ID)
    check = _CHECK_SETTINGS if is_set else _CHECK_PAGE
    return f"{OPERATORS_CAUSES[because]} {_REMEDIES[because]}".format(of=of, check=check)
