"""A claimed job for its runner: safe points to stop at, and the check before each write."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Unpack

from django.db import connection

from accounts.models import User
from accounts.tokens import spotify_client_for
from sync.models import SyncRequest
from sync.queue import store as queue
from sync.queue.fair import may_use_reserve
from sync.queue.store import Fields
from syncify.spotify.client import SpotifyClient
from syncify.spotify.waits import CALL_DEADLINE

#: The longest duration of one call, including a few seconds to connect.
CALL = timedelta(seconds=CALL_DEADLINE + 10)
#: Seconds between two writes of the progress.
PAUSE = 0.5


class Cancelled(Exception):
    """A person cancelled this sync."""


class Released(Exception):
    """The process is stopping; another worker continues the sync."""


class Job:
    def __init__(self, request: SyncRequest, stopping: Callable[[], bool] = lambda: False) -> None:
        self.request = request
        self._stopping = stopping
        self._calls_before = request.api_requests
        self._unsaved = Fields()
        self._saved_at = float("-inf")
        self._safe_at = time.monotonic()

    @cached_property
    def user(self) -> User:
        return self.request.user

    @cached_property
    def client(self) -> SpotifyClient:
        """Spotify as the listener; first and manual syncs may use the reserve of the budget."""
        return spotify_client_for(
            self.user,
            reserve=may_use_reserve(self.request),
            sleep=self.sleep,
            before_send=self.before_write,
        )

    @property
    def calls(self) -> int:
        """Calls to Spotify's API, including those of earlier attempts."""
        return self._calls_before + (self.client.calls if "client" in vars(self) else 0)

    @staticmethod
    def now() -> datetime:
        """The time by the database's clock, as this machine's clock may be wrong."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement_timestamp()")
            now: datetime = cursor.fetchone()[0]
        return now

    def close(self) -> None:
        if "client" in vars(self):
            self.client.close()

    @property
    def seconds_since_safe_point(self) -> float:
        """The time since the last safe point."""
        return time.monotonic() - self._safe_at

    def safe_point(self, **fields: Unpack[Fields]) -> None:
        """Record the progress, and stop the sync here if requested.

        ``fields`` are saved twice a second at most, a new stage at once; what waits goes along
        with the next. Raises LeaseLost, Cancelled or Released.
        """
        self._safe_at = time.monotonic()
        self._unsaved.update(fields)
        new_stage = self._unsaved.get("stage", self.request.stage) != self.request.stage
        if new_stage or time.monotonic() - self._saved_at >= PAUSE:
            unsaved, self._unsaved = self._unsaved, Fields()
            unsaved["api_requests"] = self.calls
            self.request = queue.record_progress(self.request, **unsaved)
            self._saved_at = time.monotonic()
        self._stop_if_asked()

    def sleep(self, seconds: float) -> None:
        """Wait between two requests; raises the same exceptions as ``safe_point``."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, PAUSE))
            self.safe_point()

    def before_write(self) -> None:
        """Make sure that no other worker can take this job during a write.

        The client calls it right before it sends a write.

        Raises LeaseLost, Cancelled or Released.
        """
        self.request = queue.hold_for(self.request, CALL)
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.request.cancel_asked_at:
            raise Cancelled
        if self._stopping():
            raise Released
