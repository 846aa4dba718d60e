"""Django's sessions in the database, but for keys that Django cannot have made."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore


class SessionStore(DatabaseStore):
    def _validate_session_key(self, key: str | None) -> bool:
        # A cookie may hold anything; PostgreSQL, asked for a NUL, raises.
        return bool(key and len(key) >= 8 and key.isascii() and key.isalnum())
