"""Asking Spotify again before a block has run out, because somebody may have cured its cause."""

import logging

from django.db import transaction

from sync.queue import store as queue
from syncify.spotify.quota import lift_block

logger = logging.getLogger(__name__)


@transaction.atomic
def ask_spotify_now() -> int:
    """End the block, and start the requests that wait for its end; how many there were.

    If Spotify still wants silence, the first call finds out and blocks all others again: it costs
    one call for each worker.
    """
    lift_block()
    count = queue.unpark(["credentials", "premium", "quota"])
    logger.info("spotify is asked again requests=%d", count)
    return count
