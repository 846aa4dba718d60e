"""The HTTP session below spotipy, which checks every response."""

from typing import Any

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from syncify.spotify.answers import NotOk, Trouble, meaning
from syncify.spotify.deadline import DeadlineSession


class Session(DeadlineSession):
    """Checks every response before spotipy sees it.

    spotipy would fail on plain errors, log addresses, and take a body that is not JSON, or a
    request that could not be sent, for an empty answer. A plain session also never repeats.
    """

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            answer = super().request(*args, **kwargs)
        except requests.RequestException as error:
            raise NotOk(Trouble(sent=_was_sent(error))) from error
        if not 200 <= answer.status_code < 300:
            raise NotOk(meaning(answer.status_code, answer.headers, answer.text))
        if answer.content.lstrip()[:1] not in (b"", b"{", b"["):
            raise NotOk(Trouble(answer.status_code))
        return answer


def _was_sent(error: requests.RequestException) -> bool:
    """False only if no connection came about, so that Spotify cannot have heard of the request."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    cause = error.args[0] if error.args else None
    return not (isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError))
