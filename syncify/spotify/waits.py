"""Reads the Retry-After header; pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: Seconds that one call may take, from its first byte sent to its last one received.
CALL_DEADLINE = 30.0
#: A wait up to this is a burst limit, and the call waits; a longer one is the quota.
LONGEST_PAUSE = timedelta(seconds=30)
#: The length of a block if Spotify refuses because of its limits and names no wait.
UNTOLD_BLOCK = timedelta(hours=1)
#: The longest block that a header can cause.
LONGEST_BLOCK = timedelta(days=2)
#: Added to long waits: calls right after their end were refused again.
LONGEST_MARGIN = timedelta(minutes=30)
#: The shortest block after a spent quota, for any header.
SHORTEST_BLOCK = timedelta(minutes=1)

_SECONDS = re.compile(r"-?[0-9]{1,18}(\.[0-9]{0,18})?")


def named_wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The wait in a response, from 0 to LONGEST_BLOCK; None without one.

    ``now`` is compared with an HTTP date. A date in the past, or a negative number, means no wait.
    """
    written = (headers.get("Retry-After") or "").strip()
    if _SECONDS.fullmatch(written):
        asked = timedelta(seconds=min(float(written), LONGEST_BLOCK.total_seconds()))
    else:
        try:
            at = parsedate_to_datetime(written)
            asked = at.replace(tzinfo=at.tzinfo or UTC) - now
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(asked, timedelta()), LONGEST_BLOCK)


def block_for(asked: timedelta) -> timedelta:
    """The length of the block for a wait that Spotify asked for: the wait and a margin."""
    margin = min(asked / 10 + timedelta(seconds=1), LONGEST_MARGIN)
    return max(asked + margin, SHORTEST_BLOCK)
