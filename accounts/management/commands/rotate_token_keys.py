"""rotate_token_keys: encrypts all stored tokens with the newest key."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.token_keys import rotate_secrets, rotate_token_keys


class Command(BaseCommand):
    help = "Encrypt all stored secrets with the first of SYNCIFY_TOKEN_KEYS. Safe to run twice."

    def handle(self, **_: Any) -> None:
        rewritten, unreadable = rotate_token_keys()
        self.stdout.write(f"Listeners whose tokens are encrypted with the newest key: {rewritten}.")
        if unreadable:
            self.stdout.write(
                f"Listeners whose tokens no key decrypts: {unreadable}. They have to sign in "
                "again, unless you find the key and put it into SYNCIFY_TOKEN_KEYS."
            )
        rewritten, unreadable = rotate_secrets()
        if rewritten or unreadable:
            self.stdout.write(f"The same for passwords of other services: {rewritten}.")
        if unreadable:
            self.stdout.write(f"Passwords of other services that no key decrypts: {unreadable}.")
