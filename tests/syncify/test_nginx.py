"""What the documentation says of nginx, tried with nginx: sign-in, a sync, pages that stay live."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.models import User
from sync.mirrors.services import request_sync
from syncify.simulator.grants import Client
from syncify.simulator.server import Simulator
from tests.driving import mirrored
from tests.processes import Child, free_port, web_server
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reverse-proxy.md").read_text(encoding="utf-8")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
STYLE = re.compile(r'href="(/static/[^"]+\.css)"')
#: What nginx wants around the block of the documentation, to run as anybody and by itself.
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {block}
}}
"""


@dataclass
class Site:
    """Syncify behind nginx: the address over https, that over http, and whom to believe."""

    https: str
    http: str
    certificate: Path


@pytest.fixture(scope="module")
def simulator_server() -> Iterator[Simulator]:
    """Spotify, where an address with https is registered."""
    uris = (*Client.redirect_uris, "https://127.0.0.1/accounts/callback/")
    with Simulator(client=replace(Client(), redirect_uris=uris)) as simulator:
        yield simulator


@pytest.fixture
def nginx() -> str:
    if found := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
        return found
    reason = "no nginx was found: install one to try the documentation's proxy"
    if os.environ.get("SYNCIFY_REQUIRE_NGINX") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def site(nginx: str, process_env: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    web, http, https = free_port(), free_port(), free_port()
    make_certificate(tmp_path)
    block = documented_block(web=web, http=http, https=https, folder=tmp_path)
    config = tmp_path / "nginx.conf"
    config.write_text(AROUND.format(folder=tmp_path, block=block))
    env = {**process_env, "SYNCIFY_BASE_URL": f"https://127.0.0.1:{https}"}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        cwd=ROOT,
        env=env,
        check=True,
    )
    with (
        web_server(tmp_path / "web.log", env, web),
        closing(Child(tmp_path / "worker.log", env, "manage.py", "runworker")),
        subprocess.Popen([nginx, "-c", str(config), "-e", "stderr"]) as proxy,  # noqa: S603
    ):
        try:
            wait_until(lambda: is_open(https))
            yield Site(
                f"https://127.0.0.1:{https}", f"http://127.0.0.1:{http}", tmp_path / "fullchain.pem"
            )
        finally:
            proxy.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def documented_block(*, web: int, http: int, https: int, folder: Path) -> str:
    """The block of the documentation, with the names and ports of this test."""
    [block] = re.findall(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
    for written, here in (
        ("listen [::]:80;", ""),
        ("listen [::]:443 ssl http2;", ""),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ", f"listen 127.0.0.1:{https} "),
        ("server_name syncify.example.org;", "server_name 127.0.0.1;"),
        ("/etc/letsencrypt/live/syncify.example.org", str(folder)),
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{web}"),
    ):
        assert written in block
        block = block.replace(written, here)
    return block


def make_certificate(folder: Path) -> None:
    """One of our own, for 127.0.0.1, in files named as Certbot names them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Syncify")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture
def browser(site: Site) -> Iterator[requests.Session]:
    """Ada's, in which she has just signed in."""
    with requests.Session() as session:
        session.trust_env = False  # the environment may name other authorities
        session.verify = str(site.certificate)
        session.headers["Referer"] = f"{site.https}/"
        to_spotify = press(session, site, "/accounts/login/")
        consent = {"listener": "ada", "answer": "agree"}
        arrival = session.post(to_spotify.headers["Location"], data=consent, timeout=60)
        assert arrival.url == f"{site.https}/"
        assert "Ada" in arrival.text
        yield session


def press(session: requests.Session, site: Site, path: str) -> requests.Response:
    """Press a button of the front page."""
    page = session.get(f"{site.https}/", timeout=60)
    [token, *_] = TOKEN.findall(page.text)
    return session.post(
        f"{site.https}{path}",
        data={"csrfmiddlewaretoken": token},
        allow_redirects=False,
        timeout=60,
    )


def wait_for_card(session: requests.Session, site: Site, words: str) -> None:
    wait_until(lambda: words in session.get(f"{site.https}/", timeout=60).text)


def test_a_listener_signs_in_through_nginx_and_gets_the_playlist(
    site: Site, browser: requests.Session, simulator: Simulator
) -> None:
    wait_for_card(browser, site, "Your playlist is ready")
    assert mirrored(simulator, User.objects.get()) == simulator.liked("ada")
    insecure = {cookie.name for cookie in browser.cookies if not cookie.secure}
    assert insecure == {"simulated_listener"}  # which is Spotify's

    answer = press(browser, site, "/sync/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    wait_for_card(browser, site, "In step with your Liked Songs")

    page = browser.get(f"{site.https}/", timeout=60)
    style = browser.get(site.https + STYLE.findall(page.text)[0], timeout=60)
    assert "immutable" in style.headers["Cache-Control"]
    assert style.headers["Content-Encoding"] == "gzip"

    plain = requests.get(f"{site.http}/settings/?a=b", allow_redirects=False, timeout=60)
    assert (plain.status_code, plain.headers["Location"]) == (
        301,
        "https://127.0.0.1/settings/?a=b",
    )


def test_events_come_through_nginx_as_they_happen(site: Site, browser: requests.Session) -> None:
    wait_for_card(browser, site, "Your playlist is ready")
    with browser.get(f"{site.https}/events/", stream=True, timeout=60) as events:
        lines = events.iter_lines(chunk_size=1, decode_unicode=True)
        assert "event: card" in lines  # which reads up to there

        request_sync(user=User.objects.get())

        # Well before the next sign of life, with which a proxy would let out what it had kept.
        began = time.monotonic()
        assert "event: card" in lines
        assert time.monotonic() - began < 10
