"""Reads the wait that a service asks for."""

from datetime import timedelta

#: The pause if a service does not say how long.
DEFAULT_WAIT = timedelta(seconds=60)
LONGEST_WAIT = timedelta(days=1)


def wait_of(seconds: str) -> timedelta:
    """The pause that a header asks for, between one second and a day."""
    try:
        asked = timedelta(seconds=float(seconds))
    except (ValueError, OverflowError):
        return DEFAULT_WAIT
    return min(max(asked, timedelta(seconds=1)), LONGEST_WAIT)
