"""When a turn looks at everything, and when at what the last hours brought."""

from typing import Any

import pytest

from sync.queue import sweeps
from sync.queue.sweeps import EVER, LATELY, Sweeps

HOUR = 3600.0


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sweeps, "time", clock)
    return clock


def turn(turns: Sweeps) -> bool:
    """Whether it looks at everything."""
    with turns.turn() as lately:
        assert lately in {EVER, LATELY}
        return lately is EVER


def test_turns_look_at_everything_at_first_once_a_day_and_after_a_long_pause(clock: Clock) -> None:
    turns, swept = Sweeps(), []
    for hour in [0, 1, 2, 8, 9, *range(10, 36), 37.5]:
        clock.now = hour * HOUR
        if turn(turns):
            swept.append(hour)

    assert swept == [0, 8, 32, 37.5]


def test_a_turn_that_failed_is_none(clock: Clock) -> None:
    turns = Sweeps()
    with pytest.raises(OSError, match="lost"), turns.turn():
        raise OSError("lost")

    assert turn(turns)
    assert not turn(turns)
