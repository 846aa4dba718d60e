"""What can come of a call to Spotify other than its answer.

SpotifyError
├── Blocked          nobody may call before ``until``: quota, credentials or premium
├── BudgetSpent      our own daily budget leaves no room for this kind of sync
├── SignInNeeded     consent ended or was withdrawn; whoever refreshed has marked the connection
├── AccessRefused    403 for this listener: not_registered, scope_missing or forbidden
├── Unavailable      Spotify does not answer; nothing was changed
│   └── LibraryUnknown   it does not tell what is in the library; all else may go on without that
├── OutcomeUnknown   a write that Spotify did not answer: it may have been applied, or not
├── BadRequest       Spotify does not accept what was sent (400, 413 and their like)
├── CoverRefused     a playlist's picture was not taken: scope_missing, too_large or too_often
└── NotFound         404
"""

from datetime import datetime, timedelta


class SpotifyError(Exception):
    """Any of those below."""


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
    """``status`` is that of the last answer; None when none came, or it could not be read."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(f"status {status}" if status else "no answer")
        self.status = status


class LibraryUnknown(Unavailable):
    """400, 403, 404, or an answer that does not name each uri that was asked for."""


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
    """``wait`` is how long Spotify wants no more pictures, where the reason is too_often."""

    def __init__(self, reason: str, wait: timedelta = timedelta()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class NotFound(SpotifyError):
    pass
