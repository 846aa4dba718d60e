"""What Syncify does not connect to, whoever asks, and how much it takes from those it does."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.targets.addresses import Allowed, Origin
from sync.targets.protocol import AddressRefused, NotUnderstood, Unavailable
from sync.targets.safety import Channel

NEVER = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",  # noqa: S104 - as an address to connect to
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "::",
    "::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.5",
    "192.168.1.20",
    "100.64.0.1",
    "fd12::1",
    "::ffff:192.168.1.20",
    "64:ff9b::c0a8:114",
]
PUBLIC = ["93.184.216.34", "2606:4700::6810:84e5", "64:ff9b::5db8:d822", "::ffff:93.184.216.34"]

ORIGIN = Origin.of("https://music.example")
NOTHING = Allowed()
EVERYTHING = Allowed.parse(["0.0.0.0/0", "::/0", "music.example"])


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allowed", [NOTHING, EVERYTHING], ids=["nothing", "everything"])
def test_some_addresses_are_refused_whatever_is_allowed(address: str, allowed: Allowed) -> None:
    with pytest.raises(AddressRefused):
        allowed.judge(ORIGIN, ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_the_operators_word(address: str) -> None:
    with pytest.raises(AddressRefused, match="SYNCIFY_TARGET_HOSTS"):
        NOTHING.judge(ORIGIN, ip_address(address))

    EVERYTHING.judge(ORIGIN, ip_address(address))
    Allowed.parse(["music.example"]).judge(ORIGIN, ip_address(address))


def test_a_network_allows_itself_and_no_other() -> None:
    allowed = Allowed.parse(["192.168.1.0/24"])

    allowed.judge(ORIGIN, ip_address("192.168.1.20"))
    with pytest.raises(AddressRefused):
        allowed.judge(ORIGIN, ip_address("192.168.2.20"))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    NOTHING.judge(ORIGIN, ip_address(address))


def test_an_address_of_the_operators_is_allowed_as_a_whole_and_nothing_else_there() -> None:
    allowed = Allowed.parse([], ["http://127.0.0.1:4533"])

    allowed.judge(Origin.of("http://127.0.0.1:4533/rest"), ip_address("127.0.0.1"))
    for other in ("http://127.0.0.1:5432", "https://127.0.0.1:4533", "http://localhost:4533"):
        with pytest.raises(AddressRefused):
            allowed.judge(Origin.of(other), ip_address("127.0.0.1"))


@given(st.ip_addresses())
def test_nothing_that_is_not_global_is_reached_by_default(address: object) -> None:
    try:
        NOTHING.judge(ORIGIN, address)  # type: ignore[arg-type]
    except AddressRefused:
        return
    assert address.is_global or address.version == 6  # type: ignore[attr-defined]
    assert not address.is_loopback  # type: ignore[attr-defined]
    assert not address.is_multicast  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "music.example",
        "ftp://music.example",
        "file:///etc/passwd",
        "gopher://music.example",
        "http://",
        "http:///path",
        "http://ada:secret@music.example",
        "http://music.example/?u=ada",
        "http://music.example/#top",
        "http://music.example:99999",
        "http://music.example:x",
        "http://[::1",
        "http://music.example/a b",
        "http://music.example/\r\nHost: other",
        "http://" + "a" * 70 + ".example",
    ],
)
def test_only_plain_addresses_are_taken(url: str) -> None:
    with pytest.raises(AddressRefused):
        Origin.of(url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Music.Example/navidrome/", ("http", "music.example", 80)),
        ("https://music.example.", ("https", "music.example", 443)),
        ("http://[fd12::1]:4533", ("http", "fd12::1", 4533)),
        ("https://müsic.example", ("https", "xn--msic-0ra.example", 443)),
    ],
)
def test_what_is_the_same_address_is_compared_as_the_same(
    url: str, origin: tuple[str, str, int]
) -> None:
    assert Origin.of(url) == Origin(*origin)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::1]", "[::]"]
)
def test_no_way_of_writing_loopback_gets_through(host: str) -> None:
    with (
        Channel(f"http://{host}:1", EVERYTHING) as channel,
        pytest.raises((AddressRefused, Unavailable)) as refused,
    ):
        channel.get("/", {})

    assert "listens" not in str(refused.value), "it was tried"


# --- A server that misbehaves -------------------------------------------------------------------

type Behaviour = Callable[[socket.socket], None]


@contextmanager
def serving(behave: Behaviour) -> Iterator[tuple[str, Allowed]]:
    """Accepts connections one after the other, and behaves so on each."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(65_536)
                        behave(connection)
                except OSError:
                    if listening.fileno() == -1:
                        return

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield url, Allowed.parse([], [url])


def says(text: str) -> Behaviour:
    return lambda connection: connection.sendall(text.encode())


