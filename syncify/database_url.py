"""The address of a PostgreSQL, as people write it; pure."""

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

_FORM = "must be like postgresql://user:password@host:5432/name."
_ENCODED = (
    "cannot be read: in its password, write %25 for %, %2F for /, %3F for ?, %23 for #, %40 for @ "
    "and %3A for :, or leave the password to DATABASE_PASSWORD."
)


class BadDatabaseUrl(ValueError):
    """``str`` continues a sentence that begins with the setting's name; it holds no secret."""


def parse_database_url(url: str) -> dict[str, str]:
    """libpq's parameters by their names, several hosts apart by commas.

    Raises BadDatabaseUrl also for what libpq would read as another address than was meant, such as
    a password with a bare ``/``.
    """
    _, is_url, rest = url.partition("://")
    if is_url:
        _check_unambiguous(rest)
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except (ProgrammingError, UnicodeDecodeError) as error:
        raise BadDatabaseUrl(_ENCODED if "@" in rest else _FORM) from error
    for port in parts.get("port", "").split(","):
        if port and not (port.isdigit() and 0 < int(port) < 65536):
            raise BadDatabaseUrl(_ENCODED if "@" in rest else _FORM)
    if not parts.get("port", "").strip(","):  # several hosts, each with the default port
        parts.pop("port", None)
    return parts


def _check_unambiguous(rest: str) -> None:
    authority, _, path = rest.partition("/")
    if authority.count("@") > 1 or "@" in path.partition("?")[0]:
        raise BadDatabaseUrl(_ENCODED)
