"""doctor: looks at all that an installation needs, and says what to do."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sync.operations.doctor import examine

_SIGNS = {True: "✓", False: "✗", None: "–"}


class Command(BaseCommand):
    help = "Look at all that an installation needs. Exits with 1 if something must be done."
    # What is wrong is for the findings to say.
    requires_system_checks = ()

    def handle(self, **_: Any) -> None:
        crosses = 0
        for finding in examine():
            style = self.style.ERROR if finding.is_well is False else str
            crosses += finding.is_well is False
            self.stdout.write(
                style(f"{_SIGNS[finding.is_well]} {finding.name + ':':<17} {finding.sentence}")
            )
        if crosses:
            raise CommandError(f"Something must be done: see the lines with a {_SIGNS[False]}.")
