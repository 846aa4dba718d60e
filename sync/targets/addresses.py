"""The addresses that Syncify may connect to; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self, cast
from urllib.parse import urlsplit

from sync.targets.protocol import AddressRefused

PORTS = {"http": 80, "https": 443}

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

#: Metadata services of clouds outside the link-local range.
_METADATA = {
    ip_address(each)
    for each in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
}
#: IPv6 networks whose addresses contain the reached IPv4 address, and its position.
_NAT64 = cast("IPv6Network", ip_network("64:ff9b::/96"))
_COMPATIBLE = cast("IPv6Network", ip_network("::/96"))


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of an address, as browsers compare them."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises AddressRefused for anything but a plain http or https address."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            # The form that certificates and resolvers use.
            host = host if ":" in host else host.encode("idna").decode("ascii")
        except ValueError as error:
            raise AddressRefused("This is not a valid address.") from error
        if parts.scheme not in PORTS or not host:
            raise AddressRefused("The address must begin with http:// or https://.")
        if parts.username is not None or parts.query or parts.fragment:
            raise AddressRefused("The address must have no name, no password, no ? and no #.")
        if not url.isprintable() or " " in url:
            raise AddressRefused("This is not a valid address.")
        return cls(parts.scheme, host.lower().rstrip("."), port or PORTS[parts.scheme])


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that the operator allows besides public ones."""

    #: Private networks that may be reached.
    networks: tuple[Network, ...] = ()
    #: Names of hosts that may have a private address.
    names: frozenset[str] = frozenset()
    #: Services that the operator named in a setting, at any address.
    origins: frozenset[Origin] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str], origins: Iterable[str] = ()) -> Self:
        """``entries`` are addresses, networks and names of hosts."""
        networks, names = [], set()
        for entry in entries:
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                names.add(entry.lower().rstrip("."))
        return cls(tuple(networks), frozenset(names), frozenset(map(Origin.of, origins)))

    def judge(self, origin: Origin, address: Address) -> None:
        """Raises AddressRefused unless ``address``, to which ``origin`` leads, may be reached."""
        if origin in self.origins:
            return
        real = _reached(address)
        if _is_forbidden(real):
            raise AddressRefused("Syncify does not connect to this address.")
        if real.is_global or origin.host in self.names:
            return
        if not any(real.version == each.version and real in each for each in self.networks):
            raise AddressRefused(
                "This is an address in a private network. The operator of this Syncify can allow "
                "it with the setting SYNCIFY_TARGET_HOSTS."
            )


def _reached(address: Address) -> Address:
    """The IPv4 address that an IPv6 address contains, if any."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address.teredo:
            return address.teredo[1]
        if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_forbidden(address: Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
        or (isinstance(address, IPv6Address) and address.is_site_local)
        or (isinstance(address, IPv4Address) and int(address) >> 24 == 0)
        or address in _METADATA
    )
