"""What our log lines may hold: a filter that keeps tokens out of them, whoever writes them."""

import logging
import re

# A "code" only as in a query or a mapping: our own lines say code=invalid_grant.
_SECRET = re.compile(
    r"(?i)(\b(?:bearer|basic)\s+|"
    r"(?:\b(?:access_token|refresh_token|client_secret|code_verifier)|(?:^|[?&\"'])code)"
    r"[\"']?\s*[=:]\s*[\"']?)[\w\-.~+/=]{6,}"
)


class HideSecrets(logging.Filter):
    """Replaces what looks like a credential, in the message and in a traceback's last line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (hidden := hide_secrets(message)) != message:
            record.msg, record.args = hidden, None
        if record.exc_info:
            record.exc_text = hide_secrets(logging.Formatter().formatException(record.exc_info))
        return True


def hide_secrets(text: str) -> str:
    return _SECRET.sub(r"\1…", text)
