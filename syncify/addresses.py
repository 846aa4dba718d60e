"""Web addresses in the one form in which browsers send them; pure."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class BadAddress(ValueError):
    """``str`` continues a sentence that begins with the name of a setting."""


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https address whose parts are as a browser writes them."""

    scheme: str
    #: Without the brackets of an IPv6 address.
    host: str
    #: None: the scheme's own.
    port: int | None
    #: "" or begins with "/".
    path: str

    @property
    def origin(self) -> str:
        """As in the header ``Origin``."""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{self.host_header}{port}"

    @property
    def host_header(self) -> str:
        """The host as in the header ``Host``, without a port; IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def parse_address(text: str) -> Address:
    """``text`` with capitals, default ports, and other names of the same host taken away.

    Raises BadAddress for whatever a browser could not open, and for user names, queries and
    fragments.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"has a host or port that cannot be read ({error})") from error
    if parts.scheme not in _DEFAULT_PORTS or not text.lower().startswith(f"{parts.scheme}://"):
        raise BadAddress("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise BadAddress("must hold no user name or password")
    if "?" in text or "#" in text:
        raise BadAddress("must hold no ? and no #")
    if port == 0:
        raise BadAddress("has port 0, which cannot be opened")
    if re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise BadAddress("must hold no blanks and no backslashes")
    return Address(
        parts.scheme,
        _host(parts),
        None if port == _DEFAULT_PORTS[parts.scheme] else port,
        parts.path.rstrip("/"),
    )


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").removesuffix(".")
    if not host:
        raise BadAddress("has no host")
    if ":" in host:
        if "%" in host:
            raise BadAddress("names a network card (%), which browsers do not take")
        try:
            address = IPv6Address(host)
        except AddressValueError as error:
            raise BadAddress("has a host that is no IPv6 address") from error
        if address.ipv4_mapped:  # Python writes the last part with dots, browsers do not
            high, low = divmod(int(address.ipv4_mapped), 0x10000)
            return f"::ffff:{high:x}:{low:x}"
        return str(address)
    if not host.isascii():
        host = _punycode(host)
    labels = host.split(".")
    # Browsers take a name for an IPv4 address by its last part.
    if re.fullmatch(r"\d+|0x[\da-f]*", labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError as error:
            raise BadAddress("has a host that is no IPv4 address, such as 192.168.1.5") from error
    if not all(_LABEL.fullmatch(label) and len(label) <= 63 for label in labels):
        raise BadAddress("has a host that is no name: letters, digits, hyphens and dots")
    return host


def _punycode(host: str) -> str:
    import idna  # noqa: PLC0415 - most names are ASCII

    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise BadAddress(f"has a host that is no name ({error})") from error
