"""How often one address, or one listener, may ask for something: leaky buckets in the database."""

import math
from collections.abc import Callable, Mapping
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

#: A full bucket is empty after this long, in even steps.
PERIOD = timedelta(hours=1)

# A bucket that would spill over stays as it is, so whoever keeps asking is let in now and then.
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
    what: str, *, per_address: int, per_listener: int | None = None
) -> Callable[[View], View]:
    """Answers 429 to whoever asks for ``what`` more often than so many times an hour.

    Views that share ``what`` share its buckets. An hour's worth may come all at once.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def limited_view(request: Request, *args: object, **kwargs: object) -> HttpResponse:
            buckets = {f"{what} address {household_of(address_of(request))}": per_address}
            if per_listener and request.user.is_authenticated:
                buckets[f"{what} listener {request.user.pk}"] = per_listener
            if wait := fill(buckets):
                log_refusal(request, f"limit:{what}")
                return _too_often(request, wait)
            return view(request, *args, **kwargs)

        return limited_view

    return decorate


def fill(buckets: Mapping[str, int]) -> timedelta | None:
    """Count one more in each bucket; how long to wait if one is full, else None.

    A bucket has a name and the number of times that fill it. One statement, so it holds for any
    number of processes.
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
    # Of a bucket that somebody else filled meanwhile, the statement saw only what it held before.
    return None if seconds is None else timedelta(seconds=max(1, math.ceil(seconds)))


def prune() -> None:
    """Forget the buckets that are empty."""
    RateLimit.objects.filter(empty_at__lt=Now()).delete()


def _too_often(request: Request, wait: timedelta) -> HttpResponse:
    seconds = int(wait.total_seconds())
    soon = "a second" if seconds == 1 else f"{seconds} seconds"
    message = f"That was asked for very often in a short time. Please try again in {soon}."
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
