"""How often an address or a listener may send a request: leaky buckets in the database."""

import math
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import connection
from django.db.models.functions import Now
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.models import RateLimit
from syncify.http import Request
from syncify.visitors import address_of, household_of, log_refusal

type View = Callable[..., HttpResponse]

#: A full bucket becomes empty in this time, in even steps.
PERIOD = timedelta(hours=1)

# A refused request does not fill a bucket, so a client that keeps trying succeeds now and then.
_FILL = """
WITH asked (key, step) AS (
    SELECT key, make_interval(secs => %(period)s / most)
    FROM unnest(%(keys)s::text[], %(most)s::float8[]) AS buckets (key, most)
), filled AS (
    INSERT INTO rate_limits AS held (key, empty_at)
    SELECT key, statement_timestamp() + step FROM asked ORDER BY key
    ON CONFLICT (key) DO UPDATE SET empty_at = greatest(held.empty_at, statement_timestamp())
        + (excluded.empty_at - statement_timestamp())
    WHERE held.empty_at + (excluded.empty_at - statement_timestamp())
        <= statement_timestamp() + make_interval(secs => %(period)s)
    RETURNING key
)
SELECT max(extract(epoch FROM coalesce(
    held.empty_at + step - statement_timestamp() - make_interval(secs => %(period)s), step
)))
FROM asked LEFT JOIN rate_limits AS held USING (key)
WHERE key NOT IN (SELECT key FROM filled)
"""


def limited(
    what: str,
    *,
    per_address: int,
    per_listener: int | None = None,
    methods: Collection[str] = ("GET", "HEAD", "POST"),
) -> Callable[[View], View]:
    """Answer 429 to more than so many requests an hour for ``what``, by one of ``methods``.

    Views with the same ``what`` share its buckets. All requests of an hour may come at once.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def limited_view(request: Request, *args: object, **kwargs: object) -> HttpResponse:
            if request.method not in methods:
                return view(request, *args, **kwargs)
            buckets = {f"{what} address {household_of(address_of(request))}": per_address}
            if per_listener and request.user.is_authenticated:
                buckets[f"{what} listener {request.user.pk}"] = per_listener
            if wait := fill(buckets):
                log_refusal(request, f"limit:{what}")
                return too_often(request, wait)
            return view(request, *args, **kwargs)

        return limited_view

    return decorate


def fill(buckets: Mapping[str, int]) -> timedelta | None:
    """Count one request in each bucket; the wait if one is full (then none counts), else None.

    ``buckets`` maps names to the number of requests that fill them. One statement, so the limits
    hold for any number of processes.
    """
    digests = [salted_hmac("accounts.limits", name, algorithm="sha256") for name in buckets]
    asked: dict[str, Any] = {
        "period": PERIOD.total_seconds(),
        "keys": [digest.hexdigest() for digest in digests],
        "most": [float(most) for most in buckets.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FILL, asked)
        (seconds,) = cursor.fetchone()
    # The statement does not see a concurrent change of a bucket by another process.
    return None if seconds is None else timedelta(seconds=max(1, math.ceil(seconds)))


def prune() -> None:
    """Delete the buckets that are empty."""
    RateLimit.objects.filter(empty_at__lt=Now()).delete()


def _duration(seconds: int) -> str:
    """Rounded up, in seconds below two minutes and in minutes from there on."""
    if seconds == 1:
        return "a second"
    return f"{seconds} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"


def too_often(
    request: Request, wait: timedelta, reason: str = "Too many requests."
) -> HttpResponse:
    """An answer with status 429 that names the wait."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    message = f"{reason} Try again in {_duration(seconds)}."
    if request.htmx:  # app.js shows it beside the page
        response = HttpResponse(message, "text/plain", status=429)
    else:
        context = {
            "title": "One moment, please",
            "message": message,
            "action_label": "Back to the start",
            "action_url": reverse("home"),
        }
        response = render(request, "accounts/problem.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response
