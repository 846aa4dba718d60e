"""operator_code: makes a code that makes one listener an operator."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.operators import make_code


class Command(BaseCommand):
    help = "Print a new operator code. It works once; earlier codes stop working."

    def handle(self, **_: Any) -> None:
        if settings.OPERATORS:
            raise CommandError("SYNCIFY_OPERATORS is set: it alone names the operators.")
        self.stdout.write(
            f"{make_code()}\nSign in, then enter it at {settings.BASE_URL}/operator/code/"
        )
