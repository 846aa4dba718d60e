"""import_syncify2: takes over the listeners of Syncify 2, their history and their playlists."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.spotify_apps import first_app
from sync.operations import syncify2
from syncify.text import counted


class Command(BaseCommand):
    help = (
        "Take over the listeners of Syncify 2 and their finished syncs. The first sync of each "
        "adopts the playlists they have. Running it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="DATABASE_URL", help="the database of Syncify 2")
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")

    def handle(self, *, url: str, dry_run: bool, **_: Any) -> None:
        app = first_app()
        if app is None or not app.credentials.secret:
            raise CommandError(
                "SPOTIFY_CLIENT_SECRET is not set. Spotify takes the tokens of Syncify 2 only from "
                "the app that they were made for: set its Client ID and its secret."
            )
        try:
            report = syncify2.import_database(url, dry_run=dry_run)
        except syncify2.NotSyncify2 as error:
            raise CommandError(str(error)) from error
        for row in report.skipped:
            self.stdout.write(f"Left out: {row}.")
        if report.unfinished:
            self.stdout.write(f"Left out: {counted(report.unfinished, 'unfinished sync')}.")
        if report.already_here:
            self.stdout.write(
                f"Already here, and as before: {counted(report.already_here, 'listener')}."
            )
        listeners = counted(report.listeners, "listener")
        syncs = counted(report.syncs, "finished sync")
        came = "Would come over" if dry_run else "Came over"
        self.stdout.write(f"{came}: {listeners} with {syncs}.")
        if dry_run:
            self.stdout.write("Nothing was changed.")
