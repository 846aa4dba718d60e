"""Whose request it is: the address that limits and the log go by."""

from ipaddress import ip_network

import pytest
from django.core.exceptions import ImproperlyConfigured

from syncify.env import env_networks
from syncify.visitors import client_address, household_of

PROXIES = [ip_network(each) for each in ("127.0.0.1", "::1", "172.16.0.0/12", "2001:db8::/32")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        # Nobody stands between.
        ("198.51.100.7", "", "198.51.100.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        # Who is no proxy of ours may write what they like.
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("198.51.100.7", "127.0.0.1", "198.51.100.7"),
        # A proxy tells of the visitor; what the visitor put before that is hearsay.
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("172.18.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("172.18.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"),
        # Several proxies in a row.
        ("127.0.0.1", "6.6.6.6, 203.0.113.9, 172.18.0.3", "203.0.113.9"),
        ("::1", "203.0.113.9,2001:db8::5,172.18.0.3", "203.0.113.9"),
        # All of them trusted: whoever began.
        ("127.0.0.1", "172.18.0.9, 172.18.0.3", "172.18.0.9"),
        # What is no address says nothing, and hides nothing behind it.
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, ", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, 1.2.3.4:port", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, 1.2.3.4:5:6", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, [1.2.3.4", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, 1.2.3:80", "127.0.0.1"),
        # Some proxies add the port, IPv6 then in brackets, or quotes as in the header Forwarded.
        ("127.0.0.1", "203.0.113.9:5678", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6:1, 203.0.113.9:5678, 172.18.0.3:80", "203.0.113.9"),
        ("127.0.0.1", "[2001:dead::7]", "2001:dead::7"),
        ("127.0.0.1", "[2001:DEAD::7]:443", "2001:dead::7"),
        ("127.0.0.1", "2001:dead::7", "2001:dead::7"),
        ("127.0.0.1", '"[2001:dead::7]:443"', "2001:dead::7"),
        ("127.0.0.1", "[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ("127.0.0.1", "[fe80::1%eth0]:443", "fe80::1"),
        ("[::1]:4000", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9, x\nrefused address=9.9.9.9", "127.0.0.1"),
        # IPv4 in IPv6's clothes; a network card's name may be any text.
        ("::ffff:127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "fe80::1%any text", "fe80::1"),
        # A socket file has no address, and only a proxy calls there.
        ("", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("", "", "unknown"),
    ],
)
def test_the_address_comes_from_those_we_trust_alone(
    peer: str, forwarded: str, address: str
) -> None:
    assert client_address(peer=peer, forwarded=forwarded, trusted=PROXIES) == address


@pytest.mark.parametrize(
    ("address", "household"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("unknown", "unknown"),
    ],
)
def test_who_shares_the_first_half_of_an_ipv6_address_counts_as_one(
    address: str, household: str
) -> None:
    assert household_of(address) == household


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("10.0.0.1", "10.0.0.1/32"),
        ("192.168.1.5/24", "192.168.1.0/24"),
        ("[::1]", "::1/128"),
        ("'172.16.0.0/12'", "172.16.0.0/12"),
    ],
)
def test_a_proxy_may_be_written_in_several_ways(
    monkeypatch: pytest.MonkeyPatch, written: str, network: str
) -> None:
    monkeypatch.setenv("SYNCIFY_TRUSTED_PROXIES", f"127.0.0.1; {written}")

    found = env_networks("SYNCIFY_TRUSTED_PROXIES", default="")

    assert found == [ip_network("127.0.0.1"), ip_network(network)]


def test_a_wrong_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCIFY_TRUSTED_PROXIES", "10.0.0.1, caddy")

    with pytest.raises(ImproperlyConfigured, match=r"SYNCIFY_TRUSTED_PROXIES .* not 'caddy'"):
        env_networks("SYNCIFY_TRUSTED_PROXIES", default="")
