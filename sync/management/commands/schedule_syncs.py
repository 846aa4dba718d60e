"""schedule_syncs: queues the syncs that are due, once as cron wants it, or for ever."""

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.spotify_apps import first_app
from sync.operations.chores import CHORES
from sync.queue import processes, scheduler
from syncify.text import counted


class Command(BaseCommand):
    help = "Queue the syncs that are due, and clear away what is old. Safe to run twice at once."

    _is_told_to_stop = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="again every minute, until stopped")

    def handle(self, *, loop: bool, **_: Any) -> None:
        if loop:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
            scheduler.keep_scheduling(lambda: self._is_told_to_stop, *CHORES)
            return
        if first_app() is None:
            raise CommandError("There is no Spotify app yet: open Syncify's page and enter one.")
        scheduled = scheduler.take_turn(
            *CHORES, name="cron", alive_for=processes.ALIVE_BETWEEN_RUNS
        )
        self.stdout.write(f"Queued {counted(scheduled.queued, 'sync')}.")
        if scheduled.waiting:
            waiting = counted(scheduled.waiting, "sync")
            self.stdout.write(f"{waiting} due: no room in Spotify's budget yet.")

    def _on_signal(self, *_: object) -> None:
        # Anything more could wait for a lock that the interrupted code holds.
        self._is_told_to_stop = True
