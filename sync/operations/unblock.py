"""Ends a block early, because its cause may be solved."""

import logging

from django.db import transaction

from sync.queue import store as queue
from syncify.spotify.quota import lift_block

logger = logging.getLogger(__name__)


@transaction.atomic
def ask_spotify_now() -> int:
    """End the block and start the requests that wait for its end; returns their number.

    If Spotify still refuses, the first call blocks all others again, at the cost of one call
    for each worker.
    """
    lift_block()
    count = queue.unpark(["credentials", "premium", "quota"])
    logger.info("block lifted requests=%d", count)
    return count
