"""The error codes of the Subsonic API."""

from sync.targets.protocol import BadCredentials, NotFound, Refused, TargetError

#: Wrong name or password; and an invalid API key.
WRONG_CREDENTIALS = {40, 44}
#: The server does not accept this kind of sign-in: 10 is "a parameter is missing", from servers
#: that require the password.
OTHER_SIGN_IN = {10, 41, 42, 43}
NOT_ALLOWED = 50
NOT_THERE = 70


class OtherSignIn(Refused):
    """The server requires another kind of sign-in."""


def meaning(code: int, message: str) -> TargetError:
    """The error to raise for a failed answer; ``message`` is the server's own."""
    if code in WRONG_CREDENTIALS:
        return BadCredentials("The server does not accept this name and password.")
    if code in OTHER_SIGN_IN:
        return OtherSignIn("The server does not accept this kind of sign-in.")
    if code == NOT_ALLOWED:
        return Refused("The server does not allow this user to do that.")
    if code == NOT_THERE:
        return NotFound("The server does not have this.")
    return Refused(f"The server refused: {message[:200] or 'it gave no reason'}")
