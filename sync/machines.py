"""What machines ask over HTTP: whether we are well."""

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from syncify.http import SEEN_SCHEME
from syncify.schema import NotMigrated, check_migrated


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and has our tables, else 503; in one line, why."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        check_migrated()
    except Error:
        return _plain("database does not answer", status=503)
    except NotMigrated as error:
        return _plain(str(error), status=503)
    response = _plain("ok")
    response[SEEN_SCHEME] = request.scheme or ""
    return response


def _plain(line: str, *, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{line}\n", "text/plain", status=status)