def test_redirects_are_not_followed() -> None:
    asked = []

    def redirect(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
        )

    with (
        serving(redirect) as (url, allowed),
        Channel(url, allowed) as channel,
        pytest.raises(NotUnderstood, match="does not follow"),
    ):
        channel.get("/rest/ping.view", {})

    assert len(asked) == 1


def test_a_redirect_to_https_says_what_to_enter() -> None:
    to = "HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n"
    with (
        serving(says(to)) as (url, allowed),
        Channel(url, allowed) as channel,
        pytest.raises(NotUnderstood, match="Enter the address with https"),
    ):
        channel.get("/", {})


def test_a_long_answer_is_not_read_to_its_end() -> None:
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        sent.extend(connection.send(b"x" * 10_000) for _ in range(1_000))

    with (
        serving(flood) as (url, allowed),
        Channel(url, allowed, most_bytes=50_000) as channel,
        pytest.raises(NotUnderstood, match="too long"),
    ):
        channel.get("/", {})

    assert sum(sent) < 10_000_000


@pytest.mark.parametrize("head", ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_drips_ends_in_time(head: str) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(head.encode())
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.1)

    began = time.monotonic()
    with (
        serving(drip) as (url, allowed),
        Channel(url, allowed, total=0.3) as channel,
        pytest.raises(Unavailable, match="too long"),
    ):
        channel.get("/", {})

    assert time.monotonic() - began < 10  # it would be 20


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 200 + "\r\n",
    ],
    ids=["nothing", "nonsense", "cut short", "cut chunk", "too many headers"],
)
def test_a_broken_answer_is_unavailable(answer: str) -> None:
    with (
        serving(says(answer)) as (url, allowed),
        Channel(url, allowed) as channel,
        pytest.raises(Unavailable),
    ):
        channel.get("/", {})


@pytest.mark.parametrize("body", ["<html>", "", "[" * 100_000])
def test_what_is_no_json_is_not_understood(body: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with (
        serving(says(answer)) as (url, allowed),
        Channel(url, allowed) as channel,
        pytest.raises(NotUnderstood),
    ):
        _ = channel.get("/", {}).json


def test_the_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes to a forbidden address after it was judged gains nothing."""
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with serving(says(answer)) as (url, _):
        port = int(url.rpartition(":")[2])
        looked_up = []

        def look_up(host: str, *_: object, **__: object) -> list[object]:
            looked_up.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        named = f"http://music.example:{port}"
        with Channel(named, Allowed.parse([], [named])) as channel:
            answers = [channel.get("/", {}).status, channel.post_form("/", {}).status]

    assert answers == [200, 200]
    assert looked_up == ["music.example"]


def test_an_allowed_address_is_found_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name on a home network often has a link-local address too."""
    found = [
        (socket.AF_INET6, 1, 6, "", ("fe80::1%eth0", 80, 0, 2)),
        (socket.AF_INET, 1, 6, "", ("192.168.1.20", 80)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with Channel("http://nas.local", Allowed.parse(["nas.local"])) as channel:
        assert channel.is_private_way

    with Channel("http://nas.local", NOTHING) as channel, pytest.raises(AddressRefused):
        _ = channel.is_private_way


def test_a_kept_connection_that_was_closed_is_made_anew() -> None:
    connections = []

    def close_after_answer(connection: socket.socket) -> None:
        connections.append(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(close_after_answer) as (url, allowed), Channel(url, allowed) as channel:
        answers = [channel.get("/", {}).json for _ in range(3)]

    assert answers == [{}, {}, {}]
    assert len(connections) == 3


def test_a_write_whose_connection_breaks_is_not_sent_again() -> None:
    connections = []

    def break_off(connection: socket.socket) -> None:
        connections.append(1)

    with (
        serving(break_off) as (url, allowed),
        Channel(url, allowed) as channel,
        pytest.raises(Unavailable),
    ):
        channel.post_form("/", {"songId": ["1"]})

    assert len(connections) == 1


def test_a_long_last_answer_is_read_to_its_end() -> None:
    text = "[" + "1," * 300_000 + "1]"

    with (
        serving(says(f"HTTP/1.0 200 OK\r\n\r\n{text}")) as (url, allowed),
        Channel(url, allowed) as channel,
    ):
        assert len(channel.get("/", {}).json) == 300_001


def test_a_certificate_must_be_valid(tmp_path_factory: pytest.TempPathFactory) -> None:
    cert, key = _self_signed(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True)
                except (ssl.SSLError, OSError):
                    return

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with (
            Channel(url, Allowed.parse([], [url])) as channel,
            pytest.raises(Unavailable, match="certificate"),
        ):
            channel.get("/", {})


def _self_signed(folder: object) -> tuple[str, str]:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"  # type: ignore[operator]
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(cert_file), str(key_file)
