"""Pages for machines: the health check and the metrics."""

from django.conf import settings
from django.db import Error, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from syncify import __version__
from syncify.http import SEEN_SCHEME
from syncify.schema import NotMigrated, check_migrated


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 when the database takes changes and has our tables, else 503; in one line, why."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')")
            (is_read_only,) = cursor.fetchone()
        if is_read_only == "on":
            return _plain("database takes no changes", status=503)
        check_migrated()
    except Error:
        return _plain("database does not answer", status=503)
    except NotMigrated as error:
        return _plain(str(error), status=503)
    response = _plain("ok")
    response[SEEN_SCHEME] = request.scheme or ""
    response["Syncify-Version"] = __version__
    return response


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics for Prometheus, behind the token; without a configured token, 404."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "")
    if not constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}"):
        response = _plain("Send SYNCIFY_METRICS_TOKEN as a bearer token.", status=401)
        response["WWW-Authenticate"] = "Bearer"
        return response
    from sync.operations.metrics import exposition  # noqa: PLC0415 - 8 MB, for those who are asked

    return HttpResponse(*exposition(request.headers.get("Accept", "")))


def _plain(line: str, *, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{line}\n", "text/plain", status=status)
