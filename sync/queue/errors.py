"""Exceptions that end an attempt; ``sync/queue/backoff.py`` decides what follows.

SyncError
├── RetryLater    a temporary error; counts as a failure
├── SnoozeUntil   a wait that counts no failure, or a pause of long work
└── GiveUp        an error that a retry cannot solve
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
