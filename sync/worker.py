"""Worker: claims jobs in a few threads, runs them, keeps their leases, and ends each in its state."""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import Error as DatabaseTrouble
from django.db import close_old_connections, connection

from accounts.services import mark_refused, spotify_client_for
from sync import backoff
from sync.backoff import Bury, Retry, Snooze
from sync.job import Cancelled, Job, Released
from sync.models import Process, SyncRequest
from sync.queue import HEARTBEAT, LEASE, LeaseLost
from sync.wake import WakeListener
from syncify.spotify.errors import AccessRefused
from syncify.spotify.quota import lift_operator_block

logger = logging.getLogger(__name__)

#: Seconds between looks at the queue when nothing wakes us; it also starts what has become due.
POLL = 5.0
#: Seconds that a stopping worker waits for its jobs to reach a safe point.
SHUTDOWN = 8.0
#: Seconds before the database is asked again.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


def run_sync(job: Job) -> None:
    """The default work."""
    from sync.services import run_sync  # noqa: PLC0415 - services import this package's queue

    run_sync(job)


class Worker:
    """``run`` ends its job in success by itself; every other end comes as an exception.

    ``lease`` is shorter in tests only. With ``drain``, threads end when nothing is ready.
    """

    def __init__(
        self,
        *,
        run: Callable[[Job], None] = run_sync,
        concurrency: int = 2,
        drain: bool = False,
        lease: timedelta = LEASE,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._run = run
        self._drain = drain
        self._lease = lease
        self._beat = (HEARTBEAT / LEASE) * lease.total_seconds()
        self._held: dict[int, SyncRequest] = {}
        self._threads = [
            threading.Thread(target=self._work, name=f"work-{number}", daemon=True)
            for number in range(1, concurrency + 1)
        ]
        self._caretaker = threading.Thread(target=self._take_care, name="heartbeat", daemon=True)
        self._listener = WakeListener(self.wake)
        self._stopping = False
        self._ended = threading.Event()
        self._woken = threading.Condition()
        self._wakes = 0

    # --- The life of the process --------------------------------------------------------------

    def start(self) -> None:
        logger.info("worker started name=%s threads=%d", self.name, len(self._threads))
        self._persist(lift_operator_block, "lift")
        self._persist(self._look_after, "rescue")
        self._caretaker.start()
        if not self._drain:
            self._listener.start()
        for thread in self._threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Claim no more, release at the next safe point; hand over what does not get there."""
        logger.info("worker stopping name=%s jobs=%d", self.name, len(self._held))
        self._stopping = True
        self._listener.stop()
        self.wake()
        deadline = time.monotonic() + SHUTDOWN
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._ended.set()
        self._caretaker.join(1.0)
        for request in list(self._held.values()):
            logger.warning("job handed over request=%d attempt=%d", request.pk, request.attempt)
            try:
                SyncRequest.objects.hand_over(request)
            except (LeaseLost, DatabaseTrouble):
                logger.warning("hand-over failed request=%d", request.pk, exc_info=True)
        logger.info("worker stopped name=%s", self.name)

    def wake(self) -> None:
        with self._woken:
            self._wakes += 1
            self._woken.notify_all()

    # --- Threads ------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopping:
            wakes = self._wakes
            worked = self._persist(self.run_one, "claim")
            if worked or self._stopping:
                continue
            close_old_connections()
            if self._drain:
                return
            with self._woken:
                pause = POLL * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing
                # Counted, so that a wake-up between the claim and here is not missed.
                self._woken.wait_for(lambda seen=wakes: self._wakes != seen, pause)

    def _take_care(self) -> None:
        while not self._ended.wait(self._beat):
            self._persist(self._look_after, "heartbeat")

    def _look_after(self) -> None:
        """Our leases first; then those of workers that are gone."""
        SyncRequest.objects.heartbeat(list(self._held.values()), lease=self._lease)
        rescued = SyncRequest.objects.rescue()
        if rescued:
            logger.warning("jobs rescued %s", dict(rescued))
        Process.seen("worker", self.name)

    def _persist[T](self, step: Callable[[], T], what: str) -> T | None:
        """``step``, again with growing pauses while the database is away; None when we stop."""
        pause = FIRST_PAUSE
        while not self._ended.is_set():
            try:
                result = step()
            except DatabaseTrouble as error:
                logger.warning("database lost step=%s pause=%.1fs error=%s", what, pause, error)
                connection.close()
                self._ended.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                if pause > FIRST_PAUSE:
                    logger.info("database back step=%s", what)
                return result
        return None

    # --- One job ------------------------------------------------------------------------------

    def run_one(self) -> bool:
        """Claim a job and see it to an end; False when none is due."""
        request = SyncRequest.objects.claim(worker=self.name, lease=self._lease)
        if request is None:
            return False
        logger.info(
            "job claimed request=%d user=%d trigger=%s attempt=%d",
            request.pk,
            request.user_id,
            request.trigger,
            request.attempt,
        )
        self._held[request.pk] = request
        try:
            self._run_held(request)
        finally:
            self._held.pop(request.pk, None)
        return True

    def _run_held(self, request: SyncRequest) -> None:
        job: Job | None = None
        end: Callable[[], object] | None = None
        try:
            job = self._job(request)
            self._run(job)
        except LeaseLost as error:
            logger.warning("lease lost %s", error)
        except Cancelled:
            end = lambda: SyncRequest.objects.cancelled(request, **calls)  # noqa: E731
