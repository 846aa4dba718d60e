"""The errors of ListenBrainz."""

from sync.targets.protocol import (
    BadCredentials,
    NotFound,
    NotUnderstood,
    RateLimited,
    Refused,
    TargetError,
    Unavailable,
)
from sync.targets.safety import Answer
from sync.targets.waits import wait_of
from syncify.text import plain


def meaning(answer: Answer) -> TargetError | None:
    """The error to raise for ``answer``; None for success."""
    if answer.status < 300:
        return None
    if answer.status == 429:
        return RateLimited(wait_of(answer.headers.get("X-Ratelimit-Reset-In", "")))
    if answer.status == 401:
        return BadCredentials("ListenBrainz does not accept this token.")
    if answer.status == 404:
        return NotFound("ListenBrainz does not have this.")
    if answer.status >= 500:
        return Unavailable(f"ListenBrainz answered with an error ({answer.status}).")
    return Refused(f"ListenBrainz refused: {_reason(answer)}", answer.status)


def _reason(answer: Answer) -> str:
    try:
        error = answer.json.get("error", "") if isinstance(answer.json, dict) else ""
    except NotUnderstood:
        error = ""
    return plain(str(error))[:200] or f"status {answer.status}"
