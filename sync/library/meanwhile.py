"""Work for the database that goes on while the next answer of Spotify is awaited."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from django.db import connection

if TYPE_CHECKING:
    from types import TracebackType

type Step = Callable[[], None]


class Meanwhile:
    """Runs steps in their order on a thread and a connection of its own, one ahead at most.

    What a step raises is raised by the next call, or at the end of ``with``, which waits for the
    last step. Inside a transaction, of which another connection would know nothing, a step is run
    at once.
    """

    def __init__(self) -> None:
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
        self._is_running = self._is_awaited = False

    def __call__(self, step: Step) -> None:
        self.wait()
        if connection.in_atomic_block:
            step()
            return
        if not self._is_running:
            # A daemon: a process that is told to end does not wait for a lost database.
            threading.Thread(target=self._run, name="meanwhile", daemon=True).start()
            self._is_running = True
        self._steps.put(step)
        self._is_awaited = True

    def wait(self) -> None:
        """Until the last step has ended; raises what it raised."""
        if self._is_awaited:
            self._is_awaited = False
            if outcome := self._outcomes.get():
                raise outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.wait()
        except Exception:
            if exc_type is None:
                raise
        finally:
            self._steps.put(None)

    def _run(self) -> None:
        try:
            while step := self._steps.get():
                try:
                    step()
                except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                    self._outcomes.put(error)
                else:
                    self._outcomes.put(None)
        finally:
            connection.close()
