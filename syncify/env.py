"""Typed readers of environment variables; each may also come from the file that NAME_FILE names.

A value that cannot be used raises ImproperlyConfigured with one line that names the setting. After
``collect_problems()`` that line is kept in ``PROBLEMS`` instead, and the default is returned, so
that ``manage.py doctor`` can look at the rest.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from syncify.addresses import BadAddress, parse_address
from syncify.database_url import BadDatabaseUrl, parse_database_url
from syncify.spotify_apps import CLIENT_ID, BadApps, ListedApp, parse_apps

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»"}
#: Byte order marks and blanks of no width, which come along when a value is pasted.
_UNSEEN = "\ufeff\u200b\u200c\u200d\u2060"
_BOMS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_PROFILE = re.compile(
    r"(?:https?://)?(?:open|play)\.spotify\.com/(?:intl-[\w-]+/)?user/([^/?#\s]+)(?:[/?#]\S*)?"
    r"|spotify:user:([^:\s]+)",
    re.IGNORECASE,
)
_DASHBOARD = re.compile(r"https://developer\.spotify\.com/dashboard/(?:applications/)?(\w+)\S*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", re.IGNORECASE)

#: The names of all settings that were read.
SETTINGS_READ: set[str] = set()
#: What was wrong since ``collect_problems``, a line each.
PROBLEMS: list[str] = []
_collecting = False


def collect_problems() -> None:
    """From now on, keep problems in ``PROBLEMS`` instead of raising them."""
    global _collecting  # noqa: PLW0603 - settings are read once for each process, by import
    _collecting = True


def or_default[T](read: Callable[[], T], default: T) -> T:
    """What ``read`` returns; with ``collect_problems``, ``default`` if the settings forbid it."""
    try:
        return read()
    except ImproperlyConfigured as problem:
        if not _collecting:
            raise
        PROBLEMS.append(str(problem))
        return default


# --- Text -------------------------------------------------------------------------------------


def env_str(name: str, default: str | None = None, *, is_verbatim: bool = False) -> str:
    """The value of ``name``, or of the file that ``name``_FILE names; blank counts as unset.

    Quotes around the whole value are taken away, unless it ``is_verbatim``, as a password is.

    Raises ImproperlyConfigured when it is unset and has no default, when both forms are set, and
    when the file cannot be read or holds nothing.
    """
    return or_default(lambda: _text(name, default, is_verbatim=is_verbatim), default or "")


def _text(name: str, default: str | None, *, is_verbatim: bool = False) -> str:
    SETTINGS_READ.add(name)
    value = _trimmed(os.environ.get(name, ""), is_verbatim=is_verbatim)
    path = _trimmed(os.environ.get(f"{name}_FILE", ""))
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if path:
        value = _trimmed(read_text(Path(path), setting=f"{name}_FILE"), is_verbatim=is_verbatim)
        if not value:
            raise ImproperlyConfigured(f"{name}_FILE: {path} is empty. Fill it, or unset it.")
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set. docs/configuration.md says what it is for.")
    return default


def read_text(path: Path, *, setting: str) -> str:
    """A file that people or their editors wrote: UTF-8, or UTF-16, with or without its mark.

    Raises ImproperlyConfigured, which begins with ``setting``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImproperlyConfigured(f"{setting}: cannot read {path}: {error.strerror}.") from error
    try:
        text = _decoded(data)
    except UnicodeDecodeError as error:
        raise ImproperlyConfigured(f"{setting}: {path} is not text in UTF-8.") from error
    if "\0" in text:
        raise ImproperlyConfigured(f"{setting}: {path} is not text in UTF-8.")
    return text


