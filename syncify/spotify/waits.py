"""How long Spotify asks for silence: reads the Retry-After header; pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: Seconds that one call may take, from its first byte sent to its last one received.
CALL_DEADLINE = 30.0
#: A wait up to this is a burst limit, which the call sits out; a longer one is the quota.
LONGEST_PAUSE = timedelta(seconds=30)
#: How long nobody calls when Spotify refuses for its limits and does not say until when.
UNTOLD_BLOCK = timedelta(hours=1)
#: No header may park the installation for longer.
LONGEST_BLOCK = timedelta(days=2)
#: Others were refused anew when they called just after a long wait had ended.
LONGEST_MARGIN = timedelta(minutes=30)
#: A spent quota is not asked about again sooner, whatever the header says.
SHORTEST_BLOCK = timedelta(minutes=1)

_SECONDS = re.compile(r"-?[0-9]{1,18}(\.[0-9]{0,18})?")


def named_wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The wait that an answer names, from 0 to LONGEST_BLOCK; None when it names none.

    ``now`` is compared with an HTTP date. A date or a number of the past means: at once.
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
    """How long nobody calls after Spotify asked for so long: that, and a margin."""
    margin = min(asked / 10 + timedelta(seconds=1), LONGEST_MARGIN)
    return max(asked + margin, SHORTEST_BLOCK)
