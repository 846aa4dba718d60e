"""Worker: claims jobs in a few threads, keeps their leases, and ends each in its state."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import Error, connection, transaction

from accounts.connections import mark_refused, reconnect_returned
from sync.models import SyncRequest
from sync.queue import backoff, processes
from sync.queue import store as queue
from sync.queue.backoff import Bury, Retry, Snooze
from sync.queue.job import Cancelled, Job, Released
from sync.queue.store import HEARTBEAT, LEASE, LeaseLost
from sync.queue.wake import WakeListener
from syncify.database import is_passing
from syncify.spotify.errors import AccessRefused
from syncify.spotify.quota import lift_operator_block

logger = logging.getLogger(__name__)

#: Seconds between polls of the queue without a notification; jobs also become due by time.
POLL = 5.0
#: Seconds that a stopping worker waits for its jobs to reach a safe point.
SHUTDOWN = 8.0
#: Seconds before a lost database is tried again, at first and at most: after a failover, however
#: long it took, syncs go on within seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
#: How often a job runs again after an error of the database before that counts as a failure.
DATABASE_ERRORS = 5
#: Seconds without a safe point after which a job counts as stuck: no call lasts nearly so long.
STUCK_AFTER = 300.0


#: For each kind of request, the function that runs its jobs.
Runners = Mapping[str, Callable[[Job], None]]


class Worker:
    """Runs the jobs of the queue. A runner ends its job in success, or raises an exception.

    With ``drain``, threads end when no job is ready; with ``once``, after one claim.
    ``lease`` is shorter in tests only.
    """

    def __init__(
        self,
        *,
        runners: Runners,
        concurrency: int = 2,
        drain: bool = False,
        once: bool = False,
        lease: timedelta = LEASE,
    ) -> None:
        self.name = processes.own_name()
        self._runners = runners
        self._drain = drain
        self._once = once
        self._lease = lease
        self._beat = (HEARTBEAT / LEASE) * lease.total_seconds()
        self._held: dict[int, Job] = {}
        #: Of each request, the attempts in this process that an error of the database ended.
        self._database_errors: Counter[int] = Counter()
        self._threads = [
            threading.Thread(target=self._work, name=f"work-{number}", daemon=True)
            for number in range(1, 2 if once else concurrency + 1)
        ]
        self._caretaker = threading.Thread(target=self._take_care, name="heartbeat", daemon=True)
        self._listener = WakeListener(self.wake)
        self._helpers = [self._caretaker] if drain or once else [self._caretaker, self._listener]
        self._stopping = False
        #: Set after the first rescue: jobs with expired leases can be claimed.
        self._ready = threading.Event()
        #: Set when shutdown is complete.
        self._ended = threading.Event()
        self._woken = threading.Condition()
        self._wakes = 0

    # --- The life of the process --------------------------------------------------------------

    def start(self) -> None:
        logger.info("worker started name=%s threads=%d", self.name, len(self._threads))
        for thread in [*self._helpers, *self._threads]:
            thread.start()

    @property
    def is_working(self) -> bool:
        """Whether it still runs: while draining, any of its threads; otherwise all of them."""
        every = any if self._drain or self._once else all
        helped = all(thread.is_alive() for thread in self._helpers)
        return helped and every(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Claim no more jobs; release each at its next safe point, or hand it over."""
        logger.info("worker stopping name=%s jobs=%d", self.name, len(self._held))
        self._stopping = True
        self._listener.stop()
        with self._woken:
            self._woken.notify_all()
        deadline = time.monotonic() + SHUTDOWN
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._ended.set()
        self._caretaker.join(1.0)
        try:
            for job in list(self._held.values()):
                self._hand_over(job.request)
            processes.gone(processes.WORKER)
        except Error as error:
            logger.warning("database lost step=stop error=%s", error)
        logger.info("worker stopped name=%s", self.name)

    def _hand_over(self, request: SyncRequest) -> None:
        try:
            queue.hand_over(request)
        except LeaseLost as lost:
            logger.warning("lease lost %s", lost)
        else:
            logger.warning("job handed over request=%d attempt=%d", request.pk, request.attempt)

    def wake(self) -> None:
        """Wake one idle thread, which wakes the next after a claim, as more jobs may be ready."""
        with self._woken:
            self._wakes += 1
            self._woken.notify()

    # --- Threads ------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._ready.wait()
            while not self._stopping:
                wakes = self._wakes
                worked = self._persist(self.run_one, "claim")
                if self._once or (self._drain and not worked):
                    return
                if not worked:
                    self._rest(wakes)
        finally:
            connection.close()

    def _rest(self, wakes: int) -> None:
        """Wait for a wake-up. They are counted, so that one since the claim is not missed."""
        pause = POLL * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing
        with self._woken:
            self._woken.wait_for(lambda: self._stopping or self._wakes != wakes, pause)

    def _take_care(self) -> None:
        try:
            self._persist(lift_operator_block, "start")
            self._persist(reconnect_returned, "start")
            self._persist(queue.unpark, "start")
            self._persist(self._look_after, "rescue")
            self._ready.set()
            while not self._ended.wait(self._beat):
                self._persist(self._look_after, "heartbeat")
        finally:
            self._ready.set()
            connection.close()

    def _look_after(self) -> None:
        """Extend the leases of this worker, then rescue jobs with expired leases.

        The lease of a stuck job is not extended, and its worker does not report itself alive.
        """
        jobs = list(self._held.values())
        stuck = [job for job in jobs if job.seconds_since_safe_point > STUCK_AFTER]
        queue.heartbeat([job.request for job in jobs if job not in stuck], lease=self._lease)
        rescued = queue.rescue()
        if rescued:
            logger.warning("jobs rescued %s", dict(rescued))
        if not stuck:
            processes.seen(processes.WORKER)
        for job in stuck:
            logger.error("job stuck request=%d seconds=%d", job.request.pk, STUCK_AFTER)

    def _persist[T](self, step: Callable[[], T], what: str) -> T | None:
        """Run ``step``, with growing pauses while the database is away; None during shutdown."""
        pause = FIRST_PAUSE
        while not self._ended.is_set():
            try:
                result = step()
            except Error as error:
                if not is_passing(error):
                    raise
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
        """Claim a job and run it; False if none is ready."""
        request = queue.claim(worker=self.name, lease=self._lease)
        if request is None:
            return False
        logger.info(
            "job claimed request=%d user=%d trigger=%s attempt=%d",
            request.pk,
            request.user_id,
            request.trigger,
            request.attempt,
        )
        self._held[request.pk] = job = Job(request, lambda: self._stopping)
        self.wake()
        try:
            self._run_held(request, job)
        finally:
            self._held.pop(request.pk, None)
        return True

    def _run_held(self, request: SyncRequest, job: Job) -> None:
        try:
            self._runners[request.kind](job)
        except LeaseLost as lost:
            logger.warning("lease lost %s", lost)
        except Exception as error:  # noqa: BLE001 - an error of one job must not stop the worker
            why = error
            self._persist(lambda: self._end(request, why, job.calls), "end")
        else:
            self._database_errors.pop(request.pk, None)
            logger.info("job done request=%d calls=%d", request.pk, job.calls)
        finally:
            job.close()

    def _end(self, request: SyncRequest, why: Exception, calls: int) -> None:
        """Store the consequence of ``why``, if the attempt still holds the job."""
        try:
            match why:
                case Cancelled():
                    queue.cancelled(request, api_requests=calls)
                    logger.info("job cancelled request=%d", request.pk)
                case Released():
                    queue.release(request, api_requests=calls)
                    logger.info("job released request=%d", request.pk)
                case _ if is_passing(why) and self._database_errors[request.pk] < DATABASE_ERRORS:
                    self._database_errors[request.pk] += 1
                    queue.release(request, api_requests=calls)
                    logger.warning("job released request=%d error=%s", request.pk, why)
                case _:
                    self._database_errors.pop(request.pk, None)
                    self._end_in_error(request, why, calls)
        except LeaseLost as lost:
            logger.warning("lease lost %s", lost)

    def _end_in_error(self, request: SyncRequest, error: Exception, calls: int) -> None:
        jitter = random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
        decision = backoff.decide(error, request.failures, jitter=jitter)
        end: dict[str, Any] = {
            "code": decision.code,
            "message": decision.message,
            "api_requests": calls,
        }
        # Both at once: if the connection is lost in between, the job must not stay held.
        with transaction.atomic():
            match decision:
                case Retry():
                    queue.retry(request, wait=decision.wait, **end)
                case Snooze():
                    queue.snooze(request, until=decision.until, **end)
                case Bury():
                    queue.bury(request, **end)
            if isinstance(error, AccessRefused):
                mark_refused(request.user, error.reason)
        if isinstance(decision, Snooze):
            logger.info(
                "job snoozed request=%d until=%s error=%s", request.pk, decision.until, error
            )
            return
        is_bug = decision.code == backoff.INTERNAL
        is_alarming = is_bug or (isinstance(decision, Bury) and decision.alert)
        logger.log(
            logging.ERROR if is_alarming else logging.WARNING,
            "job failed request=%d attempt=%d decision=%r error=%s",
            request.pk,
            request.attempt,
            decision,
            error,
            exc_info=error if is_bug else None,
        )