def _decoded(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.removeprefix(mark).decode(encoding)
    # In UTF-16 every other byte of plain text is 0.
    if data and len(data) % 2 == 0:
        if not any(data[1::2]):
            return data.decode("utf-16-le")
        if not any(data[::2]):
            return data.decode("utf-16-be")
    return data.decode("utf-8")


def _trimmed(text: str, *, is_verbatim: bool = False) -> str:
    text = text.strip().strip(_UNSEEN).strip()
    if is_verbatim or len(text) < 2 or _QUOTES.get(text[0]) != text[-1]:
        return text
    within = text[1:-1]
    # "ada", "bea" begins and ends with a quote, but is not in quotes.
    return text if text[0] in within else within.strip().strip(_UNSEEN).strip()


def env_word(name: str, default: str = "") -> str:
    """Visible ASCII without blanks, such as a token; its value is in no message."""

    def read() -> str:
        value = _text(name, default)
        if value and not re.fullmatch(r"[\x21-\x7e]+", value):
            raise ImproperlyConfigured(
                f"{name} must be one word of letters, digits and signs, without blanks."
            )
        return value

    return or_default(read, default)


def env_client_id(name: str, former_name: str) -> str:
    """The id of an app at Spotify, also from the address of its page there; "" if unset."""

    def read() -> str:
        value = _text(name, "") or _text(former_name, "")
        if found := _DASHBOARD.fullmatch(value):
            value = found[1]
        if value and not CLIENT_ID.fullmatch(value):
            raise ImproperlyConfigured(
                f"{name} must be the Client ID of your app, 32 letters and digits, not {value!r}."
            )
        return value

    return or_default(read, "")


def env_apps(name: str) -> list[ListedApp]:
    """Further apps at Spotify, as a JSON list; its values are in no message."""

    def read() -> list[ListedApp]:
        try:
            return parse_apps(_text(name, "", is_verbatim=True))
        except BadApps as error:
            said = f"{name}_FILE" if os.environ.get(f"{name}_FILE") else name
            raise ImproperlyConfigured(f"{said} {error}") from error

    return or_default(read, [])


# --- Numbers and choices ----------------------------------------------------------------------


def env_bool(name: str, *, default: bool) -> bool:
    def read() -> bool:
        value = _text(name, "yes" if default else "no").lower()
        if value not in _TRUE | _FALSE:
            raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")
        return value in _TRUE

    return or_default(read, default)


def env_int(name: str, *, default: int, least: int = 0, most: int = 2**31 - 1) -> int:
    def read() -> int:
        value = _text(name, str(default))
        # Very long numbers are refused before int() sees them.
        is_number = value.isascii() and value.isdigit() and len(value) <= 10
        if not is_number or not least <= int(value) <= most:
            raise ImproperlyConfigured(
                f"{name} must be a whole number from {least} to {most}, not {value[:50]!r}."
            )
        return int(value)

    return or_default(read, default)


def env_choice(name: str, choices: Iterable[str], *, default: str) -> str:
    allowed = list(choices)

    def read() -> str:
        value = _text(name, default)
        # "info" for INFO has one meaning.
        for choice in allowed:
            if choice.lower() == value.lower():
                return choice
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")

    return or_default(read, default)


# --- Lists ------------------------------------------------------------------------------------


def env_list(name: str) -> list[str]:
    """A list whose entries stand apart by commas, semicolons or white space."""
    entries = re.split(r"[\s,;]+", env_str(name, ""))
    return [trimmed for entry in entries if (trimmed := _trimmed(entry))]


def env_urls(name: str) -> list[str]:
    """Addresses apart by white space or commas; a comma inside an address stays there."""
    parts = re.split(r"\s+|,\s*(?=[\w.+-]+://)", env_str(name, ""))
    return [address for part in parts if (address := _trimmed(part.strip(",")))]


def env_spotify_ids(name: str) -> list[str]:
    """Ids of Spotify accounts, each also as the link to a profile or as its uri."""

    def read() -> list[str]:
        return [_spotify_id(name, entry) for entry in env_list(name)]

    return or_default(read, [])


def _spotify_id(name: str, entry: str) -> str:
    if found := _PROFILE.fullmatch(entry):
        return unquote(found[1] or found[2])
    if "/" in entry or ":" in entry or _EMAIL.fullmatch(entry):
        raise ImproperlyConfigured(
            f"{name} must hold Spotify ids or links to profiles, such as "
            f"https://open.spotify.com/user/ada, not {entry!r}."
        )
    return entry


def env_networks(name: str, *, default: str) -> list[IPv4Network | IPv6Network]:
    """A list of addresses and networks, such as ``10.0.0.2, 172.16.0.0/12``."""

    def read() -> list[IPv4Network | IPv6Network]:
        return [_network(name, entry) for entry in env_list(name) or default.split()]

    return or_default(read, [ip_network(entry) for entry in default.split()])


def _network(name: str, entry: str) -> IPv4Network | IPv6Network:
    try:
        # An address of the network with its length, 192.168.1.5/24, means the network.
        return ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must hold addresses or networks such as 172.16.0.0/12, not {entry!r}."
        ) from error


# --- Addresses --------------------------------------------------------------------------------


def env_url(name: str, *, default: str, secure: bool = False, has_path: bool = True) -> str:
    """An http or https address in the form that browsers send, without a slash at its end.

    With ``secure``, plain http is taken for a loopback host only.
    """

    def read() -> str:
        value = _text(name, default)
        try:
            address = parse_address(value)
        except BadAddress as error:
            raise ImproperlyConfigured(f"{name} {error}; not {_without_user(value)!r}.") from error
        if address.path and not has_path:
            raise ImproperlyConfigured(
                f"{name} must be {address.origin} alone: Syncify cannot live under a path such as "
                f"{address.path!r}."
            )
        if secure and address.scheme == "http" and address.host not in _LOOPBACK:
            raise ImproperlyConfigured(f"{name} must be https, or on this machine; not {value!r}.")
        return str(address)

    return or_default(read, default)


def _without_user(address: str) -> str:
    """A password in an address is in no message."""
    return re.sub(r"//[^/]*@", "//…@", address)


def env_database_url(name: str) -> dict[str, str] | None:
    """libpq's parameters by their names; None where it is unset. Its value is in no message."""
    value = _text(name, "")
    if not value:
        return None
    try:
        return parse_database_url(value)
    except BadDatabaseUrl as error:
        raise ImproperlyConfigured(f"{name} {error}") from error
