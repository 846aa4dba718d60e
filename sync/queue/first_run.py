"""Makes worker and scheduler wait while the installation has no Spotify app."""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import Error, connection

from accounts.spotify_apps import first_app
from sync.queue import processes
from syncify.database import is_passing

logger = logging.getLogger(__name__)

#: Seconds between two checks for an app, and between two updates of the row of the process.
LOOK, SIGN = 2.0, 15.0


def await_app(stopping: Callable[[], bool], kind: str) -> None:
    """Return once there is an app, or ``stopping`` returns true; the process counts as alive.

    No job is claimed meanwhile, so that a lost setting does not sign out the listeners of its app.
    """
    is_told, signed = False, -SIGN
    while not stopping():
        try:
            if first_app() is not None:
                break
            if time.monotonic() - signed >= SIGN:
                signed = time.monotonic()
                processes.seen(kind)
        except Error as error:
            if not is_passing(error):
                raise
            logger.warning("database lost step=first-run error=%s", error)
        if not is_told:
            is_told = True
            logger.warning("no Spotify app yet process=%s: open %s", kind, settings.BASE_URL)
        connection.close()
        _pause(stopping)
    connection.close()


def _pause(stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + LOOK
    while time.monotonic() < until and not stopping():
        time.sleep(0.2)
