"""Asks Spotify as nobody, outside the quota: whether it answers, and whether it knows an app."""

from datetime import datetime
from email.utils import parsedate_to_datetime

import requests
from django.conf import settings

from syncify.spotify.credentials import Credentials
from syncify.spotify.deadline import DeadlineSession

TIMEOUT = (5.0, 10.0)


class NoAnswer(Exception):
    """``str`` describes the failure."""


def spotify_clock() -> datetime:
    """Spotify's clock, from any response of its API. Raises NoAnswer."""
    try:
        with DeadlineSession() as session:
            answer = session.get(settings.SPOTIFY_API_URL, timeout=TIMEOUT)
        return parsedate_to_datetime(answer.headers["Date"])
    except (requests.RequestException, KeyError, ValueError) as error:
        raise NoAnswer(type(error).__name__) from error


def credentials_problem(app: Credentials) -> str:
    """Spotify's word for what is wrong with Client ID and secret; "" if nothing is.

    Raises NoAnswer.
    """
    try:
        with DeadlineSession() as session:
            answer = session.post(
                f"{settings.SPOTIFY_ACCOUNTS_URL}/api/token",
                data={"grant_type": "client_credentials"},
                auth=(app.client_id, app.secret),
                timeout=TIMEOUT,
            )
        problem = "" if answer.ok else answer.json()["error"]
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        raise NoAnswer(type(error).__name__) from error
    return str(problem)
