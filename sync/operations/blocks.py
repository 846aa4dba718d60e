"""What the operator is told about a block of all calls to Spotify."""

from syncify.spotify.models import Block

_Because = Block.Because
#: The cause, for blocks that only the operator can end.
OPERATORS_CAUSES = {
    _Because.CREDENTIALS: "Spotify does not accept the client id or secret.",
    _Because.PREMIUM: "Spotify requires the owner of the app to have Premium.",
}
_REMEDIES = {
    _Because.CREDENTIALS: "Check SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET, then restart the "
    "worker.",
    _Because.PREMIUM: "Renew it, then restart the worker.",
}


def alert_text(because: str) -> str:
    """The cause of a block, and what the operator can do."""
    cause = Block.Because(because)
    if cause == _Because.QUOTA:
        return "Spotify's quota is spent. Syncs wait and continue automatically."
    return f"{OPERATORS_CAUSES[cause]} {_REMEDIES[cause]}"
