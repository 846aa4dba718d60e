"""Delays the signals that end a process while it does work that must be completed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay ENDINGS that arrive during the block; they are delivered when it ends.

    In other threads than the main one this does nothing: only the main thread runs handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = [signal.signal(number, lambda number, _: came.append(number)) for number in ENDINGS]
    try:
        yield
    finally:
        for ending, handler in zip(ENDINGS, before, strict=True):
            signal.signal(ending, handler)
        for number in came:
            signal.raise_signal(number)
