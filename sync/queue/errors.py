"""How a sync says that it did not end: the worker asks ``sync/queue/backoff.py`` what follows.

SyncError
├── RetryLater    passing trouble: counts as a failure
├── SnoozeUntil   a wait that is nobody's failure
└── GiveUp        what no retry can cure
"""

from datetime import datetime


class SyncError(Exception):
    """``code`` for the row, ``message`` for people: what happened, and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class RetryLater(SyncError):
    pass


class SnoozeUntil(SyncError):
    def __init__(self, code: str, message: str, *, until: datetime) -> None:
        super().__init__(code, message)
        self.until = until


class GiveUp(SyncError):
    pass
