"""One connection that LISTENs for ready jobs and calls back; it reconnects automatically."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

from sync.queue.store import WAKE

logger = logging.getLogger(__name__)

#: Seconds before a lost connection is tried again.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


def listen_parameters() -> dict[str, Any]:
    """psycopg's parameters for a direct connection, not through a pooler."""
    if settings.DATABASE_LISTEN_URL:
        return {"conninfo": settings.DATABASE_LISTEN_URL, **settings.DATABASE_KEEPALIVES}
    return connections["default"].get_connection_params()


class WakeListener(threading.Thread):
    """Calls ``wake`` for every notification, and after each reconnection."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__(name="listen", daemon=True)
        self._wake = wake
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                with psycopg.connect(**listen_parameters(), autocommit=True) as listening:
                    listening.execute(f"LISTEN {WAKE}")
                    logger.info("listening channel=%s", WAKE)
                    pause = FIRST_PAUSE
                    self._wake()
                    self._listen(listening)
            except psycopg.Error as error:
                logger.warning("listening lost pause=%.1fs error=%s", pause, error)
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _listen(self, listening: psycopg.Connection[Any]) -> None:
        while not self._stopping.is_set():
            for _ in listening.notifies(timeout=1.0):
                self._wake()
