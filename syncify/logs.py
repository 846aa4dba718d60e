"""What our log lines may hold: no token and no line that somebody else made up."""

import logging
import re

from syncify.text import escaped

# A "code" only as in a query or a mapping: our own lines say code=invalid_grant.
_SECRET = re.compile(
    r"(?i)(\b(?:bearer|basic)\s+|"
    r"(?:\b(?:access_token|refresh_token|client_secret|code_verifier)|(?:^|[?&\"'])code)"
    r"[\"']?\s*[=:]\s*[\"']?)[\w\-.~+/=]{6,}"
)


class HideSecrets(logging.Filter):
    """Replaces what looks like a credential, in the message and in a traceback's last line.

    A message stays on one line, and a traceback is indented: nobody's text passes for a line of
    ours.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (safe := escaped(hide_secrets(message))) != message:
            record.msg, record.args = safe, None
        if record.exc_info:
            trace = hide_secrets(logging.Formatter().formatException(record.exc_info))
            record.exc_text = "\n".join(f"  {escaped(line)}" for line in trace.splitlines())
        return True


def hide_secrets(text: str) -> str:
    return _SECRET.sub(r"\1…", text)
