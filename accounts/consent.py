"""How long Spotify's permission still lasts, and how near its end is; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil


class ConsentStage(StrEnum):
    """How near the end is. Listener and operator get one message for each but the first."""

    FAR = "far"  #: no message.
    MONTH = "month"  #: 30 days or less.
    WEEK = "week"  #: 7 days or less.
    DAY = "day"  #: a day or less by our count, which may end some days before Spotify's.
    ENDED = "ended"  #: Spotify has ended it, or the listener has.


#: Whose consent ends later than this from now is at ConsentStage.FAR.
NEAR = timedelta(days=30)
#: The time before the end from which the playlist's description asks for a new sign-in.
REMIND = timedelta(days=7)
#: The most days left at a stage, the last stage first.
STAGES = [(1, ConsentStage.DAY), (REMIND.days, ConsentStage.WEEK), (NEAR.days, ConsentStage.MONTH)]


@dataclass(frozen=True, slots=True)
class Consent:
    ends_at: datetime
    #: A day that has begun counts; 0 from ``ends_at`` on.
    days_left: int
    stage: ConsentStage

    @property
    def ends_soon(self) -> bool:
        """Whether it ends within REMIND, or has ended."""
        return self.stage in {ConsentStage.WEEK, ConsentStage.DAY, ConsentStage.ENDED}


def consent(*, ends_at: datetime, has_ended: bool, now: datetime) -> Consent:
    """``has_ended`` is what Spotify said; ``ends_at`` is an estimate, rather early than late."""
    days = max(0, ceil((ends_at - now) / timedelta(days=1)))
    if has_ended:
        return Consent(ends_at, days_left=0, stage=ConsentStage.ENDED)
    stage = next((stage for most, stage in STAGES if days <= most), ConsentStage.FAR)
    return Consent(ends_at, days, stage)
