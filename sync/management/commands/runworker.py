"""runworker: runs the jobs of the queue until a signal stops it."""

import signal
import threading
import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.spotify_apps import first_app
from sync.library.genres import run_genres
from sync.library.listens import run_listens
from sync.library.uploads import run_import
from sync.mirrors.engine import run_sync
from sync.models import SyncRequest
from sync.operations.chores import CHORES
from sync.queue import processes, scheduler
from sync.queue.first_run import await_app
from sync.queue.store import LEASE
from sync.queue.worker import Worker
from sync.targets.listenbrainz.sync import run_listenbrainz
from sync.targets.subsonic.sync import run_subsonic

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Command(BaseCommand):
    help = "Run the syncs in the queue. A signal stops it cleanly, a second one at once."

    _is_told_to_stop = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2, help="syncs at a time (2)")
        until = parser.add_mutually_exclusive_group()
        until.add_argument("--drain", action="store_true", help="end when nothing is ready")
        until.add_argument("--once", action="store_true", help="end after one sync, or none")
        parser.add_argument(
            "--with-scheduler", action="store_true", help="be the scheduler as well"
        )
        parser.add_argument(
            "--lease",
            type=float,
            default=LEASE.total_seconds(),
            help="seconds after which a worker that died loses its syncs (60); shorter in tests",
        )

    def handle(
        self,
        *,
        concurrency: int,
        drain: bool,
        once: bool,
        with_scheduler: bool,
        lease: float,
        **_: Any,
    ) -> None:
        if concurrency < 1 or lease <= 0:
            raise CommandError("--concurrency and --lease must be more than 0.")
        if (drain or once) and first_app() is None:
            raise CommandError("There is no Spotify app yet: open Syncify's page and enter one.")
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        worker = Worker(
            runners={
                SyncRequest.Kind.SPOTIFY: run_sync,
                SyncRequest.Kind.GENRES: run_genres,
                SyncRequest.Kind.IMPORT: run_import,
                SyncRequest.Kind.LISTENS: run_listens,
                SyncRequest.Kind.SUBSONIC: run_subsonic,
                SyncRequest.Kind.LISTENBRAINZ: run_listenbrainz,
            },
            concurrency=concurrency,
            drain=drain,
            once=once,
            lease=timedelta(seconds=lease),
        )
        scheduling = threading.Thread(
            target=scheduler.keep_scheduling,
            args=[lambda: self._is_told_to_stop, *CHORES],
            daemon=True,
        )
        if with_scheduler:
            scheduling.start()
        await_app(lambda: self._is_told_to_stop, processes.WORKER)
        worker.start()
        while (
            worker.is_working
            and (scheduling.is_alive() or not with_scheduler)
            and not self._is_told_to_stop
        ):
            time.sleep(0.5)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        worker.stop()
        if with_scheduler:
            scheduling.join(1.0)
        if not (self._is_told_to_stop or drain or once):
            raise CommandError("A thread of the worker has ended; the log has its error.")

    def _on_signal(self, *_: object) -> None:
        # Anything more could wait for a lock that the interrupted code holds.
        self._is_told_to_stop = True
