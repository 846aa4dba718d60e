"""How far back a turn of the scheduler reads."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

#: Longer than the age of any row.
EVER = timedelta(days=365 * 100)
#: A turn reads the rows of the last hours, and once in SWEEP all rows.
LATELY, SWEEP = timedelta(hours=2), timedelta(days=1)


class Sweeps:
    """The turns of one process, for work that grows with the whole history."""

    def __init__(self) -> None:
        self._swept = self._turned = -math.inf

    @contextmanager
    def turn(self) -> Iterator[timedelta]:
        """How far back this turn reads; a turn that raises does not count.

        EVER at first, once in SWEEP, and after a pause longer than LATELY; else LATELY.
        """
        began = time.monotonic()
        is_overdue = began - self._swept >= SWEEP.total_seconds()
        is_late = began - self._turned >= LATELY.total_seconds()
        lately = EVER if is_overdue or is_late else LATELY
        yield lately
        self._turned = began
        if lately is EVER:
            self._swept = began
