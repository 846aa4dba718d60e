"""Addresses are read as browsers send them; what nobody could open is refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.addresses import BadAddress, parse_address

LEGAL = [
    ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ("https://syncify.example.org/", "https://syncify.example.org"),
    ("HTTPS://Syncify.Example.ORG", "https://syncify.example.org"),
    ("https://syncify.example.org:443", "https://syncify.example.org"),
    ("http://syncify.example.org:80/", "http://syncify.example.org"),
    ("http://syncify.example.org:443", "http://syncify.example.org:443"),
    ("https://syncify.example.org:", "https://syncify.example.org"),
    ("https://syncify.example.org.", "https://syncify.example.org"),
    ("http://syncify:08000", "http://syncify:8000"),
    ("http://[::1]:8000", "http://[::1]:8000"),
    ("http://[2001:DB8:0:0:0:0:0:1]/", "http://[2001:db8::1]"),
    ("http://[::ffff:192.168.1.5]", "http://[::ffff:c0a8:105]"),
    ("https://müsik.example.org", "https://xn--msik-0ra.example.org"),
    ("https://MÜSIK.example.org", "https://xn--msik-0ra.example.org"),
    ("https://straße.example.org", "https://xn--strae-oqa.example.org"),
    ("https://nas.local/api/v1/", "https://nas.local/api/v1"),
]

REFUSED = [
    ("syncify.example.org", "must begin with"),
    ("localhost:8000", "must begin with"),
    ("ftp://syncify.example.org", "must begin with"),
    ("https:/syncify.example.org", "must begin with"),
    ("https:syncify.example.org", "must begin with"),
    ("https://", "no host"),
    ("https://:8000", "no host"),
    ("https://.", "no host"),
    ("https://ada@syncify.example.org", "user name"),
    ("https://ada:secret@syncify.example.org", "user name"),
    ("https://syncify.example.org?", "no ?"),
    ("https://syncify.example.org/?a=b", "no ?"),
    ("https://syncify.example.org/#top", "no #"),
    ("https://syncify.example.org:0", "port 0"),
    ("https://syncify.example.org:99999", "port"),
    ("https://syncify.example.org:web", "port"),
    ("https://syncify.example.org:-1", "port"),
    ("https://syncify example.org", "blanks"),
    ("https://syncify.example.org\\x", "backslashes"),
    ("http://[::1", "cannot be read"),
    ("http://[::1%eth0]:8000", "network card"),
    ("http://[1:2]", "IPv6"),
    ("http://192.168.1", "IPv4"),
    ("http://192.168.1.256", "IPv4"),
    ("http://192.168.001.005", "IPv4"),
    ("http://0x7f.1", "IPv4"),
    ("http://my_nas:8000", "no name"),
    ("http://*.example.org", "no name"),
    ("http://.example.org", "no name"),
    ("http://syncify..org", "no name"),
    ("http://-syncify.org", "no name"),
    (f"http://{'a' * 64}.org", "no name"),
    ("http://ex\u2028ample.org", "blanks"),
    ("http://\u00ad.org", "no name"),
]


@pytest.mark.parametrize(("written", "sent"), LEGAL)
def test_a_legal_address_gets_the_form_that_browsers_send(written: str, sent: str) -> None:
    assert str(parse_address(written)) == sent
    assert str(parse_address(sent)) == sent


@pytest.mark.parametrize(("written", "reason"), REFUSED)
def test_an_address_that_nobody_can_open_is_refused_with_the_reason(
    written: str, reason: str
) -> None:
    with pytest.raises(BadAddress) as refused:
        parse_address(written)

    assert reason in str(refused.value)


@given(st.text() | st.text(alphabet="htps:/[]@.%1a?#\\ ä0-9").map(lambda rest: f"https://{rest}"))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddress:
        return

    assert parse_address(str(address)) == address
