"""simulator: the stand-in Spotify by itself."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from syncify.simulator import server


class Command(BaseCommand):
    help = "Serve a simulated Spotify on this machine, with trouble on request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        server.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        server.run_from_options(options)
