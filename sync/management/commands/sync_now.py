"""sync_now: queues a sync from the shell, and follows it to its end."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.access import why_not
from accounts.models import User
from sync.mirrors.services import request_sync
from sync.models import SyncRequest


class Command(BaseCommand):
    help = "Queue a sync for a listener; with --wait, exit 0 only if it succeeds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("spotify_id", metavar="SPOTIFY_ID")
        parser.add_argument("--wait", action="store_true", help="follow it to its end")
        parser.add_argument(
            "--scheduled",
            action="store_true",
            help="by the rules of a scheduled sync: it looks at each playlist once a day, and "
            "leaves the reserve of the day's requests alone",
        )

    def handle(self, *, spotify_id: str, wait: bool, scheduled: bool, **_: Any) -> None:
        user = User.objects.filter(spotify_id=spotify_id).first()
        if not user:
            raise CommandError(
                f"No listener with the Spotify id {spotify_id!r} has signed in here."
            )
        if reason := why_not(user):
            raise CommandError(f"Nothing is synced for {user}. {reason}")
        trigger = SyncRequest.Trigger.SCHEDULED if scheduled else SyncRequest.Trigger.MANUAL
        request = request_sync(user=user, trigger=trigger)
        self.stdout.write(f"Sync {request.pk} of {user} is {request.state}.")
        if wait:
            self._follow(request)

    def _follow(self, request: SyncRequest) -> None:
        said = ""
        while request.is_open:
            if (line := _describe(request)) != said:
                self.stdout.write(line)
                said = line
            time.sleep(0.5)
            try:
                request.refresh_from_db()
            except SyncRequest.DoesNotExist as error:
                raise CommandError("The account was deleted.") from error
        if request.state != SyncRequest.State.SUCCEEDED:
            raise CommandError(f"The sync is {request.state}. {request.error_message}".strip())
        self.stdout.write(
            f"Done: {request.song_count} songs, {request.added} added, {request.removed} removed, "
            f"{request.moved} moved, {request.skipped} skipped, {request.api_requests} requests."
        )


def _describe(request: SyncRequest) -> str:
    if request.state == SyncRequest.State.QUEUED:
        return f"queued for {request.run_at:%Y-%m-%d %H:%M:%SZ}. {request.error_message}".strip()
    return f"{request.stage or 'starting'}: {request.song_count} songs, {request.progress:.0%}"
