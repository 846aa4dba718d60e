"""Django's sessions in the database; keys that Django cannot have made are refused.

Each row has its user, so that all sessions of one listener can be deleted.
"""

from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

if TYPE_CHECKING:
    from accounts.models import ListenerSession


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> "type[ListenerSession]":
        from accounts.models import ListenerSession  # noqa: PLC0415 - after the apps are loaded

        return ListenerSession

    def create_model_instance(self, data: dict[str, Any]) -> "ListenerSession":
        row = cast("ListenerSession", super().create_model_instance(data))
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        return row

    def _validate_session_key(self, key: str | None) -> bool:
        # A cookie may hold anything; PostgreSQL, asked for a NUL, raises.
        return bool(key and len(key) >= 8 and key.isascii() and key.isalnum())
