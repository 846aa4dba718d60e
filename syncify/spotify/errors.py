"""The errors that a call to Spotify raises.

SpotifyError
├── Blocked          no worker may call before ``until``: quota, credentials or premium
├── BudgetSpent      Syncify's daily budget is used up for this kind of sync
├── SignInNeeded     consent ended or was withdrawn; the connection is already marked
├── AccessRefused    403 for this listener: not_registered, scope_missing or forbidden
├── Unavailable      Spotify does not answer; nothing was changed
│   └── LibraryUnknown   the content of the library is unknown; the rest of a sync can continue
├── OutcomeUnknown   a write that Spotify did not answer: it may have been applied, or not
├── BadRequest       Spotify does not accept the request (400, 413 and similar)
├── CoverRefused     Spotify refused a playlist's picture: scope_missing, too_large or too_often
└── NotFound         404
"""

from datetime import datetime, timedelta


class SpotifyError(Exception):
    """The base of the errors below."""


class Blocked(SpotifyError):
    def __init__(self, until: datetime, because: str) -> None:
        super().__init__(f"{because}, until {until:%Y-%m-%d %H:%M:%SZ}")
        self.until = until
        self.because = because


class BudgetSpent(SpotifyError):
    def __init__(self, until: datetime) -> None:
        super().__init__(f"until {until:%Y-%m-%d %H:%M:%SZ}")
        self.until = until


class SignInNeeded(SpotifyError):
    pass


class AccessRefused(SpotifyError):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unavailable(SpotifyError):
    """``status`` is that of the last response; None without a readable response."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(f"status {status}" if status else "no answer")
        self.status = status


class LibraryUnknown(Unavailable):
    """400, 403, 404, or a response that lacks some of the requested uris."""


class OutcomeUnknown(SpotifyError):
    """``status`` as in ``Unavailable``: 502 may mean that one of the songs sent cannot be added."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(f"status {status}" if status else "no answer")
        self.status = status


class BadRequest(SpotifyError):
    """``message`` is Spotify's own; ``status`` the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(f"{status}: {message}")
        self.message = message
        self.status = status


class CoverRefused(SpotifyError):
    """With the reason too_often, ``wait`` is the time until Spotify accepts pictures again."""

    def __init__(self, reason: str, wait: timedelta = timedelta()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class NotFound(SpotifyError):
    pass
