"""Typed readers of environment variables; each may also come from the file that NAME_FILE names."""

import os
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def env_str(name: str, default: str | None = None) -> str:
    """The value of ``name``, or of the file that ``name``_FILE names; blank counts as unset.

    Raises ImproperlyConfigured when it is unset and has no default, or when both forms are set.
    """
    value, path = os.environ.get(name, "").strip(), os.environ.get(f"{name}_FILE", "").strip()
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE: cannot read {path}: {error.strerror}."
            ) from error
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set. docs/configuration.md says what it is for.")
    return default


def env_bool(name: str, *, default: bool) -> bool:
    value = env_str(name, "yes" if default else "no").lower()
    if value not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")
    return value in _TRUE


def env_int(name: str, *, default: int, least: int = 0) -> int:
    value = env_str(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least}, not {value!r}.")
    return int(value)


def env_list(name: str) -> list[str]:
    """A list whose entries stand apart by commas or white space."""
    return env_str(name, "").replace(",", " ").split()


def env_networks(name: str, *, default: str) -> list[IPv4Network | IPv6Network]:
    """A list of addresses and networks, such as ``10.0.0.2, 172.16.0.0/12``."""
    networks = []
    for entry in env_str(name, default).replace(",", " ").split():
        try:
            networks.append(ip_network(entry))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} must hold addresses or networks such as 172.16.0.0/12, not {entry!r}."
            ) from error
    return networks


def env_choice(name: str, choices: Iterable[str], *, default: str) -> str:
    value, allowed = env_str(name, default), list(choices)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def env_url(name: str, *, default: str, secure: bool = False) -> str:
    """An http or https address; with ``secure``, plain http is taken for a loopback host only."""
    value = env_str(name, default)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ImproperlyConfigured(f"{name} must be an address such as {default}, not {value!r}.")
    if secure and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ImproperlyConfigured(f"{name} must be https, or on this machine; not {value!r}.")
    return value
